"""The sweep: wakes open work that was not woken when it became due."""

from __future__ import annotations

import asyncio

import structlog

from sara.domain.errors import SaraError, StoreUnavailable
from sara.domain.problems import ProblemReporter
from sara.domain.time import Milliseconds
from sara.plugins.context import Clock
from sara.plugins.queue import Queue
from sara.plugins.store import Store
from sara.queue.notifier import JobNotifier

log = structlog.get_logger("sara.queue.sweeper")

SWEEP_EVERY: Milliseconds = 30_000
SWEEP_PAGE = 500


class Sweeper:
    """Goes through the conversations with open work: all of them once, then those that are overdue."""

    def __init__(
        self, store: Store, queue: Queue, notifier: JobNotifier, problems: ProblemReporter, clock: Clock, stopping: asyncio.Event
    ) -> None:
        self._store = store
        self._queue = queue
        self._notifier = notifier
        self._problems = problems
        self._clock = clock
        self._stopping = stopping
        self._is_first = True
        self.found_by_sweep = 0

    async def sweep(self) -> None:
        """Wake all open work the first time, afterwards what is overdue."""
        is_first, self._is_first = self._is_first, False
        if is_first:
            await self.sweep_all()
        else:
            await self.sweep_overdue()

    async def sweep_all(self) -> None:
        """Wake all open work. The queue merges what it knows already."""
        after: str | None = None
        while not self._stopping.is_set():
            try:
                page = await self._store.open_work(after, SWEEP_PAGE, None)
                await self._queue.wake(self._notifier.jobs(page))
            except SaraError as error:
                self._failed(error)
                return
            if len(page) < SWEEP_PAGE:
                return
            after = page[-1].conversation

    async def sweep_overdue(self) -> None:
        """Wake and count the work that has been due since the last sweep, except in lanes that are held."""
        after: str | None = None
        before = self._clock() - SWEEP_EVERY
        while not self._stopping.is_set():
            try:
                page = await self._store.open_work(after, SWEEP_PAGE, before)
                now = self._clock()
                found = [job for job in self._notifier.jobs(page) if job.due <= now and not self._queue.held(job.lane)]
                self._count(len(found))
                await self._queue.wake(found)
            except SaraError as error:
                self._failed(error)
                return
            if len(page) < SWEEP_PAGE:
                return
            after = page[-1].conversation

    def _failed(self, error: SaraError) -> None:
        if isinstance(error, StoreUnavailable):
            log.warning("sweep_failed", error=str(error))
        else:
            self._problems.report("queue:sweep:failed", f"the sweep failed: {error}", "see the log")

    def _count(self, found: int) -> None:
        if found:
            self.found_by_sweep += found
            log.info("swept_work_found", conversations=found)
