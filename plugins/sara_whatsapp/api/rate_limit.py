"""How fast messages may leave, kept here so that Meta never has to refuse. Moments and lengths of time are seconds."""

from __future__ import annotations

PAIR_GAP = 6.0
"""One message to the same person in so many seconds, in the long run."""

PAIR_BURST = 45
"""So many to the same person may go at once; they are paid back by waiting."""

_BURST = 0.25
_LOOK_AT = 1_024


class Pace:
    """Spreads calls so that they stay within `per_second`; short bursts pass at once."""

    def __init__(self, per_second: float) -> None:
        self._gap = 1 / per_second
        self._next = float("-inf")

    def wait(self, now: float) -> float:
        """How many seconds away the next free moment is."""
        return max(0.0, max(self._next + self._gap, now - _BURST) - now)

    def reserve(self, now: float) -> float:
        """Take the next free moment; return how many seconds away it is."""
        self._next = max(self._next + self._gap, now - _BURST)
        return max(0.0, self._next - now)


class PairPace:
    """Keeps each pair of business and customer within `burst` messages at once and one per `gap` after that."""

    def __init__(self, gap: float = PAIR_GAP, burst: int = PAIR_BURST) -> None:
        self._gap = gap
        self._burst = burst
        # When each pair will have paid back what it has sent. Who owes nothing need not be remembered.
        self._paid: dict[str, float] = {}
        self._look_at = _LOOK_AT

    def __len__(self) -> int:
        """How many pairs are remembered."""
        return len(self._paid)

    def take(self, pair: str, now: float) -> float:
        """Count a message to `pair` now and return 0; or count nothing and return in how many seconds there is room for one."""
        paid = max(self._paid.get(pair, now), now)
        wait = paid - now - (self._burst - 1) * self._gap
        if wait > 0:
            return wait
        self._paid[pair] = paid + self._gap
        if len(self._paid) >= self._look_at:
            self._paid = {pair: paid for pair, paid in self._paid.items() if paid > now}
            self._look_at = max(_LOOK_AT, 2 * len(self._paid))
        return 0.0
