"""Jobs that open work calls for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from sara.domain.jobs import JobRequest, OpenWork
from sara.domain.states import JobKind
from sara.domain.time import Instant
from sara.plugins.queue import Queue

TIMER_LANE = "timer"
TIMER_PRIORITY = -1
"""Below replies and sends: timers are minutes or days long."""


class JobLanes(NamedTuple):
    """The lanes in which an account's jobs wait."""

    reply: str
    deliver: str


class JobNotifier:
    """Wakes the jobs that open work calls for. Work of accounts that are not configured stays in the store, asleep."""

    def __init__(self, queue: Queue, lanes_of: Callable[[str], JobLanes | None]) -> None:
        self._queue = queue
        self._lanes_of = lanes_of

    async def notify(self, work: Sequence[OpenWork], *, besides: JobKind | None = None) -> None:
        """Wake the jobs of `work`. A job that tells of its own conversation names its kind: what it returns reschedules it."""
        await self._queue.wake([wake for wake in self.jobs(work) if wake.kind != besides])

    def jobs(self, work: Sequence[OpenWork]) -> list[JobRequest]:
        """Return the jobs that open work calls for, each in its lane."""
        return [wake for each in work if (lanes := self._lanes_of(each.account)) is not None for wake in _wakes(each, lanes)]


def jobs_of(work: OpenWork) -> list[tuple[JobKind, str, Instant]]:
    """Return the jobs of a channel that open work calls for, whether it is configured or not: kind, key and due time."""
    return [(wake.kind, wake.key, wake.due) for wake in _wakes(work, JobLanes("", "")) if wake.kind != "timer"]


def _wakes(work: OpenWork, lanes: JobLanes) -> Iterator[JobRequest]:
    if work.reply_due is not None:
        yield JobRequest("reply", work.conversation, work.reply_due, lanes.reply)
    if work.deliver_due is not None:
        yield JobRequest("deliver", work.conversation, work.deliver_due, lanes.deliver)
    if work.timer_due is not None:
        yield JobRequest("timer", work.conversation, work.timer_due, TIMER_LANE, TIMER_PRIORITY)
