"""Whether and when a turn is answered, and the reason where it is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sara import Instant
from sara.engines import ReplyView
from sara.helpers import ProblemRegistry
from sara.plugins.gate_guard import guard_gate
from sara.policy.reply_gates import (
    BLOCKED_LOOK,
    CORE,
    HOUR,
    LANE_LOOK,
    MINUTE,
    PAUSED_LOOK,
    SPARE,
    TIMER_LOOK,
    Allow,
    Decision,
    Defer,
    Gate,
    GateContext,
    SendNotice,
    Skip,
    counted,
    decide,
)
from sara.policy.reply_window import window_closed
from sara.policy.settings import ConversationSettings, Limits, OpeningHours, Rate
from sara.testing import ManualClock
from tests.fakes import NOW, delivery_view, line, reply_view, steady
from tests.rows import each_row

POLICY = ConversationSettings(max_age=60_000)
FRESH = line("fresh", at=NOW - 1_000)
OLD = line("old", at=NOW - 60_001)
FACTS = GateContext(NOW)


@each_row(
    ("changes", "facts", "expected"),
    [
        ({}, FACTS, Allow()),
        ({"due": NOW}, FACTS, Allow()),
        ({"due": NOW + 1}, FACTS, Defer(NOW + 1)),
        ({"opted_out": True}, FACTS, Skip(("fresh",), "opted_out")),
        ({"delivery": "in_doubt"}, FACTS, Defer(NOW + BLOCKED_LOOK, blocked=True)),
        ({"delivery": "backing_off"}, FACTS, Defer(NOW + BLOCKED_LOOK, blocked=True)),
        ({}, GateContext(NOW, lane_held=True), Defer(NOW + LANE_LOOK, blocked=True)),
    ],
)
def test_each_gate_has_its_say(changes: dict[str, Any], facts: GateContext, expected: Decision) -> None:
    assert decide(reply_view(FRESH, **changes), POLICY, facts) == expected


def test_only_the_messages_that_are_too_old_are_left_unanswered() -> None:
    assert decide(reply_view(OLD, FRESH), POLICY, FACTS) == Skip(("old",), "too_old")


def test_a_message_of_just_the_greatest_age_is_answered() -> None:
    assert decide(reply_view(line("edge", at=NOW - 60_000)), POLICY, FACTS) == Allow()


@pytest.mark.parametrize(("ago", "expected"), [(1_000, Allow()), (60_001, Skip(("old",), "too_old"))])
def test_the_age_of_a_message_that_was_given_another_chance_counts_from_then(ago: int, expected: Decision) -> None:
    assert decide(reply_view(replace(OLD, revived_at=NOW - ago)), POLICY, FACTS) == expected


def test_who_opted_out_is_silent_towards_all_that_waits() -> None:
    assert decide(reply_view(OLD, FRESH, opted_out=True), POLICY, FACTS) == Skip(("old", "fresh"), "opted_out")


EVERYTHING: dict[str, Any] = {"opted_out": True, "due": NOW + 500, "delivery": "in_doubt"}


@each_row(
    ("waiting", "lifted", "expected"),
    [
        ((OLD,), {}, Skip(("old",), "opted_out")),
        ((OLD,), {"opted_out": False}, Skip(("old",), "too_old")),
        ((FRESH,), {"opted_out": False}, Defer(NOW + 500)),
        ((FRESH,), {"opted_out": False, "due": None}, Defer(NOW + BLOCKED_LOOK, blocked=True)),
        ((FRESH,), {"opted_out": False, "due": None, "delivery": "clear"}, Allow()),
    ],
)
def test_consent_comes_before_age_before_quiet_before_blocked(waiting: Any, lifted: dict[str, Any], expected: Decision) -> None:
    assert decide(reply_view(*waiting, **{**EVERYTHING, **lifted}), POLICY, FACTS) == expected


def test_further_gates_are_asked_in_turn_until_one_objects() -> None:
    asked: list[str] = []

    def gate(name: str, says: Decision) -> Any:
        def asks(view: ReplyView, policy: ConversationSettings, facts: GateContext) -> Decision:
            asked.append(name)
            return says

        return asks

    gates = [gate("first", Allow()), gate("second", Defer(NOW + 7)), gate("third", Allow())]
    assert decide(reply_view(FRESH), POLICY, FACTS, gates) == Defer(NOW + 7)
    assert asked == ["first", "second"]


# ── who answers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@each_row(
    ("changes", "expected"),
    [
        ({"mode": "bot"}, Allow()),
        ({"mode": "human"}, Skip(("fresh",), "human")),
        ({"mode": "human", "mode_until": NOW + 1}, Skip(("fresh",), "human")),
        ({"mode": "human", "mode_until": NOW}, Defer(NOW + TIMER_LOOK, blocked=True)),
        ({"mode": "paused"}, Defer(NOW + PAUSED_LOOK, blocked=True)),
        ({"mode": "paused", "mode_until": NOW + 9}, Defer(NOW + 9, blocked=True)),
        ({"mode": "paused", "mode_until": NOW - HOUR}, Defer(NOW + TIMER_LOOK, blocked=True)),
    ],
)
def test_where_a_person_answers_or_nobody_does_sara_does_not(changes: dict[str, Any], expected: Decision) -> None:
    assert decide(reply_view(FRESH, **changes), POLICY, FACTS) == expected


def test_who_opted_out_is_left_alone_also_where_a_person_answers() -> None:
    assert decide(reply_view(FRESH, opted_out=True, mode="human"), POLICY, FACTS) == Skip(("fresh",), "opted_out")


# ── opening hours ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def at(day: int, hour: int, minute: int = 0) -> Instant:
    """A moment in a week of which the 4th is a Monday."""
    return round(datetime(2027, 1, day, hour, minute, tzinfo=UTC).timestamp() * 1_000)


NINE_TO_FIVE = (9 * 60, 17 * 60)
WEEK: dict[str, Any] = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), (NINE_TO_FIVE,))


def shop(**changes: Any) -> ConversationSettings:
    """Open on weekdays from nine to five."""
    answer = changes.pop("answer", False)
    return ConversationSettings(opening_hours=OpeningHours(**WEEK, answer=answer), **changes)


@each_row(
    ("now", "opens", "told", "since"),
    [
        (at(5, 8), at(5, 9), "09:00", at(4, 17)),
        (at(5, 20), at(6, 9), "2027-01-06 09:00", at(5, 17)),
        (at(9, 12), at(11, 9), "2027-01-11 09:00", at(8, 17)),
        (at(8, 17), at(11, 9), "2027-01-11 09:00", at(8, 17)),
    ],
)
def test_outside_the_opening_hours_the_customer_is_told_until_when_and_answered_then(
    now: Instant, opens: Instant, told: str, since: Instant
) -> None:
    view = reply_view(line("new", at=now))
    assert decide(view, shop(), GateContext(now)) == SendNotice("away", Defer(opens, blocked=True), since, {"opens": told})


@pytest.mark.parametrize("now", [at(4, 9), at(4, 16, 59), at(8, 12)])
def test_within_them_the_customer_is_answered(now: Instant) -> None:
    assert decide(reply_view(line("new", at=now)), shop(), GateContext(now)) == Allow()


@each_row(
    ("said", "again"),
    [
        ({}, True),
        ({"away": at(4, 16)}, True),
        ({"away": at(4, 17)}, False),
        ({"away": at(5, 7)}, False),
        ({"late": at(5, 7)}, True),
    ],
)
def test_that_it_is_closed_is_said_once_each_time_it_is(said: dict[str, Instant], again: bool) -> None:
    decision = decide(reply_view(FRESH, said=said), shop(), GateContext(at(5, 8)))
    assert isinstance(decision, SendNotice) is again
    if not again:
        assert decision == Defer(at(5, 9), blocked=True)


def test_an_assistant_that_answers_all_the_same_says_that_it_is_closed_and_answers() -> None:
    now = at(9, 12)
    view = reply_view(line("new", at=now))
    decision = decide(view, shop(answer=True), GateContext(now))
    assert decision == SendNotice("away", Allow(), at(8, 17), {"opens": "2027-01-11 09:00"})
    assert decide(replace(view, said={"away": now}), shop(answer=True), GateContext(now)) == Allow()


SATURDAY = at(9, 12)


@pytest.mark.parametrize(
    ("policy", "changes", "facts", "then"),
    [
        ({}, {"due": SATURDAY + 700}, GateContext(SATURDAY), Defer(SATURDAY + 700)),
        ({}, {}, GateContext(SATURDAY, lane_held=True), Defer(SATURDAY + LANE_LOOK, blocked=True)),
        (
            {"limits": Limits(channel=Rate(minute=1))},
            {"on_channel": {"minute": 2}},
            GateContext(SATURDAY),
            SendNotice("apology", Skip(("new",), "over_limit"), SATURDAY - HOUR),
        ),
    ],
    ids=["quiet", "blocked", "limit"],
)
def test_what_is_said_before_an_answer_keeps_no_other_gate_from_being_asked(
    policy: dict[str, Any], changes: dict[str, Any], facts: GateContext, then: Decision
) -> None:
    view = reply_view(line("new", at=SATURDAY), **changes)
    decision = decide(view, shop(answer=True, **policy), facts)
    assert isinstance(decision, SendNotice)
    assert (decision.key, decision.then) == ("away", then)


# ── age ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("too_old", "expected"),
    [
        ("store", Skip(("old",), "too_old")),
        ("apologise", SendNotice("late", Skip(("old",), "too_old"), NOW - 60_000)),
        ("answer", Allow()),
    ],
)
def test_what_is_too_old_is_kept_or_apologised_for_or_answered_as_the_file_says(too_old: Any, expected: Decision) -> None:
    policy = ConversationSettings(max_age=60_000, too_old=too_old)
    assert decide(reply_view(OLD, FRESH), policy, FACTS) == expected


def test_nobody_hears_the_same_apology_twice_for_one_outage() -> None:
    policy = ConversationSettings(max_age=60_000, too_old="apologise")
    said = {"late": NOW - 30_000}
    assert decide(reply_view(OLD, said=said), policy, FACTS) == Skip(("old",), "too_old")
    assert isinstance(decide(reply_view(OLD, said={"late": NOW - 60_001}), policy, FACTS), SendNotice)


@each_row(
    ("written", "now", "old"),
    [
        (at(9, 10), at(11, 9, 5), False),
        (at(8, 16), at(11, 10, 59), False),
        (at(8, 16), at(11, 11, 1), True),
        (at(5, 9, 30), at(5, 12, 29), False),
        (at(5, 9, 30), at(5, 12, 31), True),
        (at(4, 10), at(8, 9, 30), True),
    ],
)
def test_the_time_in_which_it_was_closed_makes_no_message_older(written: Instant, now: Instant, old: bool) -> None:
    decision = decide(reply_view(line("m", at=written)), shop(max_age=3 * HOUR), GateContext(now))
    assert decision == (Skip(("m",), "too_old") if old else Allow())


def test_where_the_assistant_always_answers_closed_hours_make_a_message_old_too() -> None:
    policy = shop(max_age=3 * HOUR, answer=True)
    assert decide(reply_view(line("m", at=at(5, 2))), policy, GateContext(at(5, 10))) == Skip(("m",), "too_old")


def test_where_it_never_closes_midnight_makes_nothing_younger() -> None:
    always: dict[str, Any] = dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), ((0, 1440),))
    policy = ConversationSettings(opening_hours=OpeningHours(**always), max_age=HOUR)
    assert decide(reply_view(line("m", at=at(5, 22))), policy, GateContext(at(6, 0, 30))) == Skip(("m",), "too_old")


def test_a_message_with_an_impossible_time_is_judged_in_no_time() -> None:
    assert decide(reply_view(line("m", at=0)), shop(max_age=HOUR), GateContext(at(5, 10))) == Skip(("m",), "too_old")


# ── limits ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def waiting(count: int) -> tuple[Any, ...]:
    return tuple(line(f"m{n}", at=NOW - 1_000) for n in range(count))


def above(*idents: str) -> Decision:
    return SendNotice("limit", Skip(idents, "over_limit"), NOW - HOUR)


@each_row(
    ("limit", "many", "recent", "expected"),
    [
        (Rate(), 3, (NOW,) * 500, Allow()),
        (Rate(minute=3), 3, (NOW,) * 3, Allow()),
        (Rate(minute=3), 4, (NOW,) * 4, above("m3")),
        (Rate(minute=3), 2, (NOW,) * 9, above("m0", "m1")),
        (Rate(minute=3), 2, (NOW, NOW, *(NOW - MINUTE,) * 9), Allow()),
        (Rate(minute=3), 2, (NOW, NOW, *(NOW - MINUTE + 1,) * 2), above("m1")),
        (Rate(day=3), 2, (NOW, NOW, *(NOW - 23 * HOUR,) * 2), above("m1")),
        (Rate(day=3), 2, (NOW, NOW, *(NOW - 24 * HOUR,) * 2), Allow()),
        (Rate(minute=10, day=200), 1, (NOW,), Allow()),
        (Rate(minute=10, day=200), 2, (NOW, NOW - HOUR, NOW - 2 * HOUR), Allow()),
        (Rate(minute=2, day=200), 3, (NOW,) * 3, above("m2")),
        (Rate(minute=200, day=2), 3, (NOW,) * 3, above("m2")),
        (Rate(minute=3), 1, (), Allow()),
    ],
)
def test_what_a_person_writes_above_the_limit_is_kept_and_said_once(
    limit: Rate, many: int, recent: tuple[Instant, ...], expected: Decision
) -> None:
    policy = ConversationSettings(limits=Limits(person=limit))
    assert decide(reply_view(*waiting(many), recent=recent), policy, FACTS) == expected


@each_row(
    ("on_channel", "expected"),
    [
        ({}, Allow()),
        ({"minute": 5, "day": 50}, Allow()),
        ({"minute": 6, "day": 6}, SendNotice("apology", Skip(("m0", "m1"), "over_limit"), NOW - HOUR)),
        ({"minute": 1, "day": 51}, SendNotice("apology", Skip(("m0", "m1"), "over_limit"), NOW - HOUR)),
    ],
)
def test_above_the_channels_limit_nothing_that_waits_is_answered_and_nobody_is_blamed(
    on_channel: dict[str, int], expected: Decision
) -> None:
    policy = ConversationSettings(limits=Limits(channel=Rate(minute=5, day=50)))
    assert decide(reply_view(*waiting(2), on_channel=on_channel), policy, FACTS) == expected


def test_that_it_was_too_much_is_said_at_most_once_an_hour() -> None:
    policy = ConversationSettings(limits=Limits(person=Rate(minute=1)))
    view = reply_view(*waiting(2), recent=(NOW, NOW))
    assert decide(replace(view, said={"limit": NOW - HOUR}), policy, FACTS) == Skip(("m1",), "over_limit")
    assert decide(replace(view, said={"limit": NOW - HOUR - 1}), policy, FACTS) == above("m1")


def test_a_burst_is_waited_for_before_it_is_counted() -> None:
    policy = ConversationSettings(limits=Limits(person=Rate(minute=1)))
    assert decide(reply_view(*waiting(2), recent=(NOW, NOW), due=NOW + 5), policy, FACTS) == Defer(NOW + 5)


@each_row(
    ("limits", "expected"),
    [
        (Limits(), 0),
        (Limits(person=Rate(minute=7)), 7 + SPARE),
        (Limits(person=Rate(minute=7, day=90)), 90 + SPARE),
        (Limits(channel=Rate(day=90)), 1),
    ],
)
def test_no_more_messages_are_counted_than_the_limits_need(limits: Limits, expected: int) -> None:
    assert counted(ConversationSettings(limits=limits)) == expected


RATES = st.builds(Rate, minute=st.none() | st.integers(1, 5), day=st.none() | st.integers(1, 9))


@steady
@given(RATES, st.integers(1, 6), st.lists(st.integers(0, 25 * HOUR), max_size=12))
def test_only_the_newest_are_above_a_limit_and_never_none_of_them(limit: Rate, many: int, ago: list[int]) -> None:
    recent = tuple(NOW - each for each in sorted(ago))
    decision = decide(reply_view(*waiting(many), recent=recent), ConversationSettings(limits=Limits(person=limit)), FACTS)
    if decision != Allow():
        assert isinstance(decision, SendNotice)
        assert isinstance(decision.then, Skip)
        idents = tuple(f"m{n}" for n in range(many))
        assert decision.then.messages
        assert idents[-len(decision.then.messages) :] == decision.then.messages


# ── the reply window ──────────────────────────────────────────────────────────────────────────────────────────────────────


@each_row(
    ("changes", "window", "closed"),
    [
        ({"customer_at": NOW - HOUR + 1}, HOUR, False),
        ({"customer_at": NOW - HOUR}, HOUR, True),
        ({"customer_at": None}, HOUR, True),
        ({"customer_at": None}, None, False),
        ({"customer_at": None, "kind": "template"}, HOUR, False),
    ],
)
def test_the_reply_window_closes_so_long_after_the_customers_last_word(
    changes: dict[str, Any], window: int | None, closed: bool
) -> None:
    assert window_closed(delivery_view(**changes), window, NOW) is closed


# ── gates of plugins ──────────────────────────────────────────────────────────────────────────────────────────────────────


def asked(says: Any) -> tuple[Decision, dict[str, str]]:
    """What becomes of a stranger's decision, and what is told of it."""

    def gate(view: ReplyView, policy: ConversationSettings, facts: GateContext) -> Any:
        if isinstance(says, BaseException):
            raise says
        return says

    problems = ProblemRegistry(ManualClock(NOW))
    decision = decide(reply_view(FRESH), POLICY, FACTS, (guard_gate(gate, "vip", problems),))
    return decision, {problem.key: problem.message for problem in problems}


SOUND: list[Decision] = [
    Allow(),
    Skip(("fresh",), "not for us"),
    SendNotice("busy", Skip(("fresh",), "full"), NOW - HOUR),
    SendNotice("busy", Allow()),
]


@each_row("says", SOUND)
def test_a_gate_of_a_plugin_has_its_say(says: Decision) -> None:
    assert asked(says) == (says, {})


def test_a_wait_that_a_plugin_wants_is_written_down_so_that_nobody_finds_it_overdue() -> None:
    said, given = Defer(NOW + 1, reason="the oven is cold"), Defer(NOW + 1, blocked=True, reason="vip: the oven is cold")
    assert asked(said) == (given, {})
    assert asked(SendNotice("away", said)) == (SendNotice("away", given), {})
    assert asked(Defer(NOW + 1)) == (Defer(NOW + 1, blocked=True, reason="by the plugin vip"), {})


@each_row(
    ("says", "told"),
    [
        (ValueError("it rains"), "raised ValueError"),
        (None, "a NoneType"),
        (True, "a bool"),
        ("Skip", "a str"),
        (Skip, "a type"),
        (Skip((), "nothing"), "a Skip of messages that do not wait"),
        (Skip(("fresh", "m99"), "another's"), "a Skip of messages that do not wait"),
        (Skip(["fresh"], "a list"), "a Skip of messages that do not wait"),  # type: ignore[arg-type]  # nobody checks a stranger's types
        (Skip(("fresh",), None), "a Skip of messages that do not wait"),  # type: ignore[arg-type]  # the same
        (Defer(NOW + 1, reason=None), "a Defer whose reason is a NoneType"),  # type: ignore[arg-type]  # the same
        (SystemExit(3), "tried to end the process"),
        (KeyboardInterrupt(), "raised KeyboardInterrupt, which is no error"),
        (GeneratorExit(), "raised GeneratorExit, which is no error"),
        (Defer(NOW), "a Defer for a moment that is over"),
        (Defer(0), "a Defer for a moment that is over"),
        (Defer(NOW + 0.5), "a Defer for a moment that is over"),  # type: ignore[arg-type]  # the same
        (Defer(None), "a Defer for a moment that is over"),  # type: ignore[arg-type]  # the same
        (SendNotice("greeting", Allow()), "a SendNotice of a text that SARA does not have"),
        (SendNotice("busy", Allow(), values=("x",)), "a SendNotice of a text that SARA does not have"),  # type: ignore[arg-type]  # the same
        (SendNotice("busy", Allow(), NOW + 1), "a SendNotice since a moment that is to come"),
        (SendNotice("busy", None), "a NoneType"),  # type: ignore[arg-type]  # the same
        (SendNotice("busy", Defer(NOW - 1)), "a Defer for a moment that is over"),
        (SendNotice("busy", Skip((), "none")), "a Skip of messages that do not wait"),
    ],
)
def test_one_that_fails_or_answers_nonsense_is_passed_over_and_named(says: Any, told: str) -> None:
    decision, problems = asked(says)
    assert decision == Allow()
    assert list(problems) == ["plugin:vip:gate"]
    assert told in problems["plugin:vip:gate"]
    assert "it rains" not in problems["plugin:vip:gate"]


@pytest.mark.parametrize("gate", [None, 7, "a gate"])
def test_what_cannot_be_asked_is_passed_over_too(gate: Any) -> None:
    problems = ProblemRegistry(ManualClock(NOW))
    assert decide(reply_view(FRESH), POLICY, FACTS, (guard_gate(gate, "vip", problems),)) == Allow()
    assert "plugin:vip:gate" in problems


def test_saras_own_gates_come_first() -> None:
    def never(view: ReplyView, policy: ConversationSettings, facts: GateContext) -> Decision:
        raise AssertionError("who opted out is nobody's business")

    gates: list[Gate] = [*CORE, never]
    assert decide(reply_view(FRESH, opted_out=True), POLICY, FACTS, gates) == Skip(("fresh",), "opted_out")


def test_the_time_for_which_a_gate_put_a_message_off_does_not_make_it_old() -> None:
    policy = POLICY.model_copy(update={"max_age": HOUR, "too_old": "store"})
    written = NOW - 3 * HOUR
    rows = (
        # (put off before, since and until when now, whether it is too old)
        (0, None, True),
        (2 * HOUR, None, False),
        (2 * HOUR - 1, None, True),
        (0, (NOW - 2 * HOUR, NOW + HOUR), False),
        (0, (NOW - 2 * HOUR, NOW - HOUR), True),
        (HOUR, (NOW - HOUR, NOW), False),
        (0, (NOW - 5 * HOUR, NOW), False),
    )
    for before, now_too, is_old in rows:
        view = replace(reply_view(replace(FRESH, at=written, deferred=before)), deferred=now_too)
        skipped = isinstance(decide(view, policy, GateContext(NOW)), Skip)
        assert skipped == is_old, (before, now_too)
