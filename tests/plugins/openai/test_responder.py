"""What a responder promises, whichever API it asks by."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import structlog
from aiohttp import web
from sara_openai.responder import OpenAIResponder, _choose_tls
from sara_simulators.openai import Call, OpenAISimulator
from sara_simulators.openai.refusals import RequestRejected

from sara import Contact, ContentRefused, GiveUp, Reply, RetryLater, SaraError, Turn
from sara.helpers import ProblemRegistry
from tests.rows import each_row

KEY = "sk-simulated"
Turns = Callable[..., Turn]
Responders = Callable[..., OpenAIResponder]


@pytest.fixture(params=["completions", "responses"])
def api(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def refuse_all_but_the_probe(simulator: OpenAISimulator) -> Callable[[Call], str]:
    """Refuses every request that says `odd`, in words that nobody understands."""

    def reply(call: Call) -> str:
        if "odd" in call.asked[-1]:
            raise RequestRejected(422, "computer says no")
        return f"echo: {call.asked[-1]}"

    return reply


def said(reply: Reply) -> str:
    (part,) = reply.parts
    return part.text


# answers


async def test_a_turn_is_answered_in_one_part_with_its_usage(responder: OpenAIResponder, turn: Turns) -> None:
    reply = await responder.answer(turn("Are you open?"))
    assert said(reply) == "echo: Are you open?"
    assert reply.usage
    assert reply.usage.model == "gpt-5-mini"
    assert reply.usage.input_tokens > 0
    assert reply.usage.output_tokens > 0


async def test_the_model_is_told_the_time_and_whom_it_talks_to(
    responder_with: Responders, simulator: OpenAISimulator, turn: Turns
) -> None:
    zoe = Contact("p1", name="Zoe\nStrange", language="es")
    responder = responder_with(instructions="Greet {name} of {channel}.", timezone="Europe/Lisbon")
    await responder.answer(replace(turn(), contact=zoe, channel="shop"))
    told = simulator.calls[0].system
    assert told.startswith(
        "Greet `customer_name` of shop.\n\n"
        "It is now Friday, 15 January 2027, 08:00 (Europe/Lisbon).\n"
        "So far they wrote in Spanish.\n"
        "Answer in the language the customer writes in.\n\n"
        "How to read this conversation"
    )
    assert '{"customer_name": "Zoe Strange"}' in told.splitlines()
    await responder_with(facts=False).answer(turn())
    assert simulator.calls[1].system.startswith("How to read this conversation")


async def test_the_time_is_that_of_the_options_else_of_the_opening_hours_else_utc(
    responder_with: Responders, simulator: OpenAISimulator, turn: Turns
) -> None:
    rows = (
        # (the options', the conversation's, the whole file's, what the model is told)
        (None, "", "", "08:00 (UTC)"),
        (None, "America/Sao_Paulo", "", "05:00 (America/Sao_Paulo)"),
        (None, "", "Asia/Tokyo", "17:00 (Asia/Tokyo)"),
        (None, "America/Sao_Paulo", "Asia/Tokyo", "05:00 (America/Sao_Paulo)"),
        ("Europe/Berlin", "America/Sao_Paulo", "Asia/Tokyo", "09:00 (Europe/Berlin)"),
        ("UTC", "America/Sao_Paulo", "", "08:00 (UTC)"),
    )
    for option, conversation, file, told in rows:
        responder = responder_with(timezone=option)
        responder.context.timezone = file
        await responder.answer(replace(turn(), timezone=conversation))
        assert told in simulator.calls[-1].system


async def test_nothing_is_taken_from_the_environment(
    responder: OpenAIResponder, simulator: OpenAISimulator, turn: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "from-the-environment")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/elsewhere")
    await responder.answer(turn())
    assert "from-the-environment" not in simulator.calls[0].headers.values()


async def test_a_server_without_keys_is_served_too(responder_with: Responders, simulator: OpenAISimulator, turn: Turns) -> None:
    simulator.api_key = None
    assert said(await responder_with().answer(turn("hi"))) == "echo: hi"


async def test_reasoning_is_not_said(responder: OpenAIResponder, simulator: OpenAISimulator, turn: Turns) -> None:
    simulator.mode = ["<think>They greet me.</think>\n\nHello!"]
    assert said(await responder.answer(turn())) == "Hello!"


async def test_a_refusal_is_said(responder: OpenAIResponder, simulator: OpenAISimulator, turn: Turns) -> None:
    simulator.fault("refusal", text="I can't help with that.")
    assert said(await responder.answer(turn())) == "I can't help with that."


async def test_a_truncated_answer_ends_with_a_sentence(
    responder: OpenAIResponder, simulator: OpenAISimulator, turn: Turns
) -> None:
    simulator.fault("truncated", text="We open at eight. We close at fi")
    assert said(await responder.answer(turn())) == "We open at eight."


async def test_a_flood_of_an_answer_is_cut(responder: OpenAIResponder, simulator: OpenAISimulator, turn: Turns) -> None:
    simulator.mode = [" ".join(f"All of {number} are true." for number in range(100_000))]
    assert 10_000 < len(said(await responder.answer(turn()))) <= 32_001


async def test_half_a_surrogate_pair_does_not_stop_the_call(responder: OpenAIResponder, turn: Turns) -> None:
    assert said(await responder.answer(turn("a\ud83d"))) == "echo: a\ufffd"


async def test_turns_are_answered_side_by_side(responder: OpenAIResponder, simulator: OpenAISimulator, turn: Turns) -> None:
    together = asyncio.Barrier(20)

    async def meet(call: Call) -> str:
        await together.wait()
        return call.asked[0]

    simulator.mode = meet
    replies = await asyncio.gather(*(responder.answer(turn(f"{number}")) for number in range(20)))
    assert [said(reply) for reply in replies] == [f"{number}" for number in range(20)]


async def test_a_responder_that_was_opened_answers_and_closes_twice(responder: OpenAIResponder, turn: Turns) -> None:
    await responder.open()
    assert said(await responder.answer(turn("hi"))) == "echo: hi"
    await responder.close()
    await responder.close()


async def test_the_client_is_made_off_the_loop(responder: OpenAIResponder, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    real = asyncio.to_thread

    async def noted(function: Callable[..., Any], *args: Any) -> Any:
        made.append(function.__name__)
        return await real(function, *args)

    monkeypatch.setattr(asyncio, "to_thread", noted)
    await asyncio.gather(responder.open(), responder.open())
    assert made == ["_make_client"]


def test_the_core_can_see_how_long_a_call_may_take(responder: OpenAIResponder) -> None:
    assert responder.timeout == 60_000


# what is asked again


async def refused_with(responder: OpenAIResponder, turn: Turn, kind: type[SaraError] = RetryLater) -> SaraError:
    with pytest.raises(kind) as caught:
        await responder.answer(turn)
    return caught.value


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
async def test_a_server_that_is_busy_is_asked_later(
    responder: OpenAIResponder, simulator: OpenAISimulator, problems: ProblemRegistry, turn: Turns, status: int
) -> None:
    simulator.fault("status", status=status)
    error = await refused_with(responder, turn())
    assert str(status) in str(error)
    assert len(simulator.calls) == 1
    assert not len(problems)


async def test_a_rate_limit_is_waited_out_as_long_as_the_server_says(
    responder: OpenAIResponder, simulator: OpenAISimulator, turn: Turns
) -> None:
    simulator.fault("rate_limit", retry_after=7)
    error = await refused_with(responder, turn())
    assert isinstance(error, RetryLater)
    assert error.after == 7_000
    simulator.fault("rate_limit", headers={"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m2s"})
    error = await refused_with(responder, turn())
    assert isinstance(error, RetryLater)
    assert error.after == 62_000


@each_row("kind", ["html", "garbage", "no_choices", "null_choices", "null_content"])
async def test_an_answer_that_is_none_is_asked_for_again(
    responder: OpenAIResponder, simulator: OpenAISimulator, turn: Turns, kind: Any
) -> None:
    simulator.fault(kind)
    await refused_with(responder, turn())
    assert said(await responder.answer(turn("hi"))) == "echo: hi"


@each_row(
    "body",
    [
        None,
        5,
        "text",
        [],
        [1],
        {},
        {"choices": 5},
        {"choices": [None]},
        {"choices": [{}]},
        {"choices": [{"message": None}]},
        {"error": {"message": "no"}},
        {"choices": [{"message": {"content": 5}}]},
    ],
)
async def test_json_of_any_other_shape_is_asked_for_again(
    responder: OpenAIResponder, simulator: OpenAISimulator, turn: Turns, body: Any
) -> None:
    simulator.fault("body", body=body)
    await refused_with(responder, turn())


@pytest.mark.parametrize("kind", ["reset", "cut"])
async def test_a_broken_connection_is_told_as_such(
    responder: OpenAIResponder, simulator: OpenAISimulator, turn: Turns, kind: Any
) -> None:
    simulator.fault(kind)
    assert "closed the connection" in str(await refused_with(responder, turn()))
    assert said(await responder.answer(turn("hi"))) == "echo: hi"


async def test_a_refused_connection_is_told_as_such(responder_with: Responders, turn: Turns) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{unused.getsockname()[1]}"
        error = await refused_with(responder_with(base_url=f"http://{host}/v1"), turn())
    assert str(error) == f"{host} refused the connection"


async def test_a_name_that_does_not_exist_is_told_as_such(responder_with: Responders, turn: Turns) -> None:
    error = await refused_with(responder_with(base_url="http://no-such-host.invalid/v1"), turn())
    assert "could not be resolved" in str(error)


async def test_bytes_that_are_no_http_are_asked_for_again(responder_with: Responders, turn: Turns) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await refused_with(responder_with(base_url=f"http://127.0.0.1:{port}/v1"), turn())


async def test_a_silent_server_is_given_up_after_the_timeout_and_the_remedy_names_it(
    responder_with: Responders, simulator: OpenAISimulator, problems: ProblemRegistry, turn: Turns
) -> None:
    responder = responder_with(timeout="200ms")
    await responder.open()
    simulator.fault("hang")
    error = await refused_with(responder, turn())
    assert "within 0.2 s" in str(error)
    (problem,) = problems
    assert "`timeout`" in problem.remedy
    await responder.answer(turn())
    assert not len(problems)


async def test_the_timeout_bounds_the_whole_call_though_bytes_keep_coming(responder_with: Responders, turn: Turns) -> None:
    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.02)

    app = web.Application()
    app.router.add_post("/v1/{api:chat/completions|responses}", trickle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        responder = responder_with(base_url=f"http://127.0.0.1:{runner.addresses[0][1]}/v1", timeout="300ms")
        await responder.open()
        assert "within 0.3 s" in str(await refused_with(responder, turn()))
    finally:
        await runner.cleanup()


async def test_a_cancelled_call_is_cancelled(responder: OpenAIResponder, simulator: OpenAISimulator, turn: Turns) -> None:
    simulator.fault("hang")
    task = asyncio.create_task(responder.answer(turn()))
    await simulator.wait_for(lambda calls: calls)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# what is given up


async def test_a_request_that_the_server_will_never_take_is_given_up(
    responder: OpenAIResponder, simulator: OpenAISimulator, problems: ProblemRegistry, turn: Turns
) -> None:
    simulator.mode = refuse_all_but_the_probe(simulator)
    await refused_with(responder, turn("odd"), GiveUp)
    assert not len(problems)


async def test_a_request_that_is_refused_whoever_asks_is_a_setting(
    responder_with: Responders, simulator: OpenAISimulator, problems: ProblemRegistry, turn: Turns
) -> None:
    responder = responder_with(instructions="Be brief.")
    simulator.fault("status", status=422, text="Extra inputs are not permitted: who knows", times=None)
    error = await refused_with(responder, turn("Hello", history=HISTORY))
    assert isinstance(error, RetryLater)
    assert error.until_mended, "no message is at fault, so none is given up"
    assert "who knows" in error.detail
    (problem,) = problems
    assert problem.key == "responder:assistant:settings"
    assert "who knows" in problem.message
    simulator.clear_faults()
    assert said(await responder.answer(turn("Hello"))) == "echo: Hello"
    assert not len(problems)


async def test_conversations_that_are_refused_alike_one_after_the_other_are_a_setting(
    responder: OpenAIResponder, simulator: OpenAISimulator, problems: ProblemRegistry, turn: Turns
) -> None:
    simulator.mode = refuse_all_but_the_probe(simulator)
    for number in range(2):
        await refused_with(responder, replace(turn("odd"), conversation=f"c{number}"), GiveUp)
    error = await refused_with(responder, replace(turn("odd"), conversation="c2"))
    assert isinstance(error, RetryLater)
    assert error.until_mended
    assert "responder:assistant:settings" in problems
    assert said(await responder.answer(turn("fine"))) == "echo: fine"
    await refused_with(responder, replace(turn("odd"), conversation="c3"), GiveUp)
    assert not len(problems)


async def test_an_answer_withheld_by_the_content_filter_is_given_up_and_the_customer_told(
    responder: OpenAIResponder, simulator: OpenAISimulator, turn: Turns
) -> None:
    simulator.fault("content_filter", times=2)
    await refused_with(responder, turn(), ContentRefused)


HISTORY = tuple(("customer" if number % 2 else "assistant", f"line {number:02}") for number in range(10))


async def test_a_conversation_too_long_for_the_model_is_halved_until_it_fits(
    responder: OpenAIResponder, simulator: OpenAISimulator, turn: Turns
) -> None:
    simulator.fault("too_long", times=2)
    assert said(await responder.answer(turn("now", history=HISTORY))) == "echo: line 09 | now"
    asked = [[message["content"] for message in call.messages if message["role"] != "system"] for call in simulator.calls]
    assert asked == [[text for _, text in HISTORY[start:]] + ["now"] for start in (0, 5, 8)]
    await responder.answer(turn("now", history=HISTORY))
    assert len(simulator.calls) == 4, "the size that fits is remembered"


async def test_a_message_too_long_by_itself_loses_its_middle(
    responder: OpenAIResponder, simulator: OpenAISimulator, turn: Turns
) -> None:
    simulator.fault("too_long", times=3)
    await responder.answer(turn("short", "begin " + "x" * 4_000 + " end", history=HISTORY[:1]))
    short, long = simulator.calls[-1].asked
    assert short == "short"
    assert long.startswith("begin xxx")
    assert long.endswith("xxx end")
    assert "left out" in long
    assert len(long) < 1_200


async def test_instructions_too_long_by_themselves_are_a_setting(
    responder: OpenAIResponder, simulator: OpenAISimulator, problems: ProblemRegistry, turn: Turns
) -> None:
    simulator.fault("too_long", times=None)
    error = await refused_with(responder, turn(history=HISTORY))
    assert isinstance(error, RetryLater)
    assert error.until_mended
    (problem,) = problems
    assert "`instructions`" in problem.remedy
    assert len(simulator.calls) == 5


# what a person has to mend


@each_row(
    ("fault", "key"),
    [
        ({"kind": "unauthorized"}, "credentials"),
        ({"kind": "status", "status": 403}, "credentials"),
        ({"kind": "quota"}, "quota"),
        ({"kind": "status", "status": 402}, "quota"),
        ({"kind": "no_model"}, "model"),
        ({"kind": "status", "status": 308, "headers": {"Location": "https://elsewhere.example.org/v1"}}, "settings"),
    ],
)
async def test_what_a_person_has_to_mend_waits_is_a_problem_and_is_cleared_by_the_next_answer(
    responder: OpenAIResponder,
    simulator: OpenAISimulator,
    problems: ProblemRegistry,
    turn: Turns,
    fault: dict[str, Any],
    key: str,
) -> None:
    simulator.fault(**fault)
    error = await refused_with(responder, turn())
    assert isinstance(error, RetryLater)
    assert error.until_mended
    (problem,) = problems
    assert problem.key == f"responder:assistant:{key}"
    assert problem.remedy
    await responder.answer(turn())
    assert not len(problems)


async def test_a_wrong_key_is_a_problem(responder_with: Responders, problems: ProblemRegistry, turn: Turns) -> None:
    await refused_with(responder_with(api_key="sk-wrong"), turn())
    assert "responder:assistant:credentials" in problems


async def test_an_unknown_model_is_a_problem(responder_with: Responders, problems: ProblemRegistry, turn: Turns) -> None:
    await refused_with(responder_with(model="gpt-0"), turn())
    assert "responder:assistant:model" in problems


async def test_a_new_problem_takes_the_place_of_the_old_one(
    responder: OpenAIResponder, simulator: OpenAISimulator, problems: ProblemRegistry, turn: Turns
) -> None:
    simulator.fault("unauthorized")
    simulator.fault("quota", times=2)
    for _ in range(3):
        await refused_with(responder, turn())
    (problem,) = problems
    assert (problem.key, problem.count) == ("responder:assistant:quota", 2)


async def test_a_busy_server_clears_no_problem(
    responder: OpenAIResponder, simulator: OpenAISimulator, problems: ProblemRegistry, turn: Turns
) -> None:
    simulator.fault("unauthorized")
    simulator.fault("status", status=503)
    for _ in range(2):
        await refused_with(responder, turn())
    assert len(problems) == 1


async def test_a_limit_too_small_for_any_answer_is_a_problem(
    responder_with: Responders, simulator: OpenAISimulator, problems: ProblemRegistry, turn: Turns
) -> None:
    simulator.fault("truncated", text="<think>Let me see")
    await refused_with(responder_with(max_output_tokens=50), turn())
    (problem,) = problems
    assert "max_output_tokens" in problem.remedy


async def test_no_conversation_is_sent_to_where_a_redirect_points(
    responder: OpenAIResponder, simulator: OpenAISimulator, turn: Turns, api: str
) -> None:
    address = "responses" if api == "responses" else "chat/completions"
    simulator.fault("status", status=307, headers={"Location": f"{simulator.base_url}/{address}"})
    await refused_with(responder, turn())
    assert len(simulator.calls) == 1


# what nobody may read


@each_row(
    "fault",
    [{"kind": kind} for kind in ("unauthorized", "reset", "cut", "html", "garbage", "null_content", "too_long", "content_filter")]
    + [{"kind": "status", "status": status, "text": f"{KEY} my-secret-words"} for status in (400, 401, 404, 429, 500)],
)
async def test_neither_the_key_nor_the_customers_words_are_in_errors_logs_or_problems(
    responder: OpenAIResponder,
    simulator: OpenAISimulator,
    problems: ProblemRegistry,
    turn: Turns,
    caplog: pytest.LogCaptureFixture,
    fault: dict[str, Any],
) -> None:
    caplog.set_level(logging.DEBUG)
    asked = turn("my-secret-words")
    simulator.fault(**fault, times=None)
    with structlog.testing.capture_logs() as logged, pytest.raises(SaraError) as caught:
        await responder.answer(asked)
    told = "".join(traceback.format_exception(caught.value))
    shown = getattr(caught.value, "detail", "")
    seen = f"{told} {caught.value!r} {shown} {list(problems)} {logged} {caplog.text}"
    assert KEY not in seen
    assert "my-secret-words" not in seen
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@each_row(
    "url, proxies, reads",
    [
        ("https://api.openai.com/v1", {}, True),
        ("http://127.0.0.1:11434/v1", {}, False),
        ("http://ai.example.org/v1", {"HTTP_PROXY": "http://proxy.example.org:3128"}, False),
        ("http://ai.example.org/v1", {"HTTP_PROXY": "https://proxy.example.org:3128"}, True),
    ],
)
def test_certificates_are_read_only_where_they_are_asked_for(url: str, proxies: dict[str, str], reads: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            for spelling in (name, name.lower()):
                patch.delenv(spelling, raising=False)
        for name, proxy in proxies.items():
            patch.setenv(name, proxy)
        trusted = _choose_tls(url)
    if reads:
        assert trusted is True, "as the client does by itself"
    else:
        assert isinstance(trusted, ssl.SSLContext)
        assert trusted.cert_store_stats()["x509"] == 0
        assert (trusted.verify_mode, trusted.check_hostname) == (ssl.CERT_REQUIRED, True), "nobody is trusted"
