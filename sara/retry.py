"""When again: the pure retry decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sara.model import Instant, Millis

if TYPE_CHECKING:
    from sara.config import RetryPolicy


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again at `at`."""

    at: Instant


@dataclass(frozen=True, slots=True)
class Dead:
    """Do not try again by yourself."""

    reason: str


def back_off(policy: RetryPolicy, attempts: int) -> Millis:
    """How long to wait after `attempts` calls: first, first × factor, … at most `longest`."""
    steps = max(0, attempts - 1)
    return int(min(policy.first * policy.factor ** min(steps, 60), policy.longest))


def decide(
    policy: RetryPolicy,
    attempts: int,
    first_at: Instant,
    now: Instant,
    *,
    own_fault: bool,
    after: Millis | None = None,
    chance: float = 0.0,
) -> RetryAt | Dead:
    """When to try again after `attempts` calls, the first of them at `first_at`.

    What is the message's own fault ends when the attempts are used up. What is not (the other side is away) goes on at
    `longest` until `outlast` has passed since the first call. `after` is the least wait that the other side asked for.
    `chance` in [0, 1) spreads the long waits by up to a tenth, so that they do not end together.
    """
    if attempts >= policy.attempts and (own_fault or now - first_at >= policy.outlast):
        return Dead("attempts_used_up" if own_fault else "outlasted")
    spread = int(policy.longest * (1 - chance / 10))
    wait = back_off(policy, attempts) if attempts < policy.attempts else spread
    return RetryAt(now + max(wait, after or 0))
