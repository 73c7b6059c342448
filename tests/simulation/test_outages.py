"""The other end is away, or refuses, and comes back: how soon customers notice, and who waits meanwhile."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

from sara import GiveUp, TryLater, Turn
from tests.effort import spread
from tests.simulation.tale import Tale

NOTICED_WITHIN = 10
"""Seconds after its end in which an outage is over for everybody."""


FAIR = {"quiet": 200, "thinks": 0.2, "outlast": 1_800_000, "longest": 300_000}


class Outage(Tale):
    """Customers write before and while something is away; then it is back."""

    def __init__(self, state: Path, what: str, lasts: int, writers: int, *, restarts: bool) -> None:
        super().__init__(state, type(self).tells, people=writers, **FAIR)
        self.what, self.lasts, self.restarts = what, lasts, restarts
        self.ai = ""
        self.calls = 0
        self.over_at = 0.0

    def refusal(self, turn: Turn) -> Exception | None:
        if not self.ai:
            return None
        self.calls += 1
        return TryLater("refused", until_mended=True) if self.ai == "key" else TryLater("refused", scope="responder")

    async def tells(self) -> None:
        end, _, storm = self.what.partition(": ")
        if end == "ai":
            self.ai = storm
        else:
            self.provider.storm = storm
        names, writers = [], self.weather.people
        for writer in range(writers):
            names.append(self.says(writer))
            await asyncio.sleep(self.lasts * 0.8 / writers)
        if self.restarts:
            await self.restart()
        await asyncio.sleep(self.lasts * 0.2)
        self.ai, self.provider.storm = "", ""
        self.over_at = self.loop.time()
        await self.until(lambda: all(map(self.answered, names)), within=NOTICED_WITHIN)

    @property
    def tried(self) -> int:
        """How often the other end was tried while it was away."""
        return self.calls or len([at for at in self.tries if at < self.over_at])

    @property
    def asked_after(self) -> list[int]:
        """The messages that the AI was asked about for the first time when all was over, in order."""
        seen: dict[int, float] = {}
        for line in self.trace:
            at, what, *rest = line.split()
            if what == "asks":
                seen |= {int(name[1:]): float(at) for name in rest[1:] if int(name[1:]) not in seen}
        return [number for number, at in seen.items() if at > self.over_at]


def test_when_an_outage_ends_everybody_is_answered_within_seconds_in_order_and_few_tries_were_made(tmp_path: Path) -> None:
    ends = ("ai: away", "ai: key", "graph: away", "graph: token")
    lengths = [(60, 1, False), (60, 2, False), (60, 5, True), (60, 40, False), (900, 1, True), (900, 12, False)]
    for number, (what, (lasts, writers, restarts)) in enumerate(spread(list(itertools.product(ends, lengths)), 8)):
        row = (what, lasts, writers, restarts)
        folder = tmp_path / str(number)
        folder.mkdir()
        tale = Outage(folder, *row[:3], restarts=restarts)
        tale.run()
        # One try in six seconds, however many wait, and those that were on their way before that was known.
        assert lasts / 9 <= tale.tried <= lasts / 6 + 10, row
        assert tale.asked_after == sorted(tale.asked_after), row


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
        TryLater("empty"),
        TryLater("empty", after=5_000),
        TryLater("500", scope="responder"),
        TryLater("429", scope="responder", after=30_000),
        TryLater("404", until_mended=True),
        GiveUp("filtered"),
        RuntimeError("a bug"),
    )
    for number, error in enumerate(spread(errors, 4)):
        folder = tmp_path / str(number)
        folder.mkdir()
        Ailing(folder, error).run()
