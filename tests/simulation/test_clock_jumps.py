"""The wall clock is set while messages are under way, by an hour or by a year, while the daemon runs or between two starts.

Nobody waits for the clock to catch up, and nothing is done again and again because everything seems to be due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from tests.effort import spread
from tests.simulation.tale import Tale

HOUR, YEAR = 3_600_000, 31_536_000_000
JUMPS = {"+1 hour": HOUR, "-1 hour": -HOUR, "+1 year": YEAR, "-1 year": -YEAR}
TROUBLES = ("token", "rate", "away", "5xx", "no answer", "try later", "")
LONG = 30.0
"""Seconds of trouble after the jump."""

AS_BEFORE = 150.0
"""Seconds within which everything is answered afterwards: a send that hangs, the doubt about it, and time to think."""

MOST = 12
"""Requests to the provider, or to the AI, in that time: hardly more than there are without a jump."""


class Jump(Tale):
    """Three customers; the first has trouble when the clock is set."""

    def __init__(self, state: Path, by: int, trouble: str, *, at_a_start: bool) -> None:
        super().__init__(state, type(self).tells, max_delay=20_000, max_age=10 * YEAR, max_duration=10 * YEAR, jump_every=1)
        self.by = by
        self.trouble = trouble
        self.at_a_start = at_a_start
        self.asked_at: list[float] = []
        self.tries_in_trouble = self.asked_in_trouble = 0

    def note(self, *what: object) -> None:
        super().note(*what)
        if what[0] == "asks":
            self.asked_at.append(self.loop.time())

    async def tells(self) -> None:
        said = [self.says(1)]
        await self.until(lambda: self.answered(said[0]) and self._settled())
        tries, asked = len(self.tries), len(self.asked_at)
        said.append(self.says(0))
        self.mishaps = {self.trouble}
        await self.until(lambda: len(self.asked_at) > asked)
        self.provider.storm = self.trouble
        await self.until(lambda: self.trouble == "try later" or len(self.tries) > tries)
        await asyncio.sleep(1)
        said.append(self.says(1))
        await asyncio.sleep(0.5)
        if self.at_a_start:
            await self.restart(self.by)
        else:
            self.jump(self.by)
        jumped = self.loop.time()
        await asyncio.sleep(LONG)
        self.tries_in_trouble = sum(at > jumped for at in self.tries)
        self.asked_in_trouble = sum(at > jumped for at in self.asked_at)
        self.provider.storm = ""
        self.mishaps.clear()
        said.append(self.says(2))
        # A doubt ends when a later webhook has shown that receipts would have come: so that one does, another customer writes on.
        writing = asyncio.ensure_future(self._writes_on())
        await self.until(lambda: all(map(self.answered, said)), within=AS_BEFORE)
        writing.cancel()

    async def _writes_on(self) -> None:
        while True:
            await asyncio.sleep(20)
            self.says(2)


class GivenUp(Tale):
    """An operator gives up the refused answer that was the probe, so that nothing is left to probe with."""

    def __init__(self, state: Path, by: int) -> None:
        super().__init__(state, type(self).tells, max_age=10 * YEAR, jump_every=1)
        self.by = by

    async def tells(self) -> None:
        self.says(0)
        await self.until(lambda: self.tally["asked"])
        self.provider.storm = "token"
        await self.until(lambda: self.disk.ask("SELECT 1 FROM attempts WHERE state = 'not_sent'"))
        assert self.process is not None
        await self.process.run(self.process.daemon.store.drop("c1", "deliver", self.clock()))
        self.jump(self.by)
        self.provider.storm = ""
        other = self.says(1)
        await self.until(lambda: self.answered(other), within=AS_BEFORE)


def cases() -> Iterator[object]:
    for (name, by), at_a_start, trouble in product(JUMPS.items(), (False, True), TROUBLES):
        ident = f"{name}, {'at a start' if at_a_start else 'while running'}, {trouble or 'fair'}"
        yield pytest.param(by, at_a_start, trouble, id=ident)


@pytest.mark.parametrize(("by", "at_a_start", "trouble"), spread(list(cases()), 10))
def test_a_clock_that_is_set_neither_holds_up_an_answer_nor_starts_a_storm(
    tmp_path: Path, by: int, at_a_start: bool, trouble: str
) -> None:
    tale = Jump(tmp_path, by, trouble, at_a_start=at_a_start)
    tale.run()
    assert tale.tries_in_trouble <= MOST
    assert tale.asked_in_trouble <= MOST


@pytest.mark.parametrize("by", spread([pytest.param(by, id=name) for name, by in JUMPS.items()], 2))
def test_a_refusal_that_nothing_probes_any_more_does_not_hold_up_the_others_until_the_clock_has_caught_up(
    tmp_path: Path, by: int
) -> None:
    GivenUp(tmp_path, by).run()
