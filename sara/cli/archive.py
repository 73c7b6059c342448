"""The archive that `sara backup` writes: a tar file with the store's own backup, customers' files, and a list of both.

| member | content |
|---|---|
| `store` | what the store's plugin saved |
| `media/…` | the files of the media folder |
| `contents.json` | the last one: size and SHA-256 of each of the others |
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import shutil
import stat
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO

from sara.domain.errors import SaraError
from sara.domain.time import Instant
from sara.pipeline.media import OWN_NAME, PARTIAL, REPLACED

FORMAT = 1
STORE = "store"
MEDIA = "media"
CONTENTS = "contents.json"
UNFINISHED = ".sara-unfinished"
CHUNK = 1 << 20
MAX_CONTENTS = 256 << 20


@dataclass(frozen=True, slots=True)
class Contents:
    """What an archive holds: when it was made, and how many files of customers are in it."""

    at: Instant
    files: int


@contextmanager
def unfinished(target: Path) -> Iterator[Path]:
    """Provide a folder beside `target` in which an archive is made, and remove it afterwards. What killed processes left is
    removed first.

    Raises SaraError where `target` exists, or is being made by another process.
    """
    if os.path.lexists(target):
        raise SaraError(f"{target} exists already; a backup never replaces a file, give another name")
    for left in target.parent.glob(f".*{UNFINISHED}"):
        _remove_if_left(left)
    folder = target.with_name(f".{target.name}{UNFINISHED}")
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError as error:
        raise SaraError(f"another backup to {target} is under way") from error
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield folder
        finally:
            shutil.rmtree(folder)
            os.close(handle)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write(archive: Path, store: Path, media: Path, at: Instant) -> Contents:
    """Write an archive, read it again, and have it on the disk."""
    handle = os.open(archive, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w+b") as file:
        members: dict[str, list[object]] = {}
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            with _regular(store) as content:
                members[STORE] = _add(tar, STORE, content, at)
            for name in _names(media):
                with suppress(FileNotFoundError), _regular(media / name) as content:  # removed meanwhile, by age or by `forget`
                    members[f"{MEDIA}/{name}"] = _add(tar, f"{MEDIA}/{name}", content, at)
            listed = json.dumps({"format": FORMAT, "at": at, "members": members}, ensure_ascii=True).encode()
            _add(tar, CONTENTS, io.BytesIO(listed), at, len(listed))
        file.flush()
        os.fsync(file.fileno())
    return read(archive)


def publish(archive: Path, target: Path) -> int:
    """Give a finished archive its name; its size. A link, unlike a rename, never replaces a file; but not every file system has links."""
    try:
        os.link(archive, target)
    except OSError as error:
        if os.path.lexists(target):
            raise SaraError(f"{target} exists already; a backup never replaces a file") from error
        archive.rename(target)
    _sync(target.parent)
    return target.stat().st_size


def is_archive(path: Path) -> bool:
    """Return whether a file is a tar archive. Another file may be a bare backup of the store."""
    try:
        return tarfile.is_tarfile(path)
    except OSError:
        return False


def read(archive: Path, into: Path | None = None, *, with_media: bool = True) -> Contents:
    """Compare everything in an archive with its list, and unpack it into the empty folder `into`. Raises SaraError for what is
    damaged, or no archive of SARA's; what was unpacked is then of no use."""
    found: dict[str, list[object]] = {}
    listed: dict[str, object] | None = None
    try:
        with _regular(archive) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isreg() else None
                if content is None or member.name in found or listed is not None or not _expected(member.name):
                    raise SaraError(f"{archive} is not a backup of SARA's: {member.name!r} does not belong into it")
                if member.name == CONTENTS:
                    listed = _parsed(archive, content.read(MAX_CONTENTS))
                    continue
                wanted = into is not None and (member.name == STORE or with_media)
                found[member.name] = _digest(content, into / member.name if into is not None and wanted else None)
    except (tarfile.TarError, EOFError) as error:
        raise SaraError(f"{archive} is damaged: {error}") from error
    except OSError as error:
        raise SaraError(f"{archive} cannot be read or unpacked: {error.strerror or error}") from error
    if listed is None or STORE not in found:
        raise SaraError(f"{archive} is damaged: its end is missing")
    if listed["members"] != found:
        raise SaraError(f"{archive} is damaged: its contents differ from its list")
    return Contents(int(str(listed["at"])), len(found) - 1)


# ── the media folder ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Brought:
    """The files that a restore has put into the media folder, and the folder in which the former ones are kept, if there were any."""

    made: tuple[Path, ...]
    aside: Path | None

    @classmethod
    def put_back(cls, unpacked: Path, media: Path, now: Instant) -> Brought:
        """Keep the present files aside, and move unpacked ones into the media folder where there are none of these names.

        What raises has left the folder as it was.
        """
        made: list[Path] = []
        aside = _set_aside(media, now)
        try:
            for name in _names(unpacked):
                target = media / name
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                for folder in (media, target.parent):
                    _own_like(folder, media.parent)
                if not os.path.lexists(target):
                    (unpacked / name).rename(target)
                    made.append(target)
                    _own_like(target, media.parent)
            if made:
                _sync(media)
        except OSError:
            cls(tuple(made), aside).take_away()
            raise
        return cls(tuple(made), aside)

    def take_away(self) -> None:
        """Leave the media folder as it was."""
        for path in self.made:
            path.unlink(missing_ok=True)
        if self.aside is not None:
            shutil.rmtree(self.aside)


def empty_folder(folder: Path) -> Path:
    """Make a folder for its owner alone; what an earlier process left in it goes."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
    return folder


def _set_aside(media: Path, now: Instant) -> Path | None:
    """Keep all files of SARA's own under a second name: what the restored data do not name, the next start removes."""
    names = [name for name in _names(media) if OWN_NAME.fullmatch(name)]
    if not names:
        return None
    aside = media.with_name(f"{media.name}{REPLACED}{datetime.fromtimestamp(now / 1_000, UTC):%Y%m%dT%H%M%S}{now % 1_000:03}Z")
    aside.mkdir(mode=0o700)
    _own_like(aside, media.parent)
    for name in names:
        try:
            os.link(media / name, aside / name, follow_symlinks=False)
        except OSError:  # not every file system has links
            shutil.copy2(media / name, aside / name, follow_symlinks=False)
            _own_like(aside / name, media.parent)
    _sync(aside)
    return aside


def _names(media: Path) -> list[str]:
    """Yield the regular files below a folder without unfinished ones. Names that no archive takes are left out."""
    found = []
    for folder, _, names in os.walk(media):
        for name in names:
            relative = (Path(folder) / name).relative_to(media).as_posix()
            whole = not (OWN_NAME.fullmatch(name) and name.endswith(PARTIAL))
            if whole and stat.S_ISREG((media / relative).lstat().st_mode):
                found.append(relative)
    return sorted(found)


# ── members ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _add(tar: tarfile.TarFile, name: str, content: IO[bytes], at: Instant, size: int | None = None) -> list[object]:
    info = tarfile.TarInfo(name)
    info.size = os.fstat(content.fileno()).st_size if size is None else size
    info.mode, info.mtime = 0o600, at // 1_000
    hashed = _Hashed(content)
    tar.addfile(info, hashed)
    return [info.size, hashed.digest.hexdigest()]


class _Hashed(io.RawIOBase):
    """Hashes what is read through it."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content = content
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._content.read(size)
        self.digest.update(data)
        return data


def _digest(content: IO[bytes], target: Path | None) -> list[object]:
    """Size and digest of what is read to its end, written to the new file `target` if there is one."""
    digest, size = hashlib.sha256(), 0
    handle = None
    if target is not None:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        while data := content.read(CHUNK):
            digest.update(data)
            size += len(data)
            if handle is not None:
                view = memoryview(data)
                while view:
                    view = view[os.write(handle, view) :]
        if handle is not None:
            os.fsync(handle)
    finally:
        if handle is not None:
            os.close(handle)
    return [size, digest.hexdigest()]


def _expected(name: str) -> bool:
    """Return whether a member of this name may be there, and stays below the folder that it is unpacked into."""
    if name in (STORE, CONTENTS):
        return True
    parts = name.split("/")
    plain = "\0" not in name and not PurePosixPath(name).is_absolute() and not set(parts) & {"", ".", ".."}
    return plain and len(parts) > 1 and parts[0] == MEDIA


def _parsed(archive: Path, text: bytes) -> dict[str, object]:
    try:
        listed = json.loads(text)
        made_by = int(listed["format"])
        int(listed["at"])
        known = isinstance(listed["members"], dict)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SaraError(f"{archive} is damaged: its list cannot be read") from error
    if made_by > FORMAT or not known:
        raise SaraError(f"{archive} was written by a newer SARA; upgrade SARA, or give an older backup")
    return dict(listed)


@contextmanager
def _regular(path: Path) -> Iterator[IO[bytes]]:
    """Open a regular file for reading; no link, and nothing that would block the reader."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise SaraError(f"{path} is no regular file")
        yield file


def _remove_if_left(folder: Path) -> None:
    """Remove an unfinished archive whose process is gone: one that lives holds a lock on its folder."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
        finally:
            os.close(handle)


def _own_like(path: Path, model: Path) -> None:
    """Give what root made to the owner of `model`: the daemon runs as another user."""
    if os.geteuid() == 0:
        owner = model.stat()
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
