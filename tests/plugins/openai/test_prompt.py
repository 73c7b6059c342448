from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sara_openai.prompt import compose, cost, encodable, estimate, window

from sara import Line


def line(text: str, role: Any = "customer") -> Line:
    return Line(id=text, role=role, text=text, at=0)


lines = st.lists(st.builds(line, st.text(max_size=60)), max_size=12)


@pytest.mark.parametrize(("text", "tokens"), [("", 5), ("abcd", 5), ("abcde", 6), ("é" * 4, 6), ("🙂", 5), ("\ud800", 5)])
def test_a_token_is_estimated_as_four_bytes_and_a_message_as_four_more(text: str, tokens: int) -> None:
    assert estimate(text) == tokens


def test_the_window_keeps_the_newest_lines_whole() -> None:
    history = [line("a" * 40), line("b" * 40), line("c" * 40)]
    assert window(history, [line("abcd")], 5 + 14 + 14) == tuple(history[1:])
    assert window(history, [line("abcd")], 5 + 14 + 13) == tuple(history[2:])


def test_the_window_has_no_gap_even_where_an_older_line_would_still_fit() -> None:
    history = [line("a"), line("b" * 400), line("c")]
    assert window(history, [], 40) == (history[2],)


def test_unanswered_messages_are_never_dropped_and_take_their_room_from_the_history() -> None:
    assert window([line("a")], [line("b" * 4_000)], 100) == ()


@given(lines, lines, st.integers(0, 300))
def test_the_window_is_the_longest_end_of_the_history_within_the_budget(
    history: list[Line], messages: list[Line], budget: int
) -> None:
    kept = window(history, messages, budget)
    assert kept == tuple(history[len(history) - len(kept) :])
    assert not kept or cost([*kept, *messages]) <= budget
    assert len(kept) == len(history) or cost([*history[-len(kept) - 1 :], *messages]) > budget


def test_instructions_come_first_then_the_history_by_role_then_each_message_on_its_own() -> None:
    history = [line("q", "customer"), line("a", "assistant"), line("o", "operator"), line("n", "notice")]
    assert compose("Be brief.", history, [line("one"), line("two")]) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a"},
        {"role": "assistant", "content": "o"},
        {"role": "assistant", "content": "n"},
        {"role": "user", "content": "one"},
        {"role": "user", "content": "two"},
    ]


def test_without_instructions_there_is_no_system_message() -> None:
    assert compose(" \n", [], [line("hi")]) == [{"role": "user", "content": "hi"}]


@given(st.text())
def test_the_customers_words_are_verbatim(text: str) -> None:
    assert compose("", [], [line(text)]) == [{"role": "user", "content": text}]


def test_earlier_messages_without_words_are_left_out() -> None:
    assert compose("", [line(" ")], [line("hi")]) == [{"role": "user", "content": "hi"}]


def test_half_a_surrogate_pair_becomes_something_that_can_be_sent() -> None:
    assert encodable("a\ud83db") == "a\ufffdb"
    assert encodable("\ud83d\ude42") == "🙂"
