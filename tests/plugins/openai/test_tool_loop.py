"""The model may call tools before it answers, by either API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import structlog
from sara_openai.responder import OpenAIResponder
from sara_simulators.openai import Call, OpenAISimulator, ToolCalls

from sara import GiveUp, Reply, RetryLater, SaraError, ToolSpec, Turn
from sara.helpers import ProblemRegistry

Turns = Callable[..., Turn]
Responders = Callable[..., OpenAIResponder]

HAND_OVER = ToolSpec(
    "handoff",
    "Let a person go on with this conversation.",
    {"type": "object", "properties": {"reason": {"type": "string"}}, "required": ["reason"]},
)
LOOK_UP = ToolSpec("look_up", "Find an order.", {"type": "object", "properties": {}})
WANTS_ANA = ToolCalls([("handoff", {"reason": "They want Ana."})])
KEY = "responder:assistant:tools"


@pytest.fixture(params=["completions", "responses"])
def api(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Box:
    """Tools that note how they were called, and say `told`, or raise it."""

    def __init__(self, *specs: ToolSpec, told: str | Exception = "Done.") -> None:
        self.specs: Sequence[ToolSpec] = specs or (HAND_OVER, LOOK_UP)
        self.told = told
        self.calls: list[tuple[str, str]] = []

    async def call(self, name: str, arguments: str) -> str:
        self.calls.append((name, arguments))
        if isinstance(self.told, Exception):
            raise self.told
        return f"{self.told} ({len(self.calls)})"


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def asked(turn: Turns) -> Turn:
    return turn("Can I talk to Ana?")


def said(reply: Reply) -> str:
    (part,) = reply.parts
    return part.text


async def test_a_tool_is_called_and_the_model_reads_what_it_said_before_it_answers(
    responder: OpenAIResponder, simulator: OpenAISimulator, asked: Turn, box: Box
) -> None:
    simulator.mode = [WANTS_ANA, "Ana will be with you."]
    assert said(await responder.answer(asked, box)) == "Ana will be with you."
    assert [(name, json.loads(arguments)) for name, arguments in box.calls] == [("handoff", {"reason": "They want Ana."})]
    first, second = simulator.calls
    assert (first.tools, first.results) == (("handoff", "look_up"), ())
    assert (second.tools, second.results) == (("handoff", "look_up"), ("Done. (1)",))
    assert first.asked == second.asked == ("Can I talk to Ana?",)


async def test_every_call_of_a_message_is_made_and_answered_in_the_order_given(
    responder: OpenAIResponder, simulator: OpenAISimulator, asked: Turn, box: Box
) -> None:
    simulator.mode = [ToolCalls([("look_up", {}), ("handoff", {"reason": "x"}), ("look_up", {})], text="One moment."), "Yes."]
    assert said(await responder.answer(asked, box)) == "Yes."
    assert [name for name, _ in box.calls] == ["look_up", "handoff", "look_up"]
    assert simulator.calls[1].results == ("Done. (1)", "Done. (2)", "Done. (3)")
    answered = [message["tool_call_id"] for message in simulator.calls[1].messages if message["role"] == "tool"]
    asked_for = [call["id"] for message in simulator.calls[1].messages for call in message.get("tool_calls") or []]
    assert answered == asked_for


async def test_round_follows_round_and_the_usage_is_that_of_all(
    responder: OpenAIResponder, simulator: OpenAISimulator, asked: Turn, box: Box
) -> None:
    simulator.mode = [ToolCalls([("look_up", {})]), ToolCalls([("look_up", {"again": 1})]), "Yes."]
    reply = await responder.answer(asked, box)
    assert said(reply) == "Yes."
    assert [len(call.results) for call in simulator.calls] == [0, 1, 2]
    assert reply.usage
    assert reply.usage.model == "gpt-5-mini"
    alone = await responder.answer(asked, None)
    assert alone.usage
    assert reply.usage.input_tokens > 2 * alone.usage.input_tokens
    assert reply.usage.output_tokens > alone.usage.output_tokens


async def test_after_the_last_round_the_model_has_to_answer(
    responder_with: Responders, simulator: OpenAISimulator, asked: Turn, box: Box
) -> None:
    simulator.mode = lambda call: ToolCalls([("look_up", {})]) if call.tools else "I could not find it."
    assert said(await responder_with(tool_rounds=2).answer(asked, box)) == "I could not find it."
    assert len(box.calls) == 2
    assert [call.body.get("tool_choice") for call in simulator.calls] == [None, None, "none"]
    assert all(call.body["tools"] for call in simulator.calls)


async def test_a_model_that_calls_and_calls_is_asked_again_later(
    responder_with: Responders, simulator: OpenAISimulator, asked: Turn, box: Box
) -> None:
    simulator.mode = [ToolCalls([("look_up", {})])]
    with pytest.raises(RetryLater, match="empty answer"):
        await responder_with(tool_rounds=3).answer(asked, box)
    assert len(box.calls) == 3
    assert len(simulator.calls) == 4


async def test_what_the_model_says_beside_a_call_is_not_said_to_the_customer(
    responder: OpenAIResponder, simulator: OpenAISimulator, asked: Turn, box: Box
) -> None:
    simulator.mode = [ToolCalls([("look_up", {})], text="Let me see."), "Found it."]
    assert said(await responder.answer(asked, box)) == "Found it."


@pytest.mark.parametrize("tools", [None, Box()])
async def test_without_tools_none_are_offered_and_none_called(
    responder: OpenAIResponder, simulator: OpenAISimulator, asked: Turn, tools: Box | None
) -> None:
    if tools is not None:
        tools.specs = ()
    simulator.mode = [WANTS_ANA]
    with pytest.raises(RetryLater, match="empty answer"):
        await responder.answer(asked, tools)
    assert not {"tools", "tool_choice", "include"} & set(simulator.calls[0].body)
    assert tools is None or not tools.calls


@pytest.mark.parametrize("arguments", ["", "{broken", "null", "5", '"a"', "[]", '{"reason": "\\ud800"}', "x" * 100_000])
async def test_arguments_reach_the_tool_as_the_model_wrote_them(
    responder: OpenAIResponder, simulator: OpenAISimulator, asked: Turn, box: Box, arguments: str
) -> None:
    simulator.mode = [ToolCalls([("handoff", arguments)]), "Yes."]
    assert said(await responder.answer(asked, box)) == "Yes."
    assert box.calls == [("handoff", arguments or "{}")]


async def test_a_name_that_is_no_tools_is_the_toolboxs_to_judge(
    responder: OpenAIResponder, simulator: OpenAISimulator, asked: Turn, box: Box
) -> None:
    simulator.mode = [ToolCalls([("delete_everything", {})]), "Yes."]
    assert said(await responder.answer(asked, box)) == "Yes."
    assert box.calls == [("delete_everything", "{}")]


async def test_a_call_that_cannot_be_made_is_an_empty_answer(
    responder: OpenAIResponder, simulator: OpenAISimulator, asked: Turn, box: Box
) -> None:
    simulator.mode = [ToolCalls([("", {})])]
    with pytest.raises(RetryLater, match="empty answer"):
        await responder.answer(asked, box)
    assert box.calls == []


async def test_what_a_tool_says_may_hold_half_a_surrogate_pair(
    responder: OpenAIResponder, simulator: OpenAISimulator, asked: Turn, box: Box
) -> None:
    box.told = "a\ud83d"
    simulator.mode = [WANTS_ANA, "Yes."]
    assert said(await responder.answer(asked, box)) == "Yes."
    assert simulator.calls[1].results == ("a\ufffd (1)",)


@pytest.mark.parametrize("error", [SaraError("stale"), TimeoutError(), ValueError("x"), OSError("x"), GiveUp("no")])
async def test_whatever_a_tool_raises_goes_through_untouched(
    responder: OpenAIResponder, simulator: OpenAISimulator, asked: Turn, box: Box, error: Exception
) -> None:
    box.told = error
    simulator.mode = [WANTS_ANA, "Yes."]
    with pytest.raises(type(error)) as caught:
        await responder.answer(asked, box)
    assert caught.value is error
    assert len(simulator.calls) == 1


async def test_the_timeout_bounds_the_tools_too(
    responder_with: Responders, simulator: OpenAISimulator, asked: Turn, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled = asyncio.Event()

    async def never(name: str, arguments: str) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return ""

    monkeypatch.setattr(box, "call", never)
    simulator.mode = [WANTS_ANA]
    responder = responder_with(timeout="300ms")
    await responder.open()
    with pytest.raises(RetryLater, match=r"within 0\.3 s"):
        await responder.answer(asked, box)
    assert cancelled.is_set()


async def test_the_timeout_bounds_all_rounds_together(
    responder_with: Responders, simulator: OpenAISimulator, asked: Turn, box: Box
) -> None:
    simulator.mode = [ToolCalls([("look_up", {})])]
    simulator.delay_ms = 100
    responder = responder_with(timeout="350ms", tool_rounds=20)
    await responder.open()
    with pytest.raises(RetryLater, match=r"within 0\.35 s"):
        await responder.answer(asked, box)
    assert len(simulator.calls) <= 4


@pytest.mark.parametrize("kind", ["html", "garbage", "no_choices", "null_choices", "null_content", "reset", "cut"])
async def test_a_second_round_that_fails_is_asked_again_later(
    responder: OpenAIResponder, simulator: OpenAISimulator, asked: Turn, kind: Any, box: Box
) -> None:
    def then_fail(call: Call) -> ToolCalls:
        simulator.fault(kind)
        return WANTS_ANA

    simulator.mode = then_fail
    with pytest.raises(RetryLater):
        await responder.answer(asked, box)
    assert len(simulator.calls) == 2


async def test_a_conversation_that_grew_too_long_by_tools_loses_history_and_not_their_results(
    responder: OpenAIResponder, simulator: OpenAISimulator, turn: Turns, box: Box
) -> None:
    history = tuple(("customer" if number % 2 else "assistant", f"line {number}") for number in range(4))

    def grow(call: Call) -> str | ToolCalls:
        if call.results:
            return "Yes."
        simulator.fault("too_long")
        return WANTS_ANA

    simulator.mode = grow
    assert said(await responder.answer(turn("now", history=history), box)) == "Yes."
    assert len(box.calls) == 1
    spoken = [message["content"] for message in simulator.calls[-1].messages if message["role"] in ("user", "assistant")]
    assert spoken == ["line 2", "line 3", "now", None]


# servers that take no tools


async def test_a_server_that_takes_no_tools_is_asked_without_them_and_that_is_remembered(
    responder: OpenAIResponder, simulator: OpenAISimulator, asked: Turn, problems: ProblemRegistry, box: Box
) -> None:
    simulator.rejects_tools, simulator.mode = True, "echo"
    with structlog.testing.capture_logs() as logged:
        assert said(await responder.answer(asked, box)) == "echo: Can I talk to Ana?"
        assert said(await responder.answer(asked, box)) == "echo: Can I talk to Ana?"
    assert ["tools" in call.body for call in simulator.calls] == [True, False, False]
    assert [line["event"] for line in logged if line["log_level"] == "warning"] == ["tools_rejected", "problem_reported"]
    (problem,) = problems
    assert (problem.key, problem.severity, problem.count) == (KEY, "warning", 1)
    assert "conversation.tools" in problem.remedy


async def test_tools_that_are_taken_again_are_no_problem_any_more(
    responder_with: Responders, simulator: OpenAISimulator, asked: Turn, problems: ProblemRegistry, box: Box
) -> None:
    simulator.rejects_tools = True
    await responder_with().answer(asked, box)
    assert KEY in problems
    simulator.rejects_tools = False
    await responder_with().answer(asked, box)
    assert KEY not in problems


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 404, "text": "No endpoints found that support tool use."},
        {"status": 422, "text": "Extra inputs are not permitted", "param": "tools"},
        {"status": 400, "text": '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'},
        {"status": 400, "text": "Invalid schema for function 'x'", "param": "tools[0].function.parameters"},
        {"status": 500, "text": "tools param requires --jinja flag"},
    ],
)
async def test_a_refusal_of_tools_is_known_by_any_servers_words(
    responder: OpenAIResponder,
    simulator: OpenAISimulator,
    asked: Turn,
    problems: ProblemRegistry,
    fault: dict[str, Any],
    box: Box,
) -> None:
    simulator.fault("status", **fault)
    simulator.mode = "echo"
    assert said(await responder.answer(asked, box)) == "echo: Can I talk to Ana?"
    assert KEY in problems


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ({"status": 404, "text": "there is no such model"}, RetryLater),
        ({"status": 500, "text": "the tools broke"}, RetryLater),
        ({"status": 401, "text": "no tools for you"}, RetryLater),
    ],
)
async def test_another_refusal_takes_no_tools_away(
    responder: OpenAIResponder, simulator: OpenAISimulator, asked: Turn, fault: dict[str, Any], outcome: type[Exception], box: Box
) -> None:
    simulator.fault("status", **fault)
    with pytest.raises(outcome):
        await responder.answer(asked, box)
    assert len(simulator.calls) == 1
    await responder.answer(asked, box)
    assert "tools" in simulator.calls[1].body


async def test_a_server_that_refuses_without_tools_too_may_have_meant_something_else(
    responder: OpenAIResponder, simulator: OpenAISimulator, asked: Turn, problems: ProblemRegistry, box: Box
) -> None:
    simulator.fault("status", status=400, text="no tools, no nothing", times=2)
    await responder.answer(asked, box)
    assert not len(problems)
    await responder.answer(asked, box)
    assert ["tools" in call.body for call in simulator.calls] == [True, False, False, True]


async def test_a_server_that_only_minds_that_there_may_be_no_more_calls_keeps_its_tools(
    responder_with: Responders, simulator: OpenAISimulator, asked: Turn, problems: ProblemRegistry, box: Box
) -> None:
    def once(call: Call) -> str | ToolCalls:
        if call.results:
            return "Yes."
        simulator.fault("status", status=404, text="No endpoints found that support the provided 'tool_choice' value.")
        return WANTS_ANA

    simulator.mode = once
    assert said(await responder_with(tool_rounds=1).answer(asked, box)) == "Yes."
    assert ["tools" in call.body for call in simulator.calls] == [True, True, False]
    assert simulator.calls[2].results == ("Done. (1)",)
    assert not len(problems)


async def test_a_refusal_after_a_call_is_not_learnt(
    responder: OpenAIResponder, simulator: OpenAISimulator, asked: Turn, problems: ProblemRegistry, box: Box
) -> None:
    def once(call: Call) -> str | ToolCalls:
        if call.results or not call.tools:
            return "Yes."
        simulator.fault("status", status=400, text="this model does not support tools")
        return WANTS_ANA

    simulator.mode = once
    for _ in range(2):
        assert said(await responder.answer(asked, box)) == "Yes."
    assert ["tools" in call.body for call in simulator.calls] == [True, True, False] * 2
    assert not len(problems)


async def test_arguments_that_are_no_object_never_go_back_to_the_server(
    responder: OpenAIResponder, simulator: OpenAISimulator, asked: Turn, box: Box
) -> None:
    written = ['{"reason": ', "[1]", '"text"', "5", "null", "NaN", '{"a": NaN}', "[" * 100_000, "", '{"reason": "x"}']
    for arguments in written:
        simulator.mode = [ToolCalls([("handoff", arguments)]), "Yes."]
        simulator._replies = 0
        assert said(await responder.answer(asked, box)) == "Yes."
        sent = [
            call["function"]["arguments"] for message in simulator.calls[-1].messages for call in message.get("tool_calls") or ()
        ]
        assert len(sent) == 1, arguments[:20]
        assert isinstance(json.loads(sent[0]), dict), arguments[:20]
        assert "NaN" not in sent[0]
    assert box.calls[0][1] == '{"reason": ', "the toolbox tells the model what was wrong with it"


# the train of thought


async def test_thoughts_go_back_sealed_and_a_model_that_seals_none_is_asked_without(
    responder_with: Responders, simulator: OpenAISimulator, asked: Turn, box: Box
) -> None:
    responder = responder_with(api="responses")
    simulator.mode = lambda call: "Yes." if call.results else WANTS_ANA
    await responder.answer(asked, box)
    assert [item["encrypted_content"] for item in simulator.calls[1].body["input"] if item.get("type") == "reasoning"] == [
        "sealed-1"
    ]
    simulator.reasons = False
    for _ in range(2):
        assert said(await responder.answer(asked, box)) == "Yes."
    assert ["include" in call.body for call in simulator.calls] == [True, True, True, False, False, False, False]
    assert all("tools" in call.body for call in simulator.calls)


# the demo


@pytest.mark.parametrize(
    ("text", "reason", "sentence"),
    [
        ("Can I talk to a human?", "The customer asks for a person.", "Of course."),
        ("Quero falar com um atendente", "O cliente pede para falar com uma pessoa.", "Claro. Numa loja"),
        ("Quiero hablar con una persona, por favor, gracias", "El cliente pide hablar con una persona.", "Claro. En una tienda"),
    ],
)
async def test_the_demo_hands_over_and_says_so(
    responder: OpenAIResponder, simulator: OpenAISimulator, turn: Turns, box: Box, text: str, reason: str, sentence: str
) -> None:
    simulator.mode = "script"
    reply = await responder.answer(turn(text), box)
    assert [(name, json.loads(arguments)) for name, arguments in box.calls] == [("handoff", {"reason": reason})]
    assert sentence in said(reply)
    without = await responder.answer(turn(text), Box(LOOK_UP))
    assert said(without) == said(reply)


async def test_the_demo_calls_nothing_for_anything_else(
    responder: OpenAIResponder, simulator: OpenAISimulator, turn: Turns, box: Box
) -> None:
    simulator.mode = "script"
    await responder.answer(turn("When are you open?"), box)
    assert box.calls == []
