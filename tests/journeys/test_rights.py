"""What people may ask a business for, with the commands that it uses: to be found, shown, erased to the last byte, and not kept for ever."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import aiohttp

from tests.patience import patience

from .conftest import Process, Town, exported
from .test_running import as_json, sara

ANA = re.compile(b"Ana Duarte|15550001111|US.10000000000000000111|saxophone", re.IGNORECASE)
DAY = 86_400_000
SEEN = patience(20)


def traces(town: Town) -> dict[str, set[bytes]]:
    """The files of the state directory that hold anything of Ana, with what they hold."""
    found = {}
    for path in (town.folder / "state").rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # a log or a half file may go at any moment
            if path.is_file() and (held := set(ANA.findall(path.read_bytes()))):
                found[path.name] = held
    return found


def media(town: Town) -> list[str]:
    return [path.name for path in (town.folder / "state" / "media").iterdir()]


async def chat(town: Town, times: int = 3) -> None:
    """Ana and Kofi each write a few times and are answered; each sends the same picture, and Ana one of her own."""
    before = len(town.phone.accepted)
    for n in range(times):
        await town.phone.say("ana", f"my saxophone number {n}")
        await town.phone.say("kofi", f"my trumpet number {n}")
        await town.answers(before + 2 * (n + 1))
    before = len(town.phone.accepted)
    await town.phone.say_picture("ana", b"a picture of the saxophone", caption="my saxophone")
    await town.phone.say_picture("ana", b"what everybody sends")
    await town.phone.say_picture("kofi", b"what everybody sends")
    await town.phone.wait_for(lambda phone: not phone.under_way and len(phone.accepted) >= before + 2, timeout=SEEN)


async def talking(town: Town, until: asyncio.Event) -> int:
    """Kofi writes on and on, and is answered; how often."""
    times = 0
    while not until.is_set():
        await town.phone.say("kofi", f"and on and on {times}")
        times += 1
        await town.phone.wait_for(lambda phone: not phone.under_way, timeout=SEEN)
    return times


async def settled(town: Town) -> None:
    await town.phone.wait_for(lambda phone: not phone.under_way, timeout=SEEN)


async def lines(town: Town, *words: str) -> list[dict[str, Any]]:
    code, out, err = await sara(town, "export", *words)
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()]


async def ask(town: Town, method: str, path: str, **more: Any) -> tuple[int, Any]:
    """The admin API, as a program uses it."""
    where = json.loads((town.folder / "state" / "listening.json").read_text(encoding="utf-8"))["admin"]
    token = (town.folder / "state" / "admin-token").read_text(encoding="utf-8").strip()
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.request(method, where + path, **more) as response:
        return response.status, await response.json()


async def test_words_are_found_in_any_language_with_and_without_their_accents_also_after_a_kill(
    town: Town, process: Process
) -> None:
    rows = (
        ("Queria um pão de açúcar, por favor", "pao acucar"),
        ("Schöne Grüße, eine Torte bitte", "gruße TORTE"),
        ("أريد كعكة من فضلك", "كعكة"),
    )
    await process.start()
    for number, (said, _) in enumerate(rows, start=1):
        await town.phone.say("ana", said)
        await town.answers(number)
    await settled(town)
    await process.kill()
    for _, looked_for in rows:
        hits = await as_json(town, "conversations", "search", *looked_for.split())
        assert [each["direction"] for each in hits] == ["out", "in"], looked_for


async def test_words_are_found_and_what_happened_is_listed_with_a_daemon_and_without(town: Town, process: Process) -> None:
    await process.start()
    await chat(town, 1)
    await settled(town)
    status, found = await ask(town, "GET", "/api/v1/search", params={"q": "saxoph numb", "limit": "5"})
    assert (status, found["messages"]) == (200, []), "only the last word may be a beginning"
    _, found = await ask(town, "GET", "/api/v1/search", params={"q": "saxophone numb"})
    assert [each["direction"] for each in found["messages"]] == ["out", "in"]
    conversation = found["messages"][0]["conversation"]
    _, told = await ask(town, "GET", f"/api/v1/conversations/{conversation}/events", params={"limit": "3"})
    assert [each["what"] for each in told["events"]][:1] == ["received"]
    for running in (True, False):
        if not running:
            assert await process.end() == 0
        hits = await as_json(town, "conversations", "search", "SAXOPHONE", "numb")
        assert [(each["direction"], each["name"], each["snippet"]) for each in hits] == [
            ("out", "Ana Duarte", "echo: my [saxophone] [number] 0"),
            ("in", "Ana Duarte", "my [saxophone] [number] 0"),
        ]
        code, out, _ = await sara(town, "conversations", "search", "trumpet")
        assert code == 0
        assert "Kofi" in out
        events = await as_json(town, "conversations", "show", conversation, "--events")
        assert events[: len(told["events"])] == [{**each, "at": events[n]["at"]} for n, each in enumerate(told["events"])]
        assert {"received", "asked", "answered", "fetched", "sent"} <= {each["what"] for each in events}
        assert {each["actor"] for each in events} == {"sara", "provider"}


async def test_a_person_gets_all_that_is_kept_about_them_and_nothing_of_others(town: Town, process: Process) -> None:
    await process.start()
    await chat(town, 1)
    await town.phone.say("ana", "STOP")
    await settled(town)
    first, *rest = await lines(town, "+1 555 000 1111", "--person")
    assert (first["type"], first["name"], first["opted_out"]) == ("contact", "Ana Duarte", 1)
    assert first["opted_out_at"].endswith("Z")
    assert {each["value"] for each in first["ids"]} == {"15550001111", "US.10000000000000000111"}
    kinds = [each["type"] for each in rest]
    assert kinds == sorted(kinds, key=["message", "event", "attachment"].index)
    assert set(kinds) == {"message", "event", "attachment"}
    assert "trumpet" not in json.dumps(rest)
    for who in (first["id"], "15550001111", "US.10000000000000000111"):
        messages = await lines(town, who)
        assert [{"type": "message", **each} for each in messages] == [each for each in rest if each["type"] == "message"]
    assert await lines(town, rest[0]["conversation"]) == messages
    assert len(await lines(town)) > len(messages)
    code, _, err = await sara(town, "export", "+4915100000000", "--person")
    assert code == 1
    assert "+4915100000000" in err


async def test_of_who_is_erased_no_byte_is_left_while_others_are_answered(town: Town, process: Process) -> None:
    await process.start()
    await chat(town)
    town.phone.faults.error_code.on(131056, times=1)
    await town.phone.say("ana", "my saxophone is not answered yet")
    await settled(town)
    backup = await as_json(town, "backup", str(town.folder / "elsewhere.db"))
    told_before = list(town.phone.deliveries)
    assert set[bytes]().union(*traces(town).values()) >= {b"Ana Duarte", b"15550001111", b"US.10000000000000000111", b"saxophone"}
    assert len(media(town)) == 2

    enough = asyncio.Event()
    talker = asyncio.create_task(talking(town, enough))
    code, _, err = await sara(town, "forget", "+1 (555) 000-1111")
    assert code == 2
    assert "--yes" in err
    code, out, err = await sara(town, "forget", "+1 (555) 000-1111", "--yes")
    assert code == 0, err
    assert await asyncio.to_thread(traces, town) == {}
    assert backup["file"] in out
    assert "Erased p1: 11 messages, 1 conversation, 2 files." in out
    assert len(media(town)) == 1, "Kofi's picture is his, too"
    enough.set()
    assert await talker > 0

    # The provider delivers all of it again: nobody comes back.
    for delivery in told_before:
        assert (await town.phone.post(delivery.body)).statuses == [200]
    assert await asyncio.to_thread(traces, town) == {}
    assert (await ask(town, "GET", "/api/v1/search", params={"q": "saxophone"}))[1] == {"messages": []}
    assert (await ask(town, "POST", "/api/v1/forget", json={"contact": "15550001111"}))[0] == 404
    assert await process.end() == 0
    assert await asyncio.to_thread(traces, town) == {}
    assert {message.contact for message in await exported(town)} == {"p2"}

    # Who writes again is somebody new, and answered.
    await process.start()
    count = len(town.phone.accepted)
    await town.phone.say("ana", "hello, a new saxophone")
    assert (await town.answers(count + 1))[-1] == "echo: hello, a new saxophone"
    said = [message["content"] for message in town.ai.calls[-1].messages if message["role"] == "user"]
    assert said == ["hello, a new saxophone"]


async def test_who_opted_out_still_is_after_being_erased(town: Town, process: Process) -> None:
    await process.start()
    await chat(town, 1)
    count = len(town.phone.accepted)
    await town.phone.say("ana", "STOP")
    await town.answers(count + 1)
    await settled(town)
    assert await process.end() == 0
    told = await as_json(town, "forget", "US.10000000000000000111", "--yes")
    assert told["opt_out_retained"]
    assert await asyncio.to_thread(traces, town) == {}
    await process.start()
    await town.phone.say("ana", "anybody there?")
    await town.phone.say("kofi", "and me?")
    await town.answers(count + 2)
    await settled(town)
    assert await process.end() == 0
    assert [(each.state, each.reason) for each in await exported(town) if each.text == "anybody there?"] == [
        ("skipped", "opted_out")
    ]


async def test_a_kill_in_the_middle_of_it_is_made_good_by_the_next_start(town: Town, process: Process) -> None:
    await process.start()
    await chat(town, 2)
    await settled(town)
    assert await process.end() == 0
    await asyncio.to_thread(multiply, town.folder / "state" / "sara.db", "saxophone", 3_000)
    await process.start()
    running = asyncio.create_task(sara(town, "forget", "p1", "--yes"))
    await process.logged('"erasure_started"')
    await process.kill()
    code, _, err = await running
    assert code == 1
    assert "next start" in err
    assert "Traceback" not in err
    assert await asyncio.to_thread(traces, town), "it was in the middle"

    await process.start()
    await town.phone.say("kofi", "who else is there?")
    await settled(town)

    async def clean() -> bool:
        return not await asyncio.to_thread(traces, town)

    await town.until(clean, timeout=SEEN)
    assert len(media(town)) == 1
    assert await process.end() == 0
    assert await asyncio.to_thread(traces, town) == {}
    assert {message.contact for message in await exported(town)} == {"p2"}


def multiply(database: Path, word: str, times: int) -> None:
    """So many copies of a message, so that there is something to do."""
    with contextlib.closing(sqlite3.connect(database)) as db, db:
        columns = "conversation, account, direction, kind, text, raw, state, at, created_at"
        db.execute(
            f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO messages ({columns})"  # noqa: S608
            f" SELECT {columns} FROM n, (SELECT * FROM messages WHERE text LIKE ? AND direction = 'in' ORDER BY id LIMIT 1)",
            (times, f"%{word}%"),
        )


async def test_what_is_older_than_retention_goes_and_what_waits_stays(town: Town, process: Process) -> None:
    await process.start()
    await chat(town, 1)
    await settled(town)
    assert await process.end() == 0
    await asyncio.to_thread(age, town.folder / "state" / "sara.db")
    town.config["retention"] = "90d"
    await process.start()
    await town.phone.say("kofi", "still here")
    await process.logged('"messages_expired"')

    async def clean() -> bool:
        return not await asyncio.to_thread(still_there, town.folder / "state" / "sara.db")

    await town.until(clean, timeout=SEEN)
    await settled(town)
    assert await process.end() == 0
    left = await exported(town)
    assert {message.contact for message in left} == {"p2"}
    assert {message.text for message in left if message.direction == "in"} == {"still here", "forgotten by everybody"}
    assert media(town) == []


def age(database: Path) -> None:
    """All of it, as if it had been said a year ago; and one message that waits, though there is nobody to answer it."""
    with contextlib.closing(sqlite3.connect(database)) as db, db:
        for table, column in (("messages", "created_at"), ("messages", "at"), ("attachments", "at"), ("contacts", "created_at")):
            db.execute(f"UPDATE {table} SET {column} = {column} - ?", (365 * DAY,))  # noqa: S608
        db.execute(
            "INSERT INTO messages (conversation, account, direction, kind, text, state, at, created_at)"
            " SELECT id, account, 'in', 'text', 'forgotten by everybody', 'waiting', 0, 0 FROM conversations WHERE contact = 2"
        )


def still_there(database: Path) -> int:
    with contextlib.closing(sqlite3.connect(database)) as db:
        return int(db.execute("SELECT count(*) FROM contacts WHERE id = 1").fetchone()[0])
