"""Finding the work that nobody was woken for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from sara import SaraError
from sara.engines import OpenWork, StoreUnavailable
from sara.queue.sweeper import SWEEP_EVERY, SWEEP_PAGE, Sweeper
from sara.runtime.background import periodic
from tests.fakes import ACCOUNT, NOW, House, without_waiting


def sweeper_of(house: House, stopping: asyncio.Event) -> Sweeper:
    return Sweeper(house.store, house.queue, house.notifier, house.problems, house.clock, stopping)


def work(conversation: str, due: int | None = NOW, account: str = ACCOUNT) -> OpenWork:
    return OpenWork(conversation, account, None, due)


def swept(house: House, looks: int) -> Sweeper:
    """Sweep until the store was looked into so many times, as fast as time can be made to pass."""

    async def main() -> Sweeper:
        loop, enough = asyncio.get_running_loop(), asyncio.Event()
        began, look = loop.time(), house.store.open_work

        async def looking(after: str | None, limit: int, before: int | None = None) -> Sequence[OpenWork]:
            found = await look(after, limit, before)
            if len(house.store.called("open_work")) == looks:
                enough.set()
            return found

        house.store.open_work = looking  # type: ignore[method-assign]  # the same, and it sets the event
        house.clock = lambda: NOW + int((loop.time() - began) * 1_000)  # type: ignore[assignment]  # the loop's own time
        stopping = asyncio.Event()
        sweeper = sweeper_of(house, stopping)
        sweep = asyncio.create_task(periodic(sweeper.sweep, SWEEP_EVERY / 1_000, stopping))
        async with asyncio.timeout(3_600):  # of the loop's time, which passes at once
            await enough.wait()
        stopping.set()
        await sweep
        return sweeper

    return without_waiting(main())


def test_at_the_start_everything_that_is_open_is_woken_whenever_it_is_due() -> None:
    house = House()
    house.store.pages = [[work("c1"), work("c2", NOW + 10**9), OpenWork("c3", ACCOUNT, NOW, None)]]
    sweeper = swept(house, 1)
    assert {(wake.kind, wake.key, wake.due) for wake in house.queue.woken} == {
        ("deliver", "c1", NOW),
        ("deliver", "c2", NOW + 10**9),
        ("reply", "c3", NOW),
    }
    assert sweeper.found_by_sweep == 0


def test_open_work_is_read_in_pages() -> None:
    house = House()
    first = [work(f"a{n:04}") for n in range(SWEEP_PAGE)]
    house.store.pages = [first, [work("b")]]
    swept(house, 2)
    assert [(after, limit, before) for after, limit, before in house.store.called("open_work")] == [
        (None, SWEEP_PAGE, None),
        (first[-1].conversation, SWEEP_PAGE, None),
    ]
    assert len(house.queue.woken) == SWEEP_PAGE + 1


def test_every_thirty_seconds_what_is_overdue_is_woken_and_counted() -> None:
    house = House()
    house.store.pages = [[], [work("c1", NOW - 1)], [work("c2", NOW - 1), work("c3", NOW - 1)]]
    sweeper = swept(house, 3)
    befores = [before for _, _, before in house.store.called("open_work")]
    assert befores[0] is None
    assert befores[1] == pytest.approx(NOW, abs=1_000)
    assert befores[2] == pytest.approx(NOW + 30_000, abs=1_000)
    assert [wake.key for wake in house.queue.woken] == ["c1", "c2", "c3"]
    assert sweeper.found_by_sweep == 3


def test_what_waits_for_a_held_lane_is_not_overdue() -> None:
    house = House()
    house.queue.hold("deliver:support")
    house.store.pages = [[], [work("c1", NOW - 1)]]
    sweeper = swept(house, 2)
    assert house.queue.woken == []
    assert sweeper.found_by_sweep == 0


def test_work_of_a_channel_that_is_gone_is_not_woken() -> None:
    house = House()
    house.store.pages = [[work("c1", account="test:9")], [work("c1", account="test:9")]]
    assert swept(house, 2).found_by_sweep == 0
    assert house.queue.woken == []


@pytest.mark.parametrize(("error", "problems"), [(StoreUnavailable(), {}), (SaraError("odd"), {"queue:sweep:failed": 1})])
def test_a_sweep_that_fails_is_followed_by_the_next(error: Exception, problems: dict[str, int]) -> None:
    house = House()
    house.store.fails["open_work"] = [error]
    house.store.pages = [[work("c1", NOW - 1)]]

    async def main() -> None:
        stopping = asyncio.Event()
        found = asyncio.Event()
        wake = house.queue.wake

        async def waking(wakes: object) -> None:
            await wake(wakes)  # type: ignore[arg-type]  # passed on as it comes
            found.set()

        house.queue.wake = waking  # type: ignore[method-assign]  # the same, and it sets the event
        sweep = asyncio.create_task(periodic(sweeper_of(house, stopping).sweep, SWEEP_EVERY / 1_000, stopping))
        async with asyncio.timeout(3_600):  # of the loop's time, which passes at once
            await found.wait()
        assert house.listed() == problems
        stopping.set()
        await sweep

    without_waiting(main())
    assert [wake.key for wake in house.queue.woken] == ["c1"]


async def test_a_sweep_that_was_stopped_ends() -> None:
    house, stopping = House(), asyncio.Event()
    stopping.set()
    await sweeper_of(house, stopping).sweep()
    assert house.store.called("open_work") == []
