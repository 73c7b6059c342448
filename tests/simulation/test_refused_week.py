"""The access token is refused, and nobody is there to renew it: for hours in every detail, and for a whole week; shorter where not
everything is tried.

A week in every detail would be some seventy thousand probes. There the daemon is awake for `AWAKE` a day and its machine
sleeps in between, so that the days are as long as they are for whoever waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest

from tests.effort import chosen
from tests.simulation.tale import Tale

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
HOURS, DAYS = chosen(short=(HOUR // 3, 3), full=(2 * HOUR, 7))
AWAKE = chosen(short=5, full=20) * MINUTE
LANE = "lane:deliver:sim:0:blocked"
PROBES_APART = 8.0
WARMED_UP = 60.0
"""Seconds after which probes are as rare as they get."""

CHARGED = "SELECT attempts FROM messages WHERE state = 'queued' AND attempts > 0"
ENDS = "SELECT external_id, coalesce(reason, state) AS end FROM messages WHERE direction = 'in'"
OPEN = "SELECT 1 FROM messages WHERE state IN ('waiting', 'queued', 'sending')"


class Refused(Tale):
    """Two customers have an answer that is refused; all of them, and two more, write while nothing can leave."""

    def __init__(self, state: Path, max_age: int = 30 * DAY) -> None:
        super().__init__(state, type(self).tells, people=4, max_age=max_age)
        self.early: list[str] = []
        self.meanwhile: list[list[str]] = []
        self.probes: list[list[float]] = []
        """Those of each stretch of time in which the daemon was awake."""
        self.asked = 0
        """How often the AI was asked in them."""
        self.mended_within = 0.0
        self.ended: dict[str, str] = {}

    async def tells(self) -> None:
        self.early = [self.says(0), self.says(1)]
        await self.until(lambda: self.tally["asked"] == 2)
        self.provider.storm = "token"
        await self.until(lambda: self.provider.left)
        await asyncio.sleep(WARMED_UP)
        await self.refused()
        self.provider.storm = ""
        mended = self.loop.time()
        await self.until(lambda: not self.disk.ask(OPEN), within=180)
        self.mended_within = self.loop.time() - mended
        self.ended = {row["external_id"]: row["end"] for row in self.disk.ask(ENDS)}
        if LANE in self.problems:
            self.broken("problem", "it is still shown")

    async def refused(self) -> None:
        raise NotImplementedError

    async def awake(self, writers: Iterable[int], lasts: int) -> None:
        """These write, one after the other, and all the while it is as it has to be."""
        began, asked, said = self.loop.time(), self.tally["asked"], list(writers)
        names = []
        for writer in said:
            await asyncio.sleep(lasts / 1_000 / (len(said) + 1))
            names.append(self.says(writer))
        await asyncio.sleep(lasts / 1_000 - (self.loop.time() - began))
        self.meanwhile.append(names)
        self.probes.append([at for at in self.tries if at > began])
        self.asked += self.tally["asked"] - asked
        if self.disk.ask(CHARGED):
            self.broken("burnt", "a refusal was charged to an answer")
        if self.problems[LANE].remedy != "renew it":
            self.broken("problem", f"nobody is told what to do: {self.problems[LANE]}")

    def ends(self, names: Iterable[str]) -> list[str]:
        """How these messages ended."""
        return [self.ended[name] for name in names]


class Hours(Refused):
    """`HOURS` without a pause."""

    async def refused(self) -> None:
        await self.awake([2, 0, 2, 1, 3], HOURS)


class Week(Refused):
    """`DAYS` of which `AWAKE` is lived through."""

    lasted = 0

    async def refused(self) -> None:
        began = self.clock()
        for writers in chosen(short=([2], [2, 0], [3, 1]), full=([], [2], [0], [2, 2], [], [3, 1], [])):
            await self.awake(writers, AWAKE)
            self.machine_sleeps(DAY - AWAKE)
            # What nobody has probed for so long counts as free until the first probe of the day was refused.
            await asyncio.sleep(WARMED_UP)
        self.lasted = self.clock() - began


@pytest.fixture(scope="module")
def hours(tmp_path_factory: pytest.TempPathFactory) -> Hours:
    tale = Hours(tmp_path_factory.mktemp("hours"))
    tale.run()
    return tale


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Week:
    tale = Week(tmp_path_factory.mktemp("week"))
    tale.run()
    return tale


def gaps(tale: Refused) -> list[float]:
    """Seconds between one probe and the next."""
    return [later - earlier for probes in tale.probes for earlier, later in pairwise(probes)]


def test_one_probe_every_eight_seconds_is_all_that_a_refused_token_costs(hours: Hours) -> None:
    assert min(gaps(hours)) >= PROBES_APART
    assert max(gaps(hours)) < PROBES_APART + 2
    assert hours.asked == 0, "the AI is not asked for answers that cannot leave"


def test_after_a_week_of_refusals_everything_is_answered_within_minutes_and_nothing_was_lost(week: Week) -> None:
    assert week.lasted >= DAYS * DAY
    assert min(gaps(week)) >= PROBES_APART
    assert all(len(probes) >= AWAKE / 1_000 / PROBES_APART * 0.9 for probes in week.probes)
    assert week.asked == 0
    said = [*week.early, *(name for names in week.meanwhile for name in names)]
    assert week.ends(said) == ["answered"] * len(said)
    assert week.mended_within < 120


def test_what_became_too_old_meanwhile_is_skipped_as_the_policy_says_and_the_rest_is_answered(tmp_path: Path) -> None:
    tale = Hours(tmp_path, max_age=HOURS * 5 // 12)
    tale.run()
    assert tale.ends(tale.early) == ["answered"] * 2, "what had its answer when the token ended is sent"
    assert [tale.ends(names) for names in tale.meanwhile] == [["too_old"] * 3 + ["answered"] * 2]
