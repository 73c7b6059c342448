"""A wall clock that was set back: due times that lie too far ahead are brought forward."""

from __future__ import annotations

import asyncio

import structlog

from sara.domain.errors import SaraError
from sara.domain.time import Instant, Milliseconds
from sara.plugins.context import Clock
from sara.plugins.store import Store
from sara.queue.sweeper import Sweeper

log = structlog.get_logger("sara.queue.clock_monitor")

CHECK_EVERY_S = 5.0
"""Seconds between two comparisons of the wall clock with the loop's steady clock."""

TOLERANCE: Milliseconds = 60_000
"""A smaller step back does not justify a look at every conversation."""

MAX_WAIT_AT_START: Milliseconds = 600_000
"""At a start, work that is due later than this is due at once: a clock that was set back may be the cause, and an early look is harmless."""


class ClockMonitor:
    """Compares the wall clock with the loop's clock."""

    def __init__(self, store: Store, sweeper: Sweeper, clock: Clock) -> None:
        self._store = store
        self._sweeper = sweeper
        self._clock = clock
        self._last: tuple[Instant, float] | None = None

    async def check(self) -> None:
        """Bring due times forward: the first time all that are far ahead, afterwards when the wall clock has gone back."""
        loop = asyncio.get_running_loop()
        if self._last is None:
            await self._reset_dues(MAX_WAIT_AT_START)
            self._last = self._clock(), loop.time()
            return
        wall, steady = self._last
        self._last = self._clock(), loop.time()
        drift = (self._last[0] - wall) - (self._last[1] - steady) * 1_000
        if drift < -TOLERANCE:
            log.warning("clock_moved_back", by_ms=-int(drift))
            await self._reset_dues(TOLERANCE)

    async def _reset_dues(self, within: Milliseconds) -> None:
        now = self._clock()
        try:
            changed = await self._store.reset_future_dues(now + within, now)
        except SaraError as error:
            log.warning("due_times_reset_failed", error=str(error))
            return
        if changed:
            log.warning("due_times_reset", conversations=changed)
            await self._sweeper.sweep_all()
