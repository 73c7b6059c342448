"""The media folder: files of messages under random names, removed after a time, each named by a row of the store."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from sara.domain.errors import CommitUnknown, GiveUp, RetryLater, SaraError
from sara.domain.messages import Attachment
from sara.domain.problems import ProblemReporter
from sara.domain.time import Instant, Milliseconds
from sara.pipeline.bindings import ChannelBinding
from sara.plugins.call_guard import CallGuard
from sara.plugins.channel import Channel
from sara.plugins.context import Clock
from sara.plugins.private_files import refuse_foreign_link
from sara.plugins.store import Store
from sara.plugins.threads import run_in_thread

if TYPE_CHECKING:
    from sara.policy.settings import MediaSettings

log = structlog.get_logger("sara.pipeline.media")

DOWNLOAD_WITHIN: Milliseconds = 300_000
"""One try to fetch a file takes no longer."""

ORPHAN_AGE: Milliseconds = 2 * DOWNLOAD_WITHIN
"""A file that no row names may be removed once it is this old: a younger one may belong to a download under way."""

MEGABYTE = 1_000_000
EXPIRE_EVERY_S = 3_600.0
CLEAN_EVERY_S = 86_400.0
PAGE = 200
PARTIAL = ".part"
EXPIRED = "expired"
REPLACED = ".replaced-"
"""Behind the media folder's name: a folder in which a restore keeps the files that were there before."""

MISSING = "missing from the media folder"

OWN_NAME = re.compile(r"[0-9a-f]{32}(\.part)?")
"""The names that SARA gives to files. Every other file in the folder was put there to be sent, and stays."""


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


class DiskError(Exception):
    """The media folder takes no file."""


@dataclass(frozen=True, slots=True)
class _Fetched:
    """A downloaded file that does not have its name yet."""

    path: Path
    sha256: str
    size: int


class MediaStore:
    """The media folder. No file name is chosen by a sender or says who sent the file."""

    def __init__(
        self,
        folder: Path,
        store: Store,
        policy: MediaSettings,
        problems: ProblemReporter,
        clock: Clock,
        new_name: Callable[[], str],
        call_guard: CallGuard,
    ) -> None:
        self.folder = folder
        self._store = store
        self._policy = policy
        self._problems = problems
        self._clock = clock
        self._new_name = new_name
        self._call_guard = call_guard
        # Between choosing a file's name and noting it, or forgetting and removing it, no other task may do either.
        self._changing = asyncio.Lock()
        self._in_hand: set[str] = set()
        self._is_cleaned = False
        self._keeping: set[asyncio.Task[Attachment]] = set()

    def open(self) -> None:
        """Make the folder, and clear it of what a former process had not fetched whole."""
        try:
            refuse_foreign_link(self.folder)
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SaraError(f"{self.folder} cannot be used: {error.strerror}") from error
        for left in self.folder.glob(f"*{PARTIAL}"):
            if OWN_NAME.fullmatch(left.name):
                left.unlink(missing_ok=True)

    def kept_aside(self) -> Mapping[str, Instant]:
        """Return the folders with files from before a restore, and when each was made."""
        found = self.folder.parent.glob(f"{self.folder.name}{REPLACED}*")
        return {str(path.absolute()): path.stat().st_mtime_ns // 1_000_000 for path in found}

    async def fetch(self, route: ChannelBinding, attachment: Attachment) -> Attachment:
        """Try once to fetch a file. Returns it with its place, or with the reason for which it cannot be had; either is noted.

        Raises what the channel raised, TimeoutError, DiskError, Stale or a store's error, and then nothing of it is left.
        """
        name = self._new_name()
        partial = self.folder / (name + PARTIAL)
        self._in_hand.add(name)
        try:
            fetched = await self._call_guard.call(
                route.called, self._receive(route.channel, attachment, partial), DOWNLOAD_WITHIN
            )
        except BaseException as error:
            # Also where the call goes on although it was given up: what it still writes has no name any more.
            partial.unlink(missing_ok=True)
            self._in_hand.discard(name)
            if isinstance(error, GiveUp):
                return await self.refuse(attachment, str(error))
            raise
        # Not to be cut off between giving the file its name and noting it.
        keeping = asyncio.ensure_future(self._keep(attachment, fetched, name))
        self._keeping.add(keeping)
        keeping.add_done_callback(self._kept)
        return await asyncio.shield(keeping)

    async def refuse(self, attachment: Attachment, reason: str) -> Attachment:
        """Note that a file cannot be had any more."""
        log.warning("file_rejected", attachment=attachment.id)
        await self._store.keep_attachment(attachment.id, None, "", 0, reason, self._clock())
        return replace(attachment, error=reason)

    def too_old(self, at: Instant) -> bool:
        """Return whether a file of a message of that time would be removed at once."""
        return at < self._clock() - self._policy.keep

    async def settled(self) -> None:
        """Return once no file is between its name and its note."""
        if self._keeping:
            await asyncio.wait(self._keeping)

    def place(self, attachment: Attachment) -> Attachment:
        """Return the attachment with the path of its file, if that is here."""
        return located(attachment, self.folder)

    async def clean(self) -> None:
        """Remove the files that no row names: the first time all, as no download of a former process can be under way then."""
        await self.remove_unnamed(ORPHAN_AGE if self._is_cleaned else 0)
        self._is_cleaned = True

    async def remove_unnamed(self, age: Milliseconds = ORPHAN_AGE) -> int:
        """Remove the files of SARA's own that no row names and that are at least `age` milliseconds old; how many they were."""
        before = self._clock() - age
        removed = 0
        for page in await run_in_thread(_pages, self.folder, before if age else None):
            async with self._changing:
                candidates = [name for name in page if name.removesuffix(PARTIAL) not in self._in_hand]
                named = await self._store.named_files(candidates)
                orphans = [name for name in candidates if name not in named]
                await run_in_thread(self._remove, orphans)
                removed += len(orphans)
        if removed:
            log.info("unreferenced_files_removed", count=removed)
        return removed

    async def drop_forgotten(self) -> bool:
        """Remove some files of people who are being erased; false where there are none left."""
        async with self._changing:
            names = await self._store.forgotten_files(PAGE)
            if names:
                await run_in_thread(self._remove, names)
                await self._store.forget_files(names, self._clock())
        return bool(names)

    async def expire_all(self) -> None:
        """Remove all that is older than the policy keeps."""
        while removed := await self._expire_page():
            log.info("files_expired", count=removed)

    async def _expire_page(self) -> int:
        async with self._changing:
            names = await self._store.old_files(self._clock() - self._policy.keep, PAGE)
            if names:
                # In this order: a crash in between leaves a row without its file, never a file without a row.
                await run_in_thread(self._remove, names)
                await self._store.forget_files(names, self._clock())
        return len(names)

    def _remove(self, names: Sequence[str]) -> None:
        for name in names:
            (self.folder / name).unlink(missing_ok=True)

    async def _receive(self, channel: Channel, attachment: Attachment, path: Path) -> _Fetched:
        """Take in the bytes, never more than the policy allows. Raises GiveUp for what is too large or not what was promised."""
        most = self._policy.max_size * MEGABYTE
        if attachment.size is not None and attachment.size > most:
            raise GiveUp(f"larger than {self._policy.max_size} MB")
        digest, size = hashlib.sha256(), 0
        with self._disk():
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            async with contextlib.aclosing(_closable(channel.fetch(attachment))) as chunks:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > most:
                        raise GiveUp(f"larger than {self._policy.max_size} MB")
                    with self._disk():
                        await _in_thread_to_its_end(_take, handle, digest, chunk)
            with self._disk():
                await _in_thread_to_its_end(os.fsync, handle)
        finally:
            os.close(handle)
        if attachment.sha256 is not None and digest.hexdigest() != attachment.sha256.lower():
            raise RetryLater("the bytes are not those that were announced")
        return _Fetched(path, digest.hexdigest(), size)

    async def _keep(self, attachment: Attachment, fetched: _Fetched, name: str) -> Attachment:
        """Give it its name, unless the same file is here already, and note it. On any error nothing of it stays."""
        async with self._changing:
            try:
                known = await self._store.attachment_file(fetched.sha256)
                if known is not None and (self.folder / known).is_file():
                    file = known
                else:
                    file = name
                    with self._disk():
                        await run_in_thread(_publish, fetched.path, self.folder / file)
                await self._store.keep_attachment(attachment.id, file, fetched.sha256, fetched.size, None, self._clock())
            except CommitUnknown:
                raise  # it may have been noted: the next start looks
            except BaseException:
                (self.folder / name).unlink(missing_ok=True)
                raise
            finally:
                fetched.path.unlink(missing_ok=True)
                self._in_hand.discard(name)
        self._problems.clear("media:folder:write_failed")
        return replace(attachment, path=self.folder / file, sha256=fetched.sha256, size=fetched.size)

    def _kept(self, keeping: asyncio.Task[Attachment]) -> None:
        self._keeping.discard(keeping)
        if not keeping.cancelled():
            keeping.exception()  # looked at also where whoever waited for it was cancelled

    @contextlib.contextmanager
    def _disk(self) -> Iterator[None]:
        """Report failures in this block as the disk's, not the provider's."""
        try:
            yield
        except OSError as error:
            self._problems.report(
                "media:folder:write_failed",
                f"a file could not be written to {self.folder}: {error.strerror}",
                "free disk space or repair the folder; until then messages are answered without their files",
            )
            raise DiskError(f"the media folder takes no file: {error.strerror}") from error


def located(attachment: Attachment, folder: Path) -> Attachment:
    """Return the attachment with the path of its file in the media folder; failed where that is not there."""
    if attachment.path is None:
        return attachment
    path = folder / attachment.path
    # A database that was restored without its files may name some that are gone.
    return replace(attachment, path=path) if path.is_file() else replace(attachment, path=None, error=MISSING)


def _pages(folder: Path, before: Instant | None) -> list[list[str]]:
    """Return the names of SARA's own files in a folder that were last changed at or before `before`, in pages."""
    found: list[str] = []
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        for entry in entries:
            if not OWN_NAME.fullmatch(entry.name):
                continue
            with contextlib.suppress(FileNotFoundError):
                if before is None or entry.stat(follow_symlinks=False).st_mtime_ns // 1_000_000 <= before:
                    found.append(entry.name)
    return [found[start : start + PAGE] for start in range(0, len(found), PAGE)]


def _publish(path: Path, target: Path) -> None:
    """Give a file its name for good: a power cut must not take the name back once it is noted."""
    path.rename(target)
    handle = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


async def _in_thread_to_its_end(function: Callable[..., object], *args: Any) -> None:
    """Run a function of an open file in a thread. Cancelled, it ends first: the number of a closed file may be another's by then."""
    work = asyncio.ensure_future(run_in_thread(function, *args))
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


def _take(handle: int, digest: _Digest, chunk: bytes) -> None:
    digest.update(chunk)
    view = memoryview(chunk)
    while view:
        view = view[os.write(handle, view) :]


async def _closable(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Wrap an iterator so that it can be closed before its end: a download that is not wanted any more must not go on."""
    try:
        async for chunk in chunks:
            yield chunk
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
