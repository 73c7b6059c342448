"""Lanes whose other end refuses us: held, probed, and let go again."""

from __future__ import annotations

from collections.abc import Callable

from sara.contracts import Queue
from sara.model import Instant, Millis
from sara.problems import Problems

PROBE_FIRST: Millis = 2_000
PROBE_LONGEST: Millis = 30_000

STUMBLES = 5
"""After this many failures in a row a lane's breaker opens."""

BREAK: Millis = 6_000
"""While the breaker is open one try is made each time this has passed."""

SEND_WITHIN: Millis = 60_000
"""A send that takes longer than this many milliseconds is in doubt."""


class Lanes:
    """Holds a lane when nothing can go through it; the oldest waiting message is the probe that finds it mended."""

    def __init__(self, queue: Queue, problems: Problems, clock: Callable[[], Instant]) -> None:
        self._queue = queue
        self._problems = problems
        self._clock = clock
        self._refusals: dict[str, tuple[int, Instant]] = {}
        self._stumbles: dict[str, tuple[int, Instant]] = {}

    def unavailable(self, lane: str, message: str, remedy: str) -> Instant:
        """A person has to mend something: hold the lane, probing after 2 s, 4 s, … at most 30 s. Returns the next probe."""
        refusals, until = self._refusals.get(lane, (0, 0))
        if self._clock() < until <= self._clock() + PROBE_LONGEST:  # later than that only where the clock was set back
            return until  # one of many that were on their way when the first was refused: the same refusal, not another probe
        until = self._clock() + min(PROBE_FIRST << min(refusals, 8), PROBE_LONGEST)
        self._refusals[lane] = (refusals + 1, until)
        self._queue.hold(lane, until)
        self._problems.report(f"lane:{lane}", message, remedy)
        return until

    def busy(self, lane: str, after: Millis) -> None:
        """The other end asks for a pause: no job of the lane starts before it is over, then slowly."""
        self._queue.hold(lane, self._clock() + after)

    def stumbled(self, lane: str, message: str) -> None:
        """The other end failed. One that fails again and again is given rest: the breaker opens, and one try at a time finds
        out whether it is back, so that a storm is not answered with a herd."""
        stumbles = self._stumbles.get(lane, (0, 0))[0] + 1
        self._stumbles[lane] = stumbles, self._clock()
        if stumbles >= STUMBLES and not self._queue.held(lane):
            self._queue.hold(lane, self._clock() + BREAK)
            self._problems.report(
                f"breaker:{lane}",
                f"{lane} fails again and again: {message}",
                "nothing is lost; one try is made every 6 s until it works",
            )

    def well(self, lane: str) -> None:
        """Something went through."""
        if self._stumbles.pop(lane, (0, 0))[0] >= STUMBLES:
            self._problems.clear(f"breaker:{lane}")
        if self._refusals.pop(lane, None) is not None:
            self._problems.clear(f"lane:{lane}")
        self._queue.went_well(lane)

    def held(self, lane: str) -> bool:
        """Whether the lane is on hold, its last probe was refused, or its breaker is open, also while a try is under way. A lane
        that nobody has probed for a while counts as free: otherwise one without waiting messages would never be tried again."""
        if self._queue.held(lane):
            return True
        refused = self._refusals.get(lane)
        if refused is not None and abs(self._clock() - refused[1]) < PROBE_LONGEST:
            return True
        stumbles, at = self._stumbles.get(lane, (0, 0))
        return stumbles >= STUMBLES and abs(self._clock() - at) < BREAK + SEND_WITHIN
