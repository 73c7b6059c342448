"""How much of a conversation a responder is given."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sara import Attachment, Contact, HistoryMessage, Turn
from sara.engines import ReplyView, Role
from sara.policy.context_window import as_it_is_now, estimated_tokens, in_order_of_writing, window
from tests.fakes import line, steady
from tests.rows import each_row

Q1, A1, Q2, A2 = line("q1"), line("a1", role="assistant"), line("q2"), line("a2", role="assistant")
EACH = estimated_tokens("hello")
LINES = st.lists(
    st.builds(
        lambda role, text: line("x", text, role=role),
        st.sampled_from(["customer", "customer", "assistant", "operator", "notice"]),
        st.text(max_size=40),
    ),
    max_size=20,
)


@each_row(("text", "tokens"), [("", 4), ("abcd", 5), ("abcde", 6), ("日本", 6), ("🙂", 5), ("\ud800", 5)])
def test_a_token_is_about_four_bytes_and_a_message_costs_a_few_more(text: str, tokens: int) -> None:
    assert estimated_tokens(text) == tokens


@each_row(
    ("budget", "expected"),
    [
        (5 * EACH, (Q1, A1, Q2, A2)),
        (5 * EACH - 1, (Q2, A2)),
        (4 * EACH, (Q2, A2)),
        (3 * EACH, (Q2, A2)),
        (3 * EACH - 1, ()),
        (2 * EACH, ()),
        (EACH, ()),
        (0, ()),
    ],
)
def test_the_newest_lines_that_fit_are_given_from_a_question_on(budget: int, expected: tuple[HistoryMessage, ...]) -> None:
    assert window([Q1, A1, Q2, A2], [line("new")], budget) == expected


def test_a_conversation_that_we_began_is_given_whole() -> None:
    greeting = line("greeting", role="notice")
    assert window([greeting, Q1, A1], [line("new")], 1_000) == (greeting, Q1, A1)


def test_no_history_gives_none() -> None:
    assert window([], [line("new")], 1_000) == ()


@steady
@given(LINES, st.lists(st.builds(lambda text: line("m", text), st.text(max_size=40)), max_size=3), st.integers(0, 300))
def test_a_window_is_the_end_of_the_history_and_fits(
    history: list[HistoryMessage], messages: list[HistoryMessage], budget: int
) -> None:
    given_lines = window(history, messages, budget)
    assert list(given_lines) == history[len(history) - len(given_lines) :]
    if given_lines:
        assert sum(estimated_tokens(each.text) for each in [*given_lines, *messages]) <= budget
        assert given_lines[0].role == "customer" or len(given_lines) == len(history)


@steady
@given(LINES, st.integers(0, 300))
def test_more_room_never_shows_less(history: list[HistoryMessage], budget: int) -> None:
    assert len(window(history, [], budget)) <= len(window(history, [], budget + 10))


# ── whole turns ───────────────────────────────────────────────────────────────────────────────────────────────────────────

QA = [line(f"{role[0]}{n}", role=role) for n in range(3) for role in ("customer", "customer", "assistant")]
"""Three turns: the customer writes twice, and is answered."""


@each_row(("most", "kept"), [(9, 9), (8, 6), (7, 6), (6, 6), (5, 3), (3, 3), (2, 0), (1, 0), (0, 0), (99, 9)])
def test_no_turn_is_given_in_part_however_few_messages_are_wanted(most: int, kept: int) -> None:
    assert list(window(QA, [], 1_000_000, most)) == QA[len(QA) - kept :]


@each_row(("budget", "kept"), [(9, 9), (8, 6), (6, 6), (5, 3), (2, 0)])
def test_no_turn_is_given_in_part_however_few_tokens_are_left(budget: int, kept: int) -> None:
    assert list(window(QA, [], budget * EACH)) == QA[len(QA) - kept :]


def test_what_is_cut_begins_with_the_first_thing_that_a_customer_said_after_an_answer() -> None:
    talk = [*QA[:3], line("o", role="operator"), line("n", role="notice"), *QA[3:]]
    assert list(window(talk, [], 1_000_000, 8)) == QA[3:]


def test_a_customer_who_was_never_answered_has_one_turn_that_is_given_whole_or_not_at_all() -> None:
    talk = [line(f"q{n}") for n in range(5)]
    assert window(talk, [], 1_000_000, 5) == tuple(talk)
    assert window(talk, [], 1_000_000, 4) == ()


@steady
@given(LINES, st.integers(0, 300), st.integers(0, 25))
def test_a_window_that_is_cut_begins_a_turn(history: list[HistoryMessage], budget: int, most: int) -> None:
    shown = window(history, [], budget, most)
    start = len(history) - len(shown)
    assert len(shown) <= most or start == 0
    if shown and start > 0:
        assert shown[0].role == "customer"
        assert history[start - 1].role != "customer"


# ── the order of writing ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_lines_stand_in_the_order_in_which_they_were_written() -> None:
    minute = 60_000
    # Lines as they are stored: who said it, what, and when; then the order in which they are shown.
    rows: list[tuple[list[tuple[Role, str, int]], str]] = [
        ([], ""),
        ([("customer", "b", 2), ("customer", "a", 1)], "ab"),
        ([("customer", "c", 3), ("customer", "a", 1), ("customer", "b", 2)], "abc"),
        # The same second: as they arrived.
        ([("customer", "b", 1), ("customer", "a", 1)], "ba"),
        ([("customer", "c", 2), ("customer", "b", 1), ("customer", "a", 1)], "bac"),
        # No line leaves its turn: an answer was given to what had arrived by then.
        ([("customer", "b", 2), ("assistant", "x", 3), ("customer", "a", 1)], "bxa"),
        ([("customer", "b", 2), ("notice", "x", 3), ("customer", "a", 1)], "bxa"),
        (
            [("customer", "b", 2), ("customer", "a", 1), ("assistant", "x", 3), ("customer", "d", 5), ("customer", "c", 4)],
            "abxcd",
        ),
        # Our clock may be behind the provider's.
        ([("customer", "a", 9), ("assistant", "x", 3), ("customer", "b", 10)], "axb"),
        # What a person said elsewhere and was told late stands where it was said; a little later it stays where it is.
        ([("customer", "a", 0), ("customer", "b", 90 * minute), ("operator", "x", minute)], "axb"),
        ([("customer", "a", 0), ("assistant", "y", 90 * minute), ("operator", "x", minute)], "axy"),
        ([("customer", "a", 0), ("assistant", "y", 4 * minute), ("operator", "x", minute)], "ayx"),
        ([("customer", "a", 90 * minute), ("operator", "x", 0)], "xa"),
    ]
    for stored, shown in rows:
        lines = [HistoryMessage(f"m{n}", role, text, at) for n, (role, text, at) in enumerate(stored)]
        assert "".join(line.text for line in in_order_of_writing(lines)) == shown, stored


def test_what_was_changed_meanwhile_is_told_as_it_is_now() -> None:
    photo = Attachment("image", "image/png", "r")
    old = HistoryMessage("h1", "customer", "my card is 4111", 1, attachments=(photo,))
    asked = HistoryMessage("m1", "customer", "and this?", 3, attachments=(photo,))
    gone = replace(old, text="[deleted message]", withdrawn=True, attachments=())
    turn = Turn("c1", "a", Contact("p1"), (asked,), (old, HistoryMessage("h2", "assistant", "ok", 2)))

    def seen(*waiting: HistoryMessage, history: tuple[HistoryMessage, ...] = turn.history) -> Turn | None:
        return as_it_is_now(turn, ReplyView("c1", "a", Contact("p1"), False, waiting, history, None, 1, None, "clear"))

    more = replace(asked, id="m2")
    rows: list[tuple[Turn | None, Turn | None]] = [
        (seen(asked), turn),
        (seen(asked, more), turn),
        (seen(replace(asked, attachments=())), turn),
        (seen(replace(asked, text="and that?")), None),
        (seen(replace(asked, kind="image")), None),
        (seen(more), None),
        (seen(), None),
        (as_it_is_now(turn, None), None),
        (seen(asked, history=(gone, turn.history[1])), replace(turn, history=(gone, turn.history[1]))),
        (
            seen(asked, history=(replace(old, text="never mind"), turn.history[1])),
            replace(turn, history=(replace(old, text="never mind"), turn.history[1])),
        ),
        # What is no history any more is no later than what was read.
        (seen(asked, history=()), turn),
    ]
    for number, (found, expected) in enumerate(rows):
        assert found == expected, number
