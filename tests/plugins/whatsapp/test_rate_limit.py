"""What Meta grants a number and a pair, kept before Meta has to refuse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sara_whatsapp.api.rate_limit import PAIR_BURST, PAIR_INTERVAL_S, PairRateLimiter, RateLimiter

# the number


def test_single_messages_never_wait() -> None:
    pace = RateLimiter(80)
    assert [pace.reserve(now) for now in (0.0, 1.0, 2.0)] == [0.0, 0.0, 0.0]


def test_a_flood_is_spread_to_what_meta_grants() -> None:
    pace = RateLimiter(80)
    waits = [pace.reserve(0.0) for _ in range(801)]
    assert waits[10] == 0.0
    assert waits == sorted(waits)
    assert waits[-1] == pytest.approx(10, abs=0.3)


def test_asking_how_long_takes_no_turn() -> None:
    pace = RateLimiter(1)
    for _ in range(3):
        asked = pace.seconds_until_free(0.0)
        assert asked == pace.seconds_until_free(0.0) == pace.reserve(0.0)


# a pair


def test_a_burst_to_one_person_passes_at_once_and_the_next_waits() -> None:
    pairs = PairRateLimiter()
    assert [pairs.take("anna", 100.0) for _ in range(PAIR_BURST)] == [0.0] * PAIR_BURST
    assert pairs.take("anna", 100.0) == pytest.approx(PAIR_INTERVAL_S)


def test_other_people_are_not_held_up() -> None:
    pairs = PairRateLimiter()
    for _ in range(PAIR_BURST + 1):
        pairs.take("anna", 0.0)
    assert pairs.take("ben", 0.0) == 0.0


def test_after_a_burst_one_message_passes_each_six_seconds() -> None:
    pairs = PairRateLimiter()
    for _ in range(PAIR_BURST):
        pairs.take("anna", 0.0)
    passed = [second for second in range(1, 61) if pairs.take("anna", float(second)) == 0.0]
    assert passed == list(range(6, 61, 6))


def test_being_told_to_wait_costs_nothing() -> None:
    pairs = PairRateLimiter()
    for _ in range(PAIR_BURST):
        pairs.take("anna", 0.0)
    for _ in range(100):
        assert pairs.take("anna", 1.0) == pytest.approx(5.0)


def test_whoever_waited_as_told_may_send() -> None:
    pairs, now = PairRateLimiter(), 1_000.0
    for _ in range(3 * PAIR_BURST):
        if wait := pairs.take("anna", now):
            now += wait
            assert pairs.take("anna", now) == 0.0


def test_a_burst_that_was_paid_back_is_granted_again() -> None:
    pairs = PairRateLimiter()
    for _ in range(PAIR_BURST):
        pairs.take("anna", 0.0)
    later = PAIR_BURST * PAIR_INTERVAL_S
    assert [pairs.take("anna", later) for _ in range(PAIR_BURST)] == [0.0] * PAIR_BURST
    assert pairs.take("anna", later) > 0


def test_people_who_owe_nothing_are_forgotten() -> None:
    pairs = PairRateLimiter()
    for person in range(20_000):
        pairs.take(str(person), float(person))
    assert len(pairs) < 2_000


@given(st.lists(st.floats(0, 30), max_size=200))
def test_no_pattern_of_sending_goes_beyond_what_meta_grants(gaps: list[float]) -> None:
    pairs, now, sent = PairRateLimiter(), 0.0, list[float]()
    for gap in gaps:
        now += gap
        if pairs.take("anna", now) == 0.0:
            sent.append(now)
    for first in range(len(sent)):
        for last in range(first, len(sent)):
            assert last - first + 1 <= PAIR_BURST + (sent[last] - sent[first]) / PAIR_INTERVAL_S + 1e-6
