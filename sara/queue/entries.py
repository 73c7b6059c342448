"""The entries of a queue, pending wakes as they are kept, and the state of its lanes. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from sara.domain.jobs import Job, JobRequest
from sara.domain.states import JobKind
from sara.domain.time import Instant, Milliseconds

Id: TypeAlias = tuple[JobKind, str]

Ready: TypeAlias = tuple[int, Instant, int, Id]
"""Order of due entries: the negative priority, the due, and its place among its equals."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A pending wake as it is kept. `stamp` names the last change, so that finishing a job cannot undo a newer wake."""

    wake: JobRequest
    stamp: int
    failures: int = 0


@dataclass(slots=True)
class LaneState:
    """The entries that run and wait in one lane, and how many may run."""

    limit: int = 64
    running: int = 0
    waiting: int = 0
    ready: list[Ready] = field(default_factory=list)
    held: bool = False
    held_until: Instant | None = None
    held_for: Milliseconds = 0
    allowance: int | None = None
    hanging: int = 0
    tried: Collection[str] = ()
    more_kept: bool = False
    look_at: Instant | None = None

    def room(self) -> int:
        if self.held:
            return 0
        cap = self.limit if self.allowance is None else min(self.limit, self.allowance + self.hanging)
        return cap - self.running

    def pop(self) -> Ready:
        """Take out what is to be started next: the most urgent; where it has to be found out whether the other end is back, the
        most urgent of those that were not tried yet, so that a few that fail by themselves do not stand in everybody's way."""
        if self.allowance == 1 and self.tried:
            untried = min((each for each in self.ready if each[3][1] not in self.tried), default=None)
            if untried is not None:
                self.ready.remove(untried)
                heapq.heapify(self.ready)
                return untried
        return heapq.heappop(self.ready)


def merged(known: Entry, new: Entry) -> Entry:
    """Return the one entry that two wakes of a job leave."""
    wake = replace(new.wake, due=min(known.wake.due, new.wake.due), priority=max(known.wake.priority, new.wake.priority))
    return Entry(wake, max(known.stamp, new.stamp), known.failures)


def job_of(entry: Entry) -> Job:
    """Return the job that an entry calls for."""
    wake = entry.wake
    return Job(wake.kind, wake.key, wake.lane, wake.due, wake.priority, entry.failures)
