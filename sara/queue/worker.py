"""Running jobs for the queue: which handler does which kind, what their ends mean, and draining."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from sara.domain.errors import SaraError
from sara.domain.jobs import Job, JobEnd, JobEvent, Reschedule
from sara.domain.problems import ProblemReporter, problem_key
from sara.domain.time import Milliseconds
from sara.plugins.context import Clock
from sara.plugins.hooks import Hooks
from sara.plugins.queue import JobHandler, Queue
from sara.queue.crash_isolation import LOOK, CrashIsolation

log = structlog.get_logger("sara.queue.worker")

DRAIN: Milliseconds = 25_000
"""Time in which running jobs may end when the daemon stops; together with closing the plugins less than 30 s."""


class Worker:
    """Connects the queue to the handlers that do the work."""

    def __init__(
        self,
        queue: Queue,
        handlers: Mapping[str, JobHandler],
        hooks: Hooks,
        problems: ProblemReporter,
        clock: Clock,
        crash_isolation: CrashIsolation,
    ) -> None:
        self._queue = queue
        self._handlers = handlers
        self._hooks = hooks
        self._problems = problems
        self._clock = clock
        self._crash_isolation = crash_isolation
        self._fires = hooks.has_any("job_finished")
        self._failing: dict[str, set[str]] = {}

    async def run(self) -> None:
        """Run jobs until `stop`."""
        await self._queue.run(self._handle, self._listen)

    async def stop(self, grace: Milliseconds = DRAIN) -> None:
        """Start no more jobs and let those that run end."""
        await self._queue.stop(grace)

    async def _handle(self, job: Job) -> JobEnd:
        handler = self._handlers.get(job.kind)
        if handler is None:
            raise SaraError(f"nothing here handles jobs of the kind {job.kind}")
        if self._crash_isolation.must_wait(job, self._clock()):
            return Reschedule(self._clock() + LOOK)
        end = await handler(job)
        self._crash_isolation.ended(job, end)
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
