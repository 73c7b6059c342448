"""Files that messages bring: fetched before an answer is made, kept under random names, removed after a while."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import structlog

from sara.bounds import Strays, in_thread
from sara.contracts import Channel, Clock, Store
from sara.errors import GiveUp, SaraError, Stale, TryLater
from sara.model import Attachment, Line
from sara.pause import pause
from sara.private_files import refuse_foreign_link
from sara.problems import Problems
from sara.routes import Route

if TYPE_CHECKING:
    from sara.config import Media

log = structlog.get_logger("sara.files")

FETCH_WITHIN = 60_000
"""Milliseconds after which a file is given up for this turn: an answer that cannot see it is better than none."""

TRIES = 3
AT_ONCE = 4
"""How many files are fetched at the same time for one conversation."""

MEGABYTE = 1_000_000
EXPIRE_EVERY = 3_600.0
EXPIRE_PAGE = 200
PARTIAL = ".part"


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


@dataclass(frozen=True, slots=True)
class _Fetched:
    """A file that is here, not yet under its name."""

    path: Path
    sha256: str
    size: int


class Files:
    """The media folder. A file's name says nothing of who sent it, and no sender chooses it."""

    def __init__(
        self,
        folder: Path,
        store: Store,
        policy: Media,
        problems: Problems,
        clock: Clock,
        new_name: Callable[[], str],
        strays: Strays,
    ) -> None:
        self.folder = folder
        self._store = store
        self._policy = policy
        self._problems = problems
        self._clock = clock
        self._new_name = new_name
        self._strays = strays
        # Between choosing a file's name and noting it, or forgetting and removing it, nobody else may do either.
        self._changing = asyncio.Lock()

    def open(self) -> None:
        """Make the folder, and clear it of what a former life had not fetched whole."""
        try:
            refuse_foreign_link(self.folder)
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SaraError(f"{self.folder} cannot be used: {error.strerror}") from error
        for left in self.folder.glob(f"*{PARTIAL}"):
            left.unlink(missing_ok=True)

    async def complete(self, route: Route, lines: Sequence[Line]) -> tuple[Line, ...]:
        """The lines with their files: what is not here yet is fetched. What cannot be had is left out, with its reason if it never
        can; the line's own text says that there was something."""
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(attachment: Attachment) -> Attachment:
            if attachment.path is not None or attachment.error is not None:
                return self._placed(attachment)
            async with limit:
                return await self._fetch(route, attachment)

        async def whole(line: Line) -> Line:
            if not line.attachments:
                return line
            return replace(line, attachments=tuple(await asyncio.gather(*map(one, line.attachments))))

        return tuple(await asyncio.gather(*map(whole, lines)))

    def placed(self, lines: Sequence[Line]) -> tuple[Line, ...]:
        """The lines with the paths of those files that are here already."""
        return tuple(
            replace(line, attachments=tuple(map(self._placed, line.attachments))) if line.attachments else line for line in lines
        )

    async def expire(self, ended: asyncio.Event) -> None:
        """Remove, hour by hour and in small steps, what is older than the policy keeps."""
        while not ended.is_set():
            try:
                await self.expire_all()
            except (SaraError, OSError) as error:
                log.warning("files_not_expired", error=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EXPIRE_EVERY):
                    await ended.wait()

    async def drop_forgotten(self) -> bool:
        """Remove some files of people who are being erased; false where there are none left."""
        async with self._changing:
            names = await self._store.forgotten_files(EXPIRE_PAGE)
            if names:
                await in_thread(self._remove, names)
                await self._store.forget_files(names, self._clock())
        return bool(names)

    async def expire_all(self) -> None:
        """Remove all that is older than the policy keeps."""
        while removed := await self._expire_page():
            log.info("files_expired", count=removed)

    async def _expire_page(self) -> int:
        async with self._changing:
            names = await self._store.old_files(self._clock() - self._policy.keep, EXPIRE_PAGE)
            if names:
                # In this order: a crash in between leaves a note of a file that is gone, never a file that nobody knows of.
                await in_thread(self._remove, names)
                await self._store.forget_files(names, self._clock())
        return len(names)

    def _remove(self, names: Sequence[str]) -> None:
        for name in names:
            (self.folder / name).unlink(missing_ok=True)

    def _placed(self, attachment: Attachment) -> Attachment:
        if attachment.path is None:
            return attachment
        path = self.folder / attachment.path
        # A restored database may name files that are gone.
        return replace(attachment, path=path if path.is_file() else None)

    async def _fetch(self, route: Route, attachment: Attachment) -> Attachment:
        if self._strays.blocked(route.called):
            return attachment
        wanted = attachment
        for turn in range(1, TRIES + 1):
            try:
                fetched = await self._strays.call(route.called, self._receive(route.channel, wanted), FETCH_WITHIN)
                return await self._keep(attachment, fetched)
            except GiveUp as error:
                log.warning("file_refused", channel=route.name, attachment=attachment.id, error=str(error))
                await self._store.keep_attachment(attachment.id, None, "", 0, str(error), self._clock())
                return replace(attachment, error=str(error))
            except OSError as error:
                self._problems.report(
                    "files:write",
                    f"a file could not be kept in {self.folder}: {error.strerror}",
                    "free some space or mend the folder; messages are answered without their files meanwhile",
                )
                return attachment
            except Exception as error:
                told = str(error) if isinstance(error, SaraError) else type(error).__name__
                log.warning("file_not_fetched", channel=route.name, attachment=attachment.id, turn=turn, error=told)
                if not isinstance(error, TryLater):
                    return attachment
                wanted = replace(attachment, url=None)  # whatever was there was not the file
            if turn < TRIES:
                await pause(turn)
        return attachment

    async def _receive(self, channel: Channel, attachment: Attachment) -> _Fetched:
        """Take in the bytes, never more than the policy allows. Raises GiveUp for what is too large or not what was promised."""
        path = self.folder / (self._new_name() + PARTIAL)
        most = self._policy.largest * MEGABYTE
        if attachment.size is not None and attachment.size > most:
            raise GiveUp(f"larger than {self._policy.largest} MB")
        digest, size = hashlib.sha256(), 0
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            async with contextlib.aclosing(_closable(channel.fetch(attachment))) as chunks:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > most:
                        raise GiveUp(f"larger than {self._policy.largest} MB")
                    await in_thread(_take, handle, digest, chunk)
            await in_thread(os.fsync, handle)
            if attachment.sha256 is not None and digest.hexdigest() != attachment.sha256.lower():
                raise TryLater("the bytes are not those that were announced")
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)
        self._problems.clear("files:write")
        return _Fetched(path, digest.hexdigest(), size)

    async def _keep(self, attachment: Attachment, fetched: _Fetched) -> Attachment:
        """Give it its name, unless the same file is here already, and note it."""
        async with self._changing:
            known = await self._store.attachment_file(fetched.sha256)
            if known is not None and (self.folder / known).is_file():
                file = known
                fetched.path.unlink(missing_ok=True)
            else:
                file = fetched.path.stem
                fetched.path.rename(self.folder / file)
            try:
                await self._store.keep_attachment(attachment.id, file, fetched.sha256, fetched.size, None, self._clock())
            except Stale:
                # Whoever sent it was erased meanwhile.
                if file != known:
                    (self.folder / file).unlink(missing_ok=True)
                raise
        return replace(attachment, path=self.folder / file, sha256=fetched.sha256, size=fetched.size)


def _take(handle: int, digest: _Digest, chunk: bytes) -> None:
    digest.update(chunk)
    view = memoryview(chunk)
    while view:
        view = view[os.write(handle, view) :]


async def _closable(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Any iterator as one that can be closed before its end: a download that is not wanted any more must not go on."""
    try:
        async for chunk in chunks:
            yield chunk
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
