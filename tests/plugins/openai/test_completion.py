from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sara_openai.completion import LONGEST, RanOut, read, whole_sentences, without_reasoning

from sara import GiveUp, TryLater, Usage


def completion(content: Any, finish: str = "stop", **more: Any) -> SimpleNamespace:
    message = SimpleNamespace(content=content, refusal=more.pop("refusal", None))
    return SimpleNamespace(choices=[SimpleNamespace(message=message, finish_reason=finish)], model="served", **more)


def text(answer: object) -> str:
    (part,) = read(answer, "asked").parts
    return part.text


def test_the_answer_is_one_part() -> None:
    assert text(completion("  Yes.\n\nUntil six. ")) == "Yes.\n\nUntil six."


def test_the_usage_names_the_model_that_served() -> None:
    usage = SimpleNamespace(prompt_tokens=12, completion_tokens=3)
    assert read(completion("Yes.", usage=usage), "asked").usage == Usage(12, 3, "served")


def test_usage_that_is_missing_or_odd_does_no_harm() -> None:
    assert read(completion("Yes."), "asked").usage is None
    assert read(completion("Yes.", usage=SimpleNamespace(prompt_tokens=None)), "asked").usage == Usage(0, 0, "served")


@pytest.mark.parametrize(
    "answer", ["<html>", None, 5, [], SimpleNamespace(choices=None), SimpleNamespace(choices=[]), SimpleNamespace()]
)
def test_an_answer_without_a_choice_is_asked_for_again(answer: object) -> None:
    with pytest.raises(TryLater, match="without a choice"):
        read(answer, "asked")


@pytest.mark.parametrize("content", [None, "", " \n", [], 5, "<think>hm</think>", [{"type": "thinking", "thinking": "hm"}]])
def test_an_empty_answer_is_asked_for_again(content: object) -> None:
    with pytest.raises(TryLater, match="nothing"):
        read(completion(content), "asked")


def test_a_choice_that_is_no_choice_is_asked_for_again() -> None:
    with pytest.raises(TryLater):
        read(SimpleNamespace(choices=[None]), "asked")


def test_an_answer_withheld_by_the_content_filter_is_given_up_even_if_part_of_it_came() -> None:
    with pytest.raises(GiveUp, match="content filter"):
        read(completion("Half of", "content_filter"), "asked")


def test_a_refusal_is_said_to_the_customer() -> None:
    assert text(completion(None, refusal="I can't help with that.")) == "I can't help with that."


def test_content_in_parts_is_read_without_the_thinking() -> None:
    parts = [{"type": "thinking", "text": "hm"}, {"type": "text", "text": "Yes"}, SimpleNamespace(type="text", text=".")]
    assert text(completion(parts)) == "Yes."


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("<think>Let me see.\n</think>\n\nYes.", "Yes."),
        ("Let me see.</think>Yes.", "Yes."),
        ("<think></think>Yes.", "Yes."),
        ("<think>a</think>Yes. <think>b</think>No.", "Yes. No."),
        ("<think>cut off in the mid", ""),
        ("Write <think> like this.", "Write <think> like this."),
        ("Yes.", "Yes."),
    ],
)
def test_reasoning_of_local_models_is_not_said(answer: str, said: str) -> None:
    assert without_reasoning(answer).strip() == said


@given(st.lists(st.sampled_from(["<think>", "</think>", "a", " "])).map("".join))
def test_no_reasoning_tag_is_left_half(answer: str) -> None:
    assert "</think>" not in without_reasoning(answer)


@pytest.mark.parametrize(
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
    assert whole_sentences(cut) == whole


def test_an_answer_cut_by_its_length_ends_with_a_sentence() -> None:
    assert text(completion("We are open. We close at fi", "length")) == "We are open."


def test_an_answer_that_used_all_its_tokens_to_think_is_told_apart() -> None:
    with pytest.raises(RanOut):
        read(completion("", "length"), "asked")


@pytest.mark.parametrize("flood", ["x", "word ", "Yes. ", "\n", "<think>", "</think>", ".", "… \n"])
def test_an_answer_of_ten_megabytes_is_cut(flood: str) -> None:
    assert len(text(completion("Hello! " + flood * (10_000_000 // len(flood)) + " the end"))) <= LONGEST + 1


def test_characters_that_no_database_takes_are_replaced() -> None:
    assert text(completion("a\ud800b\x00c")) == "a\ufffdbc"
