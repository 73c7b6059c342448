"""Who else may write what SARA runs or obeys: the configuration and the plugins beside it."""

from __future__ import annotations

import grp
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MOST_FILES = 10_000
"""Files of a folder that are looked at."""


@dataclass(frozen=True, slots=True)
class Writable:
    """A file or folder into which others may write, and how that is mended."""

    path: Path
    who: str
    mend: str

    def __str__(self) -> str:
        return f"{self.path} may be written by {self.who}"


def writable_by_others(path: Path, *, root: bool) -> Writable | None:
    """The first of `path`, what lies in it, and the folders around it, into which somebody else may write; None where there is none.

    A folder like /tmp, where everybody may write but nobody may replace what others own, is no danger to what lies in it.
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


def first_writable(paths: Iterable[Path], *, root: bool) -> Iterator[Writable]:
    """The same for several, each place once."""
    seen: set[Path] = set()
    for path in paths:
        found = writable_by_others(path, root=root)
        if found is not None and found.path not in seen:
            seen.add(found.path)
            yield found


def _within(path: Path) -> Iterator[Path]:
    yield path
    if path.is_dir():
        for number, each in enumerate(path.rglob("*")):
            if number >= MOST_FILES:
                return
            yield each


def _around(path: Path) -> dict[Path, None]:
    """Every folder in which an entry could be put in the place of what leads to `path`."""
    return dict.fromkeys([*path.absolute().parents, *path.resolve().parents])


def _fault_of(path: Path, *, root: bool) -> Writable | None:
    try:
        found = path.stat()
    except OSError:
        return None  # a link into nowhere, or gone meanwhile: nothing is loaded from it
    if found.st_mode & stat.S_IWOTH:
        return Writable(path, "every user of this machine", f"chmod o-w {path}")
    if found.st_mode & stat.S_IWGRP and found.st_gid != 0 and (root or not _is_own_group(found)):
        return Writable(path, f"the group {_group_name(found.st_gid)}", f"chmod g-w {path}")
    return None


def _is_own_group(found: os.stat_result) -> bool:
    """Whether a group is this user's alone, as many systems give one to each user."""
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
