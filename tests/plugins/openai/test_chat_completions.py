from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import ClientResponse
from aioresponses import aioresponses
from hypothesis import given
from hypothesis import strategies as st
from sara_openai.api.chat_completions import ChatCompletionsApi
from sara_openai.api.error_body import ErrorBody
from sara_openai.api.result import Answer, ToolCall
from sara_openai.options import OpenAIOptions
from sara_openai.prompt.request import ModelRequest
from sara_openai.responder import OpenAIResponder
from sara_simulators.openai import OpenAISimulator

from sara import Context, GiveUp, HistoryMessage, Reply, RetryLater, ToolSpec, Turn, Usage
from sara.helpers import ProblemRegistry
from tests.rows import each_row

Turns = Callable[..., Turn]
Responders = Callable[..., OpenAIResponder]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["function", "length"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["message", "content", "refusal", "tool_calls", "id", "function", "name", "arguments", "text", "type"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


def said(reply: Reply) -> str:
    (part,) = reply.parts
    return part.text


def completion(content: Any, finish: str = "stop", **more: Any) -> SimpleNamespace:
    message = SimpleNamespace(content=content, refusal=more.pop("refusal", None), tool_calls=more.pop("tool_calls", None))
    return SimpleNamespace(choices=[SimpleNamespace(message=message, finish_reason=finish)], model="served", **more)


def read(answered: object) -> Answer:
    answer = ChatCompletionsApi().parse_response(answered, "asked")
    assert isinstance(answer, Answer)
    return answer


# the request


async def test_the_model_reads_instructions_history_and_each_message_verbatim(
    responder_with: Responders, simulator: OpenAISimulator, turn: Turns
) -> None:
    await responder_with(instructions="Be brief.", facts=False).answer(
        turn(" *Hi*\n", "¿Abren?", history=(("customer", "Hello"), ("assistant", "Hi!"), ("operator", "It's me, Ana.")))
    )
    assert simulator.calls[0].body == {
        "model": "gpt-5-mini",
        "messages": [
            {"role": "system", "content": simulator.calls[0].system},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi!"},
            {"role": "assistant", "content": "It's me, Ana."},
            {"role": "user", "content": " *Hi*\n"},
            {"role": "user", "content": "¿Abren?"},
        ],
    }


async def test_options_that_are_left_out_are_not_sent(
    responder: OpenAIResponder, simulator: OpenAISimulator, turn: Turns
) -> None:
    await responder.answer(turn())
    assert set(simulator.calls[0].body) == {"model", "messages"}


async def test_a_compatible_server_is_told_the_limit_in_the_old_word(
    responder_with: Responders, simulator: OpenAISimulator, turn: Turns
) -> None:
    await responder_with(temperature=0.2, max_output_tokens=50).answer(turn())
    assert {**simulator.calls[0].body, "messages": None} == {
        "model": "gpt-5-mini",
        "messages": None,
        "temperature": 0.2,
        "max_tokens": 50,
    }


class MockedResponse(ClientResponse):
    """What aioresponses makes, with the argument that it does not know of."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        writer = type("Writer", (), {"output_size": 0})()
        super().__init__(*args, stream_writer=writer, **kwargs)


async def test_openai_itself_is_called_at_its_address_and_told_the_limit_in_the_new_word(
    problems: ProblemRegistry, tmp_path: Path, turn: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/elsewhere")
    options = OpenAIOptions.model_validate({"api_key": "sk-real", "max_output_tokens": 50})
    responder = OpenAIResponder(options, Context("assistant", tmp_path, lambda: 0, problems))
    payload = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Yes."}}]}
    with aioresponses() as mocked:
        mocked.post("https://api.openai.com/v1/chat/completions", payload=payload, response_class=MockedResponse)
        assert said(await responder.answer(turn())) == "Yes."
        ((request,),) = mocked.requests.values()
        assert b'"max_completion_tokens":50' in request.kwargs["data"]
        assert request.kwargs["headers"]["Authorization"] == "Bearer sk-real"
    await responder.close()


async def test_a_model_is_told_of_tools_and_at_last_that_there_are_none(tmp_path: Path) -> None:
    options = OpenAIOptions(base_url="http://127.0.0.1/v1")
    spec = ToolSpec("handoff", "Let a person go on.", {"type": "object", "properties": {}})
    question = ModelRequest("Be brief.", [HistoryMessage("m", "customer", "hi", 0)], tools=[spec])
    request = ChatCompletionsApi().build_request(question, options)
    function = {"name": "handoff", "description": "Let a person go on.", "parameters": {"type": "object", "properties": {}}}
    assert request["tools"] == [{"type": "function", "function": function}]
    assert "tool_choice" not in request
    closing = ModelRequest("Be brief.", [HistoryMessage("m", "customer", "hi", 0)], tools=[spec], final_round=True)
    assert ChatCompletionsApi().build_request(closing, options)["tool_choice"] == "none"


# the answer


def test_the_answer_is_the_first_choice() -> None:
    assert read(completion("  Yes.\n\nUntil six. ")).text == "Yes.\n\nUntil six."


def test_the_usage_is_read() -> None:
    usage = SimpleNamespace(prompt_tokens=12, completion_tokens=3)
    assert read(completion("Yes.", usage=usage)).usage == Usage(12, 3, "served")


@each_row("answered", ["<html>", None, 5, [], SimpleNamespace(choices=None), SimpleNamespace(choices=[]), SimpleNamespace()])
def test_an_answer_without_a_choice_is_asked_for_again(answered: object) -> None:
    with pytest.raises(RetryLater, match="without a choice"):
        read(answered)


@each_row("content", [None, "", " \n", [], 5, [{"type": "thinking", "thinking": "hm"}]])
def test_an_answer_without_words_has_no_text(content: object) -> None:
    assert read(completion(content)) == Answer()


def test_a_choice_that_is_no_choice_has_no_text() -> None:
    assert read(SimpleNamespace(choices=[None])) == Answer()


def test_an_end_that_is_no_answer_is_read_as_an_error() -> None:
    for finish, code in (
        ("content_filter", "content_filter"),
        ("content_filter: PROHIBITED_CONTENT", "content_filter"),
        ("SAFETY", "content_filter"),
        ("sensitive", "content_filter"),
        ("RECITATION", "content_filter"),
        ("error", "error"),
        ("network_error", "network_error"),
    ):
        failed = ChatCompletionsApi().parse_response(completion("Half of", finish), "asked")
        assert isinstance(failed, ErrorBody), finish
        assert code in failed.codes, finish
    assert read(completion("All of it.", "stop")).text == "All of it."


def test_an_error_in_a_200_is_read_as_one() -> None:
    for body, said in (
        ({"error": {"message": "Provider returned error", "code": 429}}, "Provider returned error"),
        ([{"error": {"message": "Overloaded", "code": 503}}], "Overloaded"),
        ({"error": "no capacity"}, "no capacity"),
        ({"detail": "try again"}, "try again"),
        ({"success": False, "errors": [{"code": 3040, "message": "Capacity exceeded"}]}, "Capacity exceeded"),
        ({"code": 401, "msg": "令牌已过期", "success": False}, "令牌已过期"),
        ({"choices": [{"finish_reason": "error", "error": {"code": 502, "message": "upstream died"}}]}, "upstream died"),
        ({"id": "x", "choices": [], "error": {"message": "No output"}}, "No output"),
        ({"choices": [{"message": {"content": ""}}], "error": {"message": "upstream died"}}, "upstream died"),
        ({"choices": [{"message": {"content": None}, "finish_reason": "stop", "error": {"message": "gone"}}]}, "gone"),
    ):
        failed = ChatCompletionsApi().parse_response(body, "asked")
        assert isinstance(failed, ErrorBody), body
        assert said in failed.message, body


def test_a_refusal_is_no_text() -> None:
    assert read(completion(None, refusal="I can't help with that.")) == Answer(refusal="I can't help with that.")


def test_content_in_parts_is_read_without_the_thinking() -> None:
    parts = [{"type": "thinking", "text": "hm"}, {"type": "text", "text": "Yes"}, SimpleNamespace(type="text", text=".")]
    assert read(completion(parts)).text == "Yes."


@given(JSON)
def test_a_choice_of_any_shape_is_read_without_a_crash(choice: object) -> None:
    with suppress(RetryLater, GiveUp):
        answer = read({"choices": [choice], "usage": choice, "model": choice})
        assert bool(answer.calls) == bool(answer.echo)


# calls


def call(identity: Any = "c1", name: Any = "handoff", arguments: Any = "{}", **more: Any) -> SimpleNamespace:
    return SimpleNamespace(id=identity, type="function", function=SimpleNamespace(name=name, arguments=arguments), **more)


def test_calls_are_read_and_sent_back_as_they_came() -> None:
    answer = read(completion(None, "tool_calls", tool_calls=[call(arguments='{"reason": "x"}'), call("c2", "look_up")]))
    assert answer.calls == (ToolCall("c1", "handoff", '{"reason": "x"}'), ToolCall("c2", "look_up", "{}"))
    first = {"id": "c1", "type": "function", "function": {"name": "handoff", "arguments": '{"reason": "x"}'}}
    second = {"id": "c2", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
    assert answer.echo == ({"role": "assistant", "content": None, "tool_calls": [first, second]},)


def test_what_is_said_beside_a_call_goes_back_with_it() -> None:
    answer = read(completion("<think>hm</think>One moment.", "tool_calls", tool_calls=[call()]))
    assert answer.echo[0]["content"] == "<think>hm</think>One moment."


def test_thoughts_without_which_a_server_refuses_to_go_on_go_back_with_the_call() -> None:
    signed = call(extra_content={"google": {"thought_signature": "s"}}, index=0)
    answered = completion(None, "tool_calls", tool_calls=[signed])
    answered.choices[0].message.reasoning_content = "They want Ana.\ud800"
    answered.choices[0].message.annotations = []
    (echo,) = read(answered).echo
    assert echo["reasoning_content"] == "They want Ana.\ufffd"
    assert echo["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "s"}}
    assert set(echo) == {"role", "content", "tool_calls", "reasoning_content"}
    assert set(echo["tool_calls"][0]) == {"id", "type", "function", "extra_content"}


@each_row(
    "broken",
    [
        None,
        [],
        {},
        5,
        "handoff",
        [None],
        [5],
        ["handoff"],
        [{}],
        [{"id": "c1"}],
        [{"id": "c1", "function": None}],
        [{"id": "c1", "function": "handoff"}],
        [{"id": "c1", "function": {"arguments": "{}"}}],
        [{"id": "c1", "function": {"name": 5, "arguments": "{}"}}],
        [{"id": "c1", "type": "custom", "custom": {"name": "handoff", "input": "x"}}],
    ],
)
def test_a_call_that_cannot_be_made_is_no_call(broken: object) -> None:
    answer = read(completion("Yes.", "tool_calls", tool_calls=broken))
    assert (answer.text, answer.calls, answer.echo) == ("Yes.", (), ())


def test_a_call_that_can_be_made_is_made_though_another_cannot() -> None:
    answer = read(completion(None, tool_calls=[None, {"id": None, "function": {"name": "look_up"}}, {"id": "c3"}]))
    (made,) = answer.calls
    assert (made.name, made.arguments) == ("look_up", "{}")
    assert [each["id"] for each in answer.echo[0]["tool_calls"]] == [made.id]


def test_the_legacy_function_call_is_not_looked_at() -> None:
    answered = completion(None, "function_call")
    answered.choices[0].message.function_call = SimpleNamespace(name="handoff", arguments="{}")
    assert read(answered) == Answer()
