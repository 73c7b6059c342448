"""Saving and putting back with the commands that people use: nobody is answered or written to twice."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sara.cli.context import open_store
from tests.effort import chosen
from tests.patience import patience

from .conftest import Process, Town, exported
from .test_kill_and_restart import all_answered, crowd
from .test_running import as_json, sara


async def test_a_restored_daemon_answers_and_sends_nothing_twice(town: Town, process: Process) -> None:
    phone = town.phone
    [lena, noor] = [phone.add_customer(name).id for name in ("Lena", "Noor")]
    await process.start()
    await phone.say("ana", "hello")
    await town.answers(1)
    phone.faults.error_code.on(131056)
    await phone.say("kofi", "sent after the backup")
    await town.until(lambda: in_state(town, "out.queued", 1))
    town.ai.delay_ms = 1_000
    await phone.say(lena, "answered after the backup")
    await town.ai.wait_for(lambda calls: len(calls) == 3)
    # Stopped in the middle of it, so that the backup shows just this moment.
    assert process.process is not None
    process.process.send_signal(signal.SIGSTOP)
    told_before = list(phone.deliveries)
    saved = await as_json(town, "backup")
    process.process.send_signal(signal.SIGCONT)
    town.ai.delay_ms = 0
    assert Path(saved["file"]).parent == town.folder / "state" / "backups"
    assert saved["messages"] == 5

    phone.faults.error_code.off()
    await town.answers(3)
    await phone.say(noor, "not in the backup")
    await town.answers(4)
    await phone.wait_for(lambda phone: not phone.under_way, timeout=patience(20))
    code, _, err = await sara(town, "restore", saved["file"], "--yes")
    assert code == 1
    assert f"process {process.process.pid}" in err
    assert await process.end() == 0

    code, out, err = await sara(town, "restore", saved["file"], "--yes")
    assert code == 0, err
    for expected in ("1 minute is missing", "1 unanswered message: dead", "held, reason restored", "sara queue list", "STOP"):
        assert expected in out
    assert await open_work(town) == []

    await process.start()
    for delivery in told_before:
        assert (await phone.post(delivery.body)).statuses == [200]
    await phone.say(noor, "and I again")
    await town.answers(5)
    await phone.wait_for(lambda phone: not phone.under_way, timeout=patience(20))
    given_up = (await as_json(town, "queue", "list"))["failed"]
    assert sorted((each["state"], each["reason"], each["text"]) for each in given_up) == [
        ("dead", "restored", "answered after the backup"),
        ("held", "restored", "echo: sent after the backup"),
    ]
    assert await process.end() == 0
    assert await open_work(town) == []
    assert sorted(send.text for send in phone.accepted) == [
        "echo: and I again",
        "echo: answered after the backup",
        "echo: hello",
        "echo: not in the backup",
        "echo: sent after the backup",
    ]

    # Only a person, who has looked at the phone, has it done.
    await process.start()
    code, _, err = await sara(town, "queue", "retry", given_up[0]["job"])
    assert code == 0, err
    await town.answers(6)


async def in_state(town: Town, state: str, count: int) -> bool:
    figures: Mapping[str, Any] = await as_json(town, "queue", "stats")
    return bool(figures["messages"].get(state, 0) >= count)


async def open_work(town: Town) -> list[Any]:
    async with open_store(town.file, read_only=True) as house:
        return list(await house.store.open_work(None, 100))


async def test_backups_under_load_lose_nothing_and_each_is_whole(town: Town, process: Process) -> None:
    people = crowd(town.phone, chosen(short=16, full=40))
    await process.start()

    async def write() -> None:
        for turn in range(4):
            for start in range(0, len(people), 4):
                await town.phone.post_messages([(who, f"{who} says {turn}") for who in people[start : start + 4]])
                await town.phone.wait_for(lambda phone: phone.under_way < 40, timeout=patience(20))

    writing = asyncio.create_task(write())
    saved = [await as_json(town, "backup", str(town.folder / f"{n}.db")) for n in range(chosen(short=2, full=3))]
    await writing
    await town.phone.wait_for(lambda phone: all_answered(phone, people), timeout=patience(60))
    await town.phone.wait_for(lambda phone: not phone.under_way, timeout=patience(20))
    assert await process.end() == 0
    stored = await exported(town)
    assert Counter(message.state for message in stored if message.direction == "in") == {"answered": 4 * len(people)}
    assert len(town.phone.accepted) == sum(message.direction == "out" for message in stored)

    for each in saved:
        restored = await as_json(town, "restore", each["file"], "--yes")
        assert {name: restored[name] for name in ("messages", "conversations", "attempts")} == {
            name: each[name] for name in ("messages", "conversations", "attempts")
        }
        held = await exported(town)
        assert len(held) == each["messages"]
        assert {message.state for message in held}.isdisjoint({"waiting", "queued", "sending", "in_doubt"})
        assert await open_work(town) == []


async def test_a_broken_backup_changes_nothing(town: Town, process: Process) -> None:
    await process.start()
    await town.phone.say("ana", "hello")
    await town.answers(1)
    await town.phone.wait_for(lambda phone: not phone.under_way, timeout=patience(20))
    assert await process.end() == 0
    broken = town.folder / "broken.db"
    broken.write_bytes((town.folder / "state" / "sara.db").read_bytes()[:20_000])
    before = [(message.id, message.state) for message in await exported(town)]
    code, out, err = await sara(town, "restore", str(broken), "--yes")
    assert (code, out) == (1, "")
    assert "broken.db" in err
    assert "Traceback" not in err
    assert [(message.id, message.state) for message in await exported(town)] == before
    code, _, err = await sara(town, "restore", str(broken))
    assert code == 2
    assert "--yes" in err


async def test_a_damaged_database_is_not_served_until_a_backup_is_restored(town: Town, process: Process) -> None:
    await process.start()
    await town.phone.say("ana", "hello")
    await town.answers(1)
    await town.phone.wait_for(lambda phone: not phone.under_way, timeout=patience(20))
    code, out, err = await sara(town, "backup", str(town.folder))
    assert code == 0, err
    assert "Saved and checked: 2 messages in 1 conversation, 1 attempt to send" in out
    assert "hello" not in out
    [backup] = town.folder.glob("sara-*Z.tar")
    assert await process.end() == 0
    await asyncio.to_thread(spoil, town.folder / "state" / "sara.db")

    await process.launch()
    assert await process.ended() == 75
    [line] = [line for line in process.output if '"database_corrupted"' in line]
    assert "sara restore" in line
    await process.launch()
    assert await process.ended() == 1
    assert "damaged" in "".join(process.output)
    assert "sara restore" in "".join(process.output)

    code, _, err = await sara(town, "restore", str(backup), "--yes")
    assert code == 0, err
    await process.start()
    await town.phone.say("ana", "hello again")
    assert await town.answers(2) == ["echo: hello", "echo: hello again"]


def spoil(database: Path) -> None:
    """Empty a page that no start reads."""
    with contextlib.closing(sqlite3.connect(database)) as db:
        [page] = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'messages_digest'").fetchone()
    with database.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(bytes(4096))
