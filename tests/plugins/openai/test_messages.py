from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sara_openai.prompt.messages import Message, replace_surrogates
from sara_openai.prompt.messages import compose_messages as compose_question
from sara_openai.prompt.request import ModelRequest

from sara import HistoryMessage


def compose_messages(briefing: str, history: list[HistoryMessage], messages: list[HistoryMessage]) -> list[Message]:
    return compose_question(ModelRequest(briefing, messages, history, code="c0de"))


def line(text: str, role: Any = "customer") -> HistoryMessage:
    return HistoryMessage(id=text, role=role, text=text, at=0)


def test_instructions_come_first_then_the_history_by_role_then_each_message_on_its_own() -> None:
    history = [line("q", "customer"), line("a", "assistant"), line("o", "operator"), line("n", "notice")]
    assert compose_messages("Be brief.", history, [line("one"), line("two")]) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a"},
        {"role": "assistant", "content": "o"},
        {"role": "assistant", "content": "n"},
        {"role": "user", "content": "one"},
        {"role": "user", "content": "two"},
    ]


def test_without_instructions_there_is_no_system_message() -> None:
    assert compose_messages(" \n", [], [line("hi")]) == [{"role": "user", "content": "hi"}]


@given(st.text())
def test_the_customers_words_are_verbatim(text: str) -> None:
    said = compose_messages("", [], [line(text)])
    # A message without any words is told to be one.
    assert said == [{"role": "user", "content": text}] if text.strip() else '"empty"' in str(said)


def test_earlier_answers_without_words_are_left_out() -> None:
    assert compose_messages("", [line(" ", "assistant")], [line("hi")]) == [{"role": "user", "content": "hi"}]


def test_half_a_surrogate_pair_becomes_something_that_can_be_sent() -> None:
    assert replace_surrogates("a\ud83db") == "a\ufffdb"
    assert replace_surrogates("\ud83d\ude42") == "🙂"
