"""The entries of a queue: pending wakes as they are kept. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from sara.model import Job, JobKind, Wake

Id: TypeAlias = tuple[JobKind, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """A pending wake as it is kept. `stamp` names the last change, so that finishing a job cannot undo a newer wake."""

    wake: Wake
    stamp: int
    failures: int = 0


def merged(known: Entry, new: Entry) -> Entry:
    """What is kept of two wakes of one job."""
    wake = replace(new.wake, due=min(known.wake.due, new.wake.due), priority=max(known.wake.priority, new.wake.priority))
    return Entry(wake, max(known.stamp, new.stamp), known.failures)


def job_of(entry: Entry) -> Job:
    """The job that an entry calls for."""
    wake = entry.wake
    return Job(wake.kind, wake.key, wake.lane, wake.due, wake.priority, entry.failures)
