"""`sara handoff`, `resume`, `opt-out`, `opt-in`, `send`, `conversations note`: with a daemon and without one."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sara_sqlite.options import SqliteOptions
from sara_sqlite.store import SqliteStore
from typer.testing import CliRunner, Result

from sara import Context, Identity, InboundMessage, StoredMessage
from sara.cli.app import app
from sara.cli.context import open_store, read
from sara.domain.storage import ClassifiedMessage, InboundDecision
from sara.engines import ConversationSummary, InboundBatch, Store
from sara.helpers import ProblemRegistry
from sara.runtime.clock import wall_clock
from sara.runtime.daemon import Daemon
from tests.effort import some_of

SHELF = Path(__file__).parents[2] / "data" / "plugins"
HOUR = 3_600_000
LOFT = {"plugin": "pigeon", "loft": "roof", "port": 9, "token": "an invented token"}

ACTIONS = {
    "handoff": (["handoff"], [], "a person answers from now on"),
    "pause": (["handoff"], ["--pause"], "paused; messages wait"),
    "resume": (["resume"], [], "SARA answers again"),
    "opt-out": (["opt-out"], [], "gets no more messages"),
    "opt-in": (["opt-in"], [], "gets messages again"),
    "send": (["send"], ["Hello Ana!"], "not sent yet: no daemon is running; it is sent once SARA runs"),
    "note": (["conversations", "note"], ["Allergic to nuts."], "noted"),
}
"""The command, what it needs besides the conversation, and what it says."""

WAITS = 75
"""How `send` ends where the message cannot leave yet."""


@pytest.fixture(autouse=True)
def left_as_it_was(own_logging: None) -> Iterator[None]:
    """The commands set up logging and import plugins; other tests expect neither."""
    yield
    for name in ("parrot", "pigeon"):
        sys.modules.pop(f"sara_{name}", None)


@dataclass
class Shop:
    """A file with a channel and a responder of third parties, and one conversation in its store."""

    file: Path

    def write(self, **more: Any) -> None:
        document = {
            "state": "state",
            "server": {"listen": "127.0.0.1:0"},
            "admin": {"listen": "127.0.0.1:0"},
            "channels": {"loft": LOFT},
            "responders": {"assistant": {"plugin": "parrot"}},
            **more,
        }
        self.file.write_text(json.dumps(document), encoding="utf-8")

    def sara(self, *arguments: str) -> Result:
        """Run a command as people type it."""
        return CliRunner().invoke(app, [*arguments, "--config", str(self.file)])

    async def from_beside(self, *arguments: str) -> Result:
        """The same beside a daemon in this process."""
        return await asyncio.to_thread(self.sara, *arguments)

    def act(self, action: str, conversation: str = "c1") -> Result:
        command, needed, _ = ACTIONS[action]
        return self.sara(*command, conversation, *needed)

    def look(self) -> tuple[ConversationSummary, list[StoredMessage]]:
        """The conversation and its messages, as they lie in the store."""

        async def main() -> tuple[ConversationSummary, list[StoredMessage]]:
            async with open_store(self.file, read_only=True) as house:
                return await of(house.store)

        return asyncio.run(main())


async def of(store: Store) -> tuple[ConversationSummary, list[StoredMessage]]:
    return await store.conversation("c1"), list(await store.messages("c1", None, 100))


async def customer_writes(store: Store) -> None:
    message = InboundMessage("pigeon:roof", "s1", Identity(user_id="ana", name="Ana"), "text", "hello", wall_clock())
    await store.accept(
        InboundBatch("pigeon:roof", (ClassifiedMessage(message, InboundDecision(skip="recorded"), 0, 0),)), wall_clock()
    )


def shop_in(folder: Path) -> Shop:
    """Make a folder in which nothing runs, and one customer has written."""
    (folder / "plugins").mkdir()
    for name in ("parrot", "pigeon"):
        shutil.copy(SHELF / f"sara_{name}.py", folder / "plugins")
    shop = Shop(folder / "sara.yaml")
    shop.write()
    (folder / "state").mkdir()

    async def prepare() -> None:
        # As the daemon makes it; commands never do.
        context = Context("store", folder / "state", wall_clock, ProblemRegistry(wall_clock))
        store = SqliteStore(SqliteOptions(), context)
        await store.open()
        await customer_writes(store)
        await store.close()

    asyncio.run(prepare())
    return shop


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Such a folder, to be copied."""
    folder = tmp_path_factory.mktemp("shop")
    shop_in(folder)
    return folder


@pytest.fixture
def shop(untouched: Path, tmp_path: Path) -> Shop:
    """For tests that are on no loop."""
    shutil.copytree(untouched, tmp_path, dirs_exist_ok=True)
    return Shop(tmp_path / "sara.yaml")


@asynccontextmanager
async def serving(shop: Shop) -> AsyncIterator[Daemon]:
    """The daemon, in this process."""
    loaded, plugins = read(shop.file)
    daemon = Daemon(loaded, plugins)
    await daemon.start()
    try:
        yield daemon
    finally:
        await daemon.stop(1_000)


def done(result: Result, code: int = 0) -> str:
    assert result.exit_code == code, result.output + result.stderr
    assert result.stderr == ""
    return result.stdout


def refused(result: Result) -> str:
    """What is said on standard error, in one line; never a traceback."""
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.stderr.startswith("sara: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


# ── without a daemon ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("action", ACTIONS)
def test_without_a_daemon_a_command_writes_to_the_store(shop: Shop, action: str) -> None:
    told = done(shop.act(action), WAITS if action == "send" else 0)
    assert told.startswith(f"c1: {ACTIONS[action][2]}\n")
    summary, messages = shop.look()
    said = [(message.purpose, message.text, message.state) for message in messages if message.direction == "out"]
    assert summary.mode == {"handoff": "human", "pause": "paused"}.get(action, "bot")
    assert summary.opted_out is (action == "opt-out")
    if action == "send":
        assert said == [("operator", "Hello Ana!", "queued")]
    elif action == "opt-out":
        [(purpose, _, state)] = said
        assert (purpose, state) == ("notice", "queued")
    else:
        assert said == []


@pytest.mark.parametrize("action", ACTIONS)
def test_programs_get_json(shop: Shop, action: str) -> None:
    command, needed, _ = ACTIONS[action]
    answer = json.loads(done(shop.sara(*command, "c1", *needed, "--json"), WAITS if action == "send" else 0))
    assert answer["conversation"] == "c1"
    assert answer["action"] == (action if action != "pause" else "handoff")
    assert all(work["conversation"] == "c1" for work in answer["work"])


def test_what_is_said_of_it_is_kept(shop: Shop) -> None:
    done(shop.sara("handoff", "c1", "--reason", "I know her", "--for", "2h"))
    assert done(shop.sara("resume", "c1", "--quietly")) == "c1: SARA answers again\n"
    assert [message for message in shop.look()[1] if message.direction == "out"] == []


def test_a_conversation_that_is_handed_back_is_told_so(shop: Shop) -> None:
    done(shop.act("handoff"))
    done(shop.act("resume"))
    [told] = [message for message in shop.look()[1] if message.direction == "out"]
    assert told.purpose == "notice"


@pytest.mark.parametrize("when", ["--at", "--after"])
def test_what_is_to_be_said_later_waits_for_its_time(shop: Shop, when: str) -> None:
    moment = "2099-12-24T09:00" if when == "--at" else "2h"
    told = done(shop.sara("send", "c1", "Merry Christmas!", when, moment))
    assert told.startswith("c1: will be sent at ")
    if when == "--at":
        assert told == "c1: will be sent at 2099-12-24 09:00:00\n"
    [message] = [message for message in shop.look()[1] if message.direction == "out"]
    assert (message.state, message.reason) == ("parked", "scheduled")


@pytest.mark.parametrize("written", ["2099-12-24T09:00Z", "2099-12-24T09:00+01:00", "2099-12-24", "2099-12-24 09:00"])
def test_a_moment_may_have_a_time_zone_or_only_a_day(shop: Shop, written: str) -> None:
    moment = datetime.fromisoformat(written).timestamp()
    shown = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
    assert done(shop.sara("send", "c1", "x", "--at", written)) == f"c1: will be sent at {shown}\n"


# ── what cannot be done ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_unknown_conversation_is_said_to_be_one(shop: Shop) -> None:
    for action in ACTIONS:
        refused(shop.act(action, "c99"))
    for turn, conversation in enumerate(("m1", "", "../queue/retry", "c1?x=1", "c 1")):
        for action in some_of(list(ACTIONS), 3, turn):
            refused(shop.act(action, conversation))
    summary, messages = shop.look()
    assert (summary.mode, summary.opted_out, len(messages)) == ("bot", False, 1)


def test_what_makes_no_sense_is_said_in_one_line_and_nothing_is_done(shop: Shop) -> None:
    rows: list[tuple[list[str], str]] = [
        (["handoff", "c1", "--for", "soon"], "--for soon: a duration is a number with a unit"),
        (["handoff", "c1", "--for", "2"], "--for 2: a duration is a number with a unit"),
        (["handoff", "c1", "--for", "-2h"], "--for -2h: a duration is a number with a unit"),
        (["handoff", "c1", "--for", "99999d"], "--for 99999d: a duration is at most 36500d"),
        (["send", "c1", "x", "--after", "soon"], "--after soon: a duration is a number with a unit"),
        (["send", "c1", "x", "--after", ""], "--after : a duration is a number with a unit"),
        (["send", "c1", "x", "--at", "tomorrow"], "--at tomorrow: a moment is written 2026-12-24T09:00"),
        (["send", "c1", "x", "--at", ""], "--at : a moment is written"),
        (["send", "c1", "x", "--at", "0001-01-01T00:00"], "--at 0001-01-01T00:00: a moment is written"),
        (["send", "c1", "x", "--at", "2020-01-01T00:00"], "--at 2020-01-01T00:00 is in the past"),
        (["send", "c1", "x", "--at", "2099-01-01T00:00", "--after", "2h"], "give --at or --after, not both"),
        (["send", "c1", "  "], "there is nothing to say; give a text"),
        (["send", "c1", "x" * 20_001], "the text is longer than 20000 characters"),
    ]
    for arguments, said in rows:
        assert said in refused(shop.sara(*arguments))
    summary, messages = shop.look()
    assert (summary.mode, len(messages)) == ("bot", 1)


def test_a_conversation_whose_channel_is_gone_says_what_to_do(shop: Shop) -> None:
    shop.write(channels={"other": {**LOFT, "loft": "cellar"}})
    assert "no channel in the file serves pigeon:roof; put it back to act on c1" in refused(shop.act("send"))


def test_a_file_that_cannot_be_used_is_said_so(shop: Shop) -> None:
    shop.write(channels={})
    result = shop.act("send")
    assert result.exit_code == 78
    assert "there is no channel" in result.stderr


def test_without_a_conversation_the_usage_is_shown(shop: Shop) -> None:
    result = shop.sara("handoff")
    assert result.exit_code == 2
    assert "Missing argument" in result.stderr


# ── beside a daemon ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_beside_a_daemon_a_command_goes_through_it(tmp_path: Path) -> None:
    shop = await asyncio.to_thread(shop_in, tmp_path)
    async with serving(shop) as daemon:
        for action, (command, needed, told) in ACTIONS.items():
            said_then = "on its way" if action == "send" else told  # this channel takes nothing, and does not refuse it
            assert done(await shop.from_beside(*command, "c1", *needed)) == f"c1: {said_then}\n", action
        summary, messages = await of(daemon.store)
        assert (summary.mode, summary.opted_out) == ("bot", False)
        said = [message for message in messages if message.purpose == "operator"]
        assert [message.text for message in said] == ["Hello Ana!"]
        # It was not only written down: the daemon's queue knows of it.
        assert (await daemon.queue.stats())["woken"] > 0


async def test_beside_a_daemon_the_same_is_refused_in_the_same_words(tmp_path: Path) -> None:
    shop = await asyncio.to_thread(shop_in, tmp_path)
    alone = [await shop.from_beside(*arguments) for arguments in REFUSED]
    async with serving(shop) as daemon:
        beside = [await shop.from_beside(*arguments) for arguments in REFUSED]
        assert [refused(result) for result in beside] == [refused(result) for result in alone]
        summary, messages = await of(daemon.store)
        assert (summary.mode, len(messages)) == ("bot", 1)


REFUSED = [
    ["handoff", "c99"],
    ["handoff", "../queue/retry"],
    ["send", "c1?x=1", "hello"],
    ["send", "c1", "  "],
    ["send", "c1", "x" * 20_001],
    ["send", "c1", "x", "--at", "tomorrow"],
    ["handoff", "c1", "--for", "soon"],
    ["conversations", "note", "c99", "x"],
]
