from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sara_openai.api.error_body import CONTENT_FILTERED, ErrorBody
from sara_openai.api.responses import ResponsesApi
from sara_openai.api.result import Answer, ToolCall
from sara_openai.media.image_files import EncodedImage
from sara_openai.options import OpenAIOptions
from sara_openai.prompt.request import ModelRequest
from sara_openai.responder import OpenAIResponder
from sara_simulators.openai import OpenAISimulator

from sara import Attachment, GiveUp, HistoryMessage, RetryLater, ToolSpec, Turn, Usage
from tests.rows import each_row

Turns = Callable[..., Turn]
Responders = Callable[..., OpenAIResponder]
OPTIONS = OpenAIOptions(base_url="http://127.0.0.1/v1", api="responses")
SPEC = ToolSpec("handoff", "Let a person go on.", {"type": "object", "properties": {}})

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["message", "reasoning", "function_call", "output_text", "refusal", "incomplete", "failed"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "content", "call_id", "name", "arguments", "text", "refusal", "encrypted_content", "code", "reason"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@pytest.fixture
def api() -> str:
    return "responses"


def response(*output: Any, status: str = "completed", **more: Any) -> SimpleNamespace:
    return SimpleNamespace(output=list(output), status=status, model="served", **more)


def message(*content: Any) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "id": "msg", "content": list(content)}


def text(words: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": words, "annotations": []}


def read(answered: object) -> Answer:
    answer = ResponsesApi().parse_response(answered, "asked")
    assert isinstance(answer, Answer)
    return answer


# the request


async def test_the_model_reads_instructions_history_and_each_message_verbatim_and_nothing_is_stored(
    responder_with: Responders, simulator: OpenAISimulator, turn: Turns
) -> None:
    await responder_with(instructions="Be brief.", facts=False, temperature=0.2, max_output_tokens=50).answer(
        turn(" *Hi*\n", "¿Abren?", history=(("customer", "Hello"), ("operator", "It's me, Ana.")))
    )
    assert simulator.calls[0].body == {
        "model": "gpt-5-mini",
        "instructions": simulator.calls[0].system,
        "input": [
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "It's me, Ana."},
            {"role": "user", "content": " *Hi*\n"},
            {"role": "user", "content": "¿Abren?"},
        ],
        "store": False,
        "temperature": 0.2,
        "max_output_tokens": 50,
    }


async def test_options_that_are_left_out_are_not_sent(
    responder_with: Responders, simulator: OpenAISimulator, turn: Turns
) -> None:
    await responder_with(facts=False).answer(turn())
    assert set(simulator.calls[0].body) == {"model", "input", "store", "instructions"}


def test_a_picture_is_shown_beside_the_words() -> None:
    question = ModelRequest(
        "", [HistoryMessage("m", "customer", "What is this?", 0)], images={"m": [EncodedImage("p", "data:image/png;base64,x")]}
    )
    (item,) = ResponsesApi().build_request(question, OPTIONS)["input"]
    assert item["content"] == [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": "data:image/png;base64,x", "detail": "auto"},
    ]


def test_a_model_is_told_of_tools_and_its_reasoning_is_sealed_to_be_handed_back() -> None:
    question = ModelRequest("", [HistoryMessage("m", "customer", "hi", 0)], tools=[SPEC])
    request = ResponsesApi().build_request(question, OPTIONS)
    assert request["tools"] == [
        {
            "type": "function",
            "name": "handoff",
            "description": "Let a person go on.",
            "parameters": {"type": "object", "properties": {}},
            "strict": False,
        }
    ]
    assert request["include"] == ["reasoning.encrypted_content"]
    assert "tool_choice" not in request
    closing = ModelRequest(
        "", [HistoryMessage("m", "customer", "hi", 0)], tools=[SPEC], final_round=True, encrypted_reasoning=False
    )
    assert ResponsesApi().build_request(closing, OPTIONS)["tool_choice"] == "none"
    assert "include" not in ResponsesApi().build_request(closing, OPTIONS)


async def test_a_picture_that_the_model_cannot_read_is_left_out(
    responder_with: Responders, simulator: OpenAISimulator, turn: Turns, tmp_path: Path
) -> None:
    path = tmp_path / "cat"
    path.write_bytes(b"\xff\xd8\xff" + b"a cat, broken in its middle")
    asked = turn("What is this?")
    shown = replace(asked.messages[0], attachments=(Attachment("image", "image/jpeg", "media-1", path=path),))
    simulator.fault("failed", code="image_parse_error")
    reply = await responder_with(images=True).answer(replace(asked, messages=(shown,)))
    assert reply.parts[0].text == "echo: What is this?"
    assert [isinstance(call.messages[-1]["content"], list) for call in simulator.calls] == [True, False]


# the answer


def test_the_answer_is_all_that_the_messages_say() -> None:
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}
    answered = response(thought, message(text(" Yes."), text(" Until six.")), message(text("\n\nAnd on Sunday. ")))
    assert read(answered).text == "Yes. Until six.\n\nAnd on Sunday."


def test_the_usage_is_read() -> None:
    assert read(response(message(text("Yes.")), usage={"input_tokens": 12, "output_tokens": 3})).usage == Usage(12, 3, "served")


def test_a_refusal_is_no_text() -> None:
    answered = response(message({"type": "refusal", "refusal": "I can't help with that."}))
    assert read(answered) == Answer(refusal="I can't help with that.")


@each_row("answered", ["<html>", None, 5, [], SimpleNamespace(), SimpleNamespace(output=None), {"output": "x"}])
def test_an_answer_without_an_output_is_asked_for_again(answered: object) -> None:
    with pytest.raises(RetryLater, match="without an output"):
        read(answered)


@each_row(
    "item",
    [
        None,
        5,
        "text",
        {},
        {"type": "message"},
        {"type": "message", "content": None},
        {"type": "message", "content": [None, 5, {}]},
        message(text(None)),
        message(text(" \n")),
        message({"type": "refusal", "refusal": None}),
        {"type": "web_search_call"},
        {"type": "reasoning", "summary": []},
    ],
)
def test_items_without_words_say_nothing(item: object) -> None:
    assert read(response(item)) == Answer()


def test_an_answer_cut_by_its_length_says_so() -> None:
    answered = response(message(text("We cl")), status="incomplete", incomplete_details={"reason": "max_output_tokens"})
    assert read(answered) == Answer("We cl", is_truncated=True)


def test_an_answer_withheld_by_the_content_filter_is_given_up_even_if_part_of_it_came() -> None:
    answered = response(message(text("Half of")), status="incomplete", incomplete_details={"reason": "content_filter"})
    assert ResponsesApi().parse_response(answered, "asked") is CONTENT_FILTERED


def test_a_model_that_failed_is_asked_again_unless_it_would_fail_again() -> None:
    for error, status in (
        ({"code": "server_error", "message": "x"}, 500),
        ({"code": "rate_limit_exceeded"}, 429),
        ({"code": 5}, 500),
        (None, 500),
        ({"code": "invalid_prompt"}, 400),
        ({"code": "image_parse_error"}, 400),
        ({"code": "bio_policy"}, 400),
    ):
        failed = ResponsesApi().parse_response(response(status="failed", error=error), "asked")
        assert isinstance(failed, ErrorBody)
        assert failed.status == status, error


async def test_a_failure_told_in_an_answer_is_one(responder: OpenAIResponder, simulator: OpenAISimulator, turn: Turns) -> None:
    simulator.fault("failed")
    with pytest.raises(RetryLater, match="answered 500"):
        await responder.answer(turn())
    simulator.fault("failed", code="invalid_prompt", times=1)
    await responder.answer(turn(history=(("customer", "Hi"), ("assistant", "Hello"))))
    assert len(simulator.calls) == 3, "it may have been something older that was not let pass"
    simulator.fault("failed", code="invalid_prompt", times=2)
    with pytest.raises(GiveUp):
        await responder.answer(turn())


@given(JSON, JSON)
def test_an_output_of_any_shape_is_read_without_a_crash(item: object, other: object) -> None:
    with suppress(RetryLater, GiveUp):
        answer = ResponsesApi().parse_response(
            {"output": [item], "status": other, "error": item, "incomplete_details": item, "usage": item}, "m"
        )
        assert isinstance(answer, ErrorBody) or bool(answer.calls) == bool(answer.echo)


# calls


def function_call(**fields: Any) -> dict[str, Any]:
    return {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "handoff", "arguments": "{}", **fields}


def test_calls_are_read_and_all_items_go_back_as_they_came() -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "sealed\ud800", "status": None}
    beside = {**message(text("One moment.")), "phase": "commentary"}
    answer = read(response(thought, beside, function_call(status="completed")))
    assert answer.calls == (ToolCall("c1", "handoff", "{}"),)
    assert answer.text == "One moment."
    assert answer.echo == (
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "sealed\ufffd"},
        beside,
        function_call(status="completed"),
    )


def test_reasoning_that_is_not_sealed_cannot_go_back() -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": None}
    assert read(response(thought, function_call())).echo == (function_call(),)


@pytest.mark.parametrize("fields", [{"name": None}, {"name": 5}, {"type": "custom_tool_call", "input": "x"}])
def test_a_call_that_cannot_be_made_is_no_call(fields: dict[str, Any]) -> None:
    answer = read(response(message(text("Yes.")), function_call(**fields)))
    assert (answer.text, answer.calls, answer.echo) == ("Yes.", (), ())


def test_a_call_without_an_id_gets_one_that_goes_back_with_it() -> None:
    answer = read(response(function_call(call_id=None)))
    assert answer.echo[0]["call_id"] == answer.calls[0].id
