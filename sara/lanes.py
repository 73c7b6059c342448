"""Lanes whose other end refuses us: held, probed, and let go again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from sara.contracts import Queue
from sara.model import Instant, Millis
from sara.problems import Problems

PROBE_FIRST: Millis = 2_000
PROBE_LONGEST: Millis = 30_000
PROBES_KEPT = 256
"""Of so many of the latest probes a receipt is proof."""

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
        # Lanes whose other end takes what it then does not deliver, and the names in which receipts will speak of what it took.
        self._unproven: dict[str, deque[str]] = {}

    def unavailable(self, lane: str, message: str, remedy: str, *, told_later: bool = False) -> Instant:
        """A person has to mend something: hold the lane, probing after 2 s, 4 s, … at most 30 s. Returns the next probe.

        `told_later` says that a receipt told so of something that had been taken: then only a receipt is proof of the contrary.
        """
        if told_later:
            self._unproven.setdefault(lane, deque(maxlen=PROBES_KEPT))
        refusals, until = self._refusals.get(lane, (0, 0))
        if self._clock() < until <= self._clock() + PROBE_LONGEST:  # later than that only where the clock was set back
            return until  # one of many that were on their way when the first was refused: the same refusal, not another probe
        until = self._clock() + min(PROBE_FIRST << min(refusals, 8), PROBE_LONGEST)
        self._refusals[lane] = (refusals + 1, until)
        self._queue.hold(lane, until)
        self._problems.report(f"lane:{lane}", message, remedy)
        return until

    def busy(self, lane: str, after: Millis, message: str = "", remedy: str = "") -> None:
        """The other end asks for a pause: no job of the lane starts before it is over, then slowly. Where there is a `remedy`, a
        person is told of it."""
        self._queue.hold(lane, self._clock() + after)
        if remedy:
            self._problems.report(f"paused:{lane}", message, remedy)

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

    def sends(self, lane: str, *names: str) -> None:
        """Something is about to leave of which receipts will speak by one of these names."""
        if lane in self._unproven:
            self._unproven[lane].extend(names)

    def well(self, lane: str) -> None:
        """Something went through."""
        if self._stumbles.pop(lane, (0, 0))[0] >= STUMBLES:
            self._problems.clear(f"breaker:{lane}")
        self._problems.clear(f"paused:{lane}")
        if lane in self._unproven:
            # Taken, as the last one was. What waits behind it stays until a receipt tells more, or until the next probe.
            refusals, _ = self._refusals.get(lane, (0, 0))
            self._queue.hold(lane, self._clock() + min(PROBE_FIRST << min(refusals, 8), PROBE_LONGEST))
            return
        if self._refusals.pop(lane, None) is not None:
            self._problems.clear(f"lane:{lane}")
        self._queue.went_well(lane)

    def arrived(self, lane: str, *names: str) -> None:
        """A receipt proves that something got through, by these names."""
        if not any(name in self._unproven.get(lane, ()) for name in names):
            return
        del self._unproven[lane]
        self._queue.release(lane)
        self.well(lane)

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
