"""Bodies that were being parsed when the process died: one that killed it twice is not parsed a third time."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sara.domain.errors import SaraError
from sara.operations.problem_registry import ProblemRegistry
from sara.plugins.private_files import open_private, read_private, write_private

SLOTS = 64
WIDTH = 32
DEADLY = 2
"""A body that was being parsed at this many unclean ends is set aside unread."""

_EMPTY = bytes(WIDTH)


class ParseCrashLog:
    """Digests of the bodies being parsed right now, in a small file. Not synced: it has to outlive the process, not the power."""

    def __init__(self, state: Path, problems: ProblemRegistry) -> None:
        self._state = state
        self._problems = problems
        self._tally = state / "parsing.json"
        path = state / "parsing"
        try:
            self._handle = open_private(path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise SaraError(f"{path} cannot be opened: {error.strerror}") from error
        self._free = list(range(SLOTS))
        self._deaths = self._count_leftovers()

    def close(self) -> None:
        """Close the file: no body is being parsed any more."""
        os.close(self._handle)

    def is_blocked(self, body: bytes) -> bool:
        """Return whether a body was being parsed at too many crashes. Costs nothing while there was none."""
        return bool(self._deaths) and self._deaths.get(_digest(body).hex(), 0) >= DEADLY

    @contextmanager
    def track(self, body: bytes) -> Iterator[None]:
        """While within, the body counts as being parsed. Where that cannot be written down, or more are parsed at once than there
        are slots, it is parsed all the same: the file is a precaution, not a gate."""
        slot = self._free.pop() if self._free else None
        if slot is not None and not self._wrote(slot, _digest(body)):
            self._free.append(slot)
            slot = None
        try:
            yield
        finally:
            if slot is not None:
                # What could not be wiped out is overwritten by the next body: that slot is taken first.
                self._wrote(slot, _EMPTY)
                self._free.append(slot)

    def _wrote(self, slot: int, digest: bytes) -> bool:
        try:
            os.pwrite(self._handle, digest, slot * WIDTH)
        except OSError as error:
            self._problems.report(
                "state:crash_log:write_failed",
                f"{self._state} cannot be written: {error.strerror}",
                "free disk space or repair the disk; until then a webhook that crashes the process repeatedly is not recognised",
            )
            return False
        self._problems.clear("state:crash_log:write_failed")
        return True

    def _count_leftovers(self) -> dict[str, int]:
        """Add what the former life left behind to the tally."""
        try:
            deaths: dict[str, int] = json.loads(read_private(self._tally))
        except (OSError, ValueError):
            deaths = {}
        left = os.pread(self._handle, SLOTS * WIDTH, 0)
        found = {left[at : at + WIDTH].hex() for at in range(0, len(left), WIDTH)} - {_EMPTY.hex()}
        if found:
            deaths |= {digest: deaths.get(digest, 0) + 1 for digest in found}
            write_private(self._tally, json.dumps(deaths).encode())
        os.ftruncate(self._handle, 0)
        return deaths


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()
