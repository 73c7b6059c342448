"""Which user a command runs as: one that root runs becomes the owner of the state folder before it touches it.

What the service's user may write there can be a trap for root: a link in the place of a file that root opens, changes or gives
away. After `become_owner` such a trap can do no more than its owner could do anyway.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import pwd
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sara.domain.errors import SaraError

PR_SET_KEEPCAPS = 8
CAPABILITY_VERSION = 0x20080522
READ_SEARCH = 1 << 2
"""Linux's number for CAP_DAC_READ_SEARCH: to read, and to pass folders, whoever owns them; never to write."""

MOST_LINKS = 40
"""As many as Linux follows."""

_became: list[int] = []


def has_changed() -> bool:
    """Return whether this process ran as root and no longer does: root's own files can no longer be read."""
    return bool(_became)


def become_owner(state: Path) -> None:
    """Become the user who owns the state folder, if this is root and the folder is somebody else's. Raises SaraError where that is
    not possible, or not safe.

    systemd keeps the folder of a service with `DynamicUser=` behind one that only root may enter. Then, and where Python itself is
    closed to others, the right to read is kept, and nothing else of root's.
    """
    if os.geteuid() != 0:
        return
    owner = _owner_of(state)
    if owner is None or owner.st_uid == 0:
        return
    groups = _groups(owner)
    closed = _closed_to(owner, groups, state)
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if closed is not None:
            libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
        os.setgroups(groups)
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
        if closed is not None:
            _keep_reading(libc)
    except OSError as error:
        passing = f" while {closed} is closed to that user" if closed is not None else ""
        raise SaraError(
            f"{state} belongs to {user_named(owner.st_uid)}, and this process cannot become that user{passing} ({error.strerror});"
            f" run the command as {user_named(owner.st_uid)}"
        ) from error
    _became.append(owner.st_uid)
    with contextlib.suppress(RuntimeError):  # there is no loop yet
        # A thread that was there before has not kept the right to read.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())


def user_named(uid: int) -> str:
    """Return the name of a user."""
    try:
        return f"the user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"the user {uid}"


def _keep_reading(libc: ctypes.CDLL) -> None:
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)(READ_SEARCH, READ_SEARCH, 0, 0, 0, 0)
    if libc.capset(header, sets) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _owner_of(state: Path) -> os.stat_result | None:
    """Return the folder; None where there is none yet. A link on the way to it must belong to root or to the owner of the place
    it leads to: another user could make root take a foreign folder for the state folder."""
    try:
        found = state.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SaraError(f"{state} cannot be looked at: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode):
        raise SaraError(f"{state} is not a folder; `state:` in the file must name one")
    for link in _links(state):
        maker = link.lstat().st_uid
        if maker not in (0, found.st_uid):
            raise SaraError(
                f"{link} is a link that {user_named(maker)} made, and root does not follow it;"
                " write into `state:` where the folder really is"
            )
    return found


def _links(path: Path) -> list[Path]:
    """Every link that is followed on the way to `path`."""
    found: list[Path] = []
    waiting = list(path.absolute().parts[1:])
    at = Path("/")
    while waiting and len(found) < MOST_LINKS:
        part = waiting.pop(0)
        at = at.parent if part == ".." else at / part
        if at.is_symlink():
            found.append(at)
            target = at.readlink()
            waiting = [each for each in target.parts if each != "/"] + waiting
            at = Path("/") if target.is_absolute() else at.parent
    return found


def _groups(owner: os.stat_result) -> list[int]:
    try:
        return os.getgrouplist(pwd.getpwuid(owner.st_uid).pw_name, owner.st_gid)
    except KeyError:
        return [owner.st_gid]


def _closed_to(owner: os.stat_result, groups: list[int], state: Path) -> Path | None:
    """Return a folder that the owner of the state folder may not pass on the way to it or to SARA's own code; None where there is
    none."""
    for needed in (state, Path(__file__), Path(sys.prefix), Path(sys.base_prefix)):
        place = needed.resolve()
        for folder in place.parents if place.is_file() or needed == state else (place, *place.parents):
            found = folder.stat()
            if found.st_uid == owner.st_uid:
                allowed = found.st_mode & stat.S_IXUSR
            elif found.st_gid in groups:
                allowed = found.st_mode & stat.S_IXGRP
            else:
                allowed = found.st_mode & stat.S_IXOTH
            if not allowed:
                return folder
    return None
