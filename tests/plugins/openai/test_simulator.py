from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from sara_openai.prompt.summary import SUMMARY_INSTRUCTIONS
from sara_simulators.openai import Call, OpenAISimulator, ToolCalls
from sara_simulators.openai.script import answer_topics, language_of, topics_of

from tests.rows import each_row

GOOD = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "hi"}]}
KEY = {"Authorization": "Bearer sk-simulated"}


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def post(
    session: aiohttp.ClientSession, simulator: OpenAISimulator, body: Any, to: str = "chat/completions", **headers: str
) -> tuple[int, Any]:
    sent = {"data": body} if isinstance(body, bytes) else {"json": body}
    async with session.post(f"{simulator.base_url}/{to}", headers={**KEY, **headers}, **sent) as response:
        return response.status, await response.json()


async def test_it_needs_no_arguments_and_gives_the_options_that_reach_it() -> None:
    simulator = OpenAISimulator()
    with pytest.raises(RuntimeError, match="start"):
        simulator.options()
    base_url = await simulator.start()
    assert simulator.options() == {"model": "gpt-5-mini", "base_url": base_url, "api_key": "sk-simulated"}
    assert base_url.endswith("/v1")
    await simulator.stop()
    await simulator.stop()


async def test_it_answers_as_openai_does(session: aiohttp.ClientSession, simulator: OpenAISimulator) -> None:
    status, body = await post(session, simulator, GOOD)
    assert status == 200
    assert body["object"] == "chat.completion"
    assert body["choices"][0]["message"]["content"] == "echo: hi"
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"] > 0


async def test_it_lists_its_model(session: aiohttp.ClientSession, simulator: OpenAISimulator) -> None:
    async with session.get(f"{simulator.base_url}/models", headers=KEY) as response:
        assert [model["id"] for model in (await response.json())["data"]] == ["gpt-5-mini"]
    async with session.get(f"{simulator.base_url}/models") as response:
        assert response.status == 401


@each_row(
    ("body", "status", "param"),
    [
        (b"{", 400, None),
        (b"[]", 400, None),
        ({"messages": GOOD["messages"]}, 400, None),
        ({"model": "gpt-5-mini"}, 400, "messages"),
        ({**GOOD, "messages": []}, 400, "messages"),
        ({**GOOD, "messages": ["hi"]}, 400, "messages[0]"),
        ({**GOOD, "messages": [{"content": "hi"}]}, 400, "messages[0].role"),
        ({**GOOD, "messages": [{"role": "customer", "content": "hi"}]}, 400, "messages[0].role"),
        ({**GOOD, "messages": [{"role": "user", "content": None}]}, 400, "messages[0].content"),
        ({**GOOD, "temperature": 5}, 400, "temperature"),
        ({**GOOD, "max_tokens": "many"}, 400, "max_tokens"),
        ({**GOOD, "stream": True}, 400, "stream"),
        ({**GOOD, "model": "gpt-0"}, 404, None),
    ],
)
async def test_it_refuses_what_openai_refuses(
    session: aiohttp.ClientSession, simulator: OpenAISimulator, body: Any, status: int, param: str | None
) -> None:
    answered, error = await post(session, simulator, body)
    assert (answered, error["error"]["param"]) == (status, param)
    assert set(error["error"]) == {"message", "type", "param", "code"}


def called(*identities: str, **fields: Any) -> dict[str, Any]:
    """An assistant's message that calls a tool for each id."""
    calls = [
        {"id": each, "type": "function", "function": {"name": "look_up", "arguments": "{}", **fields}} for each in identities
    ]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(identity: Any, content: Any = "Found.") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": identity, "content": content}


USER = {"role": "user", "content": "hi"}
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


@each_row(
    ("changes", "param"),
    [
        ({"tools": [TOOL]}, None),
        ({"tools": [TOOL], "tool_choice": "none"}, None),
        ({"tools": []}, "tools"),
        ({"tools": {}}, "tools"),
        ({"tools": [TOOL] * 129}, "tools"),
        ({"tools": [{**TOOL, "type": "custom"}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "name": "look_up"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": [{"type": "function", "function": {"name": "look up"}}]}, "tools[0].function.name"),
        ({"tools": [{"type": "function", "function": {"name": "x" * 65}}]}, "tools[0].function.name"),
        (
            {"tools": [{"type": "function", "function": {"name": "x", "parameters": {"type": "array"}}}]},
            "tools[0].function.parameters",
        ),
        ({"tool_choice": "none"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": "never"}, "tool_choice"),
        ({"messages": [USER, called("a", "b"), result("a"), result("b")]}, None),
        ({"messages": [USER, called("a", "b"), result("b"), result("a"), called("a"), result("a"), USER]}, None),
        ({"messages": [USER, called("a", "b"), result("a")]}, "messages[1]"),
        ({"messages": [USER, called("a"), USER, result("a")]}, "messages[1]"),
        ({"messages": [USER, result("a")]}, "messages[1].role"),
        ({"messages": [USER, called("a"), result("b")]}, "messages[2].role"),
        ({"messages": [USER, called("a"), result("a"), result("a")]}, "messages[3].role"),
        ({"messages": [USER, called("a"), result(None)]}, "messages[2].tool_call_id"),
        ({"messages": [USER, called("a"), result("a", None)]}, "messages[2].content"),
        ({"messages": [USER, called("")]}, "messages[1].tool_calls[0].id"),
        ({"messages": [USER, called("a", name="look up"), result("a")]}, "messages[1].tool_calls[0].function.name"),
        ({"messages": [USER, called("a", arguments={}), result("a")]}, "messages[1].tool_calls[0].function.arguments"),
        ({"messages": [USER, {**called("a"), "role": "user"}, result("a")]}, "messages[1].tool_calls"),
        ({"messages": [USER, called()]}, "messages[1].tool_calls"),
    ],
)
async def test_it_takes_tools_their_calls_and_results_as_openai_does(
    session: aiohttp.ClientSession, simulator: OpenAISimulator, changes: dict[str, Any], param: str | None
) -> None:
    status, body = await post(session, simulator, {**GOOD, **changes})
    assert (status, body.get("error", {}).get("param")) == (400 if param else 200, param)


ITEM = {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "look_up", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "a", "output": "Found."}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "sealed"}
ASK: dict[str, Any] = {"model": "gpt-5-mini", "input": [USER]}


@each_row(
    ("changes", "status", "param"),
    [
        ({}, 200, None),
        ({"input": "hi"}, 200, None),
        ({"input": ""}, 400, "input"),
        ({"input": []}, 400, "input"),
        ({"input": None}, 400, "input"),
        ({"input": ["hi"]}, 400, "input[0]"),
        ({"input": [{"role": "tool", "content": "x"}]}, 400, "input[0].role"),
        ({"input": [{"role": "user", "content": None}]}, 400, "input[0].content"),
        ({"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, 400, "input[0].content[0]"),
        ({"input": [{"type": "thing"}]}, 400, "input[0].type"),
        ({"messages": [USER]}, 400, "messages"),
        ({"max_tokens": 50}, 400, "max_tokens"),
        ({"max_output_tokens": 5}, 400, "max_output_tokens"),
        ({"instructions": 5}, 400, "instructions"),
        ({"model": "gpt-0"}, 404, None),
        ({"tools": [TOOL]}, 400, "tools[0].name"),
        ({"tools": [{"type": "function", "name": "look_up", "parameters": {"type": "object"}}]}, 200, None),
        ({"input": [USER, THOUGHT, ITEM, OUTPUT]}, 200, None),
        ({"input": [USER, ITEM, OUTPUT]}, 400, "input[1]"),
        ({"input": [USER, THOUGHT, ITEM]}, 400, "input[2]"),
        ({"input": [USER, OUTPUT]}, 400, "input[1]"),
        ({"input": [USER, {**THOUGHT, "encrypted_content": None}, ITEM, OUTPUT]}, 404, "input[1]"),
        ({"input": [USER, THOUGHT, {**ITEM, "call_id": None}, OUTPUT]}, 400, "input[2].call_id"),
        ({"input": [USER, THOUGHT, {**ITEM, "name": "look up"}, OUTPUT]}, 400, "input[2].name"),
        ({"input": [USER, THOUGHT, {**ITEM, "arguments": {}}, OUTPUT]}, 400, "input[2].arguments"),
        ({"input": [USER, THOUGHT, ITEM, {**OUTPUT, "output": None}]}, 400, "input[3].output"),
    ],
)
async def test_responses_takes_what_openai_takes(
    session: aiohttp.ClientSession, simulator: OpenAISimulator, changes: dict[str, Any], status: int, param: str | None
) -> None:
    answered, body = await post(session, simulator, {**ASK, **changes}, "responses")
    error = body.get("error") or {}
    assert (answered, error.get("param")) == (status, param)


async def test_responses_answers_as_openai_does(session: aiohttp.ClientSession, simulator: OpenAISimulator) -> None:
    _, body = await post(session, simulator, ASK, "responses")
    assert (body["object"], body["status"]) == ("response", "completed")
    (message,) = body["output"]
    assert message["content"] == [{"type": "output_text", "text": "echo: hi", "annotations": [], "logprobs": []}]
    assert body["usage"]["total_tokens"] == body["usage"]["input_tokens"] + body["usage"]["output_tokens"] > 0


async def test_calls_are_asked_for_as_openai_does(session: aiohttp.ClientSession, simulator: OpenAISimulator) -> None:
    simulator.mode = [ToolCalls([("look_up", {"name": "Zoë"}), ("look_up", "{broken")], text="One moment.")]
    _, body = await post(session, simulator, GOOD)
    choice = body["choices"][0]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", "One moment.")
    assert [call["function"]["arguments"] for call in choice["message"]["tool_calls"]] == ['{"name": "Zoë"}', "{broken"]
    _, body = await post(session, simulator, {**ASK, "include": ["reasoning.encrypted_content"]}, "responses")
    assert [item["type"] for item in body["output"]] == ["message", "reasoning", "function_call", "function_call"]
    assert body["output"][1]["encrypted_content"] == "sealed-2"
    simulator.reasons = False
    _, body = await post(session, simulator, ASK, "responses")
    assert [item["type"] for item in body["output"]] == ["message", "function_call", "function_call"]


@pytest.mark.parametrize("to", ["chat/completions", "responses"])
async def test_what_was_asked_is_the_same_with_tools_in_between(
    session: aiohttp.ClientSession, simulator: OpenAISimulator, to: str
) -> None:
    before = [{"role": "user", "content": "old"}, {"role": "assistant", "content": "x"}, {"role": "user", "content": "one"}, USER]
    if to == "responses":
        body: dict[str, Any] = {**ASK, "instructions": "Be brief.", "input": [*before, THOUGHT, ITEM, OUTPUT]}
    else:
        system = {"role": "system", "content": "Be brief."}
        body = {**GOOD, "messages": [system, *before, called("a"), result("a")]}
    await post(session, simulator, body, to)
    (call,) = simulator.calls
    assert (call.asked, call.results, call.system, call.is_first_contact) == (("one", "hi"), ("Found.",), "Be brief.", False)


async def test_a_server_without_tools_takes_none(session: aiohttp.ClientSession, simulator: OpenAISimulator) -> None:
    simulator.rejects_tools = True
    status, body = await post(session, simulator, {**GOOD, "tools": [TOOL]})
    assert status == 400
    assert "does not support tools" in body["error"]["message"]
    assert (await post(session, simulator, GOOD))[0] == 200


async def test_a_summary_uses_up_no_reply(session: aiohttp.ClientSession, simulator: OpenAISimulator) -> None:
    simulator.mode = ["one", "two"]
    told = [
        {"role": "system", "content": SUMMARY_INSTRUCTIONS},
        {"role": "user", "content": '{"at": "2026-11-27 13:45", "from": "customer", "text": "Hi"}'},
    ]
    answers = [
        (await post(session, simulator, body))[1]["choices"][0]["message"]["content"]
        for body in (GOOD, {**GOOD, "messages": told}, GOOD)
    ]
    assert answers == ["one", "The customer wrote, in 1 of 1 lines: Hi", "two"]


@pytest.mark.parametrize("authorization", ["", "Bearer sk-wrong", "sk-simulated"])
async def test_it_checks_the_key(session: aiohttp.ClientSession, simulator: OpenAISimulator, authorization: str) -> None:
    status, _ = await post(session, simulator, GOOD, Authorization=authorization)
    assert status == 401


async def test_echo_shows_every_message_that_was_asked(session: aiohttp.ClientSession, simulator: OpenAISimulator) -> None:
    messages = [("user", "old"), ("assistant", "a"), ("user", "one"), ("user", "two")]
    body = {**GOOD, "messages": [{"role": role, "content": text} for role, text in messages]}
    _, answer = await post(session, simulator, body)
    assert answer["choices"][0]["message"]["content"] == "echo: one | two"
    assert simulator.calls[0].asked == ("one", "two")


async def test_a_list_of_replies_is_said_in_order_and_its_last_repeats(
    session: aiohttp.ClientSession, simulator: OpenAISimulator
) -> None:
    simulator.mode = ["one", "two"]
    answers = [(await post(session, simulator, GOOD))[1]["choices"][0]["message"]["content"] for _ in range(3)]
    assert answers == ["one", "two", "two"]


async def test_a_function_answers(session: aiohttp.ClientSession, simulator: OpenAISimulator) -> None:
    simulator.mode = lambda call: f"number {call.number}"
    _, answer = await post(session, simulator, GOOD)
    assert answer["choices"][0]["message"]["content"] == "number 1"


async def test_a_fault_hits_as_often_as_it_should_and_the_next_follows(
    session: aiohttp.ClientSession, simulator: OpenAISimulator
) -> None:
    simulator.fault("status", status=503, times=2)
    simulator.fault("rate_limit", retry_after=1)
    assert [(await post(session, simulator, GOOD))[0] for _ in range(4)] == [503, 503, 429, 200]
    assert [call.status for call in simulator.calls] == [503, 503, 429, 200]


async def test_a_lasting_fault_ends_when_it_is_healed(session: aiohttp.ClientSession, simulator: OpenAISimulator) -> None:
    simulator.fault("quota", times=None)
    assert [(await post(session, simulator, GOOD))[0] for _ in range(3)] == [429] * 3
    simulator.clear_faults()
    assert (await post(session, simulator, GOOD))[0] == 200


def test_a_fault_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ValueError, match="rate_limit"):
        OpenAISimulator().fault("rate-limit")  # type: ignore[arg-type]  # the point of the test


async def test_a_slow_answer_is_the_right_one(session: aiohttp.ClientSession, simulator: OpenAISimulator) -> None:
    simulator.fault("slow", delay_ms=1)
    status, answer = await post(session, simulator, GOOD)
    assert (status, answer["choices"][0]["message"]["content"]) == (200, "echo: hi")


@pytest.mark.parametrize("kind", ["reset", "cut"])
async def test_a_torn_connection_is_seen_as_one(session: aiohttp.ClientSession, simulator: OpenAISimulator, kind: Any) -> None:
    simulator.fault(kind)
    with pytest.raises((aiohttp.ClientConnectionError, aiohttp.ClientPayloadError)):
        await post(session, simulator, GOOD)
    await simulator.wait_for(lambda calls: calls[0].status == 0)


async def test_waiting_ends_with_the_call_waited_for(session: aiohttp.ClientSession, simulator: OpenAISimulator) -> None:
    simulator.fault("hang")
    task = asyncio.create_task(post(session, simulator, GOOD))
    (call,) = await simulator.wait_for(lambda calls: len(calls) == 1)
    assert call.status is None
    task.cancel()


async def test_waiting_in_vain_ends_too(simulator: OpenAISimulator) -> None:
    with pytest.raises(TimeoutError):
        await simulator.wait_for(lambda calls: calls, timeout=0.01)


async def test_a_mistake_in_what_is_waited_for_shows_where_it_was_made(
    session: aiohttp.ClientSession, simulator: OpenAISimulator
) -> None:
    waiting = asyncio.create_task(simulator.wait_for(lambda calls: calls and calls[0].nothing))  # type: ignore[attr-defined]  # the mistake
    await asyncio.sleep(0)
    assert (await post(session, simulator, GOOD))[0] == 200
    with pytest.raises(AttributeError, match="nothing"):
        await waiting


async def test_stopping_ends_calls_that_hang(session: aiohttp.ClientSession, simulator: OpenAISimulator) -> None:
    simulator.fault("hang")
    task = asyncio.create_task(post(session, simulator, GOOD))
    await simulator.wait_for(lambda calls: calls)
    await simulator.stop()
    with pytest.raises(aiohttp.ClientError):
        await task


# the script


def call(*asked: str, earlier: tuple[str, ...] = ()) -> Call:
    history = [{"role": "assistant" if index % 2 else "user", "content": text} for index, text in enumerate(earlier)]
    return Call(1, {"messages": [*history, *({"role": "user", "content": text} for text in asked)]}, {})


def test_the_script_says_at_first_that_it_is_one() -> None:
    assert "not an AI" in answer_topics(call("Hi"))
    assert "not an AI" not in answer_topics(call("What does bread cost?", earlier=("Hi", "Hello")))
    assert "a script" in answer_topics(call("Are you a bot?", earlier=("Hi", "Hello")))


@each_row(
    ("text", "topic"),
    [
        ("Are you open on Sunday?", "hours"),
        ("How much is a loaf?", "prices"),
        ("Quanto custa um pão?", "prices"),
        ("¿Cuánto cuesta el pan?", "prices"),
        ("Vocês entregam?", "delivery"),
        ("Can I talk to a human?", "human"),
        ("Where is my order?", "order"),
        ("Thank you!", "thanks"),
        ("Olá", "greeting"),
        ("Buenos días", "greeting"),
        ("A birthday cake, please", "cake"),
        ("Are you an AI?", "robot"),
        ("Vocês estão aí?", "unknown"),
        ("🙂", "unknown"),
    ],
)
def test_the_script_knows_what_is_asked(text: str, topic: str) -> None:
    assert topic in topics_of(text)


@each_row(
    ("texts", "language"),
    [
        (["Are you open?"], "en"),
        (["Vocês abrem no domingo?"], "pt"),
        (["¿Abren el domingo?"], "es"),
        (["Bom dia", "ok"], "pt"),
        (["Hola", "What is the price?"], "en"),
        (["🙂"], "en"),
    ],
)
def test_the_script_answers_in_the_customers_language(texts: list[str], language: str) -> None:
    assert language_of(texts) == language


def test_a_burst_is_answered_topic_by_topic_in_one_go() -> None:
    answer = answer_topics(call("Hello", "Are you open on Sunday?", "And what do buns cost?", earlier=("a", "b")))
    assert [("Saturday" in part, "€2.90" in part) for part in answer.split("\n\n")] == [(True, False), (False, True)]


def test_the_script_always_says_the_same() -> None:
    assert answer_topics(call("Hi", "xyz")) == answer_topics(call("Hi", "xyz"))


def test_the_script_has_an_answer_to_everything() -> None:
    assert all(answer_topics(asked) for asked in (call(), call(""), call("🙂"), call("\ud800")))
