"""Uploads the files that SARA sends: which are allowed, of which type they are, and each one only once."""

from __future__ import annotations

import asyncio
import mimetypes
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, TypeAlias

import structlog

from sara import NotSent, OutboundMessage, Rejected, SaraError
from sara_whatsapp.api.client import GraphClient
from sara_whatsapp.send.composer import TYPES
from sara_whatsapp.webhook.safe_json import scrub

log = structlog.get_logger("sara_whatsapp")

_MB = 1_000_000
_MAX_BYTES: Mapping[str, int] = {"image": 5 * _MB, "video": 16 * _MB, "audio": 16 * _MB, "sticker": 100_000}
_MAX_ANIMATED_STICKER_BYTES = 500_000
_MAX_DOCUMENT_BYTES = 100 * _MB

_UPLOAD_WAIT_S = 20.0  # a send may take a minute in total, the message's own call included
_RETRY_AFTER_MS = 10_000
_MEDIA_ID_LIFETIME_S = 7 * 86_400.0  # Meta keeps a file for 30 days
_MAX_CACHED_FILES = 256
_MAX_CONCURRENT_UPLOADS = 4

_MIME = re.compile(r"[a-z0-9.+-]{1,64}/[a-z0-9.+-]{1,64}(?:; ?[a-z]{1,32}=[a-z0-9.,-]{1,64})?")
_HEAD_BYTES = 32
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"OggS", "audio/ogg"),
    (b"#!AMR", "audio/amr"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf3", "audio/mpeg"),
    (b"\xff\xf1", "audio/aac"),
    (b"\xff\xf9", "audio/aac"),
    (b"%PDF-", "application/pdf"),
)
_UNKNOWN_MIME = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file that may be sent; `modified_ns` is its modification time in nanoseconds."""

    path: Path
    mime: str
    size: int
    modified_ns: int
    is_animated: bool = False


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A text that is sent as a file."""

    text: str
    mime: str = "text/plain"

    @property
    def data(self) -> bytes:
        """The encoded text, with a byte order mark, by which telephones detect the encoding."""
        return scrub(self.text).encode("utf-8-sig")


File: TypeAlias = LocalFile | WrittenFile


class MediaUploader:
    """Uploads files of `folder`, and texts as files, and caches their media ids."""

    def __init__(self, graph: GraphClient, folder: Path, *, wait_s: float = _UPLOAD_WAIT_S) -> None:
        self._graph = graph
        self._folder = folder
        self._wait_s = wait_s
        self._media_ids: dict[File, tuple[str, float]] = {}
        self._running: dict[File, asyncio.Task[str]] = {}
        self._gate = asyncio.Semaphore(_MAX_CONCURRENT_UPLOADS)

    async def close(self) -> None:
        """Cancel unfinished uploads."""
        running, self._running = list(self._running.values()), {}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def prepare(self, part: OutboundMessage) -> tuple[OutboundMessage, str | None]:
        """Return `part` as a kind that Meta accepts for its file, and the file's media id; None if it has no local file.

        Raises:
            Rejected: the file does not exist in the media folder, or is too large.
            NotSent, ChannelUnavailable: as for a message. The conversation waits while an upload takes its time.
        """
        content = part.content
        if content.get("written"):
            return part, await self._upload_once(WrittenFile(part.text))
        if not (part.kind in _MAX_BYTES or part.kind == "document") or not content.get("path"):
            return part, None
        name = str(content.get("name") or "")
        file = await asyncio.to_thread(inspect_file, self._folder, str(content["path"]), str(content.get("mime") or ""), name)
        kind = choose_kind(part.kind, file)
        if kind == "document" and not name:
            content = {**content, "name": f"file{_guess_extension(file.mime)}"}
        return replace(part, kind=kind, content=content), await self._upload_once(file)

    def forget(self, media_id: str) -> None:
        """Remove a media id from the cache, because Meta refused a message with it."""
        self._media_ids = {file: known for file, known in self._media_ids.items() if known[0] != media_id}

    async def _upload_once(self, file: File) -> str:
        """Return the media id of a file; concurrent callers share one upload and return later if it takes long."""
        now = asyncio.get_running_loop().time()
        known, until = self._media_ids.get(file, ("", now))
        if now < until:
            return known
        task = self._running.get(file)
        if task is None:
            self._evict_cache()
            task = self._running[file] = asyncio.create_task(self._upload(file), name="upload")
        await asyncio.wait({task}, timeout=self._wait_s)
        if not task.done():
            raise NotSent("A file is still being uploaded.", after=_RETRY_AFTER_MS, scope="conversation")
        # Removed only by a caller that gets the result: an unseen failure would start the upload again without end.
        if self._running.get(file) is task:
            del self._running[file]
        if task.cancelled():
            raise NotSent("The channel is closed.")
        if (failure := task.exception()) is not None:
            log.info("upload_failed", error=str(failure) if isinstance(failure, SaraError) else type(failure).__name__)
            # In every case, no message has left.
            raise (
                failure if isinstance(failure, SaraError) else NotSent(f"A file could not be uploaded: {type(failure).__name__}")
            )
        self._media_ids[file] = (task.result(), now + _MEDIA_ID_LIFETIME_S)
        return task.result()

    async def _upload(self, file: File) -> str:
        async with self._gate:
            handle = (
                BytesIO(file.data) if isinstance(file, WrittenFile) else await asyncio.to_thread(_open_regular_file, file.path)
            )
            try:
                return await self._graph.upload(handle, file.mime, f"file{_guess_extension(file.mime)}")
            finally:
                await asyncio.to_thread(handle.close)

    def _evict_cache(self) -> None:
        """Remove the oldest entries and finished uploads above the limit."""
        while len(self._media_ids) >= _MAX_CACHED_FILES:
            del self._media_ids[next(iter(self._media_ids))]
        if len(self._running) >= _MAX_CACHED_FILES:
            for file, task in list(self._running.items()):
                if task.done():  # no caller asked for the result
                    del self._running[file]
                    log.info("upload_abandoned", failed=not task.cancelled() and task.exception() is not None)


def choose_kind(kind: str, file: LocalFile) -> str:
    """Return the kind as which a file can be sent: its own, `image` for a sticker that is none, or `document`.

    Raises Rejected if it is empty or too large for each of them.
    """
    if not file.size:
        raise Rejected("The file to send is empty.")
    for form in (kind, "image") if kind == "sticker" else (kind,):
        max_bytes = _MAX_BYTES.get(form, 0) if file.mime.partition(";")[0] in TYPES.get(form, ()) else 0
        if file.size <= (_MAX_ANIMATED_STICKER_BYTES if form == "sticker" and max_bytes and file.is_animated else max_bytes):
            return form
    if file.size > _MAX_DOCUMENT_BYTES:
        raise Rejected(f"The file to send is larger than {_MAX_DOCUMENT_BYTES // _MB} MB.")
    return "document"


def inspect_file(folder: Path, path: str, mime: str = "", name: str = "") -> LocalFile:
    """Return the properties of the file at `path` below `folder`. Blocks.

    Raises:
        Rejected: the path leads out of `folder`, also through links, or is no file.
        NotSent: the file cannot be read at the moment.
    """
    try:
        root = folder.resolve(strict=True)
        real = (root / path).resolve(strict=True)
        if not real.is_relative_to(root):
            raise Rejected("Only files in the media folder can be sent.")
        with _open_regular_file(real) as file:
            found = os.fstat(file.fileno())
            head = file.read(_HEAD_BYTES)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError, RuntimeError):
        raise Rejected("The file to send is not in the media folder.") from None
    except OSError as error:
        raise NotSent(f"The file to send cannot be read: {error.strerror}") from None
    return LocalFile(real, _detect_mime(head, mime, name), found.st_size, found.st_mtime_ns, _is_animated(head))


def _open_regular_file(path: Path) -> BinaryIO:
    # Without blocking on a pipe and without following a link created meanwhile.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise FileNotFoundError(path.name)
    return os.fdopen(handle, "rb")


def _detect_mime(head: bytes, claimed: str, name: str) -> str:
    """Return the file's type by its first bytes, which Meta compares, else by its claimed type or its name."""
    claimed = claimed.strip().lower()
    claimed = claimed if _MIME.fullmatch(claimed) else ""
    if head[4:8] == b"ftyp":  # the same container for sound and pictures
        return claimed or ("video/3gpp" if head[8:11] == b"3gp" else "audio/mp4" if head[8:11] == b"M4A" else "video/mp4")
    seen = "image/webp" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else ""
    seen = seen or next((mime for sign, mime in _SIGNATURES if head.startswith(sign)), "")
    if seen and claimed.partition(";")[0] != seen:
        return seen
    mime = claimed or mimetypes.guess_type(name)[0] or _UNKNOWN_MIME
    return "text/plain" if mime.startswith("text/") else mime  # the only text type that Meta knows; the name shows the rest


def _is_animated(head: bytes) -> bool:
    return head[8:16] == b"WEBPVP8X" and len(head) > 20 and bool(head[20] & 0x02)


def _guess_extension(mime: str) -> str:
    return mimetypes.guess_extension(mime.partition(";")[0]) or ""
