"""A damaged file is noticed, remembered, and not served."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sara_sqlite import damage
from sara_sqlite.aside import CancelToken
from sara_sqlite.options import SqliteOptions
from sara_sqlite.store import SqliteStore

from sara import Context, SaraError
from sara.engines import StoreUnavailable
from sara.helpers import ProblemRegistry
from sara.testing import ManualClock
from sara.testing.store.scenario import StoreScenario, message
from tests.patience import patience

DEADLINE = patience(30)
PAGE = 4096


class Place:
    """A state directory with a filled database, and stores on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "sara.db"
        self.clock = ManualClock()

    def store(self, *, read_only: bool = False) -> SqliteStore:
        return SqliteStore(
            SqliteOptions(), Context("store", self.folder, self.clock, ProblemRegistry(self.clock), read_only=read_only)
        )

    def root_of(self, table: str) -> int:
        with contextlib.closing(sqlite3.connect(self.path)) as db:
            return int(db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0])

    def leaf_of(self, table: str) -> int:
        """The last page that the table's root leads to."""
        content = self.page(self.root_of(table))
        assert content[0] == 5, "the table is too small to have leaves"
        return int.from_bytes(content[8:12], "big")

    def page(self, number: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek((number - 1) * PAGE)
            return file.read(PAGE)

    def overwrite(self, number: int, content: bytes, offset: int = 0) -> None:
        with self.path.open("r+b") as file:
            file.seek((number - 1) * PAGE + offset)
            file.write(content)


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    store = place.store()
    await store.open()
    shop = StoreScenario(store, place.clock)
    for n in range(200):
        await shop.take(message(f"in-{n}", text="hello " * 50))
    await store.backup(tmp_path / "backup")
    await store.close()
    return place


async def known(store: SqliteStore) -> str:
    """Wait until it is known what is damaged."""
    async with asyncio.timeout(DEADLINE):
        await store.lost.wait()
    assert store.corrupt is not None
    return store.corrupt


def zero_root(place: Place) -> None:
    place.overwrite(place.root_of("messages"), bytes(PAGE))


def zero_first_page(place: Place) -> None:
    place.overwrite(1, bytes(PAGE))


def cut_in_half(place: Place) -> None:
    os.truncate(place.path, place.path.stat().st_size // 2 // PAGE * PAGE)


def cut_to_nothing(place: Place) -> None:
    os.truncate(place.path, 0)


def gone_but_for_the_log(place: Place) -> None:
    place.path.unlink()
    place.path.with_name("sara.db-wal").write_bytes(b"x" * 5_000)


def something_else(place: Place) -> None:
    place.path.write_bytes(b"not a database" * 1_000)


def without_a_table(place: Place) -> None:
    with contextlib.closing(sqlite3.connect(place.path)) as db:
        db.execute("DROP TABLE jobs")
        db.commit()


@pytest.mark.parametrize(
    "spoil", [zero_root, zero_first_page, cut_in_half, cut_to_nothing, gone_but_for_the_log, something_else, without_a_table]
)
async def test_what_a_cheap_look_finds_is_never_opened(place: Place, spoil: Callable[[Place], None]) -> None:
    await asyncio.to_thread(spoil, place)
    before = place.path.read_bytes() if place.path.exists() else None
    for _ in range(2):
        store = place.store()
        with pytest.raises(StoreUnavailable, match="sara restore") as refused:
            await store.open()
        assert str(place.path) in str(refused.value)
        await store.close()
    assert (place.path.read_bytes() if place.path.exists() else None) == before, "it was changed, and is harder to salvage"


async def test_an_empty_file_of_a_first_start_that_was_cut_off_is_no_damage(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.path.touch()
    (tmp_path / "sara.db.lock").write_text("4711\n", encoding="ascii")
    store = place.store()
    await store.open()
    await store.close()


async def test_who_begins_anew_on_purpose_is_let(place: Place) -> None:
    place.path.unlink()
    store = place.store()
    await store.open()
    assert await store.find("in-1") is None
    await store.close()


@pytest.mark.parametrize("content", [bytes(PAGE), b"\x0d\x00\x00\xff\xff\x00\x00\x00"])
async def test_what_only_a_whole_reading_finds_ends_the_daemon_and_is_remembered(place: Place, content: bytes) -> None:
    place.overwrite(await asyncio.to_thread(place.leaf_of, "messages"), content)
    store = place.store()
    await store.open()
    assert "sara restore" in await known(store)
    await store.close()
    assert damage.marker(place.path).exists()
    for _ in range(2):
        again = place.store()
        with pytest.raises(StoreUnavailable, match=r"is damaged .*sara restore.*sara\.db\.corrupt"):
            await again.open()
        await again.close()


async def test_what_is_known_to_be_damaged_can_still_be_looked_at_but_not_saved(place: Place, tmp_path: Path) -> None:
    place.overwrite(await asyncio.to_thread(place.leaf_of, "messages"), bytes(PAGE))
    store = place.store()
    await store.open()
    await known(store)
    await store.close()
    looking = place.store(read_only=True)
    await looking.open()
    assert len(await looking.messages(None, None, 5)) == 5
    with pytest.raises(StoreUnavailable, match="damaged"):
        await looking.backup(tmp_path / "second")
    assert not (tmp_path / "second").exists()
    await looking.close()


async def test_a_restore_lets_it_be_opened_again(place: Place) -> None:
    place.overwrite(await asyncio.to_thread(place.leaf_of, "messages"), bytes(PAGE))
    store = place.store()
    await store.open()
    await known(store)
    await store.close()
    done = await place.store().restore(place.folder / "backup", place.clock())
    assert done["messages"] == 200
    again = place.store()
    await again.open()
    assert again.database._check is not None
    async with asyncio.timeout(DEADLINE):
        await asyncio.wait([again.database._check])
    assert (again.corrupt, again.lost.is_set()) == (None, False)
    await again.close()
    assert [path.name for path in place.folder.glob("sara.db.replaced-*")] == [done["replaced"].rpartition("/")[2]]


async def test_damage_that_a_request_runs_into_is_remembered_too(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damage, "look_through", lambda *_: None)
    place.overwrite(await asyncio.to_thread(place.leaf_of, "messages"), bytes(PAGE))
    store = place.store()
    await store.open()
    with pytest.raises(StoreUnavailable):
        await store.messages(None, "m150", 100)
    await known(store)
    await store.close()
    assert damage.marker(place.path).exists()


async def test_the_whole_reading_holds_up_nobody_and_ends_when_the_store_closes(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    real = damage.look_through

    def slow(path: Path, stop: CancelToken) -> str | None:
        begun.set()
        go_on.wait(DEADLINE)
        return real(path, stop)

    monkeypatch.setattr(damage, "look_through", slow)
    store = place.store()
    await store.open()
    await asyncio.to_thread(begun.wait, DEADLINE)
    await StoreScenario(store, place.clock).take(message("in-new"))
    assert await store.find("in-new") is not None
    go_on.set()
    async with asyncio.timeout(DEADLINE):
        await store.close()
    assert (store.corrupt, store.lost.is_set()) == (None, False)


async def test_whatever_is_done_to_the_file_nothing_is_answered_from_it_once_that_is_known(place: Place) -> None:
    """Flipped bytes, zeroed pages and cuts at random: after a whole reading the file is either good or closed to everybody."""
    chance = random.Random(1)  # noqa: S311  # damage is no secret
    good = place.path.read_bytes()
    found = 0
    for _ in range(40):
        content = bytearray(good)
        match chance.randrange(3):
            case 0:
                for _ in range(8):
                    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
            case 1:
                page = chance.randrange(len(content) // PAGE) * PAGE
                content[page : page + PAGE] = bytes(PAGE)
            case _:
                del content[chance.randrange(len(content)) :]
        for name in ("sara.db-wal", "sara.db-shm", "sara.db.corrupt"):
            (place.folder / name).unlink(missing_ok=True)
        place.path.write_bytes(content)
        found += await served_or_refused(place)
    assert found >= 20


async def served_or_refused(place: Place) -> bool:
    """Whether damage was found; then nobody may open it again."""
    store = place.store()
    try:
        await store.open()
        check: Any = store.database._check
        async with asyncio.timeout(DEADLINE):
            await asyncio.wait([check])
        known_of = store.lost.is_set()
    except SaraError:
        known_of = True
    await store.close()
    if known_of:
        again = place.store()
        with pytest.raises(SaraError):
            await again.open()
        await again.close()
    return known_of
