"""The daemon through dozens of seeds, in full hundreds, of crashes, storms and doubt. `python bench/simulate.py` runs thousands."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.effort import FULL, chosen, spread
from tests.simulation.loop import SimulatedLoop, Stuck
from tests.simulation.world import World

ROOT = Path(__file__).parents[2]
SEEDS = chosen(short=40, full=600)
CHUNK = 20
"""Seeds of one test: the work between two looks at the clock stays bounded, and workers share the chunks."""

KINDS = {
    "crash",
    "restart",
    "clock jump",
    "commit: unavailable",
    "commit: lost, kept",
    "commit: lost, not kept",
    "commit: crash before",
    "commit: crash after",
    "delivery not acknowledged",
    "redelivery",
    "answer lost",
    "not sent",
    "refused",
    "no answer",
    "channel broke",
    "pair limit",
    "storm: token",
    "storm: rate",
    "storm: 5xx",
    "storm: away",
    "storm: silent",
    "receipt lost",
    "receipts late",
    "receipts reversed",
    "receipt doubled",
    "failed later",
    "try later",
    "gives up",
    "hangs",
    "breaks",
    "consent word",
    "echo",
}
"""Faults that must have happened for the seeds to mean anything."""

RARE = {"breaks", "gives up", "commit: lost, kept", "commit: lost, not kept"}
"""Those that a short run may happen not to meet."""


@pytest.fixture
def met(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the chunks, in all workers, write the kinds of faults that they met."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "faults-met"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_every_promise_holds_whatever_happens_whenever(first: int, tmp_path: Path, met: Path) -> None:
    faults: Counter[str] = Counter()
    for seed in range(first, first + CHUNK):
        faults += World(seed, tmp_path).run().faults
    gc.collect()
    mine = met / f"{first}.new"
    mine.write_text("\n".join(faults), encoding="utf-8")
    mine.rename(met / str(first))
    chunks = [each.read_text(encoding="utf-8").splitlines() for each in met.glob("*[0-9]")]
    if len(chunks) == SEEDS // CHUNK:
        assert {kind for chunk in chunks for kind in chunk} >= (KINDS if FULL else KINDS - RARE)


def test_without_faults_nothing_is_in_doubt_and_the_sweep_finds_nothing(tmp_path: Path) -> None:
    for seed in range(chosen(short=4, full=10)):
        world = World(seed, tmp_path, calm=True).run()
        assert not +world.faults
        assert world.tally["in doubt"] == world.tally["duplicates"] == world.tally["found by sweep"] == 0
        assert world.tally["accepted"] == world.tally["parts"]


@pytest.mark.parametrize("seed", spread([4, 5], 1))
def test_a_seed_tells_the_same_story_twice(seed: int, tmp_path: Path) -> None:
    first, second = World(seed, tmp_path / "1").run(), World(seed, tmp_path / "2").run()
    assert first.trace == second.trace
    assert first.fingerprint == second.fingerprint
    assert first.fingerprint != World(seed + 1, tmp_path / "3").run().fingerprint


def test_a_seed_tells_the_same_story_in_another_process(tmp_path: Path) -> None:
    world = World(7, tmp_path).run()
    told = subprocess.run(
        [sys.executable, "bench/simulate.py", "--start", "7", "--seeds", "1", "--trace"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert world.fingerprint in told


def test_time_leaps_to_the_next_timer_and_chance_decides_among_the_ready() -> None:
    def story(seed: int | None) -> tuple[list[int], float]:
        loop = SimulatedLoop(None if seed is None else random.Random(seed))  # noqa: S311  # to be foretold
        order: list[int] = []

        async def one(number: int) -> None:
            await asyncio.sleep(3_600)
            order.append(number)

        async def all_of_them() -> None:
            await asyncio.gather(*(one(number) for number in range(5)))

        loop.run_until_complete(all_of_them())
        loop.close()
        return order, loop.time()

    order, took = story(None)
    assert (sorted(order), took) == ([0, 1, 2, 3, 4], 3_600)
    assert story(1) == story(1)
    assert len({tuple(story(seed)[0]) for seed in range(20)}) > 5


def test_waiting_for_what_never_comes_is_noticed() -> None:
    loop = SimulatedLoop(None)
    with pytest.raises(Stuck, match="somebody else"):
        loop.run_until_complete(loop.create_future())
    loop.close()
