"""Jobs: wake-ups that carry no work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from sara.domain.states import JobKind
from sara.domain.time import Instant


@dataclass(frozen=True, slots=True)
class OpenWork:
    """What a conversation still has to do; None where nothing is due. `account` tells which lanes it belongs to. `changed` says how
    many messages an operator's `revive` or `drop` changed, `parts` which messages were queued by `say`."""

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
    """Somebody needs attention at `due`. A higher `priority` runs first among those that are due."""

    kind: JobKind
    key: str
    due: Instant
    lane: str
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed wake: `handler(job)` looks, does what is due, and says Done or Again."""

    kind: JobKind
    key: str
    lane: str
    due: Instant
    priority: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing more to do for this job until somebody wakes it."""


@dataclass(frozen=True, slots=True)
class Reschedule:
    """Look again at `at`."""

    at: Instant


JobEnd: TypeAlias = Done | Reschedule


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something happened to a job: `woken started done again failed`."""

    what: Literal["woken", "started", "done", "again", "failed"]
    job: Job
    error: str | None = None
