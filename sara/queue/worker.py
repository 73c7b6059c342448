"""Runs jobs for the queue: which room handles which kind, events, the sweep, and draining."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from sara.domain.errors import SaraError, StoreUnavailable
from sara.domain.jobs import Job, JobEnd, JobEvent, Reschedule
from sara.domain.problems import ProblemReporter, problem_key
from sara.domain.time import Milliseconds
from sara.plugins.context import Clock
from sara.plugins.hooks import Hooks
from sara.plugins.queue import JobHandler, Queue
from sara.plugins.store import Store
from sara.queue.crash_isolation import LOOK, CrashIsolation
from sara.queue.notifier import JobNotifier

log = structlog.get_logger("sara.queue.worker")

CLOCK_EVERY = 5.0
"""Seconds between two looks at the clock."""

CLOCK_TOLERANCE: Milliseconds = 60_000
"""A step back of less than this is not worth a look at every conversation."""

SWEEP_EVERY: Milliseconds = 30_000
SWEEP_PAGE = 500

LONGEST_WAIT: Milliseconds = 600_000
"""At a start, what is due later than this is looked at now: a clock that went back may be why, and a look too early is harmless."""
DRAIN: Milliseconds = 25_000
"""What runs is given so long to end; with what is to be closed then it makes less than 30 s."""


class Worker:
    """Joins the queue to the rooms that do the work."""

    def __init__(
        self,
        store: Store,
        queue: Queue,
        notifier: JobNotifier,
        handlers: Mapping[str, JobHandler],
        hooks: Hooks,
        problems: ProblemReporter,
        clock: Clock,
        caution: CrashIsolation | None = None,
    ) -> None:
        self._store = store
        self._queue = queue
        self._notifier = notifier
        self._handlers = handlers
        self._hooks = hooks
        self._problems = problems
        self._clock = clock
        self._caution = caution or CrashIsolation((), 0)
        self._stopped = asyncio.Event()
        self._fires = hooks.has_any("job_finished")
        self._failing: dict[str, set[str]] = {}
        self.found_by_sweep = 0

    async def run(self) -> None:
        """Run jobs until `stop`."""
        await self._queue.run(self._handle, self._listen)

    async def stop(self, grace: Milliseconds = DRAIN) -> None:
        """Start no more jobs and let those that run end."""
        self._stopped.set()
        await self._queue.stop(grace)

    async def sweep(self) -> None:
        """Find open work that nobody was woken for: all of it once, then what is overdue every 30 s."""
        await self._sweep_once(everything=True)
        while not self._stopped.is_set():
            try:
                async with asyncio.timeout(SWEEP_EVERY / 1_000):
                    await self._stopped.wait()
            except TimeoutError:
                await self._sweep_once(everything=False)

    async def watch_clock(self) -> None:
        """Notice a wall clock that was set back, at the start and while running, and let nobody wait for it to catch up."""
        await self._mend_dues()
        loop = asyncio.get_running_loop()
        wall, steady = self._clock(), loop.time()
        while not self._stopped.is_set():
            try:
                async with asyncio.timeout(CLOCK_EVERY):
                    await self._stopped.wait()
            except TimeoutError:
                drift = (self._clock() - wall) - (loop.time() - steady) * 1_000
                wall, steady = self._clock(), loop.time()
                if drift < -CLOCK_TOLERANCE:
                    log.warning("clock_moved_back", by_ms=-int(drift))
                    await self._mend_dues(within=CLOCK_TOLERANCE)

    async def _mend_dues(self, within: Milliseconds = LONGEST_WAIT) -> None:
        now = self._clock()
        try:
            mended = await self._store.reset_future_dues(now + within, now)
        except SaraError as error:
            log.warning("due_times_reset_failed", error=str(error))
            return
        if mended:
            log.warning("due_times_reset", conversations=mended)
            await self._sweep_once(everything=True)

    async def _sweep_once(self, *, everything: bool) -> None:
        """Go through the open conversations in pages. The queue merges what it knows already."""
        after: str | None = None
        before = None if everything else self._clock() - SWEEP_EVERY
        while not self._stopped.is_set():
            try:
                page = await self._store.open_work(after, SWEEP_PAGE, before)
                wakes = self._notifier.jobs(page)
                if not everything:
                    now = self._clock()
                    wakes = [wake for wake in wakes if wake.due <= now and not self._queue.held(wake.lane)]
                    self._count(len(wakes))
                await self._queue.wake(wakes)
            except StoreUnavailable as error:
                log.warning("sweep_failed", error=str(error))
                return
            except SaraError as error:
                self._problems.report("queue:sweep:failed", f"the sweep failed: {error}", "see the log")
                return
            if len(page) < SWEEP_PAGE:
                return
            after = page[-1].conversation

    def _count(self, found: int) -> None:
        if found:
            self.found_by_sweep += found
            log.info("swept_work_found", conversations=found)

    async def _handle(self, job: Job) -> JobEnd:
        handler = self._handlers.get(job.kind)
        if handler is None:
            raise SaraError(f"nothing here handles jobs of the kind {job.kind}")
        if self._caution.must_wait(job, self._clock()):
            return Reschedule(self._clock() + LOOK)
        end = await handler(job)
        self._caution.ended(job, end)
        return end

    def _listen(self, event: JobEvent) -> None:
        job, failing = event.job, self._failing.setdefault(event.job.kind, set())
        if event.what == "failed":
            failing.add(job.key)
            self._problems.report(
                problem_key("queue", job.kind, "job_failed"),
                f"a {job.kind} job failed unexpectedly: {event.error}",
                "see the log; the job is retried",
            )
        elif event.what in ("done", "again") and job.key in failing:
            failing.discard(job.key)
            if not failing:
                self._problems.clear(problem_key("queue", job.kind, "job_failed"))
        if self._fires and event.what in ("done", "again", "failed"):
            self._hooks.call_soon("job_finished", event=event)
