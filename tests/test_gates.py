"""Whether and when a turn is answered, and the reason where it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sara import ReplyView
from sara.config import Conversation
from sara.gates import BLOCKED_LOOK, LANE_LOOK, Decision, Facts, Proceed, Skip, Wait, decide
from tests.fakes import NOW, line, reply_view

POLICY = Conversation(max_age=60_000)
FRESH = line("fresh", at=NOW - 1_000)
OLD = line("old", at=NOW - 60_001)
FACTS = Facts(NOW)


@pytest.mark.parametrize(
    ("changes", "facts", "expected"),
    [
        ({}, FACTS, Proceed()),
        ({"due": NOW}, FACTS, Proceed()),
        ({"due": NOW + 1}, FACTS, Wait(NOW + 1)),
        ({"opted_out": True}, FACTS, Skip(("fresh",), "opted_out")),
        ({"delivery": "in_doubt"}, FACTS, Wait(NOW + BLOCKED_LOOK, blocked=True)),
        ({"delivery": "backing_off"}, FACTS, Wait(NOW + BLOCKED_LOOK, blocked=True)),
        ({}, Facts(NOW, lane_held=True), Wait(NOW + LANE_LOOK, blocked=True)),
    ],
    ids=["free", "due now", "quiet", "opted out", "in doubt", "backing off", "lane held"],
)
def test_each_gate_has_its_say(changes: dict[str, Any], facts: Facts, expected: Decision) -> None:
    assert decide(reply_view(FRESH, **changes), POLICY, facts) == expected


def test_only_the_messages_that_are_too_old_are_left_unanswered() -> None:
    assert decide(reply_view(OLD, FRESH), POLICY, FACTS) == Skip(("old",), "too_old")


def test_a_message_of_just_the_greatest_age_is_answered() -> None:
    assert decide(reply_view(line("edge", at=NOW - 60_000)), POLICY, FACTS) == Proceed()


@pytest.mark.parametrize(("ago", "expected"), [(1_000, Proceed()), (60_001, Skip(("old",), "too_old"))])
def test_the_age_of_a_message_that_was_given_another_chance_counts_from_then(ago: int, expected: Decision) -> None:
    assert decide(reply_view(replace(OLD, revived_at=NOW - ago)), POLICY, FACTS) == expected


def test_who_opted_out_is_silent_towards_all_that_waits() -> None:
    assert decide(reply_view(OLD, FRESH, opted_out=True), POLICY, FACTS) == Skip(("old", "fresh"), "opted_out")


EVERYTHING: dict[str, Any] = {"opted_out": True, "due": NOW + 500, "delivery": "in_doubt"}


@pytest.mark.parametrize(
    ("waiting", "lifted", "expected"),
    [
        ((OLD,), {}, Skip(("old",), "opted_out")),
        ((OLD,), {"opted_out": False}, Skip(("old",), "too_old")),
        ((FRESH,), {"opted_out": False}, Wait(NOW + 500)),
        ((FRESH,), {"opted_out": False, "due": None}, Wait(NOW + BLOCKED_LOOK, blocked=True)),
        ((FRESH,), {"opted_out": False, "due": None, "delivery": "clear"}, Proceed()),
    ],
    ids=["opt-out first", "then age", "then quiet", "then blocked", "then free"],
)
def test_consent_comes_before_age_before_quiet_before_blocked(waiting: Any, lifted: dict[str, Any], expected: Decision) -> None:
    assert decide(reply_view(*waiting, **{**EVERYTHING, **lifted}), POLICY, FACTS) == expected


def test_further_gates_are_asked_in_turn_until_one_objects() -> None:
    asked: list[str] = []

    def gate(name: str, says: Decision) -> Any:
        def asks(view: ReplyView, policy: Conversation, facts: Facts) -> Decision:
            asked.append(name)
            return says

        return asks

    gates = [gate("first", Proceed()), gate("second", Wait(NOW + 7)), gate("third", Proceed())]
    assert decide(reply_view(FRESH), POLICY, FACTS, gates) == Wait(NOW + 7)
    assert asked == ["first", "second"]
