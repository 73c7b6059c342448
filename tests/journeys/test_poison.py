"""A message that kills the process, and a plugin that blocks the loop or does not end: only the guilty one is set aside."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import aiohttp
import pytest

from sara.cli.context import open_store
from tests.patience import patience
from tests.plugins.whatsapp.hostile import messages, text

from .conftest import Process, Town, exported

POISONED = """
import os
import time

from sara import Context, OutgoingContent, Options, Reply, Responder, ToolCaller, Turn, hookimpl


class Poisoned(Responder):
    Options = Options

    def __init__(self, options: Options, context: Context) -> None:
        pass

    async def answer(self, turn: Turn, tools: ToolCaller | None = None) -> Reply:
        text = turn.messages[-1].text
        if text == "die":
            os._exit(9)
        if text == "block":
            time.sleep(3600)
        return Reply((OutgoingContent(f"ok: {text}"),))


@hookimpl
def register_responders():
    return [Poisoned]
"""


STUBBORN = """
import asyncio

from sara import Context, OutgoingContent, Options, Reply, Responder, ToolCaller, Turn, hookimpl

release = asyncio.Event()
asked = []


class Stubborn(Responder):
    Options = Options
    timeout = 50

    def __init__(self, options: Options, context: Context) -> None:
        pass

    async def answer(self, turn: Turn, tools: ToolCaller | None = None) -> Reply:
        text = turn.messages[-1].text
        asked.append(text)
        while text == "stay" and not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return Reply((OutgoingContent(f"ok: {text}"),))


@hookimpl
def register_responders():
    return [Stubborn]
"""


DEADLY = """
import os

from sara_whatsapp.channel import WhatsAppChannel

from sara import Request, WebhookResult, hookimpl


class Deadly(WhatsAppChannel):
    def receive(self, request: Request) -> WebhookResult:
        if b"die" in request.body:
            os._exit(9)
        return super().receive(request)


@hookimpl
def register_channels():
    return [Deadly]
"""


def poison(town: Town) -> None:
    folder = town.folder / "plugins"
    folder.mkdir()
    (folder / "sara_poisoned.py").write_text(POISONED, encoding="utf-8")
    town.config["responders"] = {"assistant": {"plugin": "poisoned"}}


async def test_a_message_that_kills_the_process_is_set_aside_after_three_times_and_everybody_else_is_answered(
    town: Town, process: Process
) -> None:
    poison(town)
    await process.start()
    await town.phone.say("ana", "die")
    for life in range(1, 4):
        assert await process.ended() == 9
        await town.phone.say("kofi", f"hello {life}")
        await process.launch()
        if life < 3:
            continue
    await town.phone.connect(await process.served() + "/webhook/messages")
    await town.answers(1)
    await town.phone.say("mei", "and me?")
    await town.phone.wait_for(lambda phone: any(send.text == "ok: and me?" for send in phone.accepted), timeout=patience(20))
    await town.phone.wait_for(lambda phone: not phone.under_way, timeout=patience(20))
    assert await process.end() == 0
    stored = await exported(town)
    assert [(message.text, message.reason) for message in stored if message.state == "quarantined"] == [
        ("die", "crashed_process")
    ]
    assert {message.state for message in stored if message.direction == "in" and message.text != "die"} == {"answered"}


async def test_a_body_that_kills_its_reader_is_kept_unread_at_the_third_delivery_and_everybody_else_is_answered(
    town: Town, process: Process
) -> None:
    (town.folder / "plugins").mkdir()
    (town.folder / "plugins" / "sara_deadly.py").write_text(DEADLY, encoding="utf-8")
    town.config["channels"]["whatsapp"]["plugin"] = "deadly"
    deadly = b'{"object": "whatsapp_business_account", "entry": [], "pad": "die"}'
    for life in range(2):
        await process.start()
        await town.phone.say("ana", f"hello {life}")
        await town.answers(life + 1)
        delivery = await town.phone.post(deadly, retry=False)
        assert not delivery.accepted
        assert await process.ended() == 9
    await process.start()
    assert (await town.phone.post(deadly, retry=False)).accepted
    await town.phone.say("kofi", "and me?")
    assert await town.answers(3) == ["echo: hello 0", "echo: hello 1", "echo: and me?"]
    assert await process.end() == 0
    async with open_store(town.file, read_only=True) as house:
        assert (await house.store.counts())["unparsed_payloads"] == 1
    with closing(sqlite3.connect(town.folder / "state" / "sara.db")) as db:
        assert [bytes(row[0]) for row in db.execute("SELECT body FROM unparsed_payloads")] == [deadly]


async def test_a_strangers_body_that_was_in_hand_at_two_ends_is_read_when_it_comes_signed(town: Town, process: Process) -> None:
    (town.folder / "plugins").mkdir()
    (town.folder / "plugins" / "sara_deadly.py").write_text(DEADLY, encoding="utf-8")
    town.config["channels"]["whatsapp"]["plugin"] = "deadly"
    body = json.dumps(messages(text("do not die"))).encode()

    async def post_unsigned(url: str) -> int:
        async with aiohttp.ClientSession() as session, session.post(url + "/webhook/messages", data=body) as answer:
            return answer.status

    for _ in range(2):
        await process.start()
        with pytest.raises(aiohttp.ClientError):
            await post_unsigned(await process.served())
        assert await process.ended() == 9
    town.config["channels"]["whatsapp"]["plugin"] = "whatsapp"
    await process.start()
    assert await post_unsigned(await process.served()) == 401
    assert (await town.phone.post(body, retry=False)).accepted
    assert await process.end() == 0
    assert [message.text for message in await exported(town) if message.direction == "in"] == ["do not die"]
    async with open_store(town.file, read_only=True) as house:
        assert (await house.store.counts())["unparsed_payloads"] == 0


async def test_a_plugin_that_blocks_the_loop_is_named_and_the_process_ends_to_be_started_again(
    town: Town, process: Process
) -> None:
    poison(town)
    await process.start()
    await town.phone.say("ana", "block")
    assert await process.ended() == 1
    log = "".join(process.output)
    assert "sara_poisoned.py" in log
    assert "Timeout" in log


# ── calls that do not end ─────────────────────────────────────────────────────────────────────────────────────────────────


def stubborn(town: Town, fallback: bool) -> None:
    """A responder that holds on to every message `stay`, whatever it is told."""
    folder = town.folder / "plugins"
    folder.mkdir()
    (folder / "sara_stubborn.py").write_text(STUBBORN, encoding="utf-8")
    second = town.config["responders"].pop("assistant")
    town.config["responders"]["assistant"] = {"plugin": "stubborn"}
    if fallback:
        town.config["responders"]["second"] = second
        town.config["conversation"] |= {"responder": "assistant", "fallback": ["second"]}


@contextmanager
def released() -> Iterator[Any]:
    """The plugin; what hangs in it is let go, however the test ends: the loop would wait for it."""
    module = sys.modules["sara_stubborn"]
    try:
        yield module
    finally:
        module.release.set()
        del sys.modules["sara_stubborn"]


async def blocked(town: Town) -> None:
    """Wait until the responder is named."""

    async def named() -> bool:
        assert town.daemon is not None
        return "responder:assistant:stuck_calls" in town.daemon.problems

    await town.until(named)


async def test_a_responder_whose_calls_do_not_end_is_named_and_its_fallback_answers_everybody(town: Town) -> None:
    stubborn(town, fallback=True)
    daemon = await town.start()
    with released() as plugin:
        for name in ("ana", "kofi", "mei"):
            await town.phone.say(name, "stay")
        assert await town.answers(3) == ["echo: stay"] * 3
        await blocked(town)
        [problem] = [each for each in daemon.problems if each.key == "responder:assistant:stuck_calls"]
        assert "the responder assistant" in problem.message
        assert problem.remedy
        await town.phone.say("nox", "hello")
        assert (await town.answers(4))[3] == "echo: hello"
        assert plugin.asked == ["stay"] * 3
        assert await lingering(town) == 3


async def test_once_its_calls_have_ended_the_responder_answers_again(town: Town) -> None:
    stubborn(town, fallback=False)
    # Long enough that nobody is asked for again before it is blocked: so many failures would open the lane's breaker.
    town.config["retry"]["reply"] = {"initial_delay": "1300ms", "max_delay": "1300ms"}
    daemon = await town.start()
    with released() as plugin:
        for name in ("ana", "kofi", "mei"):
            await town.phone.say(name, "stay")
        await blocked(town)
        await town.phone.say("nox", "hello")
        await town.until(lambda: put_off(town, "hello"))
        assert "hello" not in plugin.asked
        plugin.release.set()
        assert sorted(await town.answers(4)) == ["ok: hello", "ok: stay", "ok: stay", "ok: stay"]
        assert "responder:assistant:stuck_calls" not in daemon.problems
        assert not daemon.ended.is_set()


async def test_the_process_starts_again_when_too_many_calls_do_not_end_and_loses_nobody(town: Town, process: Process) -> None:
    stubborn(town, fallback=False)
    await process.start()
    guests = [town.phone.add_customer(f"Guest {number}") for number in range(30)]
    await town.phone.post_messages([(guest, "stay") for guest in guests])
    assert await process.ended() == 75
    [line] = [line for line in process.output if "stuck_calls_restart" in line]
    assert '"critical"' in line
    assert "responder:assistant" in line
    stored = await exported(town)
    assert [(message.text, message.state) for message in stored] == [("stay", "waiting")] * 30


async def test_a_call_that_does_not_end_does_not_keep_the_process_from_ending(town: Town, process: Process) -> None:
    stubborn(town, fallback=True)
    await process.start()
    await town.phone.say("ana", "stay")
    assert await town.answers(1) == ["echo: stay"]
    assert await process.end() == 0


async def put_off(town: Town, text: str) -> bool:
    """Whether an answer to this message was tried for in vain."""
    assert town.daemon is not None
    for message in await town.messages(direction="in", text=text):
        events = await town.daemon.store.timeline(message.id)
        return any(event.what == "asking_failed" for event in events)
    return False


async def lingering(town: Town) -> int:
    """What the metrics say of the responder."""
    assert town.daemon is not None
    token = (town.folder / "state" / "admin-token").read_text().strip()
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session,
        session.get(town.daemon.admin_url + "/metrics") as answer,
    ):
        [line] = [line for line in (await answer.text()).splitlines() if line.startswith("sara_stuck_plugin_calls{")]
    assert 'plugin="responder:assistant"' in line
    return int(float(line.rpartition(" ")[2]))
