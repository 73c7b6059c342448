"""A wall clock that is set back delays nothing."""

from __future__ import annotations

import asyncio

from sara.queue.clock_monitor import CHECK_EVERY_S, ClockMonitor
from sara.queue.sweeper import Sweeper
from sara.runtime.background import periodic
from tests.fakes import NOW, House, without_waiting


def watched(house: House, *steps: int) -> list[tuple[int, int]]:
    """The clock steps like this, five seconds of real time apart; the arguments of every `clamp`, as milliseconds from now."""

    async def main() -> None:
        stopping = asyncio.Event()
        sweeper = Sweeper(house.store, house.queue, house.notifier, house.problems, house.clock, stopping)
        monitor = ClockMonitor(house.store, sweeper, house.clock)
        watching = asyncio.create_task(periodic(monitor.check, CHECK_EVERY_S, stopping))
        await asyncio.wait([watching], timeout=0)
        for step in steps:
            await asyncio.wait([watching], timeout=1)
            house.clock.forward(5_000 + step)
            await asyncio.wait([watching], timeout=4)
        stopping.set()
        await watching

    without_waiting(main())
    return [(latest - now, now - NOW) for latest, now in house.store.called("reset_future_dues")]


def test_dues_from_beyond_any_wait_are_mended_at_the_start() -> None:
    assert watched(House()) == [(600_000, 0)]


def test_a_clock_that_goes_back_while_running_lets_nobody_wait_for_it() -> None:
    assert watched(House(), 0, -3_600_000, 0)[1:] == [(60_000, 10_000 - 3_600_000)]


def test_a_clock_that_runs_on_or_jumps_ahead_changes_nothing() -> None:
    assert len(watched(House(), 0, 3_600_000, 0, 31_536_000_000)) == 1
