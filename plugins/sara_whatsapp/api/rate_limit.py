"""How fast messages may leave, kept here so that Meta never has to refuse. Moments and lengths of time are seconds."""

from __future__ import annotations

PAIR_INTERVAL_S = 6.0
"""One message to the same person in so many seconds, in the long run."""

PAIR_BURST = 45
"""So many to the same person may go at once; they are paid back by waiting."""

_BURST_S = 0.25
_CLEANUP_SIZE = 1_024


class RateLimiter:
    """Spreads calls so that they stay within `per_second`; short bursts pass at once."""

    def __init__(self, per_second: float) -> None:
        self._interval_s = 1 / per_second
        self._next_at = float("-inf")

    def seconds_until_free(self, now: float) -> float:
        """How many seconds away the next free moment is."""
        return max(0.0, max(self._next_at + self._interval_s, now - _BURST_S) - now)

    def reserve(self, now: float) -> float:
        """Take the next free moment; return how many seconds away it is."""
        self._next_at = max(self._next_at + self._interval_s, now - _BURST_S)
        return max(0.0, self._next_at - now)


class PairRateLimiter:
    """Keeps each pair of business and customer within `burst` messages at once and one per `gap` after that."""

    def __init__(self, interval_s: float = PAIR_INTERVAL_S, burst: int = PAIR_BURST) -> None:
        self._interval_s = interval_s
        self._burst = burst
        # When each pair will have paid back what it has sent. Who owes nothing need not be remembered.
        self._paid_at: dict[str, float] = {}
        self._cleanup_size = _CLEANUP_SIZE

    def __len__(self) -> int:
        """How many pairs are remembered."""
        return len(self._paid_at)

    def take(self, pair: str, now: float) -> float:
        """Count a message to `pair` now and return 0; or count nothing and return in how many seconds there is room for one."""
        paid = max(self._paid_at.get(pair, now), now)
        wait = paid - now - (self._burst - 1) * self._interval_s
        if wait > 0:
            return wait
        self._paid_at[pair] = paid + self._interval_s
        if len(self._paid_at) >= self._cleanup_size:
            self._paid_at = {pair: paid for pair, paid in self._paid_at.items() if paid > now}
            self._cleanup_size = max(_CLEANUP_SIZE, 2 * len(self._paid_at))
        return 0.0
