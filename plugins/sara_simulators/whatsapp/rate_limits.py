"""Rate limits: to one customer, and of the whole number."""

from __future__ import annotations

from collections import deque

PAIR_GAP = 6_000
PAIR_BURST = 45


class RateLimits:
    """Counts accepted messages and tells whether one more exceeds a limit. Times are milliseconds."""

    def __init__(self) -> None:
        self._owed: dict[str, int] = {}
        self._recent: deque[int] = deque()

    def pair_allows(self, customer: str, now: int) -> bool:
        """Return whether the customer may get a message: one every 6 seconds, or 45 at once, borrowed from the time after."""
        return max(self._owed.get(customer, 0) - now, 0) + PAIR_GAP <= PAIR_BURST * PAIR_GAP

    def number_allows(self, per_second: int, now: int) -> bool:
        """Return whether fewer than `per_second` messages were accepted within the last second."""
        while self._recent and self._recent[0] <= now - 1_000:
            self._recent.popleft()
        return len(self._recent) < per_second

    def count(self, customer: str, now: int) -> None:
        """Count an accepted message."""
        self._owed[customer] = max(self._owed.get(customer, 0), now) + PAIR_GAP
        self._recent.append(now)
        if len(self._recent) > 10_000:
            self._recent.popleft()
