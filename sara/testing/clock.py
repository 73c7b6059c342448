"""A clock that only moves when it is told to."""

from __future__ import annotations

from sara import Instant, Milliseconds


class ManualClock:
    """Tells the time that it was set to, in Unix milliseconds."""

    def __init__(self, now: Instant = 1_800_000_000_000) -> None:
        self.now = now

    def __call__(self) -> Instant:
        return self.now

    def forward(self, by: Milliseconds) -> Instant:
        """Move on; return the new time."""
        self.now += by
        return self.now
