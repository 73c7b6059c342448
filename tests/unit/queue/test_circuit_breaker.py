"""Lanes whose other end refuses us."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import ExitStack

import pytest

from sara.engines import JobRequest
from sara.queue.circuit_breaker import ASIDE, MOST_BESIDE, OPEN_INTERVAL, PAUSE, SEND_WITHIN
from sara.testing.queue import Running
from tests.fakes import NOW, House, without_waiting

LANE = "deliver:support"
CONVERSATIONS = itertools.count(1)


@pytest.fixture
def house() -> House:
    return House()


def stumble(house: House, times: int = 1) -> None:
    """The other end fails, each time at another conversation."""
    for _ in range(times):
        house.lanes.record_failure(LANE, "502", f"c{next(CONVERSATIONS)}", is_first=True)


def fail(house: House) -> int:
    """A probe is refused; how long until the next one."""
    return house.lanes.block(LANE, "the token has expired", "make a new one") - house.clock()


def test_probes_wait_twice_as_long_each_time_up_to_eight_seconds(house: House) -> None:
    waits = []
    for _ in range(6):
        waits.append(fail(house))
        house.clock.forward(waits[-1])
    assert waits == [2_000, 4_000, 8_000, 8_000, 8_000, 8_000]


def test_a_lane_that_nothing_can_go_through_is_held_and_listed(house: House) -> None:
    assert not house.lanes.held(LANE)
    fail(house)
    assert house.lanes.held(LANE)
    assert house.queue.held(LANE)
    [problem] = house.problems
    assert (problem.key, problem.message, problem.remedy) == (f"lane:{LANE}:blocked", "the token has expired", "make a new one")


def test_what_goes_through_ends_the_problem_and_the_next_refusal_starts_anew(house: House) -> None:
    for _ in range(4):
        house.clock.forward(fail(house))
    house.queue.release(LANE)
    house.lanes.record_success(LANE)
    assert not house.lanes.held(LANE)
    assert house.listed() == {}
    assert fail(house) == 2_000


def test_a_lane_counts_as_held_while_its_last_probe_was_refused(house: House) -> None:
    house.clock.forward(fail(house))
    house.queue.release(LANE)
    assert house.lanes.held(LANE)


def test_a_lane_that_nobody_has_probed_for_a_while_counts_as_free(house: House) -> None:
    house.clock.forward(fail(house))
    house.queue.release(LANE)
    house.clock.forward(7_999)
    assert house.lanes.held(LANE)
    house.clock.forward(1)
    assert not house.lanes.held(LANE)


def test_one_lane_says_nothing_about_another(house: House) -> None:
    fail(house)
    assert not house.lanes.held("deliver:sales")
    house.lanes.record_success("deliver:sales")
    assert house.lanes.held(LANE)
    assert f"lane:{LANE}:blocked" in house.problems


def test_a_busy_other_end_is_given_its_pause_and_is_no_problem(house: House) -> None:
    house.lanes.throttle(LANE, 5_000)
    assert house.lanes.held(LANE)
    assert house.listed() == {}


def test_a_probe_that_is_refused_again_is_counted_not_listed_twice(house: House) -> None:
    for _ in range(3):
        house.clock.forward(fail(house))
    assert house.listed() == {f"lane:{LANE}:blocked": 3}


async def test_a_shorter_pause_does_not_cut_a_longer_one_short(house: House) -> None:
    async with Running(house.queue, house.clock) as running:
        house.lanes.throttle(LANE, 60_000)
        house.lanes.throttle(LANE, 1_000)
        await house.queue.wake([JobRequest("deliver", "c1", NOW, LANE)])
        await running.forward(59_999)
        await running.settled()
        assert running.keys("deliver") == []
        await running.forward(1)
        await running.settled()
        assert running.keys("deliver") == ["c1"]


def test_sends_that_were_under_way_together_are_one_probe(house: House) -> None:
    assert [fail(house) for _ in range(5)] == [2_000] * 5
    house.clock.forward(2_000)
    assert fail(house) == 4_000


def test_a_lane_that_stumbles_now_and_then_runs_on(house: House) -> None:
    for _ in range(20):
        for _ in range(4):
            stumble(house)
        house.lanes.record_success(LANE)
    assert not house.queue.held(LANE)
    assert house.listed() == {}


def test_five_failures_in_a_row_open_the_breaker_which_tries_every_six_seconds(house: House) -> None:
    for _ in range(5):
        assert not house.queue.held(LANE)
        stumble(house)
    assert house.queue.held(LANE)
    assert f"lane:{LANE}:circuit_open" in house.problems
    for _ in range(3):
        house.queue.release(LANE)  # the six seconds are over, and the one try that was let in fails
        stumble(house)
        assert house.queue.held(LANE)


def test_one_conversation_at_which_a_lane_fails_keeps_nobody_else_waiting(house: House) -> None:
    """What tells about the other end, and what only about one conversation: the failures in order, `ok` for a success."""
    rows: list[tuple[str, list[str], bool]] = [
        ("five, of five", ["a", "b", "c", "d", "e"], True),
        ("five, of two", ["a", "a", "b", "a", "a"], True),
        ("one alone, however often", ["a"] * 50, False),
        ("a success in between", ["a", "b", "c", "d", "ok", "a", "b", "c", "d"], False),
        (
            "twelve that fail again while others pass",
            [*"abcd", "ok", *"efgh", "ok", *"ijkl", *["ok", *"abcdefghijkl"] * 9],
            False,
        ),
        ("the same, while nobody passes", [*"abcd", "ok", *"abcdabcde"], True),
        ("one that fails again, beside a real outage", ["a", "ok", "a", "b", "c", "d", "e", "f"], True),
        ("the same, one fewer", ["a", "ok", "a", "b", "c", "d", "e"], False),
        ("a real outage after one", [*"abcde", "ok", *"vwxyz"], True),
    ]
    for number, (why, steps, breaks) in enumerate(rows):
        lane, seen = f"reply:{number}", set()
        for who in steps:
            if who == "ok":
                house.queue.release(lane)
                house.lanes.record_success(lane, "somebody")
            else:
                house.lanes.record_failure(lane, "502", who, is_first=who not in seen)
                seen.add(who)
        assert house.queue.held(lane) == breaks, why


def test_failures_in_spite_of_successes_are_counted_until_it_works(house: House) -> None:
    def again() -> int:
        return house.lanes.record_failure(LANE, "502", "c1")

    assert [again(), again()] == [0, 0], "nothing went through in between"
    for alone in (1, 2, 3):
        house.lanes.record_success(LANE, "c2")
        assert [again(), again()] == [alone, alone]
    house.lanes.record_success("deliver:sales", "c2")
    assert again() == 3, "another lane says nothing"
    house.lanes.record_success(LANE, "c1")
    assert again() == 0
    house.lanes.record_success(LANE, "c2")
    assert house.lanes.record_failure(LANE, "502", "c1", is_first=True) == 0, "another message of the same person"


async def test_what_waits_for_a_lane_goes_on_in_order_when_something_goes_through(house: House) -> None:
    async with Running(house.queue, house.clock) as running:
        await house.queue.wake([JobRequest("reply", name, NOW + 5_000, "reply:assistant") for name in ("c3", "c1", "c2", "c4")])
        for name, since in (("c2", NOW - 2), ("c3", NOW - 1), ("c1", NOW - 3)):
            house.lanes.wait(LANE, name, since, NOW + 5_000)
        house.lanes.record_success("deliver:sales")
        await running.settled()
        assert running.keys("reply") == []
        house.lanes.record_success(LANE)
        await running.settled()
        assert running.keys("reply") == ["c1", "c2", "c3"]
    assert [house.lanes.let_go(name, NOW + 5_000) for name in ("c1", "c4")] == [True, False]
    assert not house.lanes.let_go("c1", NOW + 5_000), "it is let go once"
    assert not house.lanes.let_go("c2", NOW + 9_000), "it waits for something else by now"
    assert not house.lanes.let_go("c3", None)


def test_the_breaker_closes_with_the_first_that_goes_through(house: House) -> None:
    for _ in range(7):
        stumble(house)
    house.queue.release(LANE)
    house.lanes.record_success(LANE)
    assert house.listed() == {}
    stumble(house)
    assert not house.queue.held(LANE)


async def test_while_the_breaker_is_open_a_try_under_way_does_not_free_the_lane(house: House) -> None:
    for _ in range(4):
        stumble(house)
    assert not house.lanes.held(LANE)
    stumble(house)
    house.queue.release(LANE)  # the six seconds are over
    with house.lanes.trying(LANE):
        house.clock.forward(OPEN_INTERVAL + SEND_WITHIN - 1)
        assert house.lanes.held(LANE)
        house.clock.forward(1)
        assert not house.lanes.held(LANE), "a try never takes so long"
    house.clock.forward(-SEND_WITHIN - 1)
    assert house.lanes.held(LANE)
    house.clock.forward(1)
    assert not house.lanes.held(LANE), "nobody is trying: whoever waits may"
    stumble(house)
    house.queue.release(LANE)
    house.lanes.record_success(LANE)
    assert not house.lanes.held(LANE)


# ── a lane whose other end takes what it does not deliver ─────────────────────────────────────────────────────────────────


def fail_later(house: House) -> int:
    """A receipt says that what was taken was not delivered; how long until the next probe."""
    return house.lanes.block(LANE, "no payment", "pay", told_later=True) - house.clock()


def test_what_is_taken_proves_nothing_until_a_receipt_says_that_it_got_through(house: House) -> None:
    house.clock.forward(fail_later(house))
    house.queue.release(LANE)
    house.lanes.track(LANE, "a1")
    house.lanes.record_success(LANE)
    assert house.queue.held(LANE), "what waits behind the probe stays"
    assert house.listed() == {f"lane:{LANE}:blocked": 1}
    house.lanes.confirm_delivery(LANE, "of something older")
    assert house.queue.held(LANE)
    house.lanes.confirm_delivery(LANE, "out-1", "a1")
    assert not house.lanes.held(LANE)
    assert house.listed() == {}
    assert fail(house) == 2_000


def test_probes_that_are_taken_and_fail_wait_ever_longer_too(house: House) -> None:
    waits = []
    for n in range(6):
        waits.append(fail_later(house))
        house.clock.forward(waits[-1])
        house.queue.release(LANE)
        house.lanes.track(LANE, f"a{n}")
        house.lanes.record_success(LANE)
    assert waits == [2_000, 4_000, 8_000, 8_000, 8_000, 8_000]


def test_a_receipt_may_be_there_before_the_answer_to_its_request(house: House) -> None:
    house.clock.forward(fail_later(house))
    house.queue.release(LANE)
    house.lanes.track(LANE, "a1")
    house.lanes.confirm_delivery(LANE, "a1")
    house.lanes.record_success(LANE)
    assert not house.lanes.held(LANE)
    assert house.listed() == {}


def test_a_long_pause_is_told_with_its_remedy_until_something_goes_through(house: House) -> None:
    house.lanes.throttle(LANE, 3_600_000, "too many complaints", "look at the quality")
    [problem] = house.problems
    assert (problem.key, problem.remedy) == (f"lane:{LANE}:throttled", "look at the quality")
    house.queue.release(LANE)
    house.lanes.record_success(LANE)
    assert house.listed() == {}


# ── tries that hang ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def pass_time(house: House, milliseconds: int) -> None:
    """On both clocks."""
    for _ in range(0, milliseconds, 500):
        house.clock.forward(500)
        await asyncio.sleep(0.5)


def room(house: House) -> int:
    """How many more jobs of the lane may start."""
    return house.queue._lane(LANE).room()


def test_beside_a_try_that_hangs_another_starts_but_only_so_many() -> None:
    async def main() -> None:
        house = House()
        stumble(house, 5)
        house.queue.release(LANE)
        assert room(house) == 1
        with ExitStack() as tries:
            for n in range(MOST_BESIDE):
                tries.enter_context(house.lanes.trying(LANE))
                await pass_time(house, OPEN_INTERVAL - 500)
                assert (room(house), house.lanes.held(LANE)) == (1 + n, True), n
                await pass_time(house, 500)
                assert (room(house), house.lanes.held(LANE)) == (2 + n, False), n
            tries.enter_context(house.lanes.trying(LANE))
            await pass_time(house, OPEN_INTERVAL)
            assert (room(house), house.lanes.held(LANE)) == (1 + MOST_BESIDE, True), "the last that may"
        assert room(house) == 1, "none hangs any more"

    without_waiting(main())


def test_a_try_that_hung_has_taken_its_rest_itself() -> None:
    async def main() -> None:
        house = House()
        stumble(house, 4)
        with house.lanes.trying(LANE):
            await pass_time(house, 4_000)
        stumble(house)
        assert house.queue._lane(LANE).held_until == house.clock() + OPEN_INTERVAL - 4_000
        house.queue.release(LANE)
        with house.lanes.trying(LANE):
            await pass_time(house, 30_000)
        stumble(house)
        assert house.queue._lane(LANE).held_until == house.clock() + PAUSE

    without_waiting(main())


def test_what_fails_that_had_begun_before_the_return_opens_no_breaker_again(house: House) -> None:
    begun = house.clock()
    house.clock.forward(1_000)
    house.lanes.record_success(LANE, "c1")
    for n in range(9):
        house.lanes.record_failure(LANE, "no answer", f"old{n}", is_first=True, begun=begun)
    assert not house.queue.held(LANE)
    for n in range(5):
        house.lanes.record_failure(LANE, "no answer", f"new{n}", is_first=True, begun=house.clock())
    assert house.queue.held(LANE)


def test_what_goes_through_although_another_try_has_failed_meanwhile_ends_the_hold(house: House) -> None:
    """Whether the lane is free at once, by when the try began and what else holds the lane."""
    for number, (begun, also, free) in enumerate([(1, "", True), (-1, "", False), (1, "busy", False), (1, "refused", True)]):
        lane = f"deliver:{number}"
        for n in range(5):
            house.lanes.record_failure(lane, "502", f"c{n}", is_first=True)
        opened = house.clock()
        house.clock.forward(2_000)
        if also == "busy":
            house.lanes.throttle(lane, 60_000)
        house.lanes.record_success(lane, "c9", opened + begun)
        assert house.queue.held(lane) != free, (begun, also)


def test_where_nothing_is_there_to_be_tried_one_at_a_time_is_let_go_to_make_something() -> None:
    async def main() -> None:
        house = House()
        let_go: list[str] = []
        house.queue.hasten = lambda jobs: let_go.extend(key for _, key in jobs)  # type: ignore[method-assign]
        stumble(house, 5)
        house.queue.release(LANE)
        for name, since in (("c2", NOW - 1), ("c1", NOW - 2), ("c3", NOW)):
            house.lanes.wait(LANE, name, since, NOW + 30_000)
        with house.lanes.trying(LANE):
            await pass_time(house, OPEN_INTERVAL)
            assert let_go == []
            await pass_time(house, ASIDE)
            assert let_go == ["c1"]
            house.lanes.prepares(LANE)
            await pass_time(house, OPEN_INTERVAL - 500)
            assert let_go == ["c1"], "somebody makes something"
            await pass_time(house, PAUSE + 500)
            assert let_go == ["c1", "c2"]
        house.lanes.record_success(LANE)
        assert let_go == ["c1", "c2", "c3"]
        await pass_time(house, 60_000)
        assert let_go == ["c1", "c2", "c3"]

    without_waiting(main())
