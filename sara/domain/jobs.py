"""Jobs: wake-ups that carry no work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from sara.domain.states import JobKind
from sara.domain.time import Instant


@dataclass(frozen=True, slots=True)
class OpenWork:
    """The due times of a conversation's open work; None where nothing is due.

    `account` determines the lanes. `changed` is the number of messages that `retry_failed` or `drop` changed, `parts` are the
    messages that `enqueue_messages` queued.
    """

    conversation: str
    account: str
    reply_due: Instant | None
    deliver_due: Instant | None
    timer_due: Instant | None = None
    changed: int | None = None
    parts: tuple[str, ...] = ()


# ── The queue ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A request to run a job at `due`. Of the jobs that are due, a higher `priority` runs first."""

    kind: JobKind
    key: str
    due: Instant
    lane: str
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job: `handler(job)` reads the store, does what is due, and returns Done or Reschedule."""

    kind: JobKind
    key: str
    lane: str
    due: Instant
    priority: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """The job has nothing left to do until it is scheduled again."""


@dataclass(frozen=True, slots=True)
class Reschedule:
    """The job is to run again at `at`."""

    at: Instant


JobEnd: TypeAlias = Done | Reschedule


@dataclass(frozen=True, slots=True)
class JobEvent:
    """A change of a job: `woken started done again failed`."""

    what: Literal["woken", "started", "done", "again", "failed"]
    job: Job
    error: str | None = None
