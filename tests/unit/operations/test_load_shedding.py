"""The intake closes before the disk is full or the backlog is hopeless, and opens again by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sara.domain.errors import StoreUnavailable
from sara.operations.load_shedding import CHECK_EVERY_S, LEAST_FREE, MOST_WAITING, IntakeGuard
from sara.runtime.background import periodic
from tests.fakes import House
from tests.patience import patience
from tests.rows import each_row


def watch_of(house: House, free: list[int]) -> IntakeGuard:
    return IntakeGuard(Path(), house.store, house.problems, free=lambda _: free[0])


@each_row(
    ("free", "waiting", "room", "problem"),
    [
        (LEAST_FREE, 0, True, None),
        (LEAST_FREE - 1, 0, False, "intake:disk:low"),
        (LEAST_FREE, MOST_WAITING, True, None),
        (LEAST_FREE, MOST_WAITING + 1, False, "intake:backlog:too_long"),
    ],
)
async def test_there_is_room_with_enough_disk_and_a_bearable_backlog(
    free: int, waiting: int, room: bool, problem: str | None
) -> None:
    house = House()
    house.store.figures["backlog"] = waiting
    watch = watch_of(house, [free])
    await watch.look()
    assert watch.accepting is room
    assert [each.key for each in house.problems] == ([problem] if problem else [])


@pytest.mark.parametrize("full", [Path("state"), Path("elsewhere")])
async def test_the_stores_own_disk_counts_as_much_as_that_of_the_state(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House()
    monkeypatch.setattr(house.store, "data_directory", lambda: Path("elsewhere"))
    watch = IntakeGuard(Path("state"), house.store, house.problems, free=lambda place: 0 if place == full else LEAST_FREE)
    await watch.look()
    assert not watch.accepting
    [problem] = house.problems
    assert str(full) in problem.message


async def test_the_intake_opens_again_when_there_is_room_again() -> None:
    house, free = House(), [0]
    watch = watch_of(house, free)
    await watch.look()
    assert not watch.accepting
    free[0] = LEAST_FREE
    await watch.look()
    assert watch.accepting
    assert len(house.problems) == 0


async def test_what_cannot_be_found_out_changes_nothing() -> None:
    house, free = House(), [0]
    watch = watch_of(house, free)
    await watch.look()
    house.store.fails["backlog"] = [StoreUnavailable("busy")]
    free[0] = LEAST_FREE
    await watch.look()
    assert not watch.accepting


async def test_it_ends_with_the_daemon() -> None:
    house, ended = House(), asyncio.Event()
    running = asyncio.create_task(periodic(watch_of(house, [LEAST_FREE]).look, CHECK_EVERY_S, ended))
    ended.set()
    async with asyncio.timeout(patience(5)):
        await running
