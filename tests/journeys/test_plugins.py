"""Plugins of third parties, from a folder beside sara.yaml, through real ports: swapped, broken, listening, and the manual's."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from sara import DeliveryReceipt, JobEvent, SaraError, StoredMessage
from sara.cli.context import read
from sara.plugins.hooks import Hooks
from sara.runtime.daemon import Daemon

from .conftest import DEADLINE, Process, Town

ROOT = Path(__file__).parents[2]
SHELF = ROOT / "tests" / "data" / "plugins"
TOKEN = "crumbs"
SECRET = "a secret of the website"


@pytest.fixture(autouse=True)
def nothing_left_imported(tmp_path: Path) -> Iterator[None]:
    """Each test imports its folder's plugins anew, and none of them takes the place of a bundled one for long."""
    before = {name: module for name, module in sys.modules.items() if name.startswith("sara_")}
    yield
    for name in [name for name in sys.modules if name.startswith("sara_")]:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]
    sys.modules.update(before)


def lay_beside(town: Town, *names: str) -> None:
    """Put plugins into the folder beside the town's sara.yaml."""
    folder = town.folder / "plugins"
    folder.mkdir(exist_ok=True)
    for name in names:
        shutil.copy(SHELF / f"sara_{name}.py", folder)


async def serve(town: Town, hooks_within: int | None = None) -> Daemon:
    """Start the daemon; unlike `town.start` this asks nothing of the WhatsApp channel."""
    town.write()
    loaded, plugins = read(town.file)
    assert loaded.config is not None, [finding.render() for finding in loaded.errors]
    daemon = Daemon(loaded, plugins)
    if hooks_within is not None:
        daemon.hooks = Hooks(plugins, daemon.problems, hooks_within)
    await daemon.start()
    town.daemon = daemon
    return daemon


def problems(daemon: Daemon) -> dict[str, str]:
    """The problems of this moment: everything that an operator reads, by key."""
    return {problem.key: f"{problem.message} {problem.remedy}" for problem in daemon.problems}


# ── swapping ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Loft:
    """Where pigeons come home to: one line each, and an `ok` for it."""

    def __init__(self) -> None:
        self.port = 0
        self.lines: list[list[str]] = []
        self._news = asyncio.Condition()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Loft:
        self._server = await asyncio.start_server(self._welcome, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        writer.write(b"ok\n")
        writer.close()
        async with self._news:
            self.lines.append(line.decode().rstrip("\n").split("|", 2))
            self._news.notify_all()

    async def home(self, count: int) -> list[tuple[str, str]]:
        """Wait for so many answers: to whom, and what."""
        async with asyncio.timeout(DEADLINE), self._news:
            await self._news.wait_for(lambda: len(self.lines) >= count)
        return [(who, text) for _, who, text in self.lines]


@pytest.fixture
async def loft() -> AsyncIterator[Loft]:
    """The other end of the channel `pigeon`."""
    async with Loft() as place:
        yield place


def pigeons(loft: Loft) -> dict[str, Any]:
    """A channel's section for the loft."""
    return {"plugin": "pigeon", "loft": "roof", "port": loft.port, "token": TOKEN}


async def send_pigeon(daemon: Daemon, slip: str, token: str = TOKEN) -> int:
    """Deliver slips; the status that the daemon answers."""
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
        session.post(daemon.public_url + "/loft", data=slip.encode(), headers={"X-Token": token}) as answer,
    ):
        return answer.status


async def test_a_channel_is_swapped_by_naming_another(town: Town, loft: Loft) -> None:
    lay_beside(town, "pigeon")
    town.config["channels"] = {"roof": pigeons(loft)}
    daemon = await serve(town)
    assert await send_pigeon(daemon, "1|ana|coo", token="stones") == 401
    assert await send_pigeon(daemon, "1|ana|coo") == 200
    assert await send_pigeon(daemon, "1|ana|coo\n2|kofi|hi") == 200
    assert sorted(await loft.home(2)) == [("ana", "echo: coo"), ("kofi", "echo: hi")]
    [message, _] = await town.stored(2, direction="out", state="accepted")
    assert (message.account, message.channel) == ("pigeon:roof", "pigeon")


async def test_two_channels_answer_beside_each_other_each_its_own_customers(town: Town, loft: Loft) -> None:
    lay_beside(town, "pigeon")
    town.config["channels"]["roof"] = pigeons(loft)
    daemon = await town.start()
    await town.phone.say("ana", "by phone")
    await send_pigeon(daemon, "1|ana|by bird")
    assert await loft.home(1) == [("ana", "echo: by bird")]
    assert await town.answers(1) == ["echo: by phone"]


async def test_a_responder_is_swapped_by_naming_another(town: Town) -> None:
    lay_beside(town, "parrot")
    town.config["responders"] = {"assistant": {"plugin": "parrot", "word": "polly"}}
    await town.start()
    await town.phone.say("ana", "hello")
    assert await town.answers(1) == ["polly: hello"]
    assert town.ai.calls == []


async def test_a_store_is_swapped_by_naming_another(town: Town) -> None:
    lay_beside(town, "counting")
    town.config["store"] = {"plugin": "counting"}
    daemon = await town.start()
    await town.phone.say("ana", "hello")
    assert await town.answers(1) == ["echo: hello"]
    await town.stored(1, direction="out", state="read")
    assert (await daemon.store.counts())["accepts"] >= 2  # the message, then its receipts
    assert (town.folder / "state" / "counting.db").is_file()


async def test_a_queue_is_swapped_by_naming_another(town: Town) -> None:
    lay_beside(town, "memory")
    town.config["queue"] = {"plugin": "memory"}
    daemon = await town.start()
    await town.phone.say("ana", "hello")
    assert await town.answers(1) == ["echo: hello"]
    assert type(daemon.queue).__name__ == "MemoryQueue"


async def test_a_queue_that_keeps_nothing_costs_time_and_no_message(town: Town) -> None:
    lay_beside(town, "memory")
    town.config["queue"] = {"plugin": "memory"}
    town.config["conversation"] = {"debounce": "2s", "debounce_max": "5s"}
    await town.start()
    await town.phone.say("ana", "hello")
    await town.stored(1, direction="in", state="waiting")
    await town.stop()
    await town.start()
    assert await town.answers(1) == ["echo: hello"]


async def test_all_four_kinds_are_swapped_at_once(town: Town, loft: Loft) -> None:
    lay_beside(town, "pigeon", "parrot", "counting", "memory")
    town.config |= {
        "channels": {"roof": pigeons(loft)},
        "responders": {"assistant": {"plugin": "parrot"}},
        "store": {"plugin": "counting"},
        "queue": {"plugin": "memory"},
    }
    daemon = await serve(town)
    await send_pigeon(daemon, "1|ana|coo")
    assert await loft.home(1) == [("ana", "parrot: coo")]
    assert not (town.folder / "state" / "sara.db").exists()


async def test_a_plugin_beside_the_file_takes_the_place_of_the_bundled_one(town: Town) -> None:
    lay_beside(town, "parrot")
    (town.folder / "plugins" / "sara_parrot.py").rename(town.folder / "plugins" / "sara_openai.py")
    town.config["responders"] = {"assistant": {"plugin": "openai", "word": "beside"}}
    await town.start()
    await town.phone.say("ana", "hello")
    assert await town.answers(1) == ["beside: hello"]


# ── failing ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

BROKEN = ("unimportable", "unbuildable", "unopenable", "misspelt", "misnamed")


@pytest.mark.parametrize("name", [*BROKEN, "halfdone"])
async def test_a_channel_that_fails_is_a_problem_and_the_other_answers(town: Town, name: str) -> None:
    lay_beside(town, name)
    town.config["channels"]["second"] = {"plugin": name}
    daemon = await town.start()
    told = [text for text in problems(daemon).values() if name in text]
    assert len(told) == 1, problems(daemon)
    assert "second" in told[0]
    await town.phone.say("ana", "hello")
    assert await town.answers(1) == ["echo: hello"]


@pytest.mark.parametrize("name", BROKEN)
async def test_a_responder_that_fails_is_a_problem_and_the_next_in_line_answers(town: Town, name: str) -> None:
    lay_beside(town, name)
    town.config["responders"]["first"] = {"plugin": name}
    town.config["conversation"] |= {"responder": "first", "fallback": ["assistant"]}
    daemon = await town.start()
    told = [text for text in problems(daemon).values() if name in text]
    assert len(told) == 1, problems(daemon)
    assert "first" in told[0]
    await town.phone.say("ana", "hello")
    assert await town.answers(1) == ["echo: hello"]


async def test_plugins_that_hang_at_the_start_hold_up_nobody_for_long(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sara.runtime.plugin_host.OPEN_WITHIN", 2_000)
    lay_beside(town, "hanging")
    town.config["channels"] |= {f"channel-{number}": {"plugin": "hanging"} for number in range(3)}
    town.config["responders"] |= {f"responder-{number}": {"plugin": "hanging"} for number in range(3)}
    town.config["conversation"] |= {"responder": "responder-0", "fallback": ["assistant"]}
    with capture_logs() as logged:
        daemon = await town.start()
    told = [entry["event"] for entry in logged if entry["event"] in ("hangs", "plugin_unavailable")]
    assert told == (["hangs"] * 3 + ["plugin_unavailable"] * 3) * 2, "they are waited for one after the other"
    told = problems(daemon)
    for number in range(3):
        assert "did not open" in told[f"channel:channel-{number}:not_running"]
        assert "did not open" in told[f"responder:responder-{number}:not_running"]
    await town.phone.say("ana", "hello")
    assert await town.answers(1) == ["echo: hello"]


async def test_plugins_that_hang_at_the_end_are_left_behind(town: Town, process: Process) -> None:
    lay_beside(town, "hanging")
    town.config["channels"]["second"] = {"plugin": "hanging", "at": "close"}
    town.config["responders"] |= {name: {"plugin": "hanging", "at": "close"} for name in ("first", "third")}
    town.config["conversation"]["responder"] = "assistant"
    await process.start()
    assert await process.end() == 0
    told = [word for line in process.output for word in ("hangs", "plugin_close_failed") if f'"{word}"' in line]
    assert told == ["hangs"] * 3 + ["plugin_close_failed"] * 3, "they are waited for one after the other"


@pytest.mark.parametrize("name", ["unimportable", "misspelt", "misnamed", "unknown"])
async def test_a_plugin_of_hooks_that_fails_is_a_problem_and_the_channel_answers(town: Town, name: str) -> None:
    lay_beside(town, *{name} - {"unknown"})
    town.config["plugins"] = [name]
    daemon = await town.start()
    assert name in problems(daemon)[f"plugin:{name}:not_loaded"]
    await town.phone.say("ana", "hello")
    assert await town.answers(1) == ["echo: hello"]


@pytest.mark.parametrize("name", ["unimportable", "misspelt", "misnamed", "unknown"])
@pytest.mark.parametrize("kind", ["store", "queue"])
async def test_a_store_or_queue_that_cannot_be_loaded_is_an_error_of_the_file(town: Town, kind: str, name: str) -> None:
    lay_beside(town, *{name} - {"unknown"})
    town.config[kind] = {"plugin": name}
    town.write()
    loaded, _ = read(town.file)
    assert loaded.config is None
    [error] = loaded.errors
    assert error.message.startswith(f"{kind}: ")
    assert re.search(rf"\bplugin {name}\b", error.message)


@pytest.mark.parametrize("name", ["unbuildable", "unopenable"])
@pytest.mark.parametrize("kind", ["store", "queue"])
async def test_a_store_or_queue_that_fails_at_start_is_named_and_leaves_nothing_open(town: Town, kind: str, name: str) -> None:
    lay_beside(town, name)
    town.config[kind] = {"plugin": name}
    with pytest.raises(SaraError, match=f"plugin {name} .*it rains"):
        await serve(town)
    town.config.pop(kind)
    await town.start()
    await town.phone.say("ana", "hello")
    assert await town.answers(1) == ["echo: hello"]


async def test_a_responder_that_faints_is_asked_no_more_often_than_one_that_raises(town: Town) -> None:
    lay_beside(town, "fainting")
    town.config["responders"] = {"assistant": {"plugin": "fainting"}}
    daemon = await town.start()
    fainting: Any = daemon.plugin_host.responders["assistant"]
    await town.phone.say("ana", "hello")

    async def given_up() -> bool:
        return fainting.asked > 4 or bool(await town.messages(direction="in", state="dead"))

    await town.until(given_up)
    assert fainting.asked == 4
    assert "responder:assistant:exception" in problems(daemon)


async def test_a_channel_that_faints_leaves_a_doubt_that_is_settled(town: Town) -> None:
    lay_beside(town, "fainting")
    town.config["channels"] = {"second": {"plugin": "fainting"}}
    daemon = await serve(town)
    async with aiohttp.ClientSession() as session, session.post(daemon.public_url + "/faint", data=b"hello") as answer:
        assert answer.status == 200
    [held] = await town.stored(1, direction="out", state="held")
    assert [attempt.state for attempt in await daemon.store.attempts(held.id)] == ["in_doubt"]


# ── hooks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

MOMENTS = {"started", "message_received", "reply_ready", "message_sent", "delivery_changed", "job_finished"}


class Heard:
    """What a listening plugin was told so far."""

    def __init__(self, town: Town, name: str) -> None:
        self._town = town
        self._news = sys.modules[f"sara_{name}"].heard
        self.told: list[tuple[str, Any]] = []

    def look(self) -> None:
        while True:
            try:
                self.told.append(self._news.get_nowait())
            except Empty:
                return

    def of(self, hook: str) -> list[Any]:
        return [what for name, what in self.told if name == hook]

    async def until(self, enough: Callable[[Heard], bool]) -> None:
        async def look() -> bool:
            self.look()
            return enough(self)

        await self._town.until(look)


@contextmanager
def released(name: str) -> Iterator[None]:
    """Let go whatever hangs in a plugin's threads, however the test ends: the loop waits for them when it is closed."""
    try:
        yield
    finally:
        sys.modules[f"sara_{name}"].release.set()


@pytest.mark.parametrize("name", ["witness", "onlooker"])
async def test_hooks_are_told_of_a_messages_whole_way_in_threads_and_on_the_loop(town: Town, name: str) -> None:
    lay_beside(town, name)
    town.config["plugins"] = [name]
    await town.start()
    heard = Heard(town, name)
    wamid = await town.phone.say("ana", "hello")
    await heard.until(lambda heard: {what for what, _ in heard.told} >= MOMENTS and len(heard.of("delivery_changed")) == 3)
    [asked] = heard.of("message_received")
    assert isinstance(asked, StoredMessage)
    assert (asked.external_id, asked.text, asked.direction) == (wamid, "hello", "in")
    [ready] = heard.of("reply_ready")
    assert ready == (asked.conversation, [asked.id])
    [sent] = heard.of("message_sent")
    assert isinstance(sent, StoredMessage)
    assert (sent.text, sent.direction, sent.external_id) == ("echo: hello", "out", town.phone.accepted[0].wamid)
    receipts: list[tuple[StoredMessage, DeliveryReceipt]] = heard.of("delivery_changed")
    assert sorted(receipt.status for _, receipt in receipts) == ["delivered", "read", "sent"]
    assert {message.id for message, _ in receipts} == {sent.id}
    ends: list[JobEvent] = heard.of("job_finished")
    assert {event.what for event in ends} <= {"done", "again", "failed"}
    assert {(event.job.kind, event.job.key) for event in ends} == {("reply", sent.conversation), ("deliver", sent.conversation)}
    assert heard.of("started") == [None]
    assert heard.of("stopping") == []
    await town.stop()
    heard.look()
    assert heard.told[-1] == ("stopping", None)
    assert heard.of("stopping") == [None]


async def test_a_message_met_again_is_not_told_again(town: Town, loft: Loft) -> None:
    lay_beside(town, "witness", "pigeon")
    town.config["plugins"] = ["witness"]
    town.config["channels"] = {"roof": pigeons(loft)}
    daemon = await serve(town)
    heard = Heard(town, "witness")
    await send_pigeon(daemon, "1|ana|coo")
    await send_pigeon(daemon, "1|ana|coo")
    await send_pigeon(daemon, "2|ana|coo coo")
    await heard.until(lambda heard: len(heard.of("message_received")) >= 2)
    await town.stop()
    heard.look()
    assert [message.external_id for message in heard.of("message_received")] == ["1", "2"]


@pytest.mark.parametrize("order", [["clumsy", "witness"], ["witness", "clumsy"]])
async def test_hooks_that_raise_and_hang_are_named_and_hurt_nobody(town: Town, order: list[str]) -> None:
    lay_beside(town, *order)
    town.config["plugins"] = order
    daemon = await serve(town, hooks_within=100)
    await town.connect()
    heard = Heard(town, "witness")
    with released("clumsy"):
        await town.phone.say("ana", "hello")
        assert await town.answers(1) == ["echo: hello"]
        await town.stored(1, direction="out", state="read")
        await heard.until(lambda heard: {what for what, _ in heard.told} >= MOMENTS)
        named = {f"plugin:clumsy:{hook}" for hook in MOMENTS - {"reply_ready"}}

        async def all_named() -> bool:
            return named <= problems(daemon).keys()

        await town.until(all_named)
        told = problems(daemon)
        assert set(told) == named
        assert "clumsy raised KeyError in its hook message_received" in told["plugin:clumsy:message_received"]
        assert "clumsy took too long in its hook delivery_changed" in told["plugin:clumsy:delivery_changed"]
        assert "clumsy took too long in its hook job_finished" in told["plugin:clumsy:job_finished"]


async def test_hooks_that_hang_in_threads_leave_room_for_large_bodies(town: Town, loft: Loft) -> None:
    lay_beside(town, "stuck", "pigeon")
    town.config["plugins"] = ["stuck"]
    town.config["channels"] = {"roof": pigeons(loft)}
    daemon = await serve(town, hooks_within=50)
    with released("stuck"):
        # At once, and more than there are threads in asyncio's own pool on any machine.
        birds = [send_pigeon(daemon, f"{n}|bird-{n}|coo") for n in range(40)]
        assert set(await asyncio.gather(*birds)) == {200}
        assert len(await loft.home(40)) == 40

        async def named() -> bool:
            return "plugin:stuck:message_received" in daemon.problems

        await town.until(named)
        assert await send_pigeon(daemon, f"large|ana|{'x' * 70_000}") == 200


async def test_a_hook_that_hangs_in_a_thread_does_not_keep_the_daemon_from_ending(town: Town, process: Process) -> None:
    lay_beside(town, "stuck")
    town.config["plugins"] = ["stuck"]
    await process.start()
    await town.phone.say("ana", "hello")
    assert await town.answers(1) == ["echo: hello"]
    ending = asyncio.ensure_future(process.end(signal.SIGTERM))
    await asyncio.wait({ending}, timeout=DEADLINE)
    ended = ending.done()
    if not ended and process.process is not None:
        process.process.kill()
    code = await ending
    assert ended, "it was still there"
    assert code == 0


# ── the manual's own channel ──────────────────────────────────────────────────────────────────────────────────────────────


def channel_of_the_manual() -> str:
    """The one complete channel in plugins/README.md, to the letter."""
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / "plugins" / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    [block] = [block for block in blocks if "class WebformChannel(Channel)" in block]
    return str(block)


def sign(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@dataclass
class Answer:
    """A post at the website."""

    headers: Mapping[str, str]
    body: bytes
    status: int | None

    @property
    def content(self) -> dict[str, str]:
        content: dict[str, str] = json.loads(self.body)
        return content


@dataclass
class Website:
    """A website with a form. It answers 200, or, for the next posts, what `next` says; None breaks the connection off."""

    posts: list[Answer] = field(default_factory=list)
    next: list[int | None] = field(default_factory=list)
    port: int = 0
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/sara/answers"

    async def open(self) -> None:
        """Serve, at the same address each time."""
        app = web.Application()
        app.router.add_post("/sara/answers", self._take)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        status = self.next.pop(0) if self.next else 200
        async with self._news:
            self.posts.append(Answer(dict(request.headers), await request.read(), status))
            self._news.notify_all()
        if status is None:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=status or 500)

    async def posted(self, count: int) -> list[Answer]:
        """Wait for so many posts."""
        async with asyncio.timeout(DEADLINE), self._news:
            await self._news.wait_for(lambda: len(self.posts) >= count)
        return self.posts

    async def answers(self, count: int) -> list[str]:
        """Wait for so many posts; what they say."""
        return [post.content["text"] for post in await self.posted(count)]


@pytest.fixture
async def website() -> AsyncIterator[Website]:
    """The other end of the manual's channel."""
    site = Website()
    await site.open()
    yield site
    await site.close()


@pytest.fixture
async def shop(town: Town, website: Website) -> Town:
    """A town whose only channel is the manual's, with its daemon running."""
    folder = town.folder / "plugins"
    folder.mkdir()
    (folder / "sara_webform.py").write_text(channel_of_the_manual(), encoding="utf-8")
    town.config["channels"] = {
        "form": {"plugin": "webform", "site": "shop", "secret": SECRET, "callback": website.url, "doubt_timeout": "100ms"}
    }
    daemon = await serve(town)
    assert problems(daemon) == {}
    return town


async def fill_in(shop: Town, ident: str, text: str, **more: Any) -> int:
    """Post a visitor's message as the website would; the status that the daemon answers."""
    assert shop.daemon is not None
    content = {"id": ident, "visitor": "ana", "name": "Ana", "text": text, "at": shop.daemon.problems._clock(), **more}
    return await post_raw(shop, json.dumps(content).encode())


async def post_raw(shop: Town, body: bytes, signature: str | None = None, method: str = "POST") -> int:
    assert shop.daemon is not None
    headers = {"X-Signature-256": sign(body) if signature is None else signature}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, shop.daemon.public_url + "/webhook/form", data=body, headers=headers) as answer,
    ):
        return answer.status


async def test_the_manuals_channel_holds_a_whole_conversation(shop: Town, website: Website) -> None:
    assert await fill_in(shop, "1", "Are you open on Sunday?") == 200
    assert await website.answers(1) == ["echo: Are you open on Sunday?"]
    assert await fill_in(shop, "2", "And on Monday?") == 200
    assert await website.answers(2) == ["echo: Are you open on Sunday?", "echo: And on Monday?"]
    for post in website.posts:
        assert post.headers["X-Signature-256"] == sign(post.body)
        assert post.content["visitor"] == "ana"
    said = await shop.stored(2, direction="out", state="accepted")
    assert [message.id for message in said] == [post.headers["Idempotency-Key"] for post in website.posts]
    assert [message.external_id for message in said] == [post.content["attempt"] for post in website.posts]
    asked = [(message["role"], message["content"]) for message in shop.ai.calls[1].messages if message["role"] != "system"]
    assert asked[:2] == [("user", "Are you open on Sunday?"), ("assistant", "echo: Are you open on Sunday?")]


async def test_the_manuals_channel_stores_nothing_with_a_wrong_signature(shop: Town, website: Website) -> None:
    body = json.dumps({"id": "1", "visitor": "eve", "text": "let me in", "at": 0}).encode()
    for signature in ("", "sha256=", sign(body, "another secret"), sign(body + b" "), sign(body).upper(), "sha256=ünsigned"):
        assert await post_raw(shop, body, signature) == 401
    assert await post_raw(shop, b"", method="GET") == 405
    assert await shop.messages() == []


async def test_the_manuals_channel_answers_a_redelivery_once(shop: Town, website: Website) -> None:
    moment = shop.daemon.problems._clock() if shop.daemon else 0
    assert await fill_in(shop, "1", "hello", at=moment) == 200
    assert await fill_in(shop, "1", "hello", at=moment) == 200
    await website.posted(1)
    assert await fill_in(shop, "1", "hello", at=moment) == 200
    assert await fill_in(shop, "2", "still there?") == 200
    assert await website.answers(2) == ["echo: hello", "echo: still there?"]
    assert len(shop.ai.calls) == 2


async def test_the_manuals_channel_delivers_what_was_refused_for_a_while(shop: Town, website: Website) -> None:
    website.next = [503, 429]
    await fill_in(shop, "1", "hello")
    posts = await website.posted(3)
    [message] = await shop.stored(1, direction="out", state="accepted")
    assert {post.headers["Idempotency-Key"] for post in posts} == {message.id}
    assert len({post.content["attempt"] for post in posts}) == 3
    assert len(shop.ai.calls) == 1


async def test_the_manuals_channel_delivers_once_the_website_is_up_again(shop: Town, website: Website) -> None:
    await website.close()
    assert await fill_in(shop, "1", "hello") == 200
    [message] = await shop.stored(1, direction="out")

    async def tried_in_vain() -> bool:
        assert shop.daemon is not None
        return len([attempt for attempt in await shop.daemon.store.attempts(message.id) if attempt.state == "not_sent"]) >= 2

    await shop.until(tried_in_vain)
    await website.open()
    assert await website.answers(1) == ["echo: hello"]
    await shop.stored(1, direction="out", state="accepted")
    assert len(shop.ai.calls) == 1


async def test_the_manuals_channel_repeats_a_doubtful_answer_under_the_same_key(shop: Town, website: Website) -> None:
    website.next = [None, 500]
    await fill_in(shop, "1", "hello")
    posts = await website.posted(3)
    [message] = await shop.stored(1, direction="out", state="accepted")
    assert [post.headers["Idempotency-Key"] for post in posts] == [message.id] * 3
    assert shop.daemon is not None
    states = [attempt.state for attempt in await shop.daemon.store.attempts(message.id)]
    assert states == ["in_doubt", "in_doubt", "accepted"]


async def test_the_manuals_channel_waits_for_a_person_when_its_secret_is_not_taken(shop: Town, website: Website) -> None:
    website.next = [401]
    await fill_in(shop, "1", "hello")
    assert shop.daemon is not None
    daemon = shop.daemon

    async def told() -> bool:
        return any("use the same secret at both ends" in text for text in problems(daemon).values())

    await shop.until(told)
    assert await website.answers(2) == ["echo: hello"] * 2
    await shop.stored(1, direction="out", state="accepted")

    async def solved() -> bool:
        return not problems(daemon)

    await shop.until(solved)


async def test_the_manuals_channel_gives_up_what_the_website_does_not_want(shop: Town, website: Website) -> None:
    website.next = [410]
    await fill_in(shop, "1", "hello")
    [message] = await shop.stored(1, direction="out", state="failed")
    assert "does not want" in (message.error or "")
    await fill_in(shop, "2", "still there?")
    # The answer that never arrived is no part of what was said, so the echo finds both questions open.
    assert await website.answers(2) == ["echo: hello", "echo: hello | still there?"]


async def test_the_manuals_channel_keeps_signed_bodies_that_nobody_understands(shop: Town, website: Website) -> None:
    whole = {"id": "1", "visitor": "ana", "text": "hello", "at": 0}
    bodies = [
        b"", b"\xff", b"[]", b"{", b"null", b"[" * 100_000,
        json.dumps({**whole, "at": 10**40}).encode(), json.dumps({**whole, "text": "\ud800"}).encode(),
        json.dumps({**whole, "visitor": ""}).encode(), json.dumps({**whole, "id": 7.5}).encode(),
    ]  # fmt: skip
    for body in bodies:
        assert await post_raw(shop, body) == 200
    assert shop.daemon is not None
    assert (await shop.daemon.store.counts())["unparsed_payloads"] == len(bodies)
    assert await shop.messages() == []
    assert await fill_in(shop, "2", "hello") == 200
    assert await website.answers(1) == ["echo: hello"]


async def test_the_manuals_channel_refuses_a_secret_that_anybody_could_guess(town: Town) -> None:
    (town.folder / "plugins").mkdir()
    (town.folder / "plugins" / "sara_webform.py").write_text(channel_of_the_manual(), encoding="utf-8")
    town.config["channels"] = {"form": {"plugin": "webform", "site": "shop", "secret": "short", "callback": "http://127.0.0.1"}}
    town.write()
    loaded, _ = read(town.file)
    [error] = loaded.errors
    assert "channels.form.secret" in error.message
    assert "short" not in error.message.replace("shorter", "")
