"""Keeping nothing longer than is wanted: when, in which steps, and what happens when it cannot be done."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from sara.engines import StoreUnavailable
from sara.operations import retention
from sara.operations.retention import EXPIRE_EVERY_S, STEP, Retention
from sara.runtime.background import periodic
from tests.fakes import NOW, House

DAY = 86_400_000


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited, without waiting them."""
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(retention, "sleep", pause)
    return waited


def keeping(house: House, keep: int | None) -> Retention:
    return Retention(house.store, house.files, keep, house.clock)


async def test_what_is_too_old_goes_in_steps_with_pauses_between_them(tmp_path: Path, pauses: list[float]) -> None:
    house = House(folder=tmp_path)
    house.store.expired = 2 * STEP + 7
    assert await keeping(house, 90 * DAY).expire(asyncio.Event()) == 2 * STEP + 7
    assert house.store.called("expire") == [(NOW - 90 * DAY, STEP, NOW)] * 3
    assert len(pauses) == 2
    assert house.store.calls[0][0] == "old_files", "a message stays as long as its file"


async def test_by_default_everything_is_kept_but_what_has_a_term_of_its_own(tmp_path: Path) -> None:
    house = House(folder=tmp_path)
    assert await keeping(house, None).expire(asyncio.Event()) == 0
    assert house.store.called("expire") == [(None, STEP, NOW)]


async def test_it_stops_between_two_steps(tmp_path: Path, pauses: list[float]) -> None:
    house = House(folder=tmp_path)
    house.store.expired = 10 * STEP
    ended = asyncio.Event()
    ended.set()
    assert await keeping(house, DAY).expire(ended) == 0


async def test_a_store_that_is_away_is_asked_again_later(tmp_path: Path) -> None:
    house = House(folder=tmp_path)
    house.store.fails["expire"] = [StoreUnavailable("busy")]
    ended = asyncio.Event()
    running = asyncio.create_task(periodic(partial(keeping(house, DAY).expire, ended), EXPIRE_EVERY_S, ended))
    await asyncio.wait([running], timeout=0.05)
    assert not running.done()
    ended.set()
    await running
