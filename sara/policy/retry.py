"""When again: the pure retry decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sara.domain.errors import ContentRefused, GiveUp, RetryLater
from sara.domain.time import Instant, Milliseconds

if TYPE_CHECKING:
    from sara.policy.settings import RetryPolicy


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again at `at`."""

    at: Instant


@dataclass(frozen=True, slots=True)
class GiveUpRetrying:
    """Do not try again by yourself."""

    reason: str


class ResponderCrashed(RetryLater):
    """A responder raised what it must not; the message itself may be the cause."""


def combine(errors: Sequence[RetryLater | GiveUp]) -> RetryLater | GiveUp:
    """Return the decision where none of several responders answered: GiveUp only if all gave up.

    It tells about the other side as a whole only if each failure does; one that a person can mend is worth the wait.
    """
    later = [error for error in errors if isinstance(error, RetryLater)]
    away = [error for error in later if not isinstance(error, ResponderCrashed)] or later
    if not away or len(errors) == 1:
        return next((error for error in errors if isinstance(error, ContentRefused)), errors[-1])
    told = next((error for error in away if error.until_mended), away[0])
    if isinstance(told, ResponderCrashed):
        return told
    is_whole = all(isinstance(error, RetryLater) and error.scope == "responder" for error in errors)
    return RetryLater(
        str(told),
        after=min(error.after or 0 for error in away) or None,
        scope="responder" if is_whole else "conversation",
        until_mended=told.until_mended,
        detail=told.detail,
    )


def back_off(policy: RetryPolicy, attempts: int) -> Milliseconds:
    """Return the wait after `attempts` calls: initial_delay, initial_delay × factor, … at most `max_delay`."""
    steps = max(0, attempts - 1)
    return int(min(policy.initial_delay * policy.factor ** min(steps, 60), policy.max_delay))


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedCalls:
    """The failed calls of one message. `failures` counts for the wait where not every call does; `after` is the least wait that
    the other side asked for, `longest` the longest wait that this failure allows."""

    calls: int
    first_at: Instant
    failures: int | None = None
    is_message_at_fault: bool = False
    until_mended: bool = False
    after: Milliseconds | None = None
    longest: Milliseconds | None = None


def decide(policy: RetryPolicy, failed: FailedCalls, now: Instant, chance: float = 0.0) -> RetryAt | GiveUpRetrying:
    """Decide when to try again after `failed`.

    A message that is at fault itself ends when the attempts are used up. Any other failure (the other side is away) is retried until
    `max_duration` has passed since the first call, or without end if a person has to correct something. Each wait is twice as long
    as the one before. `chance` in [0, 1) spreads the long waits by up to a tenth, so that they do not end together.
    """
    used_up = failed.calls >= policy.attempts
    if used_up and failed.is_message_at_fault:
        return GiveUpRetrying("attempts_used_up")
    if used_up and now - failed.first_at >= policy.max_duration and not failed.until_mended:
        return GiveUpRetrying("max_duration")
    wait = back_off(policy, failed.calls if failed.failures is None else failed.failures)
    if failed.longest is not None:
        wait = min(wait, failed.longest)
    if used_up:
        wait = int(wait * (1 - chance / 10))
    return RetryAt(now + max(wait, failed.after or 0))
