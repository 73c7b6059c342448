"""Load shedding: no messages are accepted while the disk is nearly full or the backlog too long."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import structlog

from sara.domain.errors import SaraError
from sara.operations.problem_registry import ProblemRegistry
from sara.pipeline.media_downloads import free_bytes
from sara.plugins.store import Store
from sara.plugins.threads import run_in_thread

log = structlog.get_logger("sara.operations.load_shedding")

LEAST_FREE = 64 * 1024 * 1024
"""Bytes that must be free on the disks of the state directory and of the store for new messages to be taken in: what is under way needs room to end."""

MOST_WAITING = 50_000
"""With more unanswered messages than this no more are taken in; the provider keeps them until there is room."""

CHECK_EVERY_S = 5.0
"""Seconds between two checks."""


class IntakeGuard:
    """Decides whether there is room for new messages."""

    def __init__(self, state: Path, store: Store, problems: ProblemRegistry, *, free: Callable[[Path], int] = free_bytes) -> None:
        self._state = state
        self._store = store
        self._problems = problems
        self._free = free
        self.accepting = True

    async def look(self) -> None:
        """Check free space and backlog, and open or close the intake."""
        try:
            free, where = await run_in_thread(self._least_free)
            waiting = await self._store.backlog(MOST_WAITING + 1)
        except (OSError, SaraError) as error:
            log.warning("intake_check_failed", error=type(error).__name__)
            return
        enough_disk = self._judge(
            "intake:disk:low",
            free >= LEAST_FREE,
            f"only {free // 1_048_576} MB of disk space are free at {where}",
            "free disk space; until then new messages are rejected, and the provider delivers them again later",
        )
        bearable = self._judge(
            "intake:backlog:too_long",
            waiting <= MOST_WAITING,
            f"more than {MOST_WAITING} messages wait for a reply",
            "check why replies are not produced; until then new messages are rejected, and the provider delivers them again later",
        )
        self.accepting = enough_disk and bearable

    def _least_free(self) -> tuple[int, Path]:
        """Return the place with the least room: the state directory, or the disk that the store has for itself."""
        places = {self._state, self._store.data_directory() or self._state}
        return min((self._free(place), place) for place in places)

    def _judge(self, key: str, good: bool, message: str, remedy: str) -> bool:
        if good:
            self._problems.clear(key)
        else:
            self._problems.report(key, message, remedy, count=1)
        return good
