"""Find other users who may write the configuration or the plugins beside it."""

from __future__ import annotations

import grp
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_FILES = 10_000
"""Files of a folder that are looked at."""


@dataclass(frozen=True, slots=True)
class WritablePath:
    """A file or folder that others may write, and the command that changes it."""

    path: Path
    who: str
    mend: str

    def __str__(self) -> str:
        return f"{self.path} may be written by {self.who}"


def find_writable(path: Path, *, root: bool) -> WritablePath | None:
    """Return the first of `path`, its contents and the folders above it that others may write; None where there is none.

    A folder like /tmp, where everybody may write but nobody may replace what others own, is no danger to its contents.
    """
    if not os.path.lexists(path):
        return None
    for each in _within(path):
        if found := _fault_of(each, root=root):
            return found
    for parent in _around(path):
        found = _fault_of(parent, root=root)
        if found and not parent.stat().st_mode & stat.S_ISVTX:
            return found
    return None


def find_all_writable(paths: Iterable[Path], *, root: bool) -> Iterator[WritablePath]:
    """Yield the writable place of each path, every place once."""
    seen: set[Path] = set()
    for path in paths:
        found = find_writable(path, root=root)
        if found is not None and found.path not in seen:
            seen.add(found.path)
            yield found


def _within(path: Path) -> Iterator[Path]:
    yield path
    if path.is_dir():
        for number, each in enumerate(path.rglob("*")):
            if number >= MAX_FILES:
                return
            yield each


def _around(path: Path) -> dict[Path, None]:
    """Return every folder in which an entry could replace a part of the way to `path`."""
    return dict.fromkeys([*path.absolute().parents, *path.resolve().parents])


def _fault_of(path: Path, *, root: bool) -> WritablePath | None:
    try:
        found = path.stat()
    except OSError:
        return None  # a link into nowhere, or gone meanwhile: nothing is loaded from it
    if found.st_mode & stat.S_IWOTH:
        return WritablePath(path, "every user of this machine", f"chmod o-w {path}")
    if found.st_mode & stat.S_IWGRP and found.st_gid != 0 and (root or not _is_own_group(found)):
        return WritablePath(path, f"the group {_group_name(found.st_gid)}", f"chmod g-w {path}")
    return None


def _is_own_group(found: os.stat_result) -> bool:
    """Return whether a group has no member but this user, as on systems with one group per user."""
    if found.st_gid != os.getegid():
        return False
    try:
        members = grp.getgrgid(found.st_gid).gr_mem
    except KeyError:
        return True
    return not members


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
