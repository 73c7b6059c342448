"""Rate limits of messages, kept locally so that Meta does not have to refuse. All times are in seconds."""

from __future__ import annotations

PAIR_INTERVAL_S = 6.0
"""Average interval between messages to one person that Meta allows."""

PAIR_BURST = 45
"""Maximum number of messages to one person in a burst; the following ones wait until the average is met again."""

_BURST_S = 0.25
_CLEANUP_SIZE = 1_024


class RateLimiter:
    """Spreads calls evenly at `per_second`, with short bursts allowed."""

    def __init__(self, per_second: float) -> None:
        self._interval_s = 1 / per_second
        self._next_at = float("-inf")

    def seconds_until_free(self, now: float) -> float:
        """Return the seconds until the next free slot."""
        return max(0.0, max(self._next_at + self._interval_s, now - _BURST_S) - now)

    def reserve(self, now: float) -> float:
        """Reserve the next free slot and return the seconds until then."""
        self._next_at = max(self._next_at + self._interval_s, now - _BURST_S)
        return max(0.0, self._next_at - now)


class PairRateLimiter:
    """Limits each pair of business and customer to a burst of messages and one per interval after that."""

    def __init__(self, interval_s: float = PAIR_INTERVAL_S, burst: int = PAIR_BURST) -> None:
        self._interval_s = interval_s
        self._burst = burst
        # When the average of each pair is met again; pairs whose time has passed are removed.
        self._paid_at: dict[str, float] = {}
        self._cleanup_size = _CLEANUP_SIZE

    def __len__(self) -> int:
        """Return the number of pairs with a recent message."""
        return len(self._paid_at)

    def take(self, pair: str, now: float) -> float:
        """Count a message to `pair` and return 0; or count nothing and return the seconds until one is allowed."""
        paid = max(self._paid_at.get(pair, now), now)
        wait = paid - now - (self._burst - 1) * self._interval_s
        if wait > 0:
            return wait
        self._paid_at[pair] = paid + self._interval_s
        if len(self._paid_at) >= self._cleanup_size:
            self._paid_at = {pair: paid for pair, paid in self._paid_at.items() if paid > now}
            self._cleanup_size = max(_CLEANUP_SIZE, 2 * len(self._paid_at))
        return 0.0
