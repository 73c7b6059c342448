"""The circuit breaker of a lane: held while the other end refuses, probed, and let go again."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sara.domain.problems import ProblemReporter, problem_key
from sara.domain.time import Instant, Milliseconds
from sara.plugins.queue import Queue

PROBE_FIRST: Milliseconds = 2_000
PROBE_LONGEST: Milliseconds = 8_000
"""While the other end is away it is tried at least this often, so that its return is noticed within seconds."""

PROBES_KEPT = 256
"""Number of the latest probes whose receipts prove that the lane works."""

FAILURE_THRESHOLD = 5
"""After this many failures in a row, at more than one conversation, a lane's breaker opens."""

OPEN_INTERVAL: Milliseconds = 6_000
"""While the breaker is open one try is made each time this has passed, also where the last one hangs."""

MOST_BESIDE = 9
"""Maximum number of tries that may hang while the breaker is open."""

PAUSE: Milliseconds = 1_000
"""The least rest after a failure while the breaker is open."""

ASIDE: Milliseconds = 500
"""So much later than the next try would start something is made that can be tried, where nothing is there."""

SEND_WITHIN: Milliseconds = 60_000
"""A send that takes longer than this many milliseconds is in doubt."""

FORGOTTEN_AFTER: Milliseconds = 1_800_000
"""A failure that is longer ago tells nothing about the next one."""

FAILURES_KEPT = 10_000
"""Maximum number of failed conversations remembered per lane."""


@dataclass(slots=True)
class _Streak:
    """Failures of a lane since anything went through, as far as they tell about its other end."""

    failures: int = 0
    at: Instant = 0
    opened: Instant | None = None
    conversations: set[str] = field(default_factory=set)

    @property
    def is_breaking(self) -> bool:
        """Return whether the failures are enough to open the breaker. One conversation alone may be the cause itself."""
        return self.failures >= FAILURE_THRESHOLD and len(self.conversations) > 1


class LaneBreaker:
    """Holds a lane while its other side fails. One waiting message at a time probes it: the oldest, or, if the message itself may be
    at fault, the oldest of a conversation that was not tried yet."""

    def __init__(self, queue: Queue, problems: ProblemReporter, clock: Callable[[], Instant]) -> None:
        self._queue = queue
        self._problems = problems
        self._clock = clock
        self._refusals: dict[str, tuple[int, Instant]] = {}
        self._streaks: dict[str, _Streak] = {}
        self._successes: dict[str, int] = {}
        # By lane: when something went through last, when the last try began, and until when the other end asked for a pause.
        self._well_at: dict[str, Instant] = {}
        self._begun: dict[str, Instant] = {}
        self._paused: dict[str, Instant] = {}
        # By lane and conversation at which it failed and was not well since: the lane's successes at that time, how often it
        # failed there in spite of some, and when.
        self._failed_at: dict[str, dict[str, tuple[int, int, Instant]]] = {}
        # By lane: the reply jobs that wait for it, since and until when; and those that need not wait any longer.
        self._waiting: dict[str, dict[str, tuple[Instant, Instant]]] = {}
        # Tries that do not hang yet, and tries of an open breaker that do.
        self._under_way: Counter[str] = Counter()
        self._hanging: Counter[str] = Counter()
        self._looks: dict[str, asyncio.TimerHandle] = {}
        self._let_go: dict[str, Instant] = {}
        # Lanes whose other end takes what it then does not deliver, and the names in which receipts will speak of what it took.
        self._unproven: dict[str, deque[str]] = {}

    def block(self, lane: str, message: str, remedy: str, *, told_later: bool = False) -> Instant:
        """Hold the lane until a person fixes something, probing after 2 s, 4 s, … at most 8 s. Returns the next probe.

        `told_later` says that a receipt told so of something that had been taken: then only a receipt is proof of the contrary.
        """
        if told_later:
            self._unproven.setdefault(lane, deque(maxlen=PROBES_KEPT))
        refusals, until = self._refusals.get(lane, (0, 0))
        if self._clock() < until <= self._clock() + PROBE_LONGEST:  # later than that only where the clock was set back
            return until  # one of many that were on their way when the first was refused: the same refusal, not another probe
        until = self._clock() + min(PROBE_FIRST << min(refusals, 8), PROBE_LONGEST)
        self._refusals[lane] = (refusals + 1, until)
        self._queue.hold(lane, until, self._failed_at.get(lane, ()))
        self._problems.report(problem_key("lane", lane, "blocked"), message, remedy)
        return until

    def throttle(self, lane: str, after: Milliseconds, message: str = "", remedy: str = "") -> None:
        """Pause the lane as the other end asks: no job starts before the pause is over, then slowly. Where there is a `remedy`, a
        person is told of it."""
        self._paused[lane] = self._clock() + after
        self._queue.hold(lane, self._paused[lane])
        if remedy:
            self._problems.report(problem_key("lane", lane, "throttled"), message, remedy)

    def refused(self, lane: str, message: str, remedy: str, conversation: str) -> int:
        """As `unavailable`, told at this conversation: another one is the next probe. Returns how often it was refused although
        the lane was well in between; where it was just now, that tells about this conversation, and nothing is held."""
        alone, is_own = self._failed_alone(lane, conversation)
        if is_own:
            return alone
        self.block(lane, message, remedy)
        return 0

    def record_failure(
        self, lane: str, message: str, conversation: str, *, is_first: bool = False, begun: Instant | None = None
    ) -> int:
        """Record that the other end failed in this conversation; `is_first` says that it is the first failure of that.

        One that fails again and again is given rest: the breaker opens, and one try at a time finds out whether it is back, so
        that a storm is not answered with a herd. Returns how often it has failed here although it was well in between: what has
        just done so tells about this conversation, opens no breaker, and keeps nobody else waiting. Nor does a try that had `begun`
        before something went through.
        """
        alone, is_own = self._failed_alone(lane, conversation, is_first=is_first)
        if is_own or (begun is not None and begun < self._well_at.get(lane, begun)):
            return alone
        now = self._clock()
        streak = self._streaks.setdefault(lane, _Streak())
        streak.failures += 1
        # A try that hung has taken its rest itself, and another may have begun beside it.
        streak.at = self.begun(lane)
        if len(streak.conversations) < FAILURE_THRESHOLD:
            streak.conversations.add(conversation)
        if streak.is_breaking and streak.opened is None:
            streak.opened = now
        if streak.is_breaking and not self._queue.held(lane):
            self._queue.hold(lane, max(streak.at + OPEN_INTERVAL, now + PAUSE), self._failed_at[lane])
            self._problems.report(
                problem_key("lane", lane, "circuit_open"),
                f"circuit breaker open for {lane}: {message}",
                "check the other side; the lane is probed every 6 s, and no message is lost",
            )
        return alone

    def _failed_alone(self, lane: str, conversation: str, *, is_first: bool = False) -> tuple[int, bool]:
        """Note a failure. How many there were here in spite of successes elsewhere, and whether this is one of them."""
        now, successes = self._clock(), self._successes.get(lane, 0)
        failed_at = self._failed_at.setdefault(lane, {})
        before, alone, at = failed_at.pop(conversation, (successes, 0, now))
        if is_first or abs(now - at) > FORGOTTEN_AFTER:
            before, alone = successes, 0
        is_own = before != successes
        failed_at[conversation] = successes, alone + is_own, now
        if len(failed_at) > FAILURES_KEPT:
            del failed_at[next(iter(failed_at))]
        return alone + is_own, is_own

    @contextmanager
    def trying(self, lane: str) -> Iterator[None]:
        """Mark a try as under way. One that hangs keeps no other from starting; while the breaker is open, not more than a few."""
        self.begins(lane)
        is_probe, hangs = self._is_breaking(lane) or lane in self._refusals, False

        def look() -> None:
            nonlocal hangs
            if is_probe and self._hanging[lane] >= MOST_BESIDE:
                return
            hangs = True
            self._hanging[lane] += is_probe
            self._under_way[lane] -= 1
            self._queue.hangs(lane, 1)

        self._under_way[lane] += 1
        timer = asyncio.get_running_loop().call_later(OPEN_INTERVAL / 1_000, look)
        try:
            yield
        finally:
            timer.cancel()
            if hangs:
                self._hanging[lane] -= is_probe
                self._queue.hangs(lane, -1)
            else:
                self._under_way[lane] -= 1

    def begins(self, lane: str) -> None:
        """Record that a request leaves for the other end."""
        self._begun[lane] = self._clock()
        self._look_later(lane, OPEN_INTERVAL + ASIDE)

    def begun(self, lane: str) -> Instant:
        """Return when the last request left, or now where none is known."""
        now = self._clock()
        return min(self._begun.get(lane, now), now)

    def _is_breaking(self, lane: str) -> bool:
        streak = self._streaks.get(lane)
        return streak is not None and streak.is_breaking

    def _look_later(self, lane: str, after: Milliseconds) -> None:
        if (look := self._looks.pop(lane, None)) is not None:
            look.cancel()
        self._looks[lane] = asyncio.get_running_loop().call_later(after / 1_000, self._look, lane)

    def _look(self, lane: str) -> None:
        """While the breaker is open and nobody tries, let go who has waited longest: what they wait with is the next try."""
        del self._looks[lane]
        waiting = self._waiting.get(lane)
        if not waiting or not self._is_breaking(lane):
            return
        if self.held(lane):
            self._look_later(lane, PAUSE)
            return
        conversation = min(waiting, key=waiting.__getitem__)
        self._let_go[conversation] = waiting.pop(conversation)[1]
        self._queue.hasten([("reply", conversation)])
        self._look_later(lane, OPEN_INTERVAL)

    def prepares(self, lane: str) -> None:
        """Something is made that is to be tried next: while the breaker is open, nobody else need make anything meanwhile."""
        streak = self._streaks.get(lane)
        if streak is not None and streak.is_breaking:
            streak.at = self._clock()

    def track(self, lane: str, *names: str) -> None:
        """Something is about to leave of which receipts will speak by one of these names."""
        if lane in self._unproven:
            self._unproven[lane].extend(names)

    def record_success(self, lane: str, conversation: str | None = None, begun: Instant | None = None) -> None:
        """Something went through, of this conversation, which had `begun` then: whatever waits for the lane goes on, in order."""
        now = self._clock()
        self._well_at[lane] = now
        self._successes[lane] = self._successes.get(lane, 0) + 1
        if conversation is not None:
            self._failed_at.get(lane, {}).pop(conversation, None)
        streak = self._streaks.pop(lane, None)
        if streak is not None and streak.is_breaking:
            self._problems.clear(problem_key("lane", lane, "circuit_open"))
            probed = begun is not None and streak.opened is not None and streak.opened <= begun
            if probed and now >= self._paused.get(lane, now) and lane not in self._refusals:
                self._queue.release(lane)  # of the tries that hung one more has failed meanwhile
        self._problems.clear(problem_key("lane", lane, "throttled"))
        if lane in self._unproven:
            # Taken, as the last one was. What waits behind it stays until a receipt tells more, or until the next probe.
            refusals, _ = self._refusals.get(lane, (0, 0))
            self._queue.hold(lane, self._clock() + min(PROBE_FIRST << min(refusals, 8), PROBE_LONGEST))
            return
        if self._refusals.pop(lane, None) is not None:
            self._problems.clear(problem_key("lane", lane, "blocked"))
        self._queue.record_success(lane)
        if waiting := self._waiting.pop(lane, None):
            self._let_go |= {conversation: until for conversation, (_, until) in waiting.items()}
            self._queue.hasten([("reply", conversation) for conversation in sorted(waiting, key=waiting.__getitem__)])

    def confirm_delivery(self, lane: str, *names: str) -> None:
        """Record that a receipt with these ids proves a delivery."""
        if not any(name in self._unproven.get(lane, ()) for name in names):
            return
        del self._unproven[lane]
        self._queue.release(lane)
        self.record_success(lane)

    def wait(self, lane: str, conversation: str, since: Instant, until: Instant) -> None:
        """Let a reply to what was said at `since` wait until `until` for this lane only; it goes on when something goes
        through there, the longest waiting first."""
        self._waiting.setdefault(lane, {})[conversation] = since, until
        if lane not in self._looks and self._is_breaking(lane):
            self._look_later(lane, PAUSE)

    def let_go(self, conversation: str, until: Instant | None) -> bool:
        """Return whether a reply that waits until then, and is looked at now, waited for a lane that works again. Asked once each time
        it is looked at."""
        for waiting in self._waiting.values():
            waiting.pop(conversation, None)
        return until is not None and self._let_go.pop(conversation, None) == until

    def on_hold(self, lane: str) -> bool:
        """Return whether the queue holds the lane at this moment."""
        return self._queue.held(lane)

    def held(self, lane: str) -> bool:
        """Return whether the lane is on hold, its last probe was refused, or its breaker is open, also while a try is under way. A lane
        that nobody tries counts as free after its rest: otherwise one without messages that may be sent now, such as one whose
        messages are all in doubt, would not be tried again. So does one whose tries hang."""
        if self._queue.held(lane):
            return True
        refused = self._refusals.get(lane)
        if refused is not None and abs(self._clock() - refused[1]) < PROBE_LONGEST:
            return True
        streak = self._streaks.get(lane)
        rest = OPEN_INTERVAL + (SEND_WITHIN if self._under_way[lane] else 0)
        return streak is not None and streak.is_breaking and abs(self._clock() - streak.at) < rest
