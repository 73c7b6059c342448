from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from sara_openai.api.result import (
    Answer,
    OutputTokensExhausted,
    ToolCall,
    add_usage,
    answer_text,
    cut_to_sentence,
    parse_tool_calls,
    read_usage,
)

from sara import RetryLater, Usage
from tests.rows import each_row


def test_the_words_are_the_text() -> None:
    assert answer_text(Answer("Yes.\n\nUntil six.")) == "Yes.\n\nUntil six."


def test_a_refusal_is_said_to_the_customer_where_there_is_nothing_else() -> None:
    assert answer_text(Answer(refusal="I can't help with that.")) == "I can't help with that."
    assert answer_text(Answer("Yes.", refusal="No.")) == "Yes."


def test_an_empty_answer_is_asked_for_again() -> None:
    with pytest.raises(RetryLater, match="empty answer"):
        answer_text(Answer())


def test_an_answer_that_used_all_its_tokens_to_think_is_told_apart() -> None:
    with pytest.raises(OutputTokensExhausted):
        answer_text(Answer(is_truncated=True))


def test_an_answer_cut_by_its_length_ends_with_a_sentence() -> None:
    assert answer_text(Answer("We are open. We close at fi", is_truncated=True)) == "We are open."


def test_characters_that_no_database_takes_are_replaced() -> None:
    assert answer_text(Answer("a\ud800b\x00c")) == "a\ufffdbc"


@each_row(
    ("cut", "whole"),
    [
        ("We open at 7.30. We close at", "We open at 7.30."),
        ('He said "yes." And th', 'He said "yes."'),
        ("Yes! All of it is here.", "Yes! All of it is here."),
        ("Hi! This one is far longer than the first and then it en", "Hi! This one is far longer than the first and then it…"),
        ("First paragraph\n\nSecond par", "First paragraph"),
        ("営業中です。日曜は", "営業中です。"),
        ("word", "word…"),
        ("one, tw", "one…"),
    ],
)
def test_a_cut_text_ends_with_its_last_sentence_or_with_an_ellipsis(cut: str, whole: str) -> None:
    assert cut_to_sentence(cut) == whole


# tools


def test_calls_are_read_in_the_order_given() -> None:
    asked = [("one", "handoff", '{"reason": "x"}'), ("two", "look_up", "{}")]
    assert parse_tool_calls(asked) == (ToolCall("one", "handoff", '{"reason": "x"}'), ToolCall("two", "look_up", "{}"))


@each_row("name", [None, "", 5, ["handoff"]])
def test_what_names_no_tool_is_no_call(name: object) -> None:
    assert parse_tool_calls([("one", name, "{}")]) == (None,)


@each_row(
    ("arguments", "text"),
    [(None, "{}"), ("", "{}"), ({"reason": "x"}, '{"reason": "x"}'), ("{broken", "{broken"), ("\ud800", "\ufffd")],
)
def test_arguments_become_the_text_that_the_tool_is_to_judge(arguments: object, text: str) -> None:
    assert parse_tool_calls([("one", "handoff", arguments)]) == (ToolCall("one", "handoff", text),)


@each_row("identities", [[None, None], ["", ""], [5, {}], ["same", "same"], [None, "call_sara_1"]])
def test_each_call_has_an_id_of_its_own(identities: list[object]) -> None:
    calls = parse_tool_calls([(each, "look_up", "{}") for each in identities])
    assert len({call.id for call in calls if call is not None and call.id}) == 2


# usage


def usage(counts: Any, model: Any = "served") -> Usage | None:
    return read_usage(SimpleNamespace(usage=counts, model=model), "asked", "prompt_tokens", "completion_tokens")


def test_the_usage_names_the_model_that_served() -> None:
    assert usage(SimpleNamespace(prompt_tokens=12, completion_tokens=3)) == Usage(12, 3, "served")
    assert usage({"prompt_tokens": 12, "completion_tokens": 3}, None) == Usage(12, 3, "asked")


@each_row("counts", [SimpleNamespace(prompt_tokens=None), {"prompt_tokens": "12"}, {"prompt_tokens": -1}, "x", 5])
def test_usage_that_is_odd_does_no_harm(counts: object) -> None:
    assert usage(counts) == Usage(0, 0, "served")


def test_usage_that_is_missing_is_none() -> None:
    assert usage(None) is None
    assert read_usage("<html>", "asked", "a", "b") is None


@each_row(
    ("first", "second", "total"),
    [
        (None, None, None),
        (Usage(1, 2, "a"), None, Usage(1, 2, "a")),
        (None, Usage(1, 2, "a"), Usage(1, 2, "a")),
        (Usage(1, 2, "a"), Usage(3, 4, "b"), Usage(4, 6, "b")),
    ],
)
def test_the_usage_of_several_requests_is_their_sum(first: Usage | None, second: Usage | None, total: Usage | None) -> None:
    assert add_usage(first, second) == total
