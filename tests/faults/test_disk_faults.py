"""Disks that are full, slow, broken, or taken by somebody else.

| fault | how | the mechanism that must hold |
|---|---|---|
| full | `ENOSPC` on the write-ahead log | the transaction is rolled back: 503, the mark is not there and nothing is sent, the connection goes on |
| read-only | `EROFS` on the write-ahead log | the same |
| full while a send is under way | the same | an outcome that cannot be found out again is kept in memory until it is stored |
| failing for a moment | `ENOSPC`, `EIO` on a few writes | the same; half of a commit's frames count for nothing; the sweep finds what could not be woken |
| a sync that fails | `EIO` on one `fdatasync` | what the commit kept is unknown: 503, exit 75, and the next start finds out |
| slow | every sync takes long | commits are shared, the loop is not blocked |
| busy | another process holds the write lock | 503 after the busy timeout, the connection goes on |
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
from sara_simulators.openai.protocol import Call
from sara_simulators.whatsapp import WhatsAppSimulator

from tests.faults.rig import Died, Fork, Point, Strace, at_each, built, check_end, look, points, read_through
from tests.journeys.conftest import DEADLINE, Town
from tests.patience import patience

START_AGAIN = 75
SYNCING = "fsync,fdatasync"
SWEPT = patience(60)
"""Seconds in which the sweep has seen to whatever could not be woken."""


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Town]:
    """A town whose phone never tires of delivering again."""
    async with built(tmp_path) as town:
        yield town


def log_of(town: Town) -> list[Path]:
    """The write-ahead log of its database."""
    return [town.folder / "state" / "sara.db-wal"]


def marks(town: Town) -> set[str]:
    """The sends that have a mark."""
    return {row[0] for row in look(town.folder / "state" / "sara.db", "SELECT id FROM attempts")}


async def refused(town: Town, fork: Fork, text: str, times: int = 1) -> None:
    """Wait until the newest message, which says `text`, was answered 503 so many times, and never acknowledged."""

    def seen(phone: WhatsAppSimulator) -> bool:
        statuses = [status for each in phone.deliveries if text.encode() in each.body for status in each.statuses]
        assert 200 not in statuses
        return statuses.count(503) >= times

    await fork.alive(town.phone.wait_for(seen, DEADLINE))


async def settled_and_ended(town: Town, fork: Fork) -> None:
    """The same process goes on: all arrives, and it ends well."""
    await fork.alive(read_through(town))
    assert await fork.end() == 0, fork.output()
    await check_end(town)


async def test_while_the_disk_is_full_nothing_is_acknowledged_or_sent_and_afterwards_everything_is(
    strace: Strace, place: Town
) -> None:
    full = asyncio.Event()

    async def think(call: Call) -> str:
        if "being thought about" in call.asked:
            await full.wait()
        return "echo: " + " | ".join(call.asked)

    place.ai.mode = think
    place.config["responders"]["assistant"]["timeout"] = "60s"
    fork = await Fork.serving(place)
    await place.phone.say("ana", "before")
    await fork.alive(read_through(place))
    # One answer is being thought about, another waits to be sent again when the disk fills up.
    place.phone.faults.error_code.on(131016)
    await place.phone.say("kofi", "to be sent again")
    await fork.alive(place.phone.wait_for(lambda phone: phone.faults.error_code.hits > 0, DEADLINE))
    await place.phone.say("mei", "being thought about")
    await fork.alive(place.ai.wait_for(lambda calls: "being thought about" in calls[-1].asked, DEADLINE))
    async with strace.beside(fork.pid, "-e", "trace=pwrite64", "-e", "inject=pwrite64:error=ENOSPC", paths=log_of(place)):
        place.phone.faults.error_code.off()
        full.set()
        await place.phone.say("ana", "while it is full")
        await refused(place, fork, "while it is full", times=3)
        # Either the mark before a send could not be written, or a send was on its way already and its outcome could not.
        await fork.logged('"kind": "deliver"', "attempt_record_retried")
        await fork.logged('"kind": "reply"')
        assert {send.callback_data for send in place.phone.accepted} <= marks(place)
        assert "being thought about" not in str([send.text for send in place.phone.accepted])
    await settled_and_ended(place, fork)


async def test_the_outcome_of_a_send_is_kept_until_a_full_disk_takes_it(strace: Strace, place: Town) -> None:
    fork = await Fork.serving(place)
    place.phone.faults.slow.on(3_000, times=1)  # long enough for the disk to fill up meanwhile, also on a busy machine
    await place.phone.say("ana", "hello")
    await fork.alive(place.phone.wait_for(lambda phone: phone.accepted, DEADLINE))
    async with strace.beside(fork.pid, "-e", "trace=pwrite64", "-e", "inject=pwrite64:error=ENOSPC", paths=log_of(place)):
        await fork.logged("attempt_record_retried", times=2)
    await settled_and_ended(place, fork)
    assert look(place.folder / "state" / "sara.db", "SELECT 1 FROM events WHERE what = 'attempt_in_doubt'") == []


async def test_while_the_disk_is_read_only_nothing_is_acknowledged_or_sent_and_afterwards_everything_is(
    strace: Strace, place: Town
) -> None:
    fork = await Fork.serving(place)
    await place.phone.say("ana", "before")
    await fork.alive(read_through(place))
    async with strace.beside(fork.pid, "-e", "trace=pwrite64", "-e", "inject=pwrite64:error=EROFS", paths=log_of(place)):
        await place.phone.say("ana", "while it is read-only")
        await refused(place, fork, "while it is read-only", times=3)
        assert [send.text for send in place.phone.accepted] == ["echo: before"]
    await settled_and_ended(place, fork)


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
async def test_a_few_writes_that_fail_in_the_middle_of_commits_lose_and_double_nothing(
    strace: Strace, place: Town, error: str
) -> None:
    fork = await Fork.serving(place)
    fault = f"inject=pwrite64:error={error}:when=10..15"
    async with strace.beside(fork.pid, "-e", "trace=pwrite64", "-e", fault, paths=log_of(place)):
        for turn in range(3):
            for who in ("ana", "kofi", "mei", "nox"):
                await place.phone.say(who, f"{who} says {turn}")
            await fork.alive(read_through(place, SWEPT), SWEPT)
    assert "SQLITE_FULL" in fork.output() or "SQLITE_IOERR_WRITE" in fork.output(), "nothing failed"
    await settled_and_ended(place, fork)


async def test_a_sync_that_fails_anywhere_ends_the_process_and_the_next_one_finds_out_what_was_kept(
    strace: Strace, tmp_path: Path
) -> None:
    codes: list[int] = []

    async def trip(point: Point | None, trace: Path = Path(os.devnull)) -> bool:
        folder = tmp_path / ("trace" if point is None else "-".join(map(str, point)))
        folder.mkdir()
        fault = () if point is None else ("-e", f"inject={point[0]}:error=EIO:when={point[1]}")
        async with built(folder) as town:
            fork = await Fork.serving(town)
            async with strace.beside(fork.pid, "-e", f"trace={SYNCING}", *fault, paths=log_of(town), trace=trace):
                with suppress(Died):
                    await town.phone.say("ana", "hello")
                    await fork.alive(read_through(town))
                    await fork.end()
                code = await fork.ended()
            codes.append(code)
            if code != 0:
                assert code == START_AGAIN, fork.output()
                fork = await Fork.serving(town)
                await town.phone.say("kofi", "me too")
                await fork.alive(read_through(town))
                assert await fork.end() == 0
            await check_end(town)
        shutil.rmtree(folder)
        return code != 0

    assert not await trip(None, tmp_path / "calls")
    await at_each(points(tmp_path / "calls"), trip, short=3)
    assert START_AGAIN in codes, "no sync failed"


async def test_a_sync_that_fails_ends_the_process_within_seconds_whatever_is_under_way(strace: Strace, place: Town) -> None:
    fork = await Fork.serving(place)
    place.ai.delay_ms = 3_600_000
    await place.phone.say("ana", "hello")
    await fork.alive(place.ai.wait_for(lambda calls: calls))
    fault = ("-e", f"trace={SYNCING}", "-e", f"inject={SYNCING}:error=EIO:when=1")
    async with strace.beside(fork.pid, *fault, paths=log_of(place)):
        await place.phone.say("kofi", "me too")
        await refused(place, fork, "me too")
        async with asyncio.timeout(patience(5)):
            assert await fork.ended() == START_AGAIN
    place.ai.delay_ms = 0
    await settled_and_ended(place, await Fork.serving(place))


async def test_a_slow_disk_slows_everybody_down_and_blocks_nobody(strace: Strace, place: Town) -> None:
    fork = await Fork.serving(place)
    people = [place.phone.add_customer(f"Person {number}").id for number in range(20)]
    options = ("-e", f"trace={SYNCING}", "-e", f"inject={SYNCING}:delay_enter=200000")
    async with strace.beside(fork.pid, *options, paths=log_of(place)):
        begun = time.monotonic()
        for who in people:
            await place.phone.say(who, f"{who} speaks")
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=patience(1))) as session,
            session.get(fork.admin_url + "/healthz") as answer,
        ):
            assert answer.status == 200
        await fork.alive(read_through(place))
        assert time.monotonic() - begun > 1, "the disk was not slow"
    await settled_and_ended(place, fork)


async def test_a_database_that_another_process_holds_is_answered_503_until_it_is_free(place: Town) -> None:
    fork = await Fork.serving(place)
    holder = sqlite3.connect(place.folder / "state" / "sara.db", isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        await place.phone.say("ana", "while it is held")
        await refused(place, fork, "while it is held")
        holder.execute("ROLLBACK")
    finally:
        holder.close()
    await settled_and_ended(place, fork)
