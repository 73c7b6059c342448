"""What the timers of a conversation call for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sara import Contact, Instant, Milliseconds
from sara.engines import TimerView
from sara.policy.settings import ConversationSettings, FollowUp, History
from sara.policy.timers import UNSENT_LOOK, Due, decide, first_look, shown
from tests.fakes import ACCOUNT, CONVERSATION, NOW, steady
from tests.rows import each_row

MINUTE, HOUR = 60_000, 3_600_000
DAY = 24 * HOUR
ASKED, ANSWERED = NOW - 2 * HOUR, NOW - HOUR

QUIET = TimerView(
    conversation=CONVERSATION,
    account=ACCOUNT,
    contact=Contact("p1"),
    opted_out=False,
    mode="bot",
    mode_until=None,
    waiting=0,
    unsent=0,
    customer_at=ASKED,
    ours_at=ANSWERED,
    window_from=ASKED,
    followed_up=False,
    closed=False,
    scheduled=None,
    older=0,
    due=None,
)
"""The customer asked two hours ago, and we answered an hour later."""

FOLLOW_UP = ConversationSettings(follow_up=FollowUp(after=2 * HOUR))
CLOSE = ConversationSettings(session_timeout=5 * HOUR)
SUMMARISE = ConversationSettings(history=History(messages=10, summarise=True))


def due(policy: ConversationSettings, window: Milliseconds | None = DAY, **changes: Any) -> Due | None:
    return decide(replace(QUIET, **changes), policy, window, NOW)


def test_a_policy_without_timers_calls_for_nothing() -> None:
    assert due(ConversationSettings()) is None


# ── the end of a hand-over, and parts with a time of their own ────────────────────────────────────────────────────────────


@each_row(
    ("changes", "expected"),
    [
        ({"mode": "human", "mode_until": NOW + 5}, Due(NOW + 5, "hand_back")),
        ({"mode": "paused", "mode_until": NOW - 5}, Due(NOW - 5, "hand_back")),
        ({"mode": "human", "mode_until": None}, None),
        ({"mode": "bot", "mode_until": NOW + 5}, None),
        ({"scheduled": NOW + 9}, Due(NOW + 9, "release")),
        ({"scheduled": NOW - 9}, Due(NOW - 9, "release")),
        ({"scheduled": NOW + 9, "opted_out": True, "mode": "human"}, Due(NOW + 9, "release")),
    ],
)
def test_hand_overs_end_and_parts_are_said_at_their_time(changes: dict[str, Any], expected: Due | None) -> None:
    assert due(ConversationSettings(), **changes) == expected


# ── asking once more ──────────────────────────────────────────────────────────────────────────────────────────────────────


@each_row(("changes", "expected"),
    [
        ({}, Due(ANSWERED + 2 * HOUR, "follow_up")),
        ({"ours_at": NOW - 3 * HOUR, "customer_at": NOW - 4 * HOUR}, Due(NOW - HOUR, "follow_up")),
        ({"customer_at": None, "window_from": NOW - HOUR}, Due(ANSWERED + 2 * HOUR, "follow_up")),
        ({"customer_at": ANSWERED}, Due(ANSWERED + 2 * HOUR, "follow_up")),
        ({"customer_at": ANSWERED + 1}, None),
        ({"ours_at": None}, None),
        ({"followed_up": True}, None),
        ({"closed": True}, None),
        ({"opted_out": True}, None),
        ({"mode": "human"}, None),
        ({"mode": "paused"}, None),
        ({"waiting": 1}, None),
        ({"unsent": 1}, Due(NOW + UNSENT_LOOK, "look")),
        ({"unsent": 1, "ours_at": None}, Due(NOW + UNSENT_LOOK, "look")),
    ])  # fmt: skip
def test_a_customer_who_fell_silent_is_asked_once_more(changes: dict[str, Any], expected: Due | None) -> None:
    assert due(FOLLOW_UP, **changes) == expected


@each_row(
    ("window", "window_from", "asked"),
    [
        (None, None, True),
        (DAY, ASKED, True),
        (DAY, None, False),
        (3 * HOUR + 1, ASKED, True),
        (3 * HOUR, ASKED, False),
        (2 * HOUR, ASKED, False),
    ],
)
def test_nobody_is_asked_when_we_may_not_write_freely_any_more(
    window: Milliseconds | None, window_from: Instant | None, asked: bool
) -> None:
    assert (due(FOLLOW_UP, window, window_from=window_from) is not None) is asked


def test_who_should_have_been_asked_before_the_window_closed_is_not_asked_after_it() -> None:
    late: dict[str, Any] = {"ours_at": NOW - 5 * HOUR, "customer_at": NOW - 6 * HOUR, "window_from": NOW - 6 * HOUR}
    assert due(FOLLOW_UP, 6 * HOUR + 1, **late) == Due(NOW - 3 * HOUR, "follow_up")
    assert due(FOLLOW_UP, 6 * HOUR, **late) is None


# ── closing ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@each_row(
    ("changes", "expected"),
    [
        ({}, Due(ANSWERED + 5 * HOUR, "close")),
        ({"customer_at": NOW}, Due(NOW + 5 * HOUR, "close")),
        ({"ours_at": None}, Due(ASKED + 5 * HOUR, "close")),
        ({"ours_at": NOW - 9 * HOUR, "customer_at": None}, Due(NOW - 4 * HOUR, "close")),
        ({"ours_at": None, "customer_at": None}, None),
        ({"closed": True}, None),
        ({"waiting": 2}, None),
        ({"unsent": 1}, None),
        ({"mode": "human"}, Due(ANSWERED + 5 * HOUR, "close")),
        ({"opted_out": True}, Due(ANSWERED + 5 * HOUR, "close")),
    ],
)
def test_a_conversation_is_closed_so_long_after_the_last_word(changes: dict[str, Any], expected: Due | None) -> None:
    assert due(CLOSE, **changes) == expected


# ── summaries ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@each_row(("older", "expected"), [(0, None), (4, None), (5, Due(NOW, "summarise")), (500, Due(NOW, "summarise"))])
def test_what_is_older_is_summed_up_once_it_is_worth_it(older: int, expected: Due | None) -> None:
    assert due(SUMMARISE, older=older) == expected


def test_nothing_is_summed_up_where_nobody_wants_it() -> None:
    assert due(ConversationSettings(history=History(messages=10)), older=500) is None


@each_row(("messages", "left_out"), [(0, 1), (1, 1), (2, 1), (3, 1), (10, 5), (41, 20)])
def test_half_of_what_is_shown_stays_out_of_the_summary(messages: int, left_out: int) -> None:
    assert shown(ConversationSettings(history=History(messages=messages))) == left_out


@steady
@given(st.integers(2, 1_000))
def test_nothing_falls_out_of_sight_before_it_is_summed_up(messages: int) -> None:
    policy = ConversationSettings(history=History(messages=messages, summarise=True))
    unsummed = messages - shown(policy)
    assert due(policy, older=unsummed) == Due(NOW, "summarise")
    assert shown(policy) + unsummed <= messages


# ── several at once ───────────────────────────────────────────────────────────────────────────────────────────────────────

ALL = ConversationSettings(
    follow_up=FollowUp(after=2 * HOUR), session_timeout=5 * HOUR, history=History(messages=10, summarise=True)
)


@each_row(
    ("changes", "act"),
    [
        ({}, "follow_up"),
        ({"scheduled": NOW + MINUTE}, "release"),
        ({"scheduled": NOW + MINUTE, "mode": "human", "mode_until": NOW + 5}, "hand_back"),
        ({"scheduled": NOW, "older": 9}, "release"),
        ({"older": 9}, "summarise"),
        ({"followed_up": True}, "close"),
        ({"ours_at": NOW - 9 * HOUR, "customer_at": NOW - 10 * HOUR}, "follow_up"),
    ],
)
def test_the_first_of_them_is_next(changes: dict[str, Any], act: str) -> None:
    found = due(ALL, **changes)
    assert found is not None
    assert found.act == act


def test_what_cannot_be_done_now_can_be_left_out() -> None:
    view = replace(QUIET, older=9, scheduled=NOW + MINUTE)
    assert decide(view, ALL, DAY, NOW) == Due(NOW, "summarise")
    assert decide(view, ALL, DAY, NOW, but="summarise") == Due(NOW + MINUTE, "release")
    assert decide(replace(QUIET, older=9), SUMMARISE, DAY, NOW, but="summarise") is None


# ── the first look ────────────────────────────────────────────────────────────────────────────────────────────────────────


@each_row(
    ("policy", "expected"),
    [
        (ConversationSettings(), None),
        (FOLLOW_UP, NOW + 2 * HOUR),
        (CLOSE, NOW + 5 * HOUR),
        (SUMMARISE, NOW),
        (ALL, NOW),
        (ConversationSettings(follow_up=FollowUp(after=7 * HOUR), session_timeout=5 * HOUR), NOW + 5 * HOUR),
    ],
)
def test_after_an_answer_the_timers_are_looked_at_in_time(policy: ConversationSettings, expected: Instant | None) -> None:
    assert first_look(policy, NOW) == expected
