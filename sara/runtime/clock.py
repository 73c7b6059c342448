"""Real time, chance and ids, which a simulation replaces."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from sara.domain.time import Instant


def wall_clock() -> Instant:
    """Return the time in Unix milliseconds."""
    return time.time_ns() // 1_000_000


def new_attempt_id() -> str:
    """Return an id that no other attempt ever had: short ASCII, as providers require."""
    return "a" + secrets.token_hex(12)


@dataclass(frozen=True, slots=True)
class Environment:
    """Clock, chance and ids of a daemon."""

    clock: Callable[[], Instant] = wall_clock
    chance: Callable[[], float] = random.random
    new_id: Callable[[], str] = new_attempt_id
