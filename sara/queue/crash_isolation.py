"""After a second unclean end: the jobs that were running at both are let in again in halves, so that one that kills the
process is found without holding up anybody else for long. Pure but for its memory."""

from __future__ import annotations

from collections.abc import Sequence

from sara.domain.jobs import Done, Job, JobEnd, Reschedule
from sara.domain.states import JobKind
from sara.domain.time import Instant, Milliseconds

LOOK: Milliseconds = 1_000
"""How soon a job that has to wait is looked at again."""

PATIENCE: Milliseconds = 60_000
"""The second half is let in after this time, also where the first has not ended."""


class CrashIsolation:
    """Decides which suspect jobs may run. All other jobs may run always."""

    def __init__(self, suspects: Sequence[tuple[JobKind, str]], now: Instant) -> None:
        half = (len(suspects) + 1) // 2
        self._running = set(suspects[:half])
        self._waiting = set(suspects[half:])
        self._until = now + PATIENCE

    def must_wait(self, job: Job, now: Instant) -> bool:
        """Return whether a job has to wait for the half that runs first."""
        return (job.kind, job.key) in self._waiting and bool(self._running) and now < self._until

    def ended(self, job: Job, end: JobEnd) -> None:
        """Record that a job has come back: plugin code that returned does not kill the process. A deliver job that only waits for the
        end of a doubt has not been in plugin code yet."""
        if isinstance(end, Done) or (isinstance(end, Reschedule) and job.kind == "reply"):
            self._running.discard((job.kind, job.key))
