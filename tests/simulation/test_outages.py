"""The other end is away, or refuses, and comes back: how soon customers notice, and who waits meanwhile."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

from sara import GiveUp, RetryLater, Turn
from tests.effort import spread
from tests.simulation.tale import Tale

A_LOOK = 0.5
"""Seconds by which one who looks just when it is over may be before those who are woken then."""

NOTICED_WITHIN = 10
"""Seconds after its end in which an outage is over for everybody."""

DOUBTS_END_WITHIN = 1_000
"""Seconds after which what a silent provider has is sent again: the longest doubt, and the time-out of the last try."""

FAIR = {"debounce": 200, "thinks": 0.2, "max_duration": 1_800_000, "max_delay": 300_000}


class Outage(Tale):
    """Customers write before and while something is away; then it is back, and one more writes.

    Everybody is answered within seconds, but for those whose messages a silent provider has: each of these is in doubt, and waits for
    its own receipt as long as the file says.
    """

    answered_within = 60_000

    def __init__(self, state: Path, what: str, lasts: int, writers: int, *, restarts: bool) -> None:
        super().__init__(state, type(self).tells, people=writers + 1, **FAIR)
        self.what, self.lasts, self.restarts = what, lasts, restarts
        self.ai = ""
        self.calls = 0
        self.over_at = 0.0
        self.seen_after = 0.0

    def refusal(self, turn: Turn) -> Exception | None:
        if not self.ai:
            return None
        self.calls += 1
        return RetryLater("refused", until_mended=True) if self.ai == "key" else RetryLater("refused", scope="responder")

    def is_silent(self) -> bool:
        self.calls += self.ai == "hangs"
        return self.ai == "hangs"

    async def tells(self) -> None:
        end, _, storm = self.what.partition(": ")
        if end == "ai":
            self.ai = storm
        else:
            self.provider.storm = storm
        names, writers = [], self.weather.people - 1
        for writer in range(writers):
            names.append(self.says(writer))
            await asyncio.sleep(self.lasts * 0.8 / writers)
        if self.restarts:
            await self.restart()
        await asyncio.sleep(self.lasts * 0.2)
        self.ai, self.provider.storm = "", ""
        self.over_at = self.loop.time()
        doubted = set(names) - set(self.untouched(names))
        names.append(self.says(writers))
        await self.until(lambda: all(self.answered(name) for name in names if name not in doubted), within=NOTICED_WITHIN)
        self.seen_after = self.loop.time() - self.over_at
        await self.until(lambda: all(map(self.answered, names)), within=DOUBTS_END_WITHIN)

    def untouched(self, names: list[str]) -> list[str]:
        """Those of which a silent provider has no part."""
        if self.what != "graph: hangs":
            return names
        sent = "SELECT o.id FROM messages i JOIN messages o ON o.reply = i.reply JOIN attempts a ON a.message = o.id WHERE i.external_id = ?"
        return [name for name in names if not self.disk.ask(sent, name)]

    @property
    def tried(self) -> int:
        """How often the other end was tried while it was away."""
        return self.calls or len([at for at in self.tries if at < self.over_at])

    @property
    def overtaken_by(self) -> float:
        """How long at most a message was asked about for the first time after a newer one, when all was over."""
        seen: dict[int, float] = {}
        for line in self.trace:
            at, what, *rest = line.split()
            if what == "asks":
                seen |= {int(name[1:]): float(at) for name in rest[1:] if int(name[1:]) not in seen}
        after = [(number, at) for number, at in seen.items() if at > self.over_at]
        newer = (at - since for (older, at), (number, since) in itertools.product(after, after) if number > older)
        return max(newer, default=0)


def test_when_an_outage_ends_everybody_is_answered_within_seconds_in_order_and_few_tries_were_made(tmp_path: Path) -> None:
    ends = ("ai: away", "ai: key", "ai: hangs", "graph: away", "graph: token", "graph: rate", "graph: hangs")
    lengths = [(60, 1, False), (60, 3, True), (60, 50, False), (900, 1, True), (600, 3, False), (600, 50, False)]
    for number, (what, (lasts, writers, restarts)) in enumerate(spread(list(itertools.product(ends, lengths)), 8)):
        row = (what, lasts, writers, restarts)
        folder = tmp_path / str(number)
        folder.mkdir()
        tale = Outage(folder, *row[:3], restarts=restarts)
        tale.run()
        # One try in six seconds, however many wait, and those that were on their way before that was known.
        known = writers if "hangs" in what else 0
        told = 3 if what == "graph: rate" else 6  # seconds; a provider that names a time is taken at its word
        assert tale.tried <= lasts / told + 10 + known, (row, tale.tried)
        assert tale.tried >= lasts / 9 or what == "graph: hangs", (row, tale.tried)
        assert tale.overtaken_by < A_LOOK, (row, tale.overtaken_by)


class Ailing(Tale):
    """Twelve conversations fail again and again, each for a reason of its own, while other customers write."""

    def __init__(self, state: Path, error: Exception) -> None:
        super().__init__(state, type(self).tells, people=24, **FAIR)
        self.error: Exception | None = error

    def refusal(self, turn: Turn) -> Exception | None:
        if not any("ails" in line.text for line in turn.messages):
            return None
        return self.error

    async def tells(self) -> None:
        for ill in range(12):
            self.says(ill, f"it ails {ill}")
        await asyncio.sleep(5)
        for healthy in range(12, 24):
            name = self.says(healthy)
            await self.until(lambda name=name: self.answered(name), within=NOTICED_WITHIN)
            await asyncio.sleep(5)
        self.error = None


def test_conversations_that_fail_by_themselves_keep_nobody_else_waiting(tmp_path: Path) -> None:
    """Also where the AI's server says what it says when it is down, or when its key is refused."""
    errors = (
        RetryLater("empty"),
        RetryLater("empty", after=5_000),
        RetryLater("500", scope="responder"),
        RetryLater("429", scope="responder", after=30_000),
        RetryLater("404", until_mended=True),
        GiveUp("filtered"),
        RuntimeError("a bug"),
    )
    for number, error in enumerate(spread(errors, 4)):
        folder = tmp_path / str(number)
        folder.mkdir()
        Ailing(folder, error).run()
