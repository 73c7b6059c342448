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
    """Knows who needs attention and when; carries no work.

    One pending entry per (kind, key), with the earliest due and the highest priority; at most one job of a (kind, key) runs at
    a time; a wake while it runs takes effect when it ends, at its own due. Every change is kept before it is acted upon, so a
    crash loses no wake. A handler that raises is backed off without end.
    """

    @abstractmethod
    async def wake(self, wakes: Sequence[JobRequest]) -> None:
        """Ask for attention. Returns once it is kept."""

    @abstractmethod
    async def run(self, handler: JobHandler, listener: JobListener | None = None) -> None:
        """Run due jobs until `stop`."""

    @abstractmethod
    async def stop(self, grace: Milliseconds) -> None:
        """Start no more jobs; wait up to `grace` for those that run, then cancel them. Their entries stay."""

    @abstractmethod
    def hold(self, lane: str, until: Instant | None = None, tried: Collection[str] = ()) -> None:
        """Start no jobs of a lane until `until`, or until `release`. Afterwards the lane starts slowly: one job at a time,
        doubling with each success reported by `went_well`. The first is one whose key is not among `tried`, if there is any."""

    @abstractmethod
    def release(self, lane: str) -> None:
        """End a hold now."""

    @abstractmethod
    def record_success(self, lane: str) -> None:
        """The other end of a lane answered: let more run at once."""

    def hangs(self, lane: str, more: int) -> None:
        """So many more of a lane's running jobs wait for another end that is silent (or fewer, where `more` is below 0): while the
        lane starts slowly, others may start beside them. A queue that cannot lets them wait."""

    def hasten(self, jobs: Iterable[tuple[JobKind, str]]) -> None:
        """What these pending jobs wait for is there: make them due now, in this order, as far as they are held in memory. A queue
        that cannot lets them wait for their due."""

    @abstractmethod
    def limit(self, lane: str, concurrency: int) -> None:
        """How many jobs of a lane may run at once."""

    @abstractmethod
    def held(self, lane: str) -> bool:
        """Whether a lane is on hold."""

    @abstractmethod
    async def stats(self) -> Mapping[str, Any]:
        """Counters since start (`woken started done again failed`) and what is pending now."""

    @abstractmethod
    def entries(self, limit: int) -> AsyncIterator[Mapping[str, Any]]:
        """The pending entries, soonest first."""

    @abstractmethod
    async def drop(self, kind: JobKind, key: str) -> bool:
        """Forget a pending entry; false if there was none."""
