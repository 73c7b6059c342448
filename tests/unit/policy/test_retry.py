"""When something is tried again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sara.domain.errors import ContentRefused, GiveUp, RetryLater
from sara.policy.retry import FailedCalls, GiveUpRetrying, ResponderCrashed, RetryAt, back_off, combine, decide
from sara.policy.settings import RetryPolicy, RetrySettings
from tests.fakes import steady
from tests.rows import each_row

START = 1_800_000_000_000
SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
DEFAULT = RetryPolicy()
POLICIES = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 100),
    initial_delay=st.integers(1, 10_000),
    factor=st.floats(1, 10),
    max_delay=st.integers(10_000, 10_000_000),
    max_duration=st.integers(0, 100_000_000),
)


def decided(
    policy: RetryPolicy,
    calls: int,
    now: int,
    *,
    message_at_fault: bool,
    most: int | None = None,
    chance: float = 0.0,
    **failed: Any,
) -> RetryAt | GiveUpRetrying:
    calls_failed = FailedCalls(calls=calls, first_at=START, is_message_at_fault=message_at_fault, longest=most, **failed)
    return decide(policy, calls_failed, now, chance)


@pytest.mark.parametrize("message_at_fault", [True, False])
def test_four_calls_wait_one_two_and_four_seconds(message_at_fault: bool) -> None:
    waits = [decided(DEFAULT, calls, START, message_at_fault=message_at_fault) for calls in (1, 2, 3)]
    assert waits == [RetryAt(START + 1 * SECOND), RetryAt(START + 2 * SECOND), RetryAt(START + 4 * SECOND)]


def test_what_is_the_messages_own_fault_ends_with_the_attempts() -> None:
    assert isinstance(decided(DEFAULT, 3, START + HOUR, message_at_fault=True), RetryAt)
    assert decided(DEFAULT, 4, START + 7 * SECOND, message_at_fault=True) == GiveUpRetrying("attempts_used_up")


def test_while_the_other_side_is_away_the_waits_go_on_doubling_up_to_the_longest() -> None:
    rows = [(4, 8), (5, 16), (6, 32), (7, 64), (8, 128), (9, 256), (10, 300), (30, 300)]
    for calls, wait in rows:
        now = START + 30 * MINUTE - 1
        assert decided(DEFAULT, calls, now, message_at_fault=False) == RetryAt(now + wait * SECOND), calls


def test_a_wait_may_be_counted_by_other_failures_and_have_a_bound_of_its_own() -> None:
    rows = [(9, 1, None, 1), (9, 3, None, 4), (1, 30, None, 300), (9, None, 8_000, 8), (2, None, 8_000, 2), (9, 2, 8_000, 2)]
    for calls, failures, most, wait in rows:
        decision = decided(DEFAULT, calls, START, message_at_fault=False, failures=failures, most=most)
        assert decision == RetryAt(START + wait * SECOND), (calls, failures, most)


def test_what_a_person_has_to_mend_is_waited_for_without_end() -> None:
    now = START + 9 * 24 * HOUR
    assert decided(DEFAULT, 900, now, message_at_fault=False, until_mended=True) == RetryAt(now + 5 * MINUTE)


def test_what_follows_where_none_of_several_answered() -> None:
    """Each row: what they raised; of what kind the outcome is, of which scope, whether a person has to mend it, and its wait."""
    empty, away, key = RetryLater("empty"), RetryLater("away", scope="responder", after=9), RetryLater("key", until_mended=True)
    never, bug = GiveUp("never"), ResponderCrashed("a bug")
    rows: list[tuple[list[RetryLater | GiveUp], type, str, bool, str, int | None]] = [
        ([empty], RetryLater, "conversation", False, "empty", None),
        ([away], RetryLater, "responder", False, "away", 9),
        ([key], RetryLater, "responder", True, "key", None),
        ([away, away], RetryLater, "responder", False, "away", 9),
        ([away, empty], RetryLater, "conversation", False, "away", None),
        ([away, key], RetryLater, "responder", True, "key", None),
        ([key, empty], RetryLater, "conversation", True, "key", None),
        ([key, bug], RetryLater, "conversation", True, "key", None),
        ([key, never], RetryLater, "conversation", True, "key", None),
        ([never, away], RetryLater, "conversation", False, "away", 9),
        ([bug, empty], RetryLater, "conversation", False, "empty", None),
        ([never, bug], ResponderCrashed, "conversation", False, "a bug", None),
    ]
    for errors, kind, scope, until_mended, words, after in rows:
        outcome = combine(errors)
        assert isinstance(outcome, RetryLater)
        told = (type(outcome), outcome.scope, outcome.until_mended, str(outcome), outcome.after)
        assert told == (kind, scope, until_mended, words, after), errors
    assert combine([GiveUp("too long"), GiveUp("for me too")]).args == ("for me too",)
    assert isinstance(combine([ContentRefused("no"), GiveUp("for me too")]), ContentRefused), "the customer is told"
    assert combine([RetryLater("no", detail="said"), GiveUp("for me too")]).detail == "said"


@pytest.mark.parametrize("passed", [30 * MINUTE, 2 * HOUR])
def test_what_outlasts_the_patience_is_dead(passed: int) -> None:
    assert decided(DEFAULT, 9, START + passed, message_at_fault=False) == GiveUpRetrying("max_duration")


def test_a_slow_other_side_gets_all_its_attempts() -> None:
    assert decided(DEFAULT, 3, START + HOUR, message_at_fault=False) == RetryAt(START + HOUR + 4 * SECOND)


def test_sending_is_more_patient_than_asking() -> None:
    now = START + 23 * HOUR
    assert isinstance(decided(RetrySettings().reply, 9, now, message_at_fault=False), GiveUpRetrying)
    assert isinstance(decided(RetrySettings().send, 9, now, message_at_fault=False), RetryAt)
    assert isinstance(decided(RetrySettings().send, 9, START + 24 * HOUR, message_at_fault=False), GiveUpRetrying)


@each_row(("after", "wait"), [(None, 1_000), (0, 1_000), (999, 1_000), (20_000, 20_000)])
def test_a_wait_that_was_asked_for_is_kept(after: int | None, wait: int) -> None:
    assert decided(DEFAULT, 1, START, message_at_fault=False, after=after) == RetryAt(START + wait)


def test_a_wait_that_was_asked_for_may_be_longer_than_the_longest() -> None:
    assert decided(DEFAULT, 4, START, message_at_fault=False, after=HOUR) == RetryAt(START + HOUR)


def test_one_attempt_means_no_second_call() -> None:
    assert decided(RetryPolicy(attempts=1), 1, START, message_at_fault=True) == GiveUpRetrying("attempts_used_up")


@steady
@given(POLICIES, st.integers(1, 200), st.floats(0, 1, exclude_max=True))
def test_chance_spreads_the_long_waits_by_at_most_a_tenth_and_no_others(policy: RetryPolicy, calls: int, chance: float) -> None:
    plain = decided(policy, calls, START, message_at_fault=False)
    spread = decided(policy, calls, START, message_at_fault=False, chance=chance)
    if isinstance(plain, GiveUpRetrying) or calls < policy.attempts:
        assert spread == plain
    else:
        assert isinstance(spread, RetryAt)
        assert 0.9 * (plain.at - START) - 1 <= spread.at - START <= plain.at - START


def test_chance_keeps_long_waits_from_ending_together() -> None:
    ends = {decided(DEFAULT, 4, START, message_at_fault=False, chance=chance / 10) for chance in range(10)}
    assert len(ends) == 10


@steady
@given(POLICIES, st.integers(1, 10_000))
def test_a_wait_never_shrinks_and_never_exceeds_the_longest(policy: RetryPolicy, calls: int) -> None:
    assert (
        min(policy.initial_delay, policy.max_delay) <= back_off(policy, calls) <= back_off(policy, calls + 1) <= policy.max_delay
    )


@steady
@given(POLICIES, st.integers(1, 200), st.integers(0, 200_000_000), st.booleans())
def test_a_retry_is_never_in_the_past(policy: RetryPolicy, calls: int, passed: int, message_at_fault: bool) -> None:
    decision = decided(policy, calls, START + passed, message_at_fault=message_at_fault)
    assert isinstance(decision, GiveUpRetrying) or decision.at > START + passed
