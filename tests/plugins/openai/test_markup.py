"""What templates leave in an answer never reaches a customer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sara_openai.api.result import MAX_ANSWER_CHARS, Answer, OutputTokensExhausted, answer_text, extract_calls, is_length_limit
from sara_openai.responder import OpenAIResponder
from sara_simulators.openai import OpenAISimulator, ToolCalls

from sara import RetryLater, ToolSpec, Turn
from tests.effort import chosen

Turns = Callable[..., Turn]
HAND_OVER = ToolSpec(
    "handoff",
    "Let a person go on.",
    {"type": "object", "properties": {"reason": {"type": "string"}, "urgent": {"type": "boolean"}}, "required": ["reason"]},
)
LOOK_UP = ToolSpec("look_up", "Find an order.", {"type": "object", "properties": {"number": {"type": "integer"}}})


def said(text: str, **more: Any) -> str:
    return answer_text(extract_calls(Answer(text, **more), ()))


REASONING = [
    ("<think>Let me see.\n</think>\n\nYes.", "Yes."),
    ("Let me see.</think>Yes.", "Yes."),
    ("I use `x here.\n</think>\n\nYes, `y`.", "Yes, `y`."),
    ("<think></think>Yes.", "Yes."),
    ("<think>a</think>Yes. <think>b</think>No.", "Yes. No."),
    ("<THINK>a `b</Think>Yes.", "Yes."),
    ("<think type='x'>a</think>Yes.", "Yes."),
    ("<thinking>\nThey greet me.\n</thinking>\nYes.", "Yes."),
    ("<reasoning>a</reasoning>\nYes.", "Yes."),
    ("<analysis>a</analysis>Yes.", "Yes."),
    ("Sure.\n<reflection>a</reflection>\nYes.", "Sure.\n\nYes."),
    ("<scratchpad>a</scratchpad>Yes.", "Yes."),
    ("[THINK]a[/THINK]Yes.", "Yes."),
    ("◁think▷a◁/think▷Yes.", "Yes."),
    ("<seed:think>a<seed:cot_budget_reflect>b</seed:cot_budget_reflect></seed:think>Yes.", "Yes."),
    ("<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>Yes.<|END_RESPONSE|>", "Yes."),
    ("<|begin_of_thought|>a<|end_of_thought|>\n<|begin_of_solution|>Yes.<|end_of_solution|>", "Yes."),
    ("<|channel>thought\na<channel|>Yes.<turn|>", "Yes."),
    ("<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>Yes.<|return|>", "Yes."),
    ("<|start|>assistant<|channel|>final<|message|>Yes.", "Yes."),
    ("<|channel|>commentary<|message|>Let me look.<|end|><|start|>assistant<|channel|>final<|message|>Yes.<|end|>x", "Yes."),
    ("analysisThe user greets.assistantfinalYes.", "Yes."),
    ("Here is my thought process: a\n\nHere is my response: Yes.", "Yes."),
    ("Here are my reasoning steps:\na\n[BEGIN FINAL RESPONSE]\nYes.\n[END FINAL RESPONSE]\n<|end|>", "Yes."),
    ("<think>a</think><answer>Yes.</answer>", "Yes."),
    ("<think>a</think>\n<response>\nYes.", "Yes."),
    ('<context id="0123456789abcdef">\n{"note": "x"}\n</context id="0123456789abcdef">\nYes.', "Yes."),
]
TURNS = [
    ("Yes.<|im_end|>", "Yes."),
    ("Yes.<|im_end|>\n<|im_start|>user\nAnd?<|im_end|>", "Yes."),
    ("<|im_start|>assistant\nYes.<|im_end|>", "Yes."),
    ("Yes.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nAnd?", "Yes."),
    ("<|start_header_id|>assistant<|end_header_id|>\n\nYes.", "Yes."),
    ("Yes.</s>", "Yes."),
    ("<s> Yes.</s>", "Yes."),
    ("Yes.</s><s>[INST] And? [/INST] No.", "Yes."),
    ("Yes. [/INST] No.", "Yes."),
    ("Yes.[INST] And?", "Yes."),
    ("Yes.<end_of_turn>\n<start_of_turn>user\nAnd?", "Yes."),
    ("<start_of_turn>model\nYes.<end_of_turn>", "Yes."),
    ("Yes.<|endoftext|>Human: And?", "Yes."),
    ("Yes.<｜end▁of▁sentence｜><｜User｜>And?", "Yes."),
    ("<｜Assistant｜>Yes.<｜end▁of▁sentence｜>", "Yes."),
    ("Yes.<|end|><|user|>And?", "Yes."),
    ("Yes.<|END_OF_TURN_TOKEN|>", "Yes."),
    ("Yes.[|endofturn|]", "Yes."),
    ("Yes.<eos>No.", "Yes."),
    ("<|begin_of_box|>Yes.<|end_of_box|>", "Yes."),
    ("<bos>Yes.<pad><pad>", "Yes."),
    ("Yes.\n<tool_response>\n{}\n</tool_response>", "Yes."),
]
CITATIONS = [
    ("Till six【4:0†source】.", "Till six."),
    ("Till six 【12†opening hours.pdf】【3:1†b】", "Till six"),
    ("Till six \ue200cite\ue202turn0search0\ue202turn1news2\ue201.", "Till six."),
    ("Till six. citeturn0search0turn3view1", "Till six."),
    ("Till six. \ue200filecite\ue202turn0file0\ue201 Bye.", "Till six. Bye."),
    ("Till six[^1^][^12^].", "Till six."),
    ("Till six [cite: 1, 2].", "Till six."),
    ("[cite_start]Till six [cite: 4].", "Till six."),
    ("Till six [span_3](start_span)[span_3](end_span).", "Till six."),
    ("Till six [citation:3].", "Till six."),
    ("Till six :contentReference[oaicite:0]{index=0}.", "Till six."),
    ("We are <co: 0>open</co: 0> today.", "We are open today."),
    ('We are <cite index="0-1,1-2">open</cite> today.', "We are open today."),
]
UNTOUCHED = [
    "Yes.",
    "Write <think> like this.",
    "Put `</s>` and `<think>a</think>` and `【1†x】` there.",
    "Use:\n```html\n<think>a</think>\n<|im_end|>\n</s>\n```\nDone.",
    "In HTML, <b>bold</b>, <details> and <summary>x</summary> are tags, <br> breaks a line.",
    "Was <s>10 €</s> now 8 €.",
    "Rooms [1], [2] and [^1] are free; a|b, <3, 5 < 6 > 4.",
    "Size <M> or <L>? [x] yes [ ] no",
    "Analysis of the soil: final result.",
    "He recited a poem 【new】.",
    "The analysis <reasoning> tag is no tag here.",
    "The name is handoff, as in `handoff(reason)`.",
    'The JSON `{"name": "handoff", "arguments": {}}` is an example.',
    "functools[0] is Python.",
    "Some models write <tool_call> in the end.",
]


def test_markup_is_not_said() -> None:
    for answer, expected in [*REASONING, *TURNS, *CITATIONS]:
        assert said(answer) == expected, answer


def test_what_is_quoted_or_only_looks_like_markup_stays() -> None:
    for answer in UNTOUCHED:
        assert said(answer) == answer
        read = extract_calls(Answer(answer), [HAND_OVER, LOOK_UP])
        assert (read.text, read.calls) == (answer, ()), answer


NOTHING = [
    "<think>cut off in the mid",
    "<thinking>\n",
    "[THINK]and so",
    "Sure.\n<think>but then",
    "<|channel|>analysis<|message|>They want",
    "analysisThe user wants",
    "Here is my thought process: a",
    "<think>hm</think>",
    "<think>hm</think>\n<answer></answer>",
    "<|im_end|>",
    "</s>",
    "<|endoftext|>Human: And?",
    "【4:0†source】",
    "\u200b\u200c\u200d\ufeff",
    "\u2800\u3164\u115f",
    "\u00ad\u2060 \n\u202e",
    "\ufe0f\u034f",
    "x" * 120_000,
    "ha " * 40_000,
    "0\n" * 5_000,
    "Yes, we are open on Sunday from 8 to 12 " * 2_000,
    "\ud83d\ude42" * 3_000,
]


def test_an_answer_in_which_nothing_can_be_read_is_none() -> None:
    for answer in NOTHING:
        with pytest.raises(RetryLater):
            pytest.fail(f"{answer[:40]!r}: {said(answer)[:40]!r}")
        with pytest.raises(OutputTokensExhausted):
            said(answer, is_truncated=True)


def test_a_half_answer_is_said_up_to_its_last_whole_sentence() -> None:
    rows = [
        ("We are open. We close at fi", "We are open."),
        ("We are open.\n\n- Monday: 8 to 12\n- Tue", "We are open."),
        ("We open on Tuesday at eight and close at", "We open on Tuesday at eight and close…"),
    ]
    for answer, expected in rows:
        assert said(answer, is_truncated=True) == expected
    with pytest.raises(OutputTokensExhausted):
        said("We are op", is_truncated=True)
    assert said("We are open. See you soon" + "!" * 5_000) == "We are open."
    assert said("We are open. " + "ha" * 50_000) == "We are open."
    assert said("We are open.\n" + "-" * 300) == "We are open.\n" + "-" * 300, "a line is no endless repetition"


def test_a_limit_is_known_in_every_servers_words() -> None:
    for word in (
        "length",
        "LENGTH",
        "max_tokens",
        "MAX_TOKENS",
        "max-tokens",
        "model_length",
        "FinishReason.MAX_TOKENS",
        "max_output_tokens",
    ):
        assert is_length_limit(word), word
    for word in ("stop", "STOP", "tool_calls", "", None, 5, ["length"], "content_filter"):
        assert not is_length_limit(word), word


@pytest.mark.parametrize("api", ["completions"])
async def test_a_server_that_says_it_was_cut_in_its_own_words(
    responder: OpenAIResponder, simulator: OpenAISimulator, turn: Turns
) -> None:
    body = {"choices": [{"message": {"content": "We open at eight. We close at fi"}, "finish_reason": "MAX_TOKENS"}]}
    simulator.fault("body", body=body)
    [part] = (await responder.answer(turn())).parts
    assert part.text == "We open at eight."


def test_floods_are_read_in_linear_time_and_cut() -> None:
    floods = [
        "word ",
        "<think>",
        "</think>",
        "a<s>",
        "<tool_call>",
        "<analysis>",
        "\n<think>",
        "[",
        "{",
        "【",
        "\ue200",
        "```",
        "`a",
        "<|",
        "<t:",
    ]
    for flood in floods:
        text = "Hello! It is so. " + flood * (chosen(short=400_000, full=3_000_000) // len(flood)) + " the end"
        try:
            assert len(said(text)) <= MAX_ANSWER_CHARS + 1, flood
        except RetryLater:
            continue


# ── calls of tools that are written as text ───────────────────────────────────────────────────────────────────────────────

REASON = {"reason": "They want Ana."}
WRITTEN = [
    '<tool_call>\n{"name": "handoff", "arguments": {"reason": "They want Ana."}}\n</tool_call>',
    'Of course.\n<tool_call>{"name": "handoff", "arguments": {"reason": "They want Ana."}}</tool_call>',
    '<think>hm</think><tool_call>{"name": "handoff", "arguments": "{\\"reason\\": \\"They want Ana.\\"}"}',
    '<tool_call> [{"name":"handoff","arguments":{"reason":"They want Ana."}}]',
    "<tool_call>\n<function=handoff>\n<parameter=reason>\nThey want Ana.\n</parameter>\n</function>\n</tool_call>",
    "<tool_call>handoff\n<arg_key>reason</arg_key>\n<arg_value>They want Ana.</arg_value>\n</tool_call>",
    '<function=handoff>{"reason": "They want Ana."}</function>',
    '<function name="handoff"><param name="reason">"They want Ana."</param></function>',
    '<function_calls>\n<invoke name="handoff">\n<parameter name="reason">They want Ana.</parameter>\n</invoke>\n</function_calls>',
    '<minimax:tool_call><invoke name="handoff"><parameter name="reason">They want Ana.</parameter></invoke></minimax:tool_call>',
    '<function_calls>\nhandoff(reason="They want Ana.")\n</function_calls>',
    '[TOOL_CALLS][{"name": "handoff", "arguments": {"reason": "They want Ana."}}]',
    '[TOOL_CALLS]handoff[ARGS]{"reason": "They want Ana."}',
    '[TOOL_CALLS]handoff[CALL_ID]abc123XYZ[ARGS]{"reason": "They want Ana."}</s>',
    '<|python_tag|>{"name": "handoff", "parameters": {"reason": "They want Ana."}}<|eom_id|>',
    '<|python_tag|>handoff(reason="They want Ana.")',
    '<|tool_call|>[{"name": "handoff", "arguments": {"reason": "They want Ana."}}]<|/tool_call|>',
    '<TOOLCALL>[{"name": "handoff", "arguments": {"reason": "They want Ana."}}]</TOOLCALL>',
    'functools[{"name": "handoff", "arguments": {"reason": "They want Ana."}}]',
    '<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "handoff", "parameters": {"reason": "They want Ana."}}]<|END_ACTION|>',
    '<|tool_calls_section_begin|><|tool_call_begin|>functions.handoff:0<|tool_call_argument_begin|>{"reason": "They want Ana."}'
    "<|tool_call_end|><|tool_calls_section_end|>",
    "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>handoff\n```json\n"
    '{"reason": "They want Ana."}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>',
    '<｜｜tool▁calls▁begin｜><｜｜tool▁call▁begin｜>handoff<｜｜tool▁sep｜>{"reason": "They want Ana."}<｜｜tool▁call▁end｜>',
    '<｜DSML｜function_calls>\n<｜DSML｜invoke name="handoff">\n<｜DSML｜parameter name="reason" string="true">They want Ana.'
    "</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>",
    "<start_function_call>call:handoff{reason:<escape>They want Ana.<escape>}<end_function_call>",
    '<|tool_call>call:handoff{reason:<|"|>They want Ana.<|"|>}<tool_call|>',
    '<|tool_call_start|>[handoff(reason="They want Ana.")]<|tool_call_end|>',
    '<|tools_prefix|>[{"handoff": {"reason": "They want Ana."}}]<|tools_suffix|>',
    "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>commentary to=functions.handoff <|constrain|>json<|message|>"
    '{"reason": "They want Ana."}<|call|>',
    'analysisThey want Ana.assistantcommentary to=functions.handoff json{"reason": "They want Ana."}',
    '```json\n{"name": "handoff", "arguments": {"reason": "They want Ana."}}\n```',
    'Of course.\n\n```json\n{"name": "handoff", "parameters": {"reason": "They want Ana."}}\n```',
    'Of course.\n{"name": "handoff", "arguments": {"reason": "They want Ana."}}',
    '{"name": "functions.handoff", "arguments": {"reason": "They want Ana."}}',
    '{"type": "function", "name": "HandOff", "parameters": {"reason": "They want Ana."}}',
    '{"tool": "handoff", "tool_input": {"reason": "They want Ana."}}',
    '{"action": "handoff", "action_input": {"reason": "They want Ana."}}',
    '{"function_call": {"name": "handoff", "arguments": "{\\"reason\\": \\"They want Ana.\\"}"}}',
    '{"tool_calls": [{"id": "1", "type": "function", "function": {"name": "handoff", "arguments": {"reason": "They want Ana."}}}]}',
    '{"tool_uses": [{"recipient_name": "functions.handoff", "parameters": {"reason": "They want Ana."}}]}',
    '{"handoff": {"reason": "They want Ana."}}',
    '[handoff(reason="They want Ana.")]',
    'functions.handoff({"reason": "They want Ana."})',
    'functions.handoff({reason: "They want Ana."})',
    'handoff("They want Ana.")',
    '```tool_code\nprint(default_api.handoff(reason="They want Ana."))\n```',
    '```xml\n<tool_call>{"name": "handoff", "arguments": {"reason": "They want Ana."}}</tool_call>\n```',
    'Thought: They want Ana.\nAction: handoff\nAction Input: {"reason": "They want Ana."}',
    'to=functions.handoff json {"reason": "They want Ana."}',
]


def test_a_call_in_any_templates_form_is_read() -> None:
    for text in WRITTEN:
        read = extract_calls(Answer(text), [HAND_OVER, LOOK_UP])
        assert [(call.name.lower(), json.loads(call.arguments), call.error) for call in read.calls] in (
            [("handoff", REASON, "")],
        ), text


def test_several_calls_are_read_in_their_order() -> None:
    texts = [
        '<tool_call>{"name": "look_up", "arguments": {"number": 7}}</tool_call>\n'
        '<tool_call>{"name": "handoff", "arguments": {"reason": "They want Ana."}}</tool_call>',
        "<tool_call><function=look_up><parameter=number>7</parameter></function></tool_call>"
        "<tool_call><function=handoff><parameter=reason>They want Ana.</parameter></function></tool_call>",
        '[look_up(number=7), handoff(reason="They want Ana.")]',
        '[{"name": "look_up", "arguments": {"number": 7}}, {"name": "handoff", "arguments": {"reason": "They want Ana."}}]',
    ]
    for text in texts:
        calls = extract_calls(Answer(text), [HAND_OVER, LOOK_UP]).calls
        assert [call.name for call in calls] == ["look_up", "handoff"], text
        assert str(json.loads(calls[0].arguments)["number"]) == "7"


class Box:
    """Tools that note how they were called."""

    def __init__(self) -> None:
        self.specs = (HAND_OVER, LOOK_UP)
        self.calls: list[tuple[str, Any]] = []

    async def call(self, name: str, arguments: str) -> str:
        self.calls.append((name, json.loads(arguments)))
        return "Done."


@pytest.mark.parametrize("api", ["completions", "responses"])
async def test_a_written_call_is_carried_out_and_never_said(
    responder: OpenAIResponder, simulator: OpenAISimulator, turn: Turns
) -> None:
    for text in WRITTEN[::6]:
        box = Box()
        simulator.mode = lambda call, text=text: "Ana will be with you." if call.results else text
        [part] = (await responder.answer(turn("Can I talk to Ana?"), box)).parts
        assert part.text == "Ana will be with you.", text
        assert [(name.lower(), given) for name, given in box.calls] == [("handoff", REASON)], text
        assert simulator.calls[-1].results == ("Done.",)


@pytest.mark.parametrize("api", ["completions", "responses"])
async def test_a_call_that_cannot_be_read_is_told_to_the_model_which_may_try_again(
    responder: OpenAIResponder, simulator: OpenAISimulator, turn: Turns
) -> None:
    unreadable: list[Any] = [
        "<tool_call>\nhand over, please\n</tool_call>",
        '<tool_call>{"name": "handoff", "arguments": {"reason": "They',
        ToolCalls([("??", {})]),
    ]
    for first in unreadable:
        box = Box()
        simulator.mode = lambda call, first=first: (
            first if not call.results else ToolCalls([("handoff", REASON)]) if len(call.results) == 1 else "Ana comes."
        )
        [part] = (await responder.answer(turn("Ana?"), box)).parts
        assert part.text == "Ana comes."
        assert simulator.calls[-1].results[0].startswith("This call could not be read, and nothing was done")
        assert box.calls == [("handoff", REASON)]


async def test_where_no_tools_are_offered_a_written_call_is_an_empty_answer(
    responder: OpenAIResponder, simulator: OpenAISimulator, turn: Turns
) -> None:
    simulator.mode = [WRITTEN[0]]
    with pytest.raises(RetryLater, match="empty answer"):
        await responder.answer(turn())
