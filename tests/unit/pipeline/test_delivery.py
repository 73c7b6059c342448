"""A deliver job: is anything unsent?"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sara import ChannelUnavailable, DeliveryUnknown, Instant, NotSent, OutgoingContent, Rejected, ReplyWindowClosed, SendResult
from sara.engines import (
    Attempt,
    AttemptResult,
    AttemptState,
    Conflict,
    Done,
    Job,
    JobEnd,
    JobRequest,
    OutboundState,
    Reschedule,
    StoreUnavailable,
)
from sara.pipeline.delivery import AttemptSource, DeliveryHandler
from sara.pipeline.services import Backoff
from sara.policy.settings import RetryPolicy
from sara.queue.circuit_breaker import PROBE_LONGEST
from tests.fakes import CONVERSATION, NOW, House, delivery_view, job, without_waiting
from tests.rows import each_row

JOB: Job = job()
HOUR = 3_600_000
DAY = 24 * HOUR
POLICY = RetryPolicy(max_duration=DAY)
HOLD = 60_000
LONGEST = 300_000
MINUTE = 60_000


def outbox_of(house: House, chance: Callable[[], float] = lambda: 0.0, policy: RetryPolicy = POLICY) -> DeliveryHandler:
    ids = itertools.count(1)
    return DeliveryHandler(
        house.store,
        house.routing,
        house.reporting,
        Backoff(policy, chance),
        AttemptSource(lambda: f"a{next(ids)}", "me"),
        house.call_guard,
        house.clock,
    )


def house_of(*errors: Exception, **view: Any) -> House:
    """A house with one unsent part; sending raises these errors first."""
    house = House()
    house.channel.errors.extend(errors)
    house.store.delivering = [delivery_view(**view)]
    return house


async def outcome_of(*errors: Exception, **view: Any) -> tuple[AttemptResult, House]:
    """What one run settles."""
    house = house_of(*errors, **view)
    await outbox_of(house)(JOB)
    [(_, outcome, _)] = house.store.called("record_attempt")
    return outcome, house


def held_until(house: House) -> int:
    """When the lane is tried again."""
    until = house.queue._lane("deliver:support").held_until
    assert until is not None
    return until


# ── sending ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_part_is_marked_then_sent_then_settled() -> None:
    house = house_of()
    marked: list[int] = []

    async def sending() -> None:
        marked.append(len(house.store.called("begin_attempt")))

    house.channel.sending = sending
    assert await outbox_of(house)(JOB) == Done()
    assert marked == [1]
    assert house.channel.sent == [("out-1", "a1")]
    assert house.store.called("begin_attempt") == [("out-1", "a1", "me", NOW)]
    assert house.store.called("record_attempt") == [
        ("a1", AttemptResult(AttemptState.ACCEPTED, OutboundState.ACCEPTED, external_id="provider-a1"), NOW)
    ]
    assert house.listed() == {}


async def test_parts_go_one_after_the_other_each_with_an_id_of_its_own() -> None:
    house = house_of()
    house.store.delivering.append(delivery_view("out-2"))
    assert await outbox_of(house)(JOB) == Done()
    assert house.channel.sent == [("out-1", "a1"), ("out-2", "a2")]
    assert house.store.wrote() == ["begin_attempt", "record_attempt"] * 2


async def test_the_next_part_waits_for_the_one_before() -> None:
    house = house_of(NotSent("busy"))
    house.store.delivering.append(delivery_view("out-2"))
    assert await outbox_of(house)(JOB) == Reschedule(NOW + 1_000)
    assert house.channel.sent == [("out-1", "a1")]


async def test_nothing_is_sent_whose_mark_could_not_be_kept() -> None:
    house = house_of()
    house.store.fails["begin_attempt"] = [StoreUnavailable()]
    with pytest.raises(StoreUnavailable):
        await outbox_of(house)(JOB)
    assert house.channel.sent == []


async def test_a_part_that_moved_on_is_looked_at_anew() -> None:
    house = house_of()
    house.store.fails["begin_attempt"] = [Conflict()]
    assert await outbox_of(house)(JOB) == Done()
    assert house.channel.sent == [("out-1", "a2")]


async def test_where_nothing_is_unsent_nothing_is_done() -> None:
    house = house_of()
    house.store.delivering = []
    assert await outbox_of(house)(JOB) == Done()
    assert house.store.wrote() == []


async def test_parts_of_a_channel_that_is_gone_are_left_as_they_are() -> None:
    house = house_of()
    view = house.store.delivering[0]
    house.store.delivering = [replace(view, part=replace(view.part, account="test:9"))]
    assert await outbox_of(house)(JOB) == Done()
    assert house.store.wrote() == []


async def test_a_part_is_not_sent_before_its_time() -> None:
    house = house_of(not_before=NOW + 500)
    assert await outbox_of(house)(JOB) == Reschedule(NOW + 500)
    assert house.channel.sent == []


async def test_nothing_is_sent_while_the_lane_is_held() -> None:
    house = house_of()
    house.queue.hold("deliver:support", NOW + 60_000)
    assert await outbox_of(house)(JOB) == Reschedule(JOB.due)
    renamed = replace(JOB, lane="deliver:of-another-name")
    assert await outbox_of(house)(renamed) == Reschedule(NOW + 1_000), "nothing would keep that lane waiting"
    assert house.store.wrote() == []


async def test_while_draining_no_further_part_is_begun() -> None:
    house = house_of()
    house.store.delivering.append(delivery_view("out-2"))
    outbox = outbox_of(house)

    async def sending() -> None:
        outbox.draining = True

    house.channel.sending = sending
    assert await outbox(JOB) == Reschedule(NOW)
    assert house.channel.sent == [("out-1", "a1")]
    assert house.store.wrote() == ["begin_attempt", "record_attempt"]


async def test_plugins_are_told_of_what_was_accepted_and_of_nothing_else() -> None:
    house = house_of(NotSent("busy"))
    listener = house.listens()
    outbox = outbox_of(house)
    await outbox(JOB)
    await house.hooks.wait_idle()
    assert listener.told == []
    house.clock.forward(1_000)
    await outbox(JOB)
    await house.hooks.wait_idle()
    assert listener.told == [("message_sent", "out-1")]


async def test_an_answer_that_waited_for_the_delivery_is_woken() -> None:
    house = house_of()
    house.store.reply_due = NOW + 30_000
    await outbox_of(house)(JOB)
    assert house.queue.woken == [JobRequest("reply", CONVERSATION, NOW + 30_000, "reply:assistant")]


# ── consent ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("purpose", ["reply", "template"])
async def test_who_opted_out_gets_no_more_answers(purpose: str) -> None:
    house = house_of(purpose=purpose, opted_out=True)
    assert await outbox_of(house)(JOB) == Done()
    assert house.channel.sent == []
    assert house.store.called("cancel_outbound") == [("out-1", "cancelled", "opted_out", NOW)]


@pytest.mark.parametrize("purpose", ["notice", "operator"])
async def test_the_confirmation_and_an_operators_own_words_pass(purpose: str) -> None:
    house = house_of(purpose=purpose, opted_out=True)
    await outbox_of(house)(JOB)
    assert house.channel.sent == [("out-1", "a1")]


# ── each error and what becomes of the part ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("after", "wait"), [(None, 1_000), (300, 1_000), (9_000, 9_000)])
async def test_a_message_that_did_not_leave_is_charged_and_tried_again(after: int | None, wait: int) -> None:
    outcome, house = await outcome_of(NotSent("connection refused", after=after))
    assert outcome == AttemptResult(
        AttemptState.NOT_SENT, OutboundState.QUEUED, NOW + wait, charged=True, error="connection refused"
    )
    assert not house.lanes.held("deliver:support")


@pytest.mark.parametrize(("after", "wait"), [(None, 6_000), (4_000, 4_000)])
async def test_a_limit_of_the_conversation_makes_that_conversation_wait_and_costs_nothing(after: int | None, wait: int) -> None:
    outcome, house = await outcome_of(NotSent("pair limit", after=after, scope="conversation"))
    assert outcome == AttemptResult(AttemptState.NOT_SENT, OutboundState.QUEUED, NOW + wait, charged=False, error="pair limit")
    assert not house.lanes.held("deliver:support")
    assert house.listed() == {}


async def test_each_further_limit_makes_a_conversation_wait_twice_as_long_until_something_goes_through() -> None:
    house = house_of(*[NotSent("pair limit", after=6_000, scope="conversation") for _ in range(8)])
    outbox = outbox_of(house)
    waits = []
    while isinstance(end := await outbox(JOB), Reschedule):
        waits.append(end.at - house.clock())
        house.clock.now = end.at
    assert waits == [6_000, 12_000, 24_000, 48_000, 96_000, 192_000, 300_000, 300_000]
    house.store.delivering = [delivery_view("out-2")]
    house.channel.errors.append(NotSent("pair limit", after=6_000, scope="conversation"))
    assert await outbox(JOB) == Reschedule(house.clock() + 6_000)


@pytest.mark.parametrize(("after", "wait"), [(None, 5_000), (20_000, 20_000)])
async def test_a_limit_of_the_channel_makes_the_whole_lane_wait_and_costs_nothing(after: int | None, wait: int) -> None:
    outcome, house = await outcome_of(NotSent("rate limit", after=after, scope="channel"))
    assert outcome == AttemptResult(AttemptState.NOT_SENT, OutboundState.QUEUED, NOW, charged=False, error="rate limit")
    assert held_until(house) == NOW + wait
    assert house.listed() == {}


async def test_a_limit_that_a_person_can_mend_is_told() -> None:
    for scope, key in (("channel", "lane:deliver:support:throttled"), ("conversation", "channel:support:messages_delayed")):
        outcome, house = await outcome_of(NotSent("131048 spam", after=HOUR, scope=scope, remedy="look at the quality"))  # type: ignore[arg-type]  # both are scopes
        assert (outcome.part, outcome.charged) == ("queued", False)
        assert house.listed() == {key: 1}
        assert next(iter(house.problems)).remedy == "look at the quality"


async def test_what_may_be_the_messages_own_fault_ends_with_its_attempts_and_opens_no_breaker() -> None:
    house = house_of(*[NotSent("1: malformed, or trouble", message_at_fault=True) for _ in range(20)])
    outbox = outbox_of(house)
    while isinstance(end := await outbox(JOB), Reschedule):
        house.clock.now = end.at
    assert len(house.channel.sent) == POLICY.attempts
    outcome = house.store.called("record_attempt")[-1][1]
    assert (outcome.part, outcome.error) == ("failed", "attempts_used_up: 1: malformed, or trouble")
    assert house.listed() == {"channel:support:message_unsent": 1}


async def test_a_window_that_the_provider_calls_closed_parks_the_part_and_asks_the_customer() -> None:
    house = house_of(ReplyWindowClosed("131047 too late"), customer_at=NOW)
    house.channel.reply_window = DAY
    assert await outbox_of(house)(JOB) == Done()
    [(_, outcome, _)] = house.store.called("record_attempt")
    assert outcome == AttemptResult(
        AttemptState.NOT_SENT, OutboundState.QUEUED, NOW + 6_000, charged=False, error="131047 too late", closes_window=True
    )
    assert house.store.called("cancel_outbound") == [("out-1", "parked", "window_closed", NOW)]
    assert house.listed() == {"channel:support:reply_window_closed": 1}
    assert not house.lanes.held("deliver:support")


@pytest.mark.parametrize("window", [None, DAY], ids=["a channel without a window", "a template"])
async def test_a_closed_window_where_none_matters_is_a_refusal(window: int | None) -> None:
    house = house_of(ReplyWindowClosed("131047 too late"), customer_at=NOW, kind="template" if window else "text")
    house.channel.reply_window = window
    await outbox_of(house)(JOB)
    [(_, outcome, _)] = house.store.called("record_attempt")
    assert (outcome.state, outcome.part) == ("refused", "failed")
    assert house.listed() == {"channel:support:message_rejected": 1}


async def test_a_refused_message_has_failed_and_the_conversation_goes_on() -> None:
    house = house_of(Rejected("131026 undeliverable"))
    house.store.delivering.append(delivery_view("out-2"))
    assert await outbox_of(house)(JOB) == Done()
    outcomes = [outcome for _, outcome, _ in house.store.called("record_attempt")]
    assert outcomes[0] == AttemptResult(AttemptState.REFUSED, OutboundState.FAILED, error="131026 undeliverable")
    assert outcomes[1].state == "accepted"
    assert house.listed() == {"channel:support:message_rejected": 1}


async def test_a_refused_token_holds_the_lane_and_burns_no_attempt() -> None:
    outcome, house = await outcome_of(ChannelUnavailable("190 expired", remedy="make a new token"))
    assert outcome == AttemptResult(AttemptState.NOT_SENT, OutboundState.QUEUED, NOW, charged=False, error="190 expired")
    assert held_until(house) == NOW + 2_000
    [problem] = house.problems
    assert problem.remedy == "make a new token"
    assert "190 expired" in problem.message


async def test_the_waiting_message_is_the_probe_that_finds_the_channel_mended() -> None:
    house = house_of(ChannelUnavailable("expired"), ChannelUnavailable("expired"))
    outbox = outbox_of(house)
    waits = []
    while isinstance(end := await outbox(JOB), Reschedule):
        assert end.at == JOB.due, "it keeps its place before those that came later"
        waits.append(held_until(house) - house.clock())
        house.clock.forward(waits[-1])
        house.queue.release("deliver:support")
    assert waits == [2_000, 4_000]
    assert house.channel.sent == [("out-1", "a1"), ("out-1", "a2"), ("out-1", "a3")]
    assert not house.lanes.held("deliver:support")
    assert house.listed() == {}


@each_row(
    "error", [DeliveryUnknown("no answer"), TimeoutError(), ConnectionResetError(), RuntimeError("a bug"), KeyError("messages")]
)
async def test_whatever_else_happens_the_message_is_in_doubt(error: Exception) -> None:
    outcome, house = await outcome_of(error)
    assert (outcome.state, outcome.part, outcome.not_before) == ("in_doubt", "in_doubt", NOW + HOLD)
    assert outcome.error
    assert house.channel.sent == [("out-1", "a1")]


async def test_what_a_channels_bug_says_is_not_kept_for_it_may_quote_a_customer() -> None:
    outcome, _ = await outcome_of(RuntimeError("my number is 15550001111"))
    assert outcome.error is not None
    assert "15550001111" not in outcome.error
    assert "RuntimeError" in outcome.error


async def test_a_channel_that_hands_back_rubbish_leaves_the_message_in_doubt() -> None:
    house = house_of()

    async def send(part: object, attempt_id: str) -> SendResult:
        return None  # type: ignore[return-value]  # nobody checks the types of a stranger's plugin

    house.channel.send = send  # type: ignore[method-assign]  # the same stranger
    await outbox_of(house)(JOB)
    [(_, outcome, _)] = house.store.called("record_attempt")
    assert outcome.part == "in_doubt"


def test_a_send_that_hangs_is_in_doubt_after_a_minute() -> None:
    async def main() -> tuple[AttemptResult, float]:
        house = house_of()

        async def hang() -> None:
            await asyncio.Event().wait()

        house.channel.sending = hang
        began = asyncio.get_running_loop().time()
        await outbox_of(house)(JOB)
        [(_, outcome, _)] = house.store.called("record_attempt")
        return outcome, asyncio.get_running_loop().time() - began

    outcome, took = without_waiting(main())
    assert outcome.part == "in_doubt"
    assert 60 <= took < 90


async def test_a_send_that_was_cut_off_by_the_end_of_the_process_is_not_settled() -> None:
    house = house_of()
    under_way = asyncio.Event()

    async def hang() -> None:
        under_way.set()
        await asyncio.Event().wait()

    house.channel.sending = hang
    running = asyncio.create_task(_run(outbox_of(house)))
    await under_way.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert house.store.wrote() == ["begin_attempt"]


async def _run(outbox: DeliveryHandler) -> JobEnd:
    return await outbox(JOB)


# ── trying again ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_provider_that_is_away_is_tried_after_one_two_and_four_seconds_then_every_eight() -> None:
    house = house_of(*[NotSent("connection refused") for _ in range(HOUR // PROBE_LONGEST + 9)])
    outbox = outbox_of(house, policy=RetryPolicy(max_duration=HOUR))
    waits: list[Instant] = []
    while isinstance(end := await outbox(JOB), Reschedule):
        waits.append(end.at - house.clock())
        house.clock.now = end.at
    assert waits[:3] == [1_000, 2_000, 4_000]
    assert set(waits[3:]) == {PROBE_LONGEST}
    assert house.clock() - NOW >= HOUR > house.clock() - NOW - PROBE_LONGEST
    assert not house.queue.held("deliver:support"), "one conversation alone keeps nobody else waiting"
    outcome = house.store.called("record_attempt")[-1][1]
    assert (outcome.state, outcome.part) == ("not_sent", "failed")
    assert outcome.error.startswith("max_duration")
    assert house.listed()["channel:support:message_unsent"] == 1


async def test_limits_never_use_up_the_attempts() -> None:
    limits = [NotSent("limit", scope=scope) for scope in ("conversation", "channel") * 20]
    house = house_of(*limits)
    outbox = outbox_of(house)
    while isinstance(end := await outbox(JOB), Reschedule):
        house.clock.now = end.at
        house.queue.release("deliver:support")
    assert house.store.called("record_attempt")[-1][1].state == "accepted"
    assert all(not outcome.charged for _, outcome, _ in house.store.called("record_attempt")[:-1])


async def test_chance_spreads_the_long_waits() -> None:
    house = house_of(NotSent("away"), attempts=6, first_at=NOW)
    assert await outbox_of(house, lambda: 0.5)(JOB) == Reschedule(NOW + PROBE_LONGEST * 95 // 100)


async def test_a_send_that_fails_while_others_pass_waits_twice_as_long_each_time_and_opens_no_breaker() -> None:
    house = house_of(*[NotSent("131016") for _ in range(30)])
    outbox = outbox_of(house)
    waits: list[Instant] = []
    while len(waits) < 12 and isinstance(end := await outbox(JOB), Reschedule):
        waits.append(end.at - house.clock())
        house.clock.now = end.at
        house.lanes.record_success("deliver:support", "somebody else")
    assert waits == [1_000 << n for n in range(9)] + [LONGEST] * 3
    assert house.listed() == {}


def test_an_outcome_is_kept_although_the_store_is_busy_for_a_moment() -> None:
    async def main() -> House:
        house = house_of()
        house.store.fails["record_attempt"] = [StoreUnavailable(), StoreUnavailable(), StoreUnavailable(), StoreUnavailable()]
        assert await outbox_of(house)(JOB) == Done()
        return house

    house = without_waiting(main())
    assert house.channel.sent == [("out-1", "a1")]
    assert len(set(house.store.called("record_attempt"))) == 1


def test_an_outcome_is_held_as_long_as_the_store_is_away() -> None:
    async def main() -> House:
        house = house_of()
        house.store.fails["record_attempt"] = [StoreUnavailable() for _ in range(100)]
        assert await outbox_of(house)(JOB) == Done()
        return house

    house = without_waiting(main())
    assert house.channel.sent == [("out-1", "a1")]
    assert {outcome.state for _, outcome, _ in house.store.called("record_attempt")} == {"accepted"}


async def test_an_outcome_is_given_up_only_when_the_daemon_drains() -> None:
    house = house_of()
    house.store.fails["record_attempt"] = [StoreUnavailable() for _ in range(100)]
    outbox = outbox_of(house)

    async def sending() -> None:
        outbox.draining = True

    house.channel.sending = sending
    with pytest.raises(StoreUnavailable):
        await outbox(JOB)
    assert house.channel.sent == [("out-1", "a1")]


# ── doubt ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def doubtful(**changes: Any) -> dict[str, Any]:
    """A part that has been in doubt since NOW."""
    attempt = Attempt("a0", "out-1", "in_doubt", NOW - 100, "me", settled_at=NOW)
    return {"state": "in_doubt", "last": attempt, "attempts": 1, "first_at": NOW - 100, **changes}


async def test_a_mark_without_an_outcome_is_in_doubt_and_not_sent_again() -> None:
    house = house_of(state="sending", last=Attempt("a0", "out-1", "sending", NOW - 100, "an earlier one"))
    assert await outbox_of(house)(JOB) == Reschedule(NOW + HOLD)
    [(attempt, outcome, _)] = house.store.called("record_attempt")
    assert (attempt, outcome.state, outcome.part) == ("a0", "in_doubt", "in_doubt")
    assert house.channel.sent == []


async def test_a_doubt_waits_for_a_receipt_and_the_sweep_knows_how_long() -> None:
    house = house_of(**doubtful())
    assert await outbox_of(house)(JOB) == Reschedule(NOW + HOLD)
    assert house.store.called("reschedule") == [(CONVERSATION, "deliver", NOW + HOLD, NOW)]
    assert house.channel.sent == []


async def test_when_the_hold_time_is_over_it_is_sent_again() -> None:
    house = house_of(**doubtful())
    house.clock.forward(HOLD)
    assert await outbox_of(house)(JOB) == Done()
    assert house.store.called("resolve_in_doubt") == [("out-1", "resend", False, NOW + HOLD)]
    assert house.channel.sent == [("out-1", "a1")]


async def test_a_channel_that_says_hold_is_obeyed_and_the_next_part_goes() -> None:
    house = house_of(**doubtful())
    house.channel.on_doubt = "hold"
    house.store.delivering.append(delivery_view("out-2"))
    house.clock.forward(HOLD)
    await outbox_of(house)(JOB)
    assert house.store.called("resolve_in_doubt") == [("out-1", "hold", False, NOW + HOLD)]
    assert house.channel.sent == [("out-2", "a1")]


async def test_where_receipts_carry_our_id_a_doubt_needs_proof_that_they_can_reach_us() -> None:
    house = house_of(**doubtful(webhook_at=NOW - 1))
    house.channel.receipts_carry_attempt = True
    house.clock.forward(HOLD)
    end = await outbox_of(house)(JOB)
    assert isinstance(end, Reschedule)
    assert NOW + HOLD < end.at <= NOW + 15 * MINUTE
    house.clock.now = NOW + 15 * MINUTE
    await outbox_of(house)(JOB)
    assert house.store.called("resolve_in_doubt") == [("out-1", "resend", True, NOW + 15 * MINUTE)]


@pytest.mark.parametrize(("doubts", "action"), [(3, "resend"), (4, "hold"), (9, "hold")])
async def test_a_customer_gets_no_more_copies_than_there_are_attempts(doubts: int, action: str) -> None:
    house = house_of(**doubtful(doubts=doubts, attempts=9))
    house.clock.forward(HOUR)
    await outbox_of(house)(JOB)
    [(_, taken, _, _)] = house.store.called("resolve_in_doubt")
    assert taken == action


async def test_a_doubt_that_a_receipt_settled_meanwhile_is_looked_at_anew() -> None:
    house = house_of(**doubtful())
    house.clock.forward(HOLD)
    house.store.fails["resolve_in_doubt"] = [Conflict()]
    assert await outbox_of(house)(JOB) == Done()
    assert len(house.store.called("delivery_view")) == 3


# ── the reply window ──────────────────────────────────────────────────────────────────────────────────────────────────────


TEMPLATE = OutgoingContent("We have an answer for you.", "template", {"name": "answer_ready", "language": "en"})


@each_row(
    ("changes", "sent"),
    [
        ({"customer_at": NOW - HOUR + 1}, True),
        ({"customer_at": NOW - HOUR}, False),
        ({"customer_at": None}, False),
        ({"customer_at": None, "kind": "template"}, True),
    ],
)
async def test_what_comes_after_the_reply_window_is_parked_unless_it_is_a_template(changes: dict[str, Any], sent: bool) -> None:
    house = house_of(**changes)
    house.channel.reply_window = HOUR
    assert await outbox_of(house)(JOB) == Done()
    assert house.channel.sent == ([("out-1", "a1")] if sent else [])
    assert house.store.called("cancel_outbound") == ([] if sent else [("out-1", "parked", "window_closed", NOW)])
    assert house.listed() == ({} if sent else {"channel:support:reply_window_closed": 1})
    assert house.store.called("begin_attempt") == ([("out-1", "a1", "me", NOW)] if sent else [])


@pytest.mark.parametrize(("purpose", "asked"), [("reply", True), ("operator", True), ("notice", False)])
async def test_outside_the_window_the_customer_is_asked_to_write_where_something_is_set_up(purpose: str, asked: bool) -> None:
    house = house_of(purpose=purpose)
    house.channel.reply_window = HOUR
    house.channel.reopen_template = lambda: TEMPLATE  # type: ignore[method-assign]  # what its options would say
    assert await outbox_of(house)(JOB) == Done()
    parked = ("out-1", "parked", "window_closed", NOW)
    assert house.store.called("cancel_outbound") == [(*parked, TEMPLATE) if asked else parked]


async def test_where_a_channel_knows_no_window_nothing_is_ever_too_late() -> None:
    house = house_of(customer_at=NOW - 365 * DAY)
    assert await outbox_of(house)(JOB) == Done()
    assert house.channel.sent == [("out-1", "a1")]


@pytest.mark.parametrize("hangs", [True, False])
def test_a_channel_that_hangs_or_breaks_again_and_again_is_given_rest(hangs: bool) -> None:
    async def story() -> House:
        house = House()

        async def send(*_: object) -> SendResult:
            if hangs:
                await asyncio.Event().wait()
            raise RuntimeError("a bug")

        house.channel.send = send  # type: ignore[method-assign]  # a channel that does not come back
        for number in range(5):
            assert not house.queue.held("deliver:support")
            view = delivery_view(f"out-{number}")
            house.store.delivering = [replace(view, part=replace(view.part, conversation=f"c{number}"))]
            await outbox_of(house)(job(key=f"c{number}"))
        return house

    house = without_waiting(story())
    assert house.queue.held("deliver:support")
    assert "lane:deliver:support:circuit_open" in house.problems


# ── who answers, and advertisements ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("mode", "state", "reason"), [("human", "cancelled", "handed_over"), ("paused", "parked", "paused")])
async def test_an_answer_does_not_go_out_where_somebody_else_answers_or_nobody(mode: str, state: str, reason: str) -> None:
    house = house_of(mode=mode)
    house.store.reply_due = NOW + 5
    assert await outbox_of(house)(JOB) == Done()
    assert house.channel.sent == []
    assert house.store.called("cancel_outbound") == [("out-1", state, reason, NOW)]
    assert [wake.kind for wake in house.queue.woken] == ["reply"]


@each_row("mode", ["human", "paused"])
@each_row("purpose", ["notice", "operator", "template"])
async def test_a_persons_words_and_notices_go_out_whoever_answers(mode: str, purpose: str) -> None:
    house = house_of(mode=mode, purpose=purpose)
    assert await outbox_of(house)(JOB) == Done()
    assert house.channel.sent == [("out-1", "a1")]


async def test_what_follows_an_answer_that_is_cancelled_is_looked_at_at_once() -> None:
    house = house_of(mode="human")
    house.store.delivering.append(delivery_view("out-2", mode="human", purpose="operator"))
    assert await outbox_of(house)(JOB) == Done()
    assert house.channel.sent == [("out-2", "a1")]


@pytest.mark.parametrize("mode", ["human", "paused"])
async def test_an_answer_in_doubt_is_settled_before_anybody_asks_who_answers(mode: str) -> None:
    house = house_of(**doubtful(mode=mode))
    assert await outbox_of(house)(JOB) == Reschedule(NOW + HOLD)
    assert house.store.called("cancel_outbound") == []
    house.clock.forward(HOLD)
    await outbox_of(house)(JOB)
    assert house.channel.sent == [], "it is not said again behind the back of whoever answers now"
    assert [arguments[1] for arguments in house.store.called("cancel_outbound")] == ["cancelled" if mode == "human" else "parked"]


async def test_who_opted_out_is_told_nothing_also_where_a_person_answers() -> None:
    house = house_of(mode="human", opted_out=True)
    await outbox_of(house)(JOB)
    assert house.store.called("cancel_outbound") == [("out-1", "cancelled", "opted_out", NOW)]


def advertising(category: object, **changes: Any) -> House:
    house = house_of(kind="template", **changes)
    view = house.store.delivering[0]
    house.store.delivering = [replace(view, part=replace(view.part, content={"name": "offer", "category": category}))]
    return house


@pytest.mark.parametrize("purpose", ["reply", "template", "operator"])
async def test_who_wants_no_advertisements_gets_none(purpose: str) -> None:
    house = advertising("marketing", purpose=purpose, marketing=False)
    assert await outbox_of(house)(JOB) == Done()
    assert house.channel.sent == []
    assert house.store.called("cancel_outbound") == [("out-1", "cancelled", "no_marketing", NOW)]


@each_row(("category", "marketing"), [("marketing", True), ("utility", False), (None, False), (["marketing"], False)])
async def test_everything_else_goes_out(category: object, marketing: bool) -> None:
    house = advertising(category, marketing=marketing)
    assert await outbox_of(house)(JOB) == Done()
    assert house.channel.sent == [("out-1", "a1")]


async def test_what_is_not_to_go_out_is_ended_at_once_also_when_it_is_not_its_time() -> None:
    house = house_of(mode="human", not_before=NOW + HOUR)
    assert await outbox_of(house)(JOB) == Done()
    assert house.store.called("cancel_outbound") == [("out-1", "cancelled", "handed_over", NOW)]
