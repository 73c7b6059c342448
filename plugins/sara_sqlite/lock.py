"""Who may write a database file: one process, for as long as it lives."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

from sara.engines import StoreLocked, StoreUnavailable
from sara.helpers import open_private, refuse_link

HOLDS_DATA = b"holds data"


class Lock:
    """A lock on `<database>.lock`. The kernel lets go of it when the process ends, however it ends.

    The file names the process, and remembers whether the database was ever filled: an empty one would otherwise look new.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock. Raises StoreLocked with the number of the process that has it."""
        lock = path.with_name(path.name + ".lock")
        try:
            refuse_link(path)
            self._handle = open_private(lock, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise StoreUnavailable(f"{error.filename or lock} cannot be opened: {error.strerror}") from error
        content = os.pread(self._handle, 128, 0).splitlines()
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._handle)
            owner = content[0].decode("ascii", "replace").strip() if content else ""
            raise StoreLocked(
                f"{path} is in use by another SARA, process {owner or 'unknown'};"
                " stop that one, or give this one another `state:` folder"
            ) from error
        owned_like(self._handle, path if path.exists() else path.parent)
        self.held_data = HOLDS_DATA in content[1:]
        self._write(self.held_data)

    def remember_data(self) -> None:
        """From now on an empty database is a damaged one."""
        if not self.held_data:
            self._write(True)
            self.held_data = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Release the lock."""
        os.close(self._handle)

    def _write(self, held_data: bool) -> None:
        content = f"{os.getpid()}\n".encode() + (HOLDS_DATA + b"\n" if held_data else b"")
        os.pwrite(self._handle, content, 0)
        os.ftruncate(self._handle, len(content))


def owned_like(handle: int, model: Path) -> None:
    """Give an open file that root made to the owner of `model`: the daemon runs as another user. One with a second name is
    not given away: the other may be a trap."""
    if os.geteuid() == 0 and os.fstat(handle).st_nlink == 1:
        owner = model.lstat()
        os.fchown(handle, owner.st_uid, owner.st_gid)
