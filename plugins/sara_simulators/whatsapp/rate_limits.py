"""How fast a business may write: to one customer, and altogether. Pure."""

from __future__ import annotations

from collections import deque

PAIR_GAP = 6_000
PAIR_BURST = 45


class RateLimits:
    """Counts what was accepted and says whether one more would be too many. Times are milliseconds."""

    def __init__(self) -> None:
        self._owed: dict[str, int] = {}
        self._recent: deque[int] = deque()

    def pair_allows(self, customer: str, now: int) -> bool:
        """One message every 6 seconds to the same customer; 45 may come at once, borrowed from the time after."""
        return max(self._owed.get(customer, 0) - now, 0) + PAIR_GAP <= PAIR_BURST * PAIR_GAP

    def number_allows(self, per_second: int, now: int) -> bool:
        """So many messages within any second, whoever they go to."""
        while self._recent and self._recent[0] <= now - 1_000:
            self._recent.popleft()
        return len(self._recent) < per_second

    def count(self, customer: str, now: int) -> None:
        """A message was accepted."""
        self._owed[customer] = max(self._owed.get(customer, 0), now) + PAIR_GAP
        self._recent.append(now)
        if len(self._recent) > 10_000:
            self._recent.popleft()
