"""Files in the state directory, opened without following links that others may have put in their place."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

LINK = "it is a link, and SARA follows none here; remove it, or put the file itself in its place"
NO_FILE = "it is not a file; remove it"


def open_private(path: Path, flags: int) -> int:
    """Open a file in the state directory, created with access for its owner alone; return its descriptor.

    Raises OSError; the text of its `strerror` says what to do where a link, a pipe or a device is in the way.
    """
    try:
        handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP or (error.errno == errno.EEXIST and path.is_symlink()):
            raise OSError(error.errno, LINK, str(path)) from error
        if error.errno == errno.ENXIO:  # a pipe without a reader
            raise OSError(error.errno, NO_FILE, str(path)) from error
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, NO_FILE, str(path))
    return handle


def read_private(path: Path) -> bytes:
    """Read a whole file in the state directory. Raises as `open_private` does."""
    with os.fdopen(open_private(path, os.O_RDONLY), "rb") as file:
        return file.read()


def write_private(path: Path, data: bytes) -> None:
    """Replace a file in the state directory atomically. Raises as `open_private` does."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)  # left by a crash; a link goes, not what it leads to
    with os.fdopen(open_private(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
        file.write(data)
    fresh.replace(path)


def refuse_foreign_link(path: Path) -> None:
    """Raise OSError where a folder is a link that neither root nor this user created."""
    if path.is_symlink() and path.lstat().st_uid not in (0, os.geteuid()):
        raise OSError(errno.ELOOP, LINK, str(path))


def refuse_link(path: Path) -> None:
    """Raise OSError where a file or folder that is opened by name elsewhere is a link."""
    if path.is_symlink():
        raise OSError(errno.ELOOP, LINK, str(path))
