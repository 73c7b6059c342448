"""The contract of a queue plugin."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from sara.domain.jobs import Job, JobEnd, JobEvent, JobRequest
from sara.domain.states import JobKind
from sara.domain.time import Instant, Milliseconds
from sara.plugins.base import PluginObject

# ── the queue ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

JobHandler = Callable[[Job], Awaitable[JobEnd]]
JobListener = Callable[[JobEvent], None]


class Queue(PluginObject):
    """Holds which jobs are due when; carries no work.

    There is one pending entry per (kind, key), with the earliest due and the highest priority, and at most one job of a (kind,
    key) runs at a time; a wake while it runs takes effect when it ends, at its own due. Every change is stored before it is
    acted upon, so a crash loses no wake. A handler that raises is retried with back-off without end.
    """

    @abstractmethod
    async def wake(self, wakes: Sequence[JobRequest]) -> None:
        """Schedule jobs. Returns once they are stored."""

    @abstractmethod
    async def run(self, handler: JobHandler, listener: JobListener | None = None) -> None:
        """Run due jobs until `stop`."""

    @abstractmethod
    async def stop(self, grace: Milliseconds) -> None:
        """Start no more jobs; wait up to `grace` for running ones, then cancel them. Their entries stay."""

    @abstractmethod
    def hold(self, lane: str, until: Instant | None = None, tried: Collection[str] = ()) -> None:
        """Start no jobs of a lane until `until`, or until `release`.

        Afterwards the lane ramps up: one job at a time, doubling with each `record_success`. The first job is one whose key is
        not among `tried`, if there is any.
        """

    @abstractmethod
    def release(self, lane: str) -> None:
        """End the hold of a lane now."""

    @abstractmethod
    def record_success(self, lane: str) -> None:
        """Record that the other end of a lane responded, and let more jobs run at once."""

    def hangs(self, lane: str, more: int) -> None:
        """Change the number of a lane's running jobs that wait for a silent other end by `more`, which may be negative.

        While the lane ramps up, other jobs may start beside these. A queue may ignore this.
        """

    def hasten(self, jobs: Iterable[tuple[JobKind, str]]) -> None:
        """Make these pending jobs due now, in this order, as far as they are held in memory: what they wait for is available.

        A queue may ignore this.
        """

    @abstractmethod
    def limit(self, lane: str, concurrency: int) -> None:
        """Set the number of jobs of a lane that may run at once."""

    @abstractmethod
    def held(self, lane: str) -> bool:
        """Return whether a lane is on hold."""

    @abstractmethod
    async def stats(self) -> Mapping[str, Any]:
        """Return counters since the start (`woken started done again failed`) and the pending entries."""

    @abstractmethod
    def entries(self, limit: int) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the pending entries, soonest first."""

    @abstractmethod
    async def drop(self, kind: JobKind, key: str) -> bool:
        """Delete a pending entry; return false if there was none."""
