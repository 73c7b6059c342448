"""Many people at once, everything delivered three times, and a disk that fills up."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from pathlib import Path

from sara.web.body_limits import BODY_LIMIT
from tests.effort import chosen
from tests.patience import patience

from .conftest import Process, Town
from .test_kill_and_restart import all_answered, answered, crowd
from .test_scenarios import post, problems

PEOPLE = chosen(short=40, full=200)
ROUNDS = 3
BODIES = chosen(short=60, full=100)
"""Three megabytes each."""


async def test_many_conversations_at_once_are_answered_once_and_in_order(town: Town) -> None:
    town.phone.faults.redeliver.on(3)
    people = crowd(town.phone, PEOPLE)
    await town.start()
    for turn in range(ROUNDS):
        for start in range(0, PEOPLE, 5):
            await town.phone.post_messages([(who, f"{who} says {turn}") for who in people[start : start + 5]])
    await town.phone.wait_for(lambda phone: all_answered(phone, people[:], ROUNDS), timeout=patience(90))
    await town.phone.wait_for(lambda phone: not phone.under_way, timeout=patience(60))
    inbound = await town.messages(direction="in")
    assert len(inbound) == PEOPLE * ROUNDS
    assert {message.state for message in inbound} == {"answered"}
    assert max(Counter((send.customer, send.text) for send in town.phone.accepted).values()) == 1
    for who in people:
        said = [text for send in town.phone.accepted if send.customer == who for text in answered(send.text)]
        assert said == [f"{who} says {turn}" for turn in range(ROUNDS)]
    assert {message.state for message in await town.messages(direction="out")} == {"read"}


async def test_many_large_bodies_of_strangers_do_not_fill_the_memory_and_customers_are_answered(
    town: Town, process: Process
) -> None:
    await process.start()
    assert process.process is not None
    status = Path(f"/proc/{process.process.pid}/status")

    def memory() -> int:
        """Megabytes in use."""
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmRSS")) // 1_024

    host, _, port = (await process.served()).removeprefix("http://").rpartition(":")
    head = f"POST /webhook/messages HTTP/1.1\r\nHost: {host}\r\nContent-Length: {BODY_LIMIT}\r\n\r\n".encode()
    before, writers = memory(), []

    async def unfinished() -> None:
        _, writer = await asyncio.open_connection(host, int(port))
        writers.append(writer)
        writer.write(head + b"x" * (BODY_LIMIT - 10))
        await writer.drain()

    async with asyncio.timeout(patience(9)):
        await asyncio.gather(*(unfinished() for _ in range(BODIES)))
    await town.phone.say("ana", "hello")
    assert await town.answers(1) == ["echo: hello"]
    grown = memory() - before
    for writer in writers:
        writer.close()
    assert grown < 120, f"{grown} MB more than before"


async def test_a_full_disk_is_answered_503_and_what_comes_again_later_is_answered(town: Town) -> None:
    daemon = await town.start()
    await town.phone.say("ana", "before")
    await town.answers(1)
    await town.stored(1, direction="out", state="read")

    async def leave_room_for(pages: int) -> None:
        def limit(db: sqlite3.Connection) -> None:
            used = db.execute("PRAGMA page_count").fetchone()[0]
            db.execute(f"PRAGMA max_page_count = {used + pages}")

        await daemon.store.database.write(limit)  # type: ignore[attr-defined]  # the bundled store

    await leave_room_for(0)
    big = b'{"object": "whatsapp_business_account", "entry": 1, "pad": "' + b"x" * 300_000 + b'"}'
    assert await post(town, big) == 503
    assert "store:messages:write_failed" in problems(town)
    await leave_room_for(100_000)
    assert await post(town, big) == 200
    assert "store:messages:write_failed" not in problems(town)
    await town.phone.say("ana", "after")
    assert await town.answers(2) == ["echo: before", "echo: after"]
