"""When a doubt ends that no receipt settled, and how."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from sara.engines import Attempt
from sara.policy.in_doubt import BLIND_AFTER, LOOK, Ending, Resolve, WaitForReceipt, decide
from sara.policy.settings import RetryPolicy
from tests.fakes import NOW, delivery_view
from tests.rows import each_row

HOLD = 60_000
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
POLICY = RetryPolicy(attempts=4, max_duration=DAY)


def ending(
    passed: int, on_doubt: Literal["resend", "hold"] = "resend", *, hold: int = HOLD, correlates: bool = True, **view: Any
) -> Ending:
    """The decision so long after the doubt arose, at NOW."""
    last = view.pop("last", Attempt("a1", "out-1", "in_doubt", NOW - 10_000, "me", settled_at=NOW))
    doubted = delivery_view(state="in_doubt", last=last, **view)
    return decide(doubted, on_doubt, hold, NOW + passed, POLICY, correlates=correlates)


@each_row("webhook_at", [None, NOW - 1, NOW + 1])
@each_row("correlates", [True, False])
def test_nothing_is_done_before_the_hold_time_is_over(webhook_at: int | None, correlates: bool) -> None:
    assert ending(HOLD - 1, webhook_at=webhook_at, correlates=correlates) == WaitForReceipt(NOW + HOLD)


def test_a_webhook_since_the_doubt_proves_that_receipts_can_reach_us() -> None:
    assert ending(HOLD, webhook_at=NOW + 1) == Resolve("resend", blind=False)


@pytest.mark.parametrize("webhook_at", [None, NOW - 1, NOW])
def test_without_such_a_webhook_one_looks_again(webhook_at: int | None) -> None:
    assert ending(HOLD, webhook_at=webhook_at) == WaitForReceipt(NOW + HOLD + LOOK)


def test_after_fifteen_minutes_a_doubt_ends_blindly() -> None:
    assert BLIND_AFTER == 15 * MINUTE
    assert ending(15 * MINUTE - 1) == WaitForReceipt(NOW + 15 * MINUTE)
    assert ending(15 * MINUTE) == Resolve("resend", blind=True)


def test_where_receipts_tell_nothing_only_time_counts() -> None:
    assert ending(HOLD, correlates=False) == Resolve("resend", blind=False)


def test_the_clock_runs_from_the_doubt_not_from_the_attempt() -> None:
    unsettled = Attempt("a1", "out-1", "sending", NOW - 10_000, "me")
    assert ending(HOLD - 10_000, last=unsettled, correlates=False) == Resolve("resend", blind=False)
    assert ending(HOLD - 10_000, correlates=False) == WaitForReceipt(NOW + HOLD)


def test_a_doubt_without_an_attempt_begins_now() -> None:
    assert ending(5, last=None) == WaitForReceipt(NOW + 5 + HOLD)


@each_row(
    ("doubts", "hold"), [(0, HOLD), (1, HOLD), (2, 2 * HOLD), (3, 4 * HOLD), (4, 8 * HOLD), (5, 15 * MINUTE), (90, 15 * MINUTE)]
)
def test_each_further_doubt_is_given_twice_as_long_up_to_fifteen_minutes(doubts: int, hold: int) -> None:
    assert ending(hold - 1, doubts=doubts, webhook_at=NOW + 1) == WaitForReceipt(NOW + hold)
    assert ending(hold, doubts=doubts, webhook_at=NOW + 1) == Resolve("resend", blind=False)


@each_row(("blind", "action"), [(0, "resend"), (2, "resend"), (3, "hold"), (4, "hold")])
def test_where_nothing_tells_a_customer_gets_no_more_copies_than_there_are_attempts(
    blind: int, action: Literal["resend", "hold"]
) -> None:
    assert ending(DAY, blind=blind, doubts=90) == Resolve(action, blind=True)


@pytest.mark.parametrize(("doubts", "action"), [(1, "resend"), (3, "resend"), (4, "hold")])
def test_where_receipts_carry_nothing_every_doubt_may_be_a_copy(doubts: int, action: Literal["resend", "hold"]) -> None:
    assert ending(DAY, blind=0, doubts=doubts, correlates=False) == Resolve(action, blind=False)


def test_where_receipts_come_in_and_none_tells_of_it_an_outage_is_outlasted() -> None:
    proven = {"doubts": 90, "blind": 3, "webhook_at": NOW + 1}
    assert ending(HOUR, first_at=NOW + HOUR - DAY + 1, **proven) == Resolve("resend", blind=False)
    assert ending(HOUR, first_at=NOW + HOUR - DAY, **proven) == Resolve("hold", blind=False)


@each_row("blind", [True, False])
@each_row(
    ("on_doubt", "changes", "action"),
    [
        ("resend", {}, "resend"),
        ("resend", {"purpose": "notice"}, "resend"),
        ("resend", {"purpose": "operator"}, "resend"),
        ("hold", {}, "hold"),
        ("resend", {"purpose": "template"}, "hold"),
        ("resend", {"purpose": "reply", "kind": "template"}, "hold"),
        ("resend", {"purpose": "operator", "kind": "template"}, "hold"),
        ("resend", {"opted_out": True}, "hold"),
    ],
)
def test_what_must_not_go_twice_is_held(
    on_doubt: Literal["resend", "hold"], changes: dict[str, Any], action: Literal["resend", "hold"], blind: bool
) -> None:
    webhook_at = None if blind else NOW + 1
    assert ending(BLIND_AFTER, on_doubt, webhook_at=webhook_at, **changes) == Resolve(action, blind)


def test_no_hold_time_at_all_still_waits_for_the_proof() -> None:
    assert ending(0, hold=0) == WaitForReceipt(NOW + LOOK)
    assert ending(0, hold=0, correlates=False) == Resolve("resend", blind=False)


def test_a_hold_time_longer_than_the_blind_limit_is_kept() -> None:
    assert ending(20 * MINUTE, hold=30 * MINUTE) == WaitForReceipt(NOW + 30 * MINUTE)
    assert ending(30 * MINUTE, hold=30 * MINUTE) == Resolve("resend", blind=True)
