"""What twenty AI servers really refuse, and what follows from it: the rows of docs/ai-servers.md, over real ports."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from sara_openai.options import OpenAIOptions
from sara_openai.responder import OpenAIResponder
from sara_simulators.openai import Call, OpenAISimulator
from sara_simulators.openai.servers import ASPECTS, Aspect, Refusal, Server, load_servers

from sara import Attachment, Contact, ContentRefused, Context, HistoryMessage, Reply, RetryLater, SaraError, ToolSpec, Turn
from sara.helpers import ProblemRegistry
from tests.patience import patience

NOW = 1_800_000_000_000
DAY = 86_400_000
MANUAL = Path(__file__).parents[3] / "docs" / "ai-servers.md"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"
LONG = "I should like to order a very large cake with many candles. " * 30

USUAL: dict[Aspect, str] = {
    "length": "shortened",
    "pictures": "without pictures",
    "tools": "without tools",
    "keys": "held: credentials",
    "quota": "held: quota",
    "filters": "told once",
    "roles": "joined",
    "system": "folded",
    "options": "without the option",
}


def content_of(number: int) -> bytes:
    return PNG + number.to_bytes(2, "big")


class Box:
    """Tools that are offered and never called."""

    specs = (ToolSpec("hand_over", "Let a person take over.", {"type": "object", "properties": {}}),)

    async def call(self, name: str, arguments: str) -> str:
        raise AssertionError(f"{name} was called")


@dataclass
class House:
    """A responder beside its simulator, and a clock that stands still until it is moved."""

    simulator: OpenAISimulator
    responder: OpenAIResponder
    problems: ProblemRegistry
    now: list[int]
    folder: Path

    def picture(self, number: int) -> Attachment:
        path = self.folder / f"picture-{number}"
        path.write_bytes(content_of(number))
        return Attachment("image", "image/png", "media", id=f"p{number}", path=path)

    def turn(
        self, *texts: str, history: tuple[HistoryMessage, ...] = (), conversation: str = "c1", files: tuple[Attachment, ...] = ()
    ) -> Turn:
        asked = tuple(HistoryMessage(f"m{number}", "customer", text, NOW) for number, text in enumerate(texts))
        asked = (*asked[:-1], replace(asked[-1], attachments=files))
        return Turn(conversation, "whatsapp:1", Contact("p1"), asked, history, NOW)

    def forget(self) -> None:
        """Let so much time pass that nothing of what was learnt holds any more."""
        self.now[0] += 2 * DAY
        self.simulator.clear_refusals()
        self.simulator.calls.clear()
        assert not len(self.problems), [problem.key for problem in self.problems]

    async def ask(self, turn: Turn) -> Reply | SaraError:
        try:
            return await self.responder.answer(turn, Box())
        except SaraError as error:
            return error


@asynccontextmanager
async def house(folder: Path, **options: Any) -> AsyncIterator[House]:
    now = [NOW]
    simulator = OpenAISimulator(mode="echo")
    await simulator.start()
    problems = ProblemRegistry(lambda: now[0])
    context = Context(name="assistant", state=folder, clock=lambda: now[0], problems=problems)
    given = {"images": True, "instructions": "You answer for a bakery.", **simulator.options(), **options}
    async with AsyncExitStack() as stack:
        stack.push_async_callback(simulator.stop)
        responder = OpenAIResponder(OpenAIOptions(**given), context)
        stack.push_async_callback(responder.close)
        yield House(simulator, responder, problems, now, folder)


def said(reply: Reply | SaraError) -> str:
    assert isinstance(reply, Reply), f"{reply!r} {getattr(reply, 'detail', '')}"
    return reply.parts[0].text


def history(*texts: str) -> tuple[HistoryMessage, ...]:
    return tuple(HistoryMessage(f"h{n}", "assistant" if n % 2 else "customer", text, NOW) for n, text in enumerate(texts))


# what follows from each refusal


async def shortened(at: House, refuse: Callable[..., Refusal]) -> None:
    refuse(longest=400)
    long = at.turn("What about this?", LONG, history=history(*[LONG] * 6))
    assert said(await at.ask(long)).startswith("echo: What about this?")
    asked, answered = at.simulator.calls[0], at.simulator.calls[-1]
    assert answered.tokens <= 400 < asked.tokens
    assert "left out" in answered.asked[-1], "the model is told that something is missing"
    tries = len(at.simulator.calls)
    assert tries <= 9
    said(await at.ask(at.turn("And now?", history=history(*[LONG] * 6))))
    assert len(at.simulator.calls) == tries + 1, "the size that fits is remembered"


async def without_pictures(at: House, refuse: Callable[..., Refusal]) -> None:
    refuse()
    for number in range(2):
        assert said(await at.ask(at.turn("[image] What is this?", files=(at.picture(number),)))) == "echo: What is this?"
    assert [bool(call.pictures) for call in at.simulator.calls] == [True, False, False], "a model that cannot see is asked once"
    assert "responder:assistant:pictures" in at.problems
    at.simulator.clear_refusals()
    at.now[0] += DAY
    await at.ask(at.turn("[image] And this?", files=(at.picture(3),)))
    assert at.simulator.calls[-1].pictures, "after a while it is tried again"
    assert "responder:assistant:pictures" not in at.problems


async def without_the_picture(at: House, refuse: Callable[..., Refusal]) -> None:
    bad, good = at.picture(0), at.picture(1)
    refuse(picture=base64.b64encode(content_of(0)).decode())
    first = HistoryMessage("h0", "customer", "[image]", NOW, attachments=(bad,))
    said(await at.ask(at.turn("[image] And this?", history=(first,), files=(good,))))
    assert len(at.simulator.calls[-1].pictures) == 1, "one bad picture hides no other"
    tries = len(at.simulator.calls)
    said(await at.ask(at.turn("[image] And this?", history=(first,), files=(at.picture(2),))))
    assert len(at.simulator.calls) == tries + 1, "it is remembered"
    assert len(at.simulator.calls[-1].pictures) == 1
    said(await at.ask(at.turn("[image]", conversation="c2", files=(at.picture(3),))))
    assert at.simulator.calls[-1].pictures, "nobody else sees less"
    assert "responder:assistant:picture" in at.problems


async def without_tools(at: House, refuse: Callable[..., Refusal]) -> None:
    refuse()
    for _ in range(2):
        said(await at.ask(at.turn("Hello")))
    assert ["tools" in call.body for call in at.simulator.calls] == [True, False, False]
    assert "responder:assistant:tools" in at.problems
    at.simulator.clear_refusals()
    at.now[0] += DAY
    said(await at.ask(at.turn("Hello")))
    assert "tools" in at.simulator.calls[-1].body, "after a while they are tried again"
    assert "responder:assistant:tools" not in at.problems


async def without_tools_this_once(at: House, refuse: Callable[..., Refusal]) -> None:
    refuse()
    said(await at.ask(at.turn("Hello")))
    at.simulator.clear_refusals()
    said(await at.ask(at.turn("Hello")))
    assert ["tools" in call.body for call in at.simulator.calls] == [True, False, True]
    assert not len(at.problems)


async def held(at: House, refuse: Callable[..., Refusal], key: str) -> None:
    refuse()
    error = await at.ask(at.turn("Hello"))
    assert isinstance(error, RetryLater), f"{error!r}"
    assert error.until_mended, f"{error!r}"
    assert [problem.key for problem in at.problems] == [f"responder:assistant:{key}"]
    at.simulator.clear_refusals()
    assert said(await at.ask(at.turn("Hello"))) == "echo: Hello"
    assert not len(at.problems)


async def waits(at: House, refuse: Callable[..., Refusal]) -> None:
    refusal = refuse()
    error = await at.ask(at.turn("Hello"))
    assert isinstance(error, RetryLater), f"{error!r}"
    assert not error.until_mended, f"{error!r}"
    if "Retry-After" in refusal.headers or "retry in" in str(refusal.body):
        assert error.after
        assert error.after >= 26_000
    assert not len(at.problems)
    at.simulator.clear_refusals()
    assert said(await at.ask(at.turn("Hello"))) == "echo: Hello"


async def told_once(at: House, refuse: Callable[..., Refusal]) -> None:
    refuse(banned="forbidden")
    refused = at.turn("something forbidden", history=history("Hi", "Hello!"))
    error = await at.ask(refused)
    assert isinstance(error, ContentRefused), f"{error!r}"
    assert not len(at.problems), "a filter is nobody's wrong key"
    assert said(await at.ask(at.turn("Are you open?", history=history("Hi", "Hello!")))) == "echo: Are you open?"
    # Should the refused line stand in the history all the same, the conversation goes on without it.
    poisoned = history("something forbidden", "Hello!")
    assert said(await at.ask(at.turn("Are you open?", history=poisoned))) == "echo: Are you open?"
    tries = len(at.simulator.calls)
    assert said(await at.ask(at.turn("Are you open?", history=poisoned))) == "echo: Are you open?"
    assert len(at.simulator.calls) == tries + 1


async def joined(at: House, refuse: Callable[..., Refusal]) -> None:
    refuse()
    lines = (
        HistoryMessage("h0", "operator", "Ana here, welcome.", NOW),
        HistoryMessage("h1", "notice", "We answer again.", NOW),
        HistoryMessage("h2", "customer", "Hi", NOW),
        HistoryMessage("h3", "customer", "Are you there?", NOW),
        HistoryMessage("h4", "assistant", "Yes.", NOW),
        HistoryMessage("h5", "notice", "We are closed.", NOW),
    )
    for _ in range(2):
        assert said(await at.ask(at.turn("One", "Two", history=lines))) == "echo: One\n\nTwo"
    assert len(at.simulator.calls) == 3, "it is remembered"
    assert [message["role"] for message in at.simulator.calls[-1].messages] == ["system", "user", *["assistant", "user"] * 2][:7]
    assert text_at(at.simulator.calls[-1], 2) == "Ana here, welcome.\n\nWe answer again."
    at.now[0] += DAY
    at.simulator.clear_refusals()
    assert said(await at.ask(at.turn("One", "Two"))) == "echo: One | Two", "after a day it is tried again"


async def folded(at: House, refuse: Callable[..., Refusal]) -> None:
    refuse()
    for _ in range(2):
        assert said(await at.ask(at.turn("Hello"))).endswith("Hello")
    assert len(at.simulator.calls) == 3
    assert "You answer for a bakery." in text_at(at.simulator.calls[-1], 0)


async def without_the_option(at: House, refuse: Callable[..., Refusal]) -> None:
    named = "temperature" if "temperature" in str(refuse().body) else "max_tokens"
    other = "max_tokens" if named == "temperature" else "temperature"
    for _ in range(2):
        assert said(await at.ask(at.turn("Hello"))) == "echo: Hello"
    assert [named in call.body for call in at.simulator.calls] == [True, False, False], "it is remembered"
    assert all(other in call.body and "tools" in call.body for call in at.simulator.calls), "nothing else is left out"
    key = f"responder:assistant:{'max_output_tokens' if named == 'max_tokens' else named}"
    assert [problem.key for problem in at.problems] == [key]
    at.simulator.clear_refusals()
    at.now[0] += DAY
    said(await at.ask(at.turn("Hello")))
    assert named in at.simulator.calls[-1].body, "after a day it is tried again"
    assert not len(at.problems)


async def under_the_other_name(at: House, refuse: Callable[..., Refusal]) -> None:
    refuse()
    for _ in range(2):
        assert said(await at.ask(at.turn("Hello"))) == "echo: Hello"
    assert [call.body.get("max_tokens") for call in at.simulator.calls] == [50, None, None]
    assert [call.body.get("max_completion_tokens") for call in at.simulator.calls] == [None, 50, 50]
    assert not len(at.problems)


def text_at(call: Call, number: int) -> str:
    return str(call.messages[number]["content"])


async def follows(at: House, refuse: Callable[..., Refusal], expected: str) -> None:
    what, _, key = expected.partition(": ")
    match what:
        case "held":
            await held(at, refuse, key)
        case "shortened":
            await shortened(at, refuse)
        case "without pictures":
            await without_pictures(at, refuse)
        case "without the picture":
            await without_the_picture(at, refuse)
        case "without tools":
            await without_tools(at, refuse)
        case "without tools, this once":
            await without_tools_this_once(at, refuse)
        case "waits":
            await waits(at, refuse)
        case "told once":
            await told_once(at, refuse)
        case "joined":
            await joined(at, refuse)
        case "folded":
            await folded(at, refuse)
        case "without the option":
            await without_the_option(at, refuse)
        case "under the other name":
            await under_the_other_name(at, refuse)
        case _:
            raise AssertionError(expected)


async def test_no_refusal_of_any_server_ends_a_conversation(tmp_path: Path) -> None:
    rows = [
        (server, aspect, variant, refusal)
        for server in load_servers().values()
        for aspect in ASPECTS
        for variant, refusal in enumerate(server.refusals[aspect])
    ]
    assert len(rows) > 120
    async with house(tmp_path) as plain, house(tmp_path, temperature=0.2, max_output_tokens=50) as particular:
        for server, aspect, variant, refusal in rows:
            at = particular if aspect == "options" else plain
            at.forget()
            try:
                await follows(at, partial(at.simulator.refuse, server.key, aspect, variant), refusal.expect or USUAL[aspect])
            except AssertionError as error:
                raise AssertionError(f"{server.name}, {aspect} {variant}: {refusal.body}: {error}") from error


async def test_an_option_is_left_out_by_its_name_in_any_words(tmp_path: Path) -> None:
    rows = [
        (400, "max_tokens (50) is too large: this model takes at most 16", "max_tokens"),
        (400, "'max_tokens' or 'max_completion_tokens' is too large: 50. This model's maximum context length is 8", "max_tokens"),
        (422, "body.max_tokens: Input should be less than or equal to 16", "max_tokens"),
        (500, "litellm.UnsupportedParamsError: nova does not support parameters: ['temperature']", "temperature"),
        (404, "This deployment has a fixed temperature; only the default is allowed.", "temperature"),
        (400, "temperature 参数非法", "temperature"),
        (400, "Valor inválido: temperature deve ser 1", "temperature"),
        (422, "Für max_tokens sind höchstens 16 erlaubt", "max_tokens"),
        (400, "La température est fixe: invalid temperature", "temperature"),
        (
            400,
            "Unable to submit request because it has a maxOutputTokens value of 50 but the supported range is 1 to 8",
            "max_tokens",
        ),
    ]
    for status, text, left_out in rows:
        async with house(tmp_path, temperature=0.2, max_output_tokens=50) as at:
            at.simulator.fault("status", status=status, text=text)
            assert said(await at.ask(at.turn("Hello"))) == "echo: Hello", text
            assert [left_out in call.body for call in at.simulator.calls] == [True, False], text
            assert all("tools" in call.body for call in at.simulator.calls), text


async def test_too_long_an_answer_beside_too_long_a_prompt_is_left_out_last(tmp_path: Path) -> None:
    words = "maximum context length is 8 tokens, but you asked for 50 (12 in the messages, 50 in max_tokens). Please reduce the messages"
    async with house(tmp_path, max_output_tokens=50) as at:
        at.simulator.fault("status", status=400, text=words, times=3)
        said(await at.ask(at.turn("Hello", history=history("Hi", "Hello!"))))
        assert [len(call.messages) for call in at.simulator.calls] == [4, 3, 2, 2]
        assert ["max_tokens" in call.body for call in at.simulator.calls] == [True, True, True, False]


async def test_a_refusal_that_nobody_understands_may_be_about_an_option(tmp_path: Path) -> None:
    async with house(tmp_path, temperature=0.2) as at:
        at.simulator.fault("status", status=400, text="não", times=3)
        for _ in range(2):
            assert said(await at.ask(at.turn("Hello", history=history("Hi", "Hello!")))).endswith("Hello")
        first, *_, last = at.simulator.calls
        assert "temperature" in first.body
        assert "temperature" not in last.body
        assert "tools" in last.body, "what made no difference is not left out for good"
        assert "responder:assistant:temperature" in at.problems


async def test_an_option_that_is_not_sent_is_not_what_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path) as at:
        at.simulator.fault("status", status=400, text="Unsupported value: temperature", times=99)
        error = await at.ask(at.turn("Hello"))
        assert isinstance(error, RetryLater)
        assert error.until_mended
        assert [problem.key for problem in at.problems] == ["responder:assistant:settings"]


async def test_the_order_of_roles_is_mended_in_either_api(tmp_path: Path) -> None:
    for server, aspect, mended in (
        ("vllm", "roles", joined),
        ("gemini", "system", folded),
        ("vllm", "pictures", without_pictures),
    ):
        async with house(tmp_path, api="responses") as at:
            await mended(at, partial(at.simulator.refuse, server, aspect))


async def test_neighbours_are_joined_with_their_pictures(tmp_path: Path) -> None:
    async with house(tmp_path) as at:
        at.simulator.refuse("mistral", "roles")
        at.simulator.refuse("lmstudio", "system")
        turn = at.turn("One", "[image]", files=(at.picture(1),))
        said(await at.ask(turn))
        (message,) = at.simulator.calls[-1].messages
        kinds = [part["type"] for part in message["content"]]
        assert kinds == ["text", "text", "text", "image_url"]
        assert "bakery" in message["content"][0]["text"]


async def test_too_many_pictures_lose_the_older_ones(tmp_path: Path) -> None:
    async with house(tmp_path) as at:
        at.simulator.fault("status", status=400, text="At most 1 image(s) may be provided in one request.", times=2)
        older = tuple(HistoryMessage(f"h{n}", "customer", "[image]", NOW, attachments=(at.picture(n),)) for n in range(3))
        said(await at.ask(at.turn("[image]", history=older, files=(at.picture(3),))))
        assert [len(call.pictures) for call in at.simulator.calls] == [4, 2, 1]
        assert base64.b64encode(content_of(3)).decode() in at.simulator.calls[-1].pictures[0]


async def test_a_body_too_large_loses_its_pictures_before_its_words(tmp_path: Path) -> None:
    async with house(tmp_path) as at:
        at.simulator.fault("status", status=413, text="Payload too large")
        lines = history("Hi", "Hello!")
        said(await at.ask(at.turn("[image]", history=lines, files=(at.picture(1),))))
        first, second = at.simulator.calls
        assert (len(first.pictures), len(second.pictures)) == (1, 0)
        assert len(first.messages) == len(second.messages)


async def test_what_was_learnt_while_time_ran_out_is_not_lost(tmp_path: Path) -> None:
    async with house(tmp_path, timeout=f"{round(patience(700))}ms") as at:
        await at.responder.open()
        at.simulator.refuse("openai", "length", longest=300)
        at.simulator.delay_ms = 0
        at.simulator.fault("hang")  # the first request that fits
        long = at.turn("What about this?", history=history(*[LONG] * 8))
        assert isinstance(await at.ask(long), RetryLater)
        tries = len(at.simulator.calls)
        assert tries > 2
        said(await at.ask(long))
        assert len(at.simulator.calls) == tries + 1


# the manual


def cell(server: Server, aspect: Aspect) -> str:
    rows = server.refusals[aspect]
    return "<br>".join(shown(row) for row in rows) or "–"


def shown(refusal: Refusal) -> str:
    words = words_of(refusal.body)
    quoted = words if len(words) <= 70 else words[:70].rstrip() + "…"
    text = f"{refusal.status} “{quoted}”" if quoted else f"{refusal.status} without words"
    text = text if refusal.documented else f"not documented; read as {text}"
    return (text + (f" → {refusal.expect}" if refusal.expect else "")).replace("|", "\\|")


def words_of(body: Any) -> str:
    if isinstance(body, str):
        title = re.search(r"<title>(.*?)</title>", body)
        return title[1] if title else body
    if isinstance(body, list):
        return words_of(body[0])
    if "choices" in body:
        return str(body["choices"][0]["finish_reason"])
    inner = body.get("error") or (body.get("errors") or [None])[0] or body
    return inner if isinstance(inner, str) else str(inner.get("message") or inner.get("detail"))


def test_the_manual_shows_the_recorded_refusals() -> None:
    manual = MANUAL.read_text(encoding="utf-8")
    aspects: tuple[Aspect, ...] = ("length", "pictures", "tools", "keys", "quota", "filters")
    rows = [
        f"| {server.name} | " + " | ".join(cell(server, aspect) for aspect in aspects) + " |"
        for server in load_servers().values()
    ]
    rows += [f"| {server.name} | {cell(server, 'options')} |" for server in load_servers().values() if server.refusals["options"]]
    strict = [
        f"| {server.name} | {cell(server, 'roles')} | {cell(server, 'system')} |"
        for server in load_servers().values()
        if server.refusals["roles"] or server.refusals["system"]
    ]
    assert [row for row in (*rows, *strict) if row not in manual] == []
    assert len(rows) > 20
