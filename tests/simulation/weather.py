"""What a seed decides before anything happens: how many people, what policy, which faults and how often."""

from __future__ import annotations

import random
from dataclasses import dataclass

MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Weather:
    """Chances are from 0 to 1, lengths of time in seconds; a mean of 0 seconds is never."""

    shuffled: bool
    channels: int
    people: int
    messages: int
    lasts: float
    # the policy
    debounce: int
    debounce_max: int
    max_age: int
    attempts: int
    max_delay: int
    max_duration: int
    fallback: bool
    doubt_timeout: int
    on_doubt: str
    carries_attempt: bool
    # the process
    crash_every: float
    crash_at_commit: float
    restart_every: float
    down_for: float
    jump_every: float
    # the disk
    slow_disk: float
    unavailable: float
    lost: float
    # the provider
    not_sent: float
    refused: float
    no_answer: float
    broken: float
    pair_limit: bool
    storm_every: float
    covered: float
    late: float
    reversed: float
    doubled: float
    failed: float
    redelivered: float
    # the responder
    later: float
    gives_up: float
    hangs: float
    breaks: float
    thinks: float
    # the customers
    consent: float
    echoes: float

    @classmethod
    def of(cls, chance: random.Random) -> Weather:
        """A seed's weather. Each fault is absent in some seeds, so that others show without it."""

        def some(*of: float) -> float:
            return chance.choice(of)

        debounce = chance.choice((0, 500, 1_000, 3_000))
        return cls(
            shuffled=chance.random() < 0.7,
            channels=chance.choice((1, 1, 2)),
            people=chance.randint(1, 4),
            messages=chance.randint(3, 14),
            lasts=some(1, 3, 6) * MINUTE,
            debounce=debounce,
            debounce_max=debounce + chance.choice((0, 5_000, 15_000)),
            max_age=chance.choice((43_200_000, 43_200_000, 120_000)),
            attempts=chance.randint(1, 5),
            max_delay=chance.choice((5_000, 20_000, 60_000)),
            max_duration=chance.choice((30_000, 120_000, 600_000)),
            fallback=chance.random() < 0.3,
            doubt_timeout=chance.choice((5_000, 20_000, 60_000)),
            on_doubt="resend" if chance.random() < 0.75 else "hold",
            carries_attempt=chance.random() < 0.8,
            crash_every=some(0, 0, 30, 120),
            crash_at_commit=some(0, 0, 0.01, 0.03),
            restart_every=some(0, 0, 90),
            down_for=some(0, 2, 20),
            jump_every=some(0, 0, 0, 90),
            slow_disk=some(0, 0.02, 0.1),
            unavailable=some(0, 0, 0.01, 0.05),
            lost=some(0, 0, 0.003),
            not_sent=some(0, 0.05, 0.3),
            refused=some(0, 0, 0.03),
            no_answer=some(0, 0, 0.05, 0.2),
            broken=some(0, 0, 0.02),
            pair_limit=chance.random() < 0.3,
            storm_every=some(0, 0, 60, 180),
            covered=some(1, 1, 0.99, 0.9, 0.5, 0),
            late=some(0, 0, 0.3),
            reversed=some(0, 0.3),
            doubled=some(0, 0.2),
            failed=some(0, 0, 0.05),
            redelivered=some(0, 0.1, 0.5),
            later=some(0, 0.1, 0.4),
            gives_up=some(0, 0, 0.03),
            hangs=some(0, 0, 0.05),
            breaks=some(0, 0, 0.05),
            thinks=some(0.1, 1, 8),
            consent=some(0, 0, 0.1, 0.3),
            echoes=some(0, 0, 0.05),
        )
