"""Erasing people: what is done in which order, and what happens when it cannot be done."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from sara import SaraError
from sara.engines import JobRequest, StoreUnavailable
from sara.operations.erasure import FINISH_EVERY_S, STEP, ErasureService
from sara.runtime.background import periodic
from tests.fakes import CONVERSATION, NOW, House
from tests.patience import patience


class Place:
    """A house whose media folder is there."""

    def __init__(self, folder: Path) -> None:
        self.house = House(folder=folder)
        self.store = self.house.store
        self.erasing = ErasureService(self.store, self.house.queue, self.house.files, self.house.clock)

    def steps(self) -> list[str]:
        """What the store was told, in order."""
        return [name for name, _ in self.store.calls]


async def test_files_go_before_what_names_them_and_all_steps_are_small(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (tmp_path / "hers").write_bytes(b"x")
    (tmp_path / "his").write_bytes(b"x")
    place.store.to_remove, place.store.erasing = [["hers"]], 2
    told = await place.erasing.forget("15550001111")
    assert told.contacts == ("p1",)
    assert os.listdir(tmp_path) == ["his"]
    assert place.steps()[:3] == ["start_erasure", "forgotten_files", "forget_files"]
    assert place.store.called("continue_erasure") == [(STEP,)] * 3


async def test_a_file_that_comes_while_they_are_erased_goes_too(tmp_path: Path) -> None:
    place = Place(tmp_path)
    (tmp_path / "late").write_bytes(b"x")
    place.store.to_remove, place.store.erasing = [[], ["late"]], 2
    await place.erasing.forget("p1")
    assert os.listdir(tmp_path) == []


async def test_their_jobs_go_from_the_queue(tmp_path: Path) -> None:
    place = Place(tmp_path)
    kinds = ("reply", "deliver", "timer")
    await place.house.queue.wake([JobRequest(kind, CONVERSATION, NOW, "lane") for kind in kinds])
    await place.house.queue.wake([JobRequest("reply", "c2", NOW, "lane")])
    await place.erasing.forget("p1")
    assert set(place.house.queue.kept) == {("reply", "c2")}


async def test_what_could_not_be_finished_is_said_and_goes_on_by_itself(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.store.erasing = 3
    place.store.fails["continue_erasure"] = [StoreUnavailable("the disk is full")]
    with pytest.raises(SaraError, match="it continues in the background"):
        await place.erasing.forget("p1")
    ended = asyncio.Event()
    running = asyncio.create_task(periodic(place.erasing.finish, FINISH_EVERY_S, ended))
    async with asyncio.timeout(patience(5)):
        while place.store.erasing >= 0:
            await asyncio.wait([running], timeout=0.01)
    ended.set()
    await running
    assert len(place.store.called("start_erasure")) == 1


async def test_a_store_that_is_away_at_the_start_ends_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.store.fails["forgotten_files"] = [StoreUnavailable("busy")]
    ended = asyncio.Event()
    running = asyncio.create_task(periodic(place.erasing.finish, FINISH_EVERY_S, ended))
    await asyncio.wait([running], timeout=0.05)
    assert not running.done()
    ended.set()
    await running
