"""A reply job: is anything unanswered?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import pytest
import structlog

from sara import (
    Attachment,
    Contact,
    ContentRefused,
    GiveUp,
    Identity,
    Options,
    OutgoingContent,
    Reply,
    RetryLater,
    Tool,
    ToolCaller,
    ToolContext,
    Turn,
    Usage,
)
from sara.engines import (
    Conflict,
    Done,
    HistoryLimits,
    Job,
    JobEnd,
    JobKind,
    JobRequest,
    OneTimeNotice,
    OpenWork,
    OverBudget,
    ReplyView,
    Reschedule,
    StoreUnavailable,
    UsageReservation,
)
from sara.i18n.catalog import ENGLISH as TEXTS
from sara.i18n.catalog import MessageCatalog
from sara.i18n.data import LANGUAGES
from sara.pipeline import media_downloads
from sara.pipeline.bindings import ChannelBindings
from sara.pipeline.reply import MOST_RETHOUGHT, ReplyHandler
from sara.pipeline.responder_pool import GRACE
from sara.pipeline.services import Backoff
from sara.pipeline.turns import turn_of
from sara.plugins.gate_guard import guard_gate
from sara.policy.ai_budget import AIBudget
from sara.policy.reply_gates import BLOCKED_LOOK, CORE, LANE_LOOK, SPARE, TIMER_LOOK, Allow, Defer, GateContext, SendNotice, Skip
from sara.policy.settings import (
    BudgetSettings,
    ConversationSettings,
    FollowUp,
    HandoffSettings,
    History,
    Limits,
    Notify,
    OpeningHours,
    Price,
    Rate,
    RetryPolicy,
    UsageLimitSettings,
)
from sara.queue.circuit_breaker import FAILURE_THRESHOLD, OPEN_INTERVAL, PROBE_LONGEST
from tests.fakes import ACCOUNT, CONVERSATION, NOW, FakeChannel, FakeResponder, House, job, line, reply_view, without_waiting
from tests.rows import each_row

JOB: Job = job("reply", lane="reply:assistant")
LINES = (line("in-1", "hello"), line("in-2", "anybody there?"))
MINUTE, HOUR = 60_000, 3_600_000
LONGEST = 5 * MINUTE


def house_of(*responders: FakeResponder, view: ReplyView | None = None, **policy: Any) -> House:
    """A house in which these responders are asked in turn and two messages wait."""
    names = ("assistant", "second", "third")
    house = House(
        dict(zip(names, responders, strict=False)), ConversationSettings(responder="assistant", fallback=names[1:], **policy)
    )
    house.store.replying = reply_view(*LINES) if view is None else view
    return house


def replies_of(house: House, policy: RetryPolicy | None = None, chance: Callable[[], float] = lambda: 0.0) -> ReplyHandler:
    return ReplyHandler(
        house.store,
        house.routing,
        house.reporting,
        house.answering,
        house.manners,
        Backoff(policy or RetryPolicy(), chance),
        house.clock,
    )


async def run(house: House, policy: RetryPolicy | None = None) -> JobEnd:
    """Run the job once."""
    return await replies_of(house, policy)(JOB)


# ── answering ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_all_that_waits_is_answered_at_once_and_its_delivery_woken() -> None:
    responder = FakeResponder(Reply((OutgoingContent("Yes!"), OutgoingContent("How can I help?")), Usage(10, 5, "m")))
    house = house_of(responder)
    assert await run(house) == Done()
    [turn] = responder.turns
    assert turn.messages == LINES
    answers = ("in-1", "in-2")
    assert house.store.called("begin_reply") == [(CONVERSATION, answers, NOW)]
    parts = (OutgoingContent("Yes!"), OutgoingContent("How can I help?"))
    assert house.store.called("save_reply") == [(CONVERSATION, 1, answers, parts, Usage(10, 5, "m"), NOW)]
    assert house.queue.woken == [JobRequest("deliver", CONVERSATION, NOW, "deliver:support")]


async def test_a_call_is_counted_before_it_is_made() -> None:
    responder = FakeResponder()
    house = house_of(responder)
    counted: list[int] = []

    async def think() -> None:
        counted.append(len(house.store.called("begin_reply")))

    responder.thinking = think
    await run(house)
    assert counted == [1]


async def test_an_answer_is_cut_into_the_parts_that_the_channel_carries() -> None:
    house = house_of(FakeResponder("one two three"))
    house.channel.text_limit = 8
    await run(house)
    [(_, _, _, parts, _, _)] = house.store.called("save_reply")
    assert parts == (OutgoingContent("one two"), OutgoingContent("three"))


async def test_messages_that_came_meanwhile_are_looked_at_next() -> None:
    house = house_of(FakeResponder())
    house.store.reply_due = NOW + 700
    assert await run(house) == Reschedule(NOW + 700)


async def test_plugins_are_told_of_the_answer() -> None:
    house = house_of(FakeResponder())
    listener = house.listens()
    await run(house)
    await house.hooks.wait_idle()
    assert listener.told == [("reply_ready", (CONVERSATION, ["in-1", "in-2"]))]


async def test_an_answer_to_what_was_settled_meanwhile_is_dropped() -> None:
    house = house_of(FakeResponder())
    house.store.fails["save_reply"] = [Conflict()]
    assert await run(house) == Reschedule(NOW)
    assert house.queue.woken == []
    assert house.store.wrote() == ["begin_reply", "save_reply"]
    assert house.listed() == {}


# ── nothing to answer, or not now ─────────────────────────────────────────────────────────────────────────────────────────


async def test_an_unknown_conversation_is_done() -> None:
    house = house_of(FakeResponder())
    house.store.replying = None
    assert await run(house) == Done()
    assert house.store.wrote() == []


async def test_a_conversation_whose_channel_is_gone_is_left_as_it_is() -> None:
    responder = FakeResponder()
    house = house_of(responder, view=reply_view(*LINES, account="test:9"))
    assert await run(house) == Done()
    assert house.store.wrote() == []
    assert responder.turns == []


async def test_where_nothing_waits_nobody_is_asked() -> None:
    responder = FakeResponder()
    house = house_of(responder, view=reply_view())
    assert await run(house) == Done()
    assert house.store.wrote() == []
    assert responder.turns == []


async def test_a_due_without_messages_is_settled() -> None:
    house = house_of(FakeResponder(), view=reply_view(due=NOW))
    assert await run(house) == Done()
    assert house.store.wrote() == ["close_turn"]


@pytest.mark.parametrize(
    ("changes", "end", "wrote"),
    [
        ({"due": NOW + 400}, Reschedule(NOW + 400), []),
        ({"delivery": "in_doubt"}, Reschedule(NOW + BLOCKED_LOOK), ["reschedule"]),
        ({"delivery": "backing_off"}, Reschedule(NOW + BLOCKED_LOOK), ["reschedule"]),
    ],
    ids=["quiet", "in doubt", "backing off"],
)
async def test_what_has_to_wait_counts_no_attempt(changes: dict[str, Any], end: JobEnd, wrote: list[str]) -> None:
    responder = FakeResponder()
    house = house_of(responder, view=reply_view(*LINES, **changes))
    assert await run(house) == end
    assert house.store.wrote() == wrote
    assert responder.turns == []


async def test_what_cleared_while_it_was_written_down_is_noticed_at_once() -> None:
    house = house_of(FakeResponder(), view=reply_view(*LINES, delivery="in_doubt"))
    look_again = house.store.reschedule

    async def looking(conversation: str, kind: str, due: int, now: int) -> OpenWork:
        house.store.replying = reply_view(*LINES)
        return await look_again(conversation, kind, due, now)

    house.store.reschedule = looking  # type: ignore[method-assign]  # the same, and the delivery ends meanwhile
    assert await run(house) == Reschedule(NOW)


@pytest.mark.parametrize(
    ("later", "looks"),
    [("clear", [NOW + BLOCKED_LOOK, NOW]), ("in_doubt", [NOW + BLOCKED_LOOK]), ("backing_off", [NOW + BLOCKED_LOOK])],
)
async def test_what_cleared_while_it_was_put_off_is_not_left_put_off_in_the_store(later: str, looks: list[int]) -> None:
    responder = FakeResponder()
    house = house_of(responder, view=reply_view(*LINES, delivery="in_doubt"))
    look_again = house.store.reschedule

    async def looking(conversation: str, kind: JobKind, due: int, now: int) -> OpenWork:
        house.store.replying = reply_view(*LINES, delivery=later)
        return await look_again(conversation, kind, due, now)

    house.store.reschedule = looking  # type: ignore[method-assign]  # the same, and the delivery changes meanwhile
    assert await run(house) == Reschedule(looks[-1])
    # A process that ends now looks again when the store says so.
    assert house.store.called("reschedule") == [(CONVERSATION, "reply", due, NOW) for due in looks]
    assert responder.turns == []


async def test_the_ai_is_not_asked_for_answers_that_a_held_channel_cannot_take() -> None:
    responder = FakeResponder()
    house = house_of(responder)
    house.lanes.block("deliver:support", "the token has expired", "")
    assert await run(house) == Reschedule(NOW + LANE_LOOK)
    assert house.store.called("reschedule") == [(CONVERSATION, "reply", NOW + LANE_LOOK, NOW)]
    assert responder.turns == []


async def test_while_the_breaker_is_open_the_ai_is_not_asked_although_a_try_is_under_way() -> None:
    responder = FakeResponder()
    house = house_of(responder)
    for number in range(FAILURE_THRESHOLD):
        house.lanes.record_failure("deliver:support", "no answer", f"c{number}", is_first=True)
    house.queue.release("deliver:support")
    house.clock.forward(OPEN_INTERVAL)
    assert house.store.replying is not None
    assert house.store.replying.delivery == "clear", "the part that is tried was never tried before"
    with house.lanes.trying("deliver:support"):
        assert await run(house) == Reschedule(house.clock() + LANE_LOOK)
    assert responder.turns == []
    assert await run(house) == Done(), "nobody is trying: this answer is the next try"
    assert await run(house) == Reschedule(house.clock() + LANE_LOOK), "one answer at a time is made for that"
    assert len(responder.turns) == 1


async def test_a_refusal_of_a_message_is_an_answer_of_the_responder() -> None:
    """Whatever waits for its lane goes on: the server is there, and takes the key."""
    for error in (ContentRefused("no"), GiveUp("no")):
        house = house_of(FakeResponder(error))
        lane = "reply:assistant"
        for number in range(FAILURE_THRESHOLD):
            house.lanes.record_failure(lane, "503", f"c{number}", is_first=True)
        house.lanes.block(lane, "the key is refused", "")
        house.queue.release(lane)
        await run(house)
        assert not [key for key in house.listed() if lane in key], error
        assert not house.lanes.held(lane)


async def test_without_a_running_responder_messages_wait() -> None:
    house = house_of()
    assert await run(house) == Reschedule(NOW + BLOCKED_LOOK)
    assert house.store.wrote() == ["reschedule"]


@pytest.mark.parametrize(
    ("view", "skipped", "reason"),
    [
        (reply_view(*LINES, opted_out=True), ("in-1", "in-2"), "opted_out"),
        (reply_view(line("in-0", at=NOW - 13 * HOUR), LINES[0]), ("in-0",), "too_old"),
    ],
)
async def test_what_is_not_answered_is_kept_with_its_reason(view: ReplyView, skipped: tuple[str, ...], reason: str) -> None:
    responder = FakeResponder()
    house = house_of(responder, view=view)
    house.store.reply_due = NOW
    assert await run(house) == Reschedule(NOW)
    assert house.store.called("close_turn") == [(CONVERSATION, skipped, "skipped", reason, NOW)]
    assert responder.turns == []
    # A clock that is wrong makes everything look old: that must not go unnoticed.
    assert house.listed() == ({"replies:too_old": 1} if reason == "too_old" else {})


# ── failing ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("error", [RetryLater("busy"), GiveUp("no such model"), RuntimeError("a bug")])
async def test_responders_are_asked_in_turn_until_one_answers(error: Exception) -> None:
    first, second, third = FakeResponder(error), FakeResponder("I can."), FakeResponder("So can I.")
    house = house_of(first, second, third)
    assert await run(house) == Done()
    assert [len(each.turns) for each in (first, second, third)] == [1, 1, 0]
    [(_, attempt, _, parts, _, _)] = house.store.called("save_reply")
    assert (attempt, parts) == (1, (OutgoingContent("I can."),))


async def test_one_pass_through_all_responders_is_one_attempt() -> None:
    house = house_of(FakeResponder(RetryLater("busy")), FakeResponder(GiveUp("never")), FakeResponder(RetryLater("away")))
    assert await run(house) == Reschedule(NOW + 1_000)
    assert house.store.wrote() == ["begin_reply", "fail_reply_attempt"]


@pytest.mark.parametrize("other", [RetryLater("busy"), RuntimeError("a bug")])
async def test_as_long_as_one_may_answer_later_all_are_asked_again(other: Exception) -> None:
    house = house_of(FakeResponder(GiveUp("never")), FakeResponder(other))
    assert isinstance(await run(house), Reschedule)
    assert house.store.called("close_turn") == []


async def test_what_all_give_up_is_dead_at_once() -> None:
    house = house_of(FakeResponder(GiveUp("too long")), FakeResponder(GiveUp("too long for me too")))
    assert await run(house) == Done()
    [(_, answers, state, reason, _)] = house.store.called("close_turn")
    assert (answers, state) == (("in-1", "in-2"), "dead")
    assert "too long" in reason
    assert house.listed()["replies:failed"] == 1


@each_row(
    ("apologise", "apologised", "says"), [(True, False, True), (True, True, False), (False, False, False), (False, True, False)]
)
@each_row(("error", "key"), [(GiveUp("too long"), "fallback"), (RuntimeError("a bug"), "apology")])
async def test_an_apology_is_made_once_and_only_where_the_policy_wants_it(
    apologise: bool, apologised: bool, says: bool, error: Exception, key: str
) -> None:
    house = house_of(FakeResponder(error), view=reply_view(*LINES, apologised=apologised), apologise=apologise)
    replies = replies_of(house, RetryPolicy(attempts=1))
    assert await replies(JOB) == Done()
    assert house.store.wrote()[-1] == "close_turn"
    assert house.store.notices == ([OutgoingContent(house.texts.render(key, None))] if says else [])


async def test_the_customer_is_told_once_of_what_no_provider_lets_pass() -> None:
    for apologised in (False, True):
        house = house_of(FakeResponder(ContentRefused("no")), view=reply_view(*LINES, apologised=apologised), apologise=False)
        assert await run(house) == Done()
        assert house.store.notices == ([] if apologised else [OutgoingContent(house.texts.render("fallback", None))])
        [(_, _, state, reason, _)] = house.store.called("close_turn")
        assert (state, reason) == ("dead", "given_up: no")


async def test_what_the_other_side_said_is_kept_and_shown_and_not_logged() -> None:
    said = "too many candles"
    kept = f'no (it said: "{said}")'
    for error in (RetryLater("no", detail=said), GiveUp("no", detail=said), ContentRefused("no", detail=said)):
        house = house_of(FakeResponder(error))
        with structlog.testing.capture_logs() as logged:
            await run(house)
        wrote = house.store.called("fail_reply_attempt") or house.store.called("close_turn")
        assert kept in str(wrote), error
        assert said not in str(logged), error
        shown = [problem.message for problem in house.problems if problem.key == "replies:failed"]
        assert all(said in message for message in shown)
        assert bool(shown) == isinstance(error, GiveUp)


async def test_an_answer_is_kept_whatever_it_is_said_to_cost() -> None:
    odd: list[tuple[Any, Any]] = [
        (Usage(2**70, 5, "m"), None),
        (Usage(10**9 + 1, 5, "m"), None),
        (Usage(-(2**70), 5, "m"), Usage(0, 5, "m")),
        (Usage(float("nan"), 5, "m"), Usage(0, 5, "m")),  # type: ignore[arg-type]
        (Usage(float("inf"), 5, "m"), None),  # type: ignore[arg-type]
        (Usage(7.9, True, "m"), Usage(7, 0, "m")),  # type: ignore[arg-type]
        (Usage("7", None, None), Usage(0, 0, "None")),  # type: ignore[arg-type]
        (Usage(1, 2, "m\x00\ud83d" + "x" * 500), Usage(1, 2, "m\ufffd" + "x" * 198)),
        ({"input_tokens": 5}, None),
        (None, None),
    ]
    for usage, kept in odd:
        house = house_of(FakeResponder(Reply((OutgoingContent("Yes!"),), usage)))
        assert await run(house) == Done()
        [(*_, stored, _)] = house.store.called("save_reply")
        assert stored == kept, usage


async def test_what_fails_is_asked_again_ever_later_and_a_responder_that_is_away_every_eight_seconds_until_it_outlasts() -> None:
    """Each row: what is raised, and how long is waited; a success elsewhere in between says that it is not the responder."""
    doubling = [1_000 << n for n in range(9)]
    rows: list[tuple[Exception, bool, list[int], int]] = [
        (RetryLater("empty"), False, doubling, LONGEST),
        (RetryLater("empty"), True, doubling, LONGEST),
        (RetryLater("refused", scope="responder"), False, doubling[:4], PROBE_LONGEST),
        (RetryLater("refused", scope="responder"), True, doubling, LONGEST),
    ]
    for error, others_pass, first, longest in rows:
        house = house_of(FakeResponder(error))
        replies = replies_of(house)
        waits = []
        while isinstance(end := await replies(JOB), Reschedule):
            waits.append(end.at - house.clock())
            house.clock.now = end.at
            if others_pass:
                house.lanes.record_success("reply:assistant", "somebody else")
        row = (str(error), others_pass)
        assert waits[: len(first)] == first, row
        assert set(waits[len(first) :]) == {longest}, row
        assert 30 * MINUTE <= house.clock() - NOW < 30 * MINUTE + longest, row
        [(_, _, state, reason, _)] = house.store.called("close_turn")
        assert (state, reason) == ("dead", f"max_duration: {error}"), row
        assert house.listed() == {"replies:failed": 1}, row


async def test_what_a_person_has_to_mend_is_waited_for_as_long_as_max_age_lets_it_and_counts_against_nothing() -> None:
    house = house_of(FakeResponder(RetryLater("the key is refused", until_mended=True)), max_age=2 * HOUR)
    replies = replies_of(house)
    probes = []
    while isinstance(end := await replies(JOB), Reschedule):
        assert end.at == house.clock(), "it keeps its place; the lane is what waits"
        assert house.queue.held("reply:assistant")
        assert house.store.replying is not None
        assert (house.store.replying.attempts, house.store.replying.first_at) == (0, None)
        house.clock.forward(PROBE_LONGEST)
        house.queue.release("reply:assistant")
        probes.append(house.clock())
    assert 2 * HOUR <= house.clock() - NOW <= 2 * HOUR + PROBE_LONGEST
    [(_, _, state, reason, _)] = house.store.called("close_turn")
    assert (state, reason) == ("skipped", "too_old")
    assert house.listed()["lane:reply:assistant:blocked"] == len(probes)


async def test_an_outage_after_what_a_person_had_to_mend_is_given_its_whole_time() -> None:
    key, away = RetryLater("the key is refused", until_mended=True), RetryLater("refused", scope="responder")
    house = house_of(FakeResponder(key, away, away, away, away, away, "Here I am."))
    replies = replies_of(house, RetryPolicy(attempts=2, max_duration=MINUTE))
    await replies(JOB)
    house.clock.forward(5 * HOUR)
    while isinstance(end := await replies(JOB), Reschedule):
        house.clock.now = max(end.at, house.clock())
    assert house.store.called("close_turn") == []
    assert house.listed() == {}


async def test_a_reply_that_waits_for_a_lane_is_looked_at_as_soon_as_something_goes_through() -> None:
    """Each row: which lane it waits for, how it is made to, and what the AI says meanwhile."""
    away = RetryLater("refused", after=MINUTE, scope="responder")
    rows: list[tuple[str, Callable[[House], object], list[Exception]]] = [
        ("deliver:support", lambda house: house.lanes.block("deliver:support", "the token has expired", ""), []),
        ("deliver:support", lambda house: house.queue.hold("deliver:support", NOW + HOUR), []),
        ("reply:assistant", lambda house: None, [away]),
    ]
    for lane, hold, says in rows:
        for goes_through in (True, False):
            house = house_of(FakeResponder(*says, "Hi!"))
            replies = replies_of(house)
            hold(house)
            end = await replies(JOB)
            assert isinstance(end, Reschedule), lane
            assert house.store.replying is not None
            house.store.replying = replace(house.store.replying, due=end.at)
            house.clock.forward(1)
            house.queue.release(lane)
            (house.lanes.record_success if goes_through else house.queue.hold)(lane)
            assert (await replies(JOB) == Done()) == goes_through, lane


async def test_a_responder_that_is_broken_is_asked_as_often_as_the_attempts_say() -> None:
    responder = FakeResponder(RuntimeError("a bug"))
    house = house_of(responder)
    replies = replies_of(house)
    waits = []
    while isinstance(end := await replies(JOB), Reschedule):
        waits.append(end.at - house.clock())
        house.clock.now = end.at
    assert waits == [1_000, 2_000, 4_000]
    assert len(responder.turns) == 4
    [(_, _, state, reason, _)] = house.store.called("close_turn")
    assert state == "dead"
    assert reason.startswith("attempts_used_up")
    assert house.listed() == {"responder:assistant:exception": 4, "replies:failed": 1}


async def test_one_that_is_only_away_gives_those_that_are_broken_more_time() -> None:
    view = reply_view(*LINES, attempts=3, first_at=NOW)
    house = house_of(FakeResponder(RuntimeError("a bug")), FakeResponder(RetryLater("connection refused")), view=view)
    assert await run(house) == Reschedule(NOW + 8_000)
    assert house.store.called("close_turn") == []


async def test_a_wait_that_the_responder_asked_for_is_kept() -> None:
    house = house_of(FakeResponder(RetryLater("rate limit", after=42_000)))
    assert await run(house) == Reschedule(NOW + 42_000)
    [(_, attempt, due, error, _)] = house.store.called("fail_reply_attempt")
    assert (attempt, due) == (1, NOW + 42_000)
    assert "rate limit" in error


async def test_chance_spreads_the_long_waits() -> None:
    house = house_of(FakeResponder(RetryLater("busy")), view=reply_view(*LINES, attempts=5, first_at=NOW))
    assert await replies_of(house, chance=lambda: 0.5)(JOB) == Reschedule(NOW + 32_000 * 95 // 100)


async def test_a_failure_that_was_overtaken_is_dropped() -> None:
    house = house_of(FakeResponder(RetryLater("busy")))
    house.store.fails["fail_reply_attempt"] = [Conflict()]
    assert await run(house) == Reschedule(NOW)


async def test_an_empty_answer_is_no_answer() -> None:
    """Nor is one of which nobody can see anything, whichever responder gives it."""
    for text in (
        "   ",
        "",
        "\u200b\u200b\u200b",
        "\ufeff",
        "\u2060 \u00ad\n",
        "\u2800\u3164",
        "\u202e\u202c",
        "\u0301",
        "\x00\x07",
    ):
        house = house_of(FakeResponder(text))
        assert await run(house) == Reschedule(NOW + 1_000), ascii(text)
        assert house.store.called("save_reply") == [], ascii(text)
    for text in (".", "👍", "❤️", "ا", "ก", "0", "\u200bok\u200b", "한", "\U0001fae9"):
        house = house_of(FakeResponder(text))
        assert await run(house) == Done(), ascii(text)


async def test_where_the_first_says_nothing_the_next_is_asked() -> None:
    house = house_of(FakeResponder("   "), FakeResponder("I can."))
    assert await run(house) == Done()


def test_a_responder_that_hangs_is_given_up_and_the_next_is_asked() -> None:
    hanging, ready = FakeResponder(), FakeResponder("I can.")
    hanging.timeout = 60_000

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    hanging.thinking = hang

    async def main() -> float:
        house = house_of(hanging, ready)
        began = asyncio.get_running_loop().time()
        assert await run(house) == Done()
        return asyncio.get_running_loop().time() - began

    assert (60_000 + GRACE) / 1_000 <= without_waiting(main()) < 60_000 / 1_000 + 60
    assert len(ready.turns) == 1


async def test_a_responder_that_hands_back_rubbish_is_broken() -> None:
    house = house_of(FakeResponder(None))  # type: ignore[arg-type]  # nobody checks the types of a stranger's plugin
    replies = replies_of(house)
    ends = [await replies(JOB)]
    while isinstance(ends[-1], Reschedule):
        house.clock.now = ends[-1].at
        ends.append(await replies(JOB))
    assert len(ends) == 4
    assert "responder:assistant:exception" in house.problems


async def test_a_responder_that_works_again_is_no_problem_any_more() -> None:
    house = house_of(FakeResponder(RuntimeError("a bug"), "Hi!"))
    replies = replies_of(house)
    await replies(JOB)
    assert "responder:assistant:exception" in house.problems
    house.clock.forward(1_000)
    assert await replies(JOB) == Done()
    assert "responder:assistant:exception" not in house.problems


@pytest.mark.parametrize("method", ["begin_reply", "save_reply", "reply_view"])
async def test_a_store_that_is_away_is_the_queues_business(method: str) -> None:
    house = house_of(FakeResponder())
    house.store.fails[method] = [StoreUnavailable()]
    with pytest.raises(StoreUnavailable):
        await run(house)


# ── what a responder is asked ─────────────────────────────────────────────────────────────────────────────────────────────

Q1, A1, Q2, A2 = line("q1"), line("a1", role="assistant"), line("q2"), line("a2", role="assistant")


def turn(view: ReplyView, messages: int = 40, tokens: int = 8_000) -> Turn:
    house = house_of(view=view, history=History(messages=messages, tokens=tokens))
    return turn_of(view, house.route, NOW)


def test_a_responder_sees_each_message_on_its_own_after_the_history() -> None:
    view = reply_view(*LINES, history=(Q1, A1))
    asked = turn(view)
    assert (asked.conversation, asked.account, asked.contact, asked.now) == (CONVERSATION, ACCOUNT, view.contact, NOW)
    assert (asked.history, asked.messages) == ((Q1, A1), LINES)


async def test_a_turn_is_read_in_the_order_in_which_it_was_written() -> None:
    # As they arrived, with the seconds at which they were written; then as they are read.
    rows = [
        ((("Please cancel my order", 0), ("No wait, keep it", 4)), ["Please cancel my order", "No wait, keep it"]),
        ((("No wait, keep it", 4), ("Please cancel my order", 0)), ["Please cancel my order", "No wait, keep it"]),
        ((("c", 2), ("a", 0), ("b", 1)), ["a", "b", "c"]),
        ((("b", 1), ("a", 1), ("c", 1)), ["b", "a", "c"]),
        ((("late", 5), ("early", -7_200)), ["early", "late"]),
    ]
    for arrived, read in rows:
        lines = [line(f"in-{n}", words, NOW + at * 1_000) for n, (words, at) in enumerate(arrived)]
        responder = FakeResponder()
        house = house_of(responder, view=reply_view(*lines, history=(line("q2", "2", NOW - 8), line("q1", "1", NOW - 9))))
        await run(house)
        [asked] = responder.turns
        assert [each.text for each in asked.messages] == read
        assert [each.text for each in asked.history] == ["1", "2"]
        [(_, answers, _)] = house.store.called("begin_reply")
        assert set(answers) == {each.id for each in lines}


@pytest.mark.parametrize(("messages", "expected"), [(4, (Q1, A1, Q2, A2)), (2, (Q2, A2)), (0, ())])
def test_history_is_cut_to_so_many_messages(messages: int, expected: tuple[object, ...]) -> None:
    assert turn(reply_view(*LINES, history=(Q1, A1, Q2, A2)), messages).history == expected


def test_history_is_cut_to_so_many_tokens() -> None:
    assert turn(reply_view(LINES[0], history=(Q1, A1, Q2, A2)), tokens=20).history == (Q2, A2)


def test_a_history_cut_by_count_does_not_start_with_an_answer_either() -> None:
    assert turn(reply_view(*LINES, history=(Q1, A1, Q2, A2)), messages=3).history == (Q2, A2)


async def test_a_history_that_the_store_cut_by_count_does_not_start_with_an_answer_either() -> None:
    responder = FakeResponder()
    house = house_of(responder, history=History(messages=3))
    whole = (Q1, A1, Q2, A2)

    async def view(conversation: str, limits: HistoryLimits) -> ReplyView:
        return reply_view(*LINES, history=whole[-limits.messages :])

    house.store.reply_view = view  # type: ignore[method-assign]  # keeps to the limit, as every store does
    await run(house)
    [asked] = responder.turns
    assert asked.history == (Q2, A2)


async def test_no_more_history_is_read_than_any_channel_wants() -> None:
    house = house_of(FakeResponder(), history=History(messages=7))
    house.store.replying = replace(reply_view(*LINES), history=())
    await run(house)
    [(_, limits)] = house.store.called("reply_view")
    assert 7 <= limits.messages <= 8


async def test_a_reply_job_wakes_no_reply_job() -> None:
    house = house_of(FakeResponder())
    house.store.reply_due = NOW
    await run(house)
    assert {wake.kind for wake in house.queue.woken} == {"deliver"}


# ── files, readings, presence ─────────────────────────────────────────────────────────────────────────────────────────────


def content(path: PurePath) -> bytes:
    return Path(path).read_bytes()


async def test_files_are_fetched_before_the_responder_is_asked_and_once_the_call_is_counted(tmp_path: Path) -> None:
    fetched: list[list[str]] = []

    class Camera(FakeChannel):
        async def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
            fetched.append(house.store.wrote())
            yield b"a cat"

    responder = FakeResponder("A cat!")
    house = House({"assistant": responder}, folder=tmp_path)
    house.route = replace(house.route, channel=Camera())
    house.routes = ChannelBindings([house.route])
    picture = Attachment("image", "image/jpeg", "media-1", id="at1")
    old = replace(picture, id="at0", path=PurePath("old"))
    (tmp_path / "old").write_bytes(b"a dog")
    house.store.replying = reply_view(
        replace(line("in-2", "[image]"), attachments=(picture,)), history=(replace(line("in-1"), attachments=(old,)),)
    )
    await run(house)
    assert fetched == [["begin_reply"]]
    [turn] = responder.turns
    [seen] = turn.messages[0].attachments
    assert seen.path is not None
    assert content(seen.path) == b"a cat"
    assert turn.history[0].attachments[0].path == tmp_path / "old"
    assert [name for name, *_ in house.store.called("keep_attachment")] == ["at1"]


async def test_files_that_do_not_come_hold_up_a_turn_once_whoever_is_asked_and_however_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Silent(FakeChannel):
        async def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
            asked.append(attachment.id)
            await asyncio.Event().wait()
            yield b""

    monkeypatch.setattr(media_downloads, "FILES_WITHIN", 100)
    first, second = FakeResponder(RetryLater("busy")), FakeResponder(RetryLater("busy"), "I cannot see it.")
    house = House(
        {"assistant": first, "second": second}, ConversationSettings(responder="assistant", fallback=("second",)), tmp_path
    )
    house.route = replace(house.route, channel=Silent())
    house.routes = ChannelBindings([house.route])
    picture = Attachment("image", "image/jpeg", "media-1", id="at1")
    house.store.replying = reply_view(replace(line("in-2", "[image]"), attachments=(picture,)))
    assert isinstance(await run(house), Reschedule)
    house.clock.forward(60_000)
    await run(house)
    assert asked == ["at1"], "the second try found nothing left of the bound"
    assert [turn.messages[0].attachments[0].state for turn in (*first.turns, *second.turns)] == ["pending"] * 4


async def test_what_a_responder_read_in_a_message_is_kept_with_the_answer() -> None:
    house = house_of(FakeResponder(Reply((OutgoingContent("On Monday."),), transcripts={"in-1": "When do you\x00 open?"})))
    await run(house)
    [(*_, readings)] = house.store.called("save_reply")
    assert readings == {"in-1": "When do you open?"}


# ── limits, hours and what is said once ───────────────────────────────────────────────────────────────────────────────────


def said_of(house: House) -> list[tuple[str, str]]:
    """Which of SARA's own texts were said, and in which words."""
    found = [arguments[-1] for arguments in house.store.called("close_turn") if isinstance(arguments[-1], OneTimeNotice)]
    return [(said.key, " ".join(draft.text for draft in said.drafts)) for said in found]


def in_language(view: ReplyView, language: str | None) -> ReplyView:
    return replace(view, contact=replace(view.contact, language=language))


TOO_MUCH = reply_view(*LINES, recent=(NOW, NOW))
ONE_A_MINUTE = Limits(person=Rate(minute=1))


async def test_what_is_above_the_limit_is_kept_and_the_customer_told_and_the_rest_answered_next() -> None:
    responder = FakeResponder()
    house = house_of(responder, view=TOO_MUCH, limits=ONE_A_MINUTE)
    house.store.reply_due = NOW
    assert await run(house) == Reschedule(NOW)
    [(_, skipped, state, reason, _, said)] = house.store.called("close_turn")
    assert (skipped, state, reason) == (("in-2",), "skipped", "over_limit")
    assert said == OneTimeNotice("limit", (OutgoingContent(TEXTS["limit"]),), NOW - HOUR)
    assert responder.turns == []
    assert house.listed() == {"replies:over_limit": 1}


async def test_both_limits_at_once_let_through_what_is_below_them() -> None:
    house = house_of(FakeResponder(), view=TOO_MUCH, limits=Limits(person=Rate(minute=10, day=200)))
    assert await run(house) == Done()
    assert house.store.wrote() == ["begin_reply", "save_reply"]


async def test_as_many_messages_are_counted_as_the_limits_need() -> None:
    house = house_of(FakeResponder(), limits=Limits(person=Rate(minute=3, day=90)))
    await run(house)
    [(_, limits)] = house.store.called("reply_view")
    assert limits.counted == 90 + SPARE


@each_row(("language", "code"), [(None, "de"), ("pt", "pt"), ("pt-BR", "pt"), ("xx", "de"), ("ar", "ar")])
async def test_saras_own_words_are_in_the_customers_language_or_else_in_the_files(language: str | None, code: str) -> None:
    house = house_of(FakeResponder(), view=in_language(TOO_MUCH, language), limits=ONE_A_MINUTE, language="de")
    house.manners = replace(house.manners, texts=MessageCatalog(default="de"))
    await run(house)
    assert said_of(house) == [("limit", LANGUAGES[code].texts["limit"])]


async def test_saras_own_words_are_cut_into_the_parts_that_the_channel_carries() -> None:
    house = house_of(FakeResponder(), view=TOO_MUCH, limits=ONE_A_MINUTE)
    house.channel.text_limit = 30
    await run(house)
    [(*_, said)] = house.store.called("close_turn")
    assert len(said.drafts) > 1
    assert all(len(draft.text) <= 30 for draft in said.drafts)


FRIDAY = OpeningHours(fri=((9 * 60, 17 * 60),))
"""NOW is a Friday, eight in the morning."""


async def test_outside_the_hours_the_customer_is_told_and_the_answer_put_off_until_it_opens() -> None:
    responder = FakeResponder()
    house = house_of(responder, opening_hours=FRIDAY)
    assert await run(house) == Reschedule(NOW + HOUR)
    [(_, answers, state, reason, _, said)] = house.store.called("close_turn")
    assert (answers, state, reason, said.key) == ((), "skipped", "", "away")
    assert "09:00" in said.drafts[0].text
    assert house.store.called("reschedule") == [(CONVERSATION, "reply", NOW + HOUR, NOW)]
    assert responder.turns == []


async def test_outside_the_hours_the_customer_is_told_once() -> None:
    house = house_of(FakeResponder(), view=reply_view(*LINES, said={"away": NOW - 1}), opening_hours=FRIDAY)
    assert await run(house) == Reschedule(NOW + HOUR)
    assert house.store.wrote() == ["reschedule"]


async def test_an_assistant_that_answers_all_the_same_does_so_after_the_away_text() -> None:
    house = house_of(FakeResponder(), opening_hours=OpeningHours(fri=FRIDAY.fri, answer=True))
    assert await run(house) == Done()
    assert house.store.wrote() == ["close_turn", "begin_reply", "save_reply"]


async def test_what_is_said_is_said_before_the_answer_waits_for_its_quiet_window() -> None:
    responder = FakeResponder()
    house = house_of(responder, view=reply_view(*LINES, due=NOW + 700), opening_hours=OpeningHours(fri=FRIDAY.fri, answer=True))
    assert await run(house) == Reschedule(NOW + 700)
    assert [key for key, _ in said_of(house)] == ["away"]
    assert responder.turns == []


async def test_two_things_to_say_are_both_said() -> None:
    house = house_of(FakeResponder(), view=TOO_MUCH, opening_hours=OpeningHours(fri=FRIDAY.fri, answer=True), limits=ONE_A_MINUTE)
    await run(house)
    assert [key for key, _ in said_of(house)] == ["away", "limit"]


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        ({"mode": "paused"}, Reschedule(NOW + HOUR)),
        ({"mode": "paused", "mode_until": NOW + 5}, Reschedule(NOW + 5)),
        ({"mode": "human", "mode_until": NOW - 5}, Reschedule(NOW + TIMER_LOOK)),
    ],
)
async def test_where_nobody_answers_messages_wait(changes: dict[str, Any], end: JobEnd) -> None:
    responder = FakeResponder()
    house = house_of(responder, view=reply_view(*LINES, **changes))
    assert await run(house) == end
    assert house.store.wrote() == ["reschedule"]
    assert responder.turns == []


async def test_where_a_person_answers_messages_are_left_to_them() -> None:
    house = house_of(FakeResponder(), view=reply_view(*LINES, mode="human"))
    assert await run(house) == Done()
    assert house.store.called("close_turn") == [(CONVERSATION, ("in-1", "in-2"), "skipped", "human", NOW)]
    assert house.listed() == {}


@pytest.mark.parametrize(("too_old", "said", "asked"), [("store", [], 0), ("apologise", ["late"], 0), ("answer", [], 1)])
async def test_what_is_too_old_is_treated_as_the_file_says(too_old: Any, said: list[str], asked: int) -> None:
    responder = FakeResponder()
    house = house_of(responder, view=reply_view(line("in-1", at=NOW - 13 * HOUR)), too_old=too_old)
    await run(house)
    assert [key for key, _ in said_of(house)] == said
    assert len(responder.turns) == asked


# ── gates of plugins ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def gated(decision: Any) -> tuple[House, JobEnd]:
    """What becomes of two messages where a plugin's gate says this."""

    def gate(view: ReplyView, policy: ConversationSettings, facts: GateContext) -> Any:
        if isinstance(decision, Exception):
            raise decision
        return decision

    house = house_of(FakeResponder())
    house.manners = replace(house.manners, gates=(*CORE, guard_gate(gate, "vip", house.problems)))
    return house, await run(house)


async def test_a_gate_of_a_plugin_decides_whether_and_when_and_what_is_said() -> None:
    house, end = await gated(Skip(("in-1",), "not_ours"))
    assert house.store.called("close_turn") == [(CONVERSATION, ("in-1",), "skipped", "not_ours", NOW)]
    house, end = await gated(Defer(NOW + 77, blocked=True))
    assert (end, house.store.wrote()) == (Reschedule(NOW + 77), ["reschedule"])
    house, end = await gated(SendNotice("busy", Skip(("in-1", "in-2"), "full"), NOW - HOUR))
    assert said_of(house) == [("busy", TEXTS["busy"])]


@each_row(
    "decision",
    [ValueError("it rains"), None, Skip((), "nothing"), Skip(("m99",), "another's"), Defer(NOW), SendNotice("greeting", Allow())],
)
async def test_a_gate_that_fails_or_says_nonsense_keeps_nobody_from_an_answer(decision: Any) -> None:
    house, end = await gated(decision)
    assert end == Done()
    assert house.store.wrote() == ["begin_reply", "save_reply"]
    assert list(house.listed()) == ["plugin:vip:gate"]


# ── the budget ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_when_the_budget_is_used_up_nobody_is_asked_and_the_customer_told_at_most_once_an_hour() -> None:
    responder = FakeResponder()
    house = house_of(responder)
    house.store.fails["begin_reply"] = [OverBudget("the AI's calls for 2027-01-15 are used up", period="2027-01-15")]
    assert await run(house) == Done()
    [(_, skipped, state, reason, _, said)] = house.store.called("close_turn")
    assert (skipped, state, reason) == (("in-1", "in-2"), "skipped", "over_budget")
    assert said == OneTimeNotice("busy", (OutgoingContent(TEXTS["busy"]),), NOW - HOUR)
    assert responder.turns == []
    [problem] = house.problems
    assert problem.key == "ai:budget:limit_reached"
    assert "the AI's calls for 2027-01-15 are used up" in problem.message


async def test_what_a_call_may_cost_is_set_aside_and_what_it_cost_is_kept() -> None:
    house = house_of(FakeResponder(Reply((OutgoingContent("Yes."),), Usage(1_000, 100, "gpt-5-mini"))))
    budget = BudgetSettings(prices={"gpt-5": Price(input=0.25, output=2)}, day=UsageLimitSettings(calls=3))
    house.manners = replace(house.manners, budget=AIBudget(budget))
    reserved: list[UsageReservation | None] = []
    begin = house.store.begin_reply

    async def beginning(conversation: str, answers: Sequence[str], now: int, reserve: UsageReservation | None = None) -> int:
        reserved.append(reserve)
        return await begin(conversation, answers, now, reserve)

    house.store.begin_reply = beginning  # type: ignore[method-assign]  # the same, and looks at what is set aside
    await run(house)
    assert reserved == [house.manners.budget.reserve(LINES, NOW)]
    assert house.store.also is not None
    assert house.store.also.money == 450


async def test_a_model_without_a_price_under_a_ceiling_of_money_is_a_problem() -> None:
    house = house_of(FakeResponder(Reply((OutgoingContent("Yes."),), Usage(1_000, 100, "gpt-4"))))
    prices = {"gpt-5": Price(input=1, output=1)}
    house.manners = replace(house.manners, budget=AIBudget(BudgetSettings(prices=prices, day=UsageLimitSettings(money=1))))
    assert await run(house) == Done()
    [problem] = house.problems
    assert (problem.key, problem.severity) == ("ai:budget:price_missing", "warning")
    assert "gpt-4" in problem.message


async def test_the_history_that_is_read_is_set_aside_too() -> None:
    spending = AIBudget(BudgetSettings())
    assert spending.reserve((Q1, A1, *LINES), NOW).tokens > spending.reserve(LINES, NOW).tokens


# ── thinking again ────────────────────────────────────────────────────────────────────────────────────────────────────────

MORE = OpenWork(CONVERSATION, ACCOUNT, NOW + 700, None)


async def test_an_answer_that_was_overtaken_is_dropped_and_thought_about_again() -> None:
    house = house_of(FakeResponder(Reply((OutgoingContent("Yes."),), Usage(10, 5, "m"))), on_new_message="restart")
    house.store.rethinks = [MORE]
    assert await run(house) == Reschedule(NOW + 700)
    answers = ("in-1", "in-2")
    assert house.store.called("discard_reply") == [(CONVERSATION, 1, answers, MOST_RETHOUGHT, Usage(10, 5, "m"), 0, NOW)]
    assert house.store.wrote() == ["begin_reply", "discard_reply"]
    assert house.queue.woken == []


async def test_it_is_thought_about_again_at_most_twice() -> None:
    assert MOST_RETHOUGHT == 2
    house = house_of(FakeResponder(), on_new_message="restart")
    house.store.rethinks = [MORE, MORE]
    ends = [await run(house) for _ in range(3)]
    assert ends == [Reschedule(NOW + 700)] * 2 + [Done()]
    assert len(house.store.called("save_reply")) == 1


async def test_by_default_an_answer_in_the_making_is_sent_whatever_came_meanwhile() -> None:
    house = house_of(FakeResponder())
    house.store.rethinks = [MORE]
    assert await run(house) == Done()
    assert house.store.called("discard_reply") == []


async def test_a_second_thought_that_was_overtaken_is_dropped() -> None:
    house = house_of(FakeResponder(), on_new_message="restart")
    house.store.fails["discard_reply"] = [Conflict()]
    assert await run(house) == Reschedule(NOW)
    assert house.store.called("save_reply") == []


# ── tools and the hand-over that a model wants ────────────────────────────────────────────────────────────────────────────


class Booking(Options):
    hour: int


class Book(Tool):
    name = "book"
    description = "Books a table."
    Arguments = Booking

    def __init__(self) -> None:
        self.ran: list[tuple[int, ToolContext]] = []

    async def run(self, arguments: Any, scope: ToolContext) -> str:
        self.ran.append((arguments.hour, scope))
        return f"Booked at {arguments.hour}."


class Using(FakeResponder):
    """Calls tools before it says what it was told to say."""

    def __init__(self, calls: Sequence[tuple[str, str]], *says: str | Reply | Exception) -> None:
        super().__init__(*says)
        self.calls = calls
        self.told: list[str] = []

    async def answer(self, turn: Turn, tools: ToolCaller | None = None) -> Reply:
        assert tools is not None
        for name, arguments in self.calls:
            self.told.append(await tools.call(name, arguments))
        return await super().answer(turn, tools)


BOOK_SIX = ("book", '{"hour": 18}')
WANTS_A_PERSON = ("handoff", '{"reason": "wants a refund"}')


def with_tools(*responders: FakeResponder, tools: tuple[str, ...] = ("handoff", "book"), **policy: Any) -> tuple[House, Book]:
    house, book = house_of(*responders, tools=tools, **policy), Book()
    house.tools = {"book": book}
    return house, book


async def test_the_tools_of_the_policy_are_passed_on_and_no_others() -> None:
    for names, expected in (((), []), (("handoff",), ["handoff"]), (("book", "weather"), ["book"])):
        responder = FakeResponder()
        house, _ = with_tools(responder, tools=names)
        await run(house)
        [box] = responder.boxes
        assert box is not None
        assert [spec.name for spec in box.specs] == expected


async def test_a_tool_works_for_the_person_of_the_conversation() -> None:
    responder = Using([BOOK_SIX], "See you at six.")
    house, book = with_tools(responder)
    assert await run(house) == Done()
    assert book.ran == [(18, ToolContext(CONVERSATION, ACCOUNT, reply_view().contact, NOW))]
    assert responder.told == ["Booked at 18."]
    assert house.store.wrote() == ["begin_reply", "begin_tool", "end_tool", "save_reply"]


async def test_what_a_tool_did_is_not_done_again_when_the_answer_failed_and_is_tried_again() -> None:
    responder = Using([BOOK_SIX], RetryLater("rate limit"), "See you at six.")
    house, book = with_tools(responder)
    assert await run(house) == Reschedule(NOW + 1_000)
    house.clock.forward(1_000)
    assert await run(house) == Done()
    assert len(book.ran) == 1
    assert responder.told == ["Booked at 18."] * 2


async def test_what_a_tool_did_for_one_responder_is_not_done_again_for_the_next() -> None:
    first, second = Using([BOOK_SIX], RetryLater("rate limit")), Using([BOOK_SIX], "See you at six.")
    house, book = with_tools(first, second)
    assert await run(house) == Done()
    assert len(book.ran) == 1
    assert second.told == ["Booked at 18."]


async def test_what_a_tool_did_is_not_done_again_when_it_is_thought_about_again() -> None:
    responder = Using([BOOK_SIX], "See you at six.")
    house, book = with_tools(responder, on_new_message="restart")
    house.store.rethinks = [MORE]
    await run(house)
    await run(house)
    assert len(book.ran) == 1


async def test_a_turn_that_moved_on_while_a_tool_was_wanted_is_dropped() -> None:
    house, book = with_tools(Using([BOOK_SIX], "See you at six."))
    house.store.fails["begin_tool"] = [Conflict("moved on")]
    house.store.fails["save_reply"] = [Conflict("moved on")]
    assert isinstance(await run(house), Reschedule)
    assert book.ran == []
    assert house.store.called("save_reply") == []
    # Nobody failed: no attempt was wasted, and no responder is blamed.
    assert house.store.called("fail_reply_attempt") == []
    assert house.listed() == {}


async def test_a_store_that_is_away_while_a_tool_is_wanted_is_not_the_responders_fault() -> None:
    house, book = with_tools(Using([BOOK_SIX], "See you at six."))
    house.store.fails["begin_tool"] = [StoreUnavailable("disk full")]
    with pytest.raises(StoreUnavailable):
        await run(house)
    assert book.ran == []
    assert house.listed() == {}


async def test_a_hand_over_that_the_model_wants_is_kept_with_its_answer() -> None:
    notify = Notify(channel="support", to="+49 170 1234567")
    house, _ = with_tools(Using([WANTS_A_PERSON], "A colleague will help."), handoff=HandoffSettings(notify=notify))
    house.store.replying = replace(reply_view(*LINES), contact=replace(reply_view().contact, name="Ana {reason}"))
    assert await run(house) == Done()
    assert house.store.also is not None
    over = house.store.also.hand_over
    assert over is not None
    assert (over.by, over.reason, over.mode, over.until) == ("assistant", "wants a refund", "human", NOW + 12 * HOUR)
    assert over.notice == {}, "its own answer says so"
    assert over.tell is not None
    assert over.tell.person == Identity(phone="491701234567")
    assert over.tell.values == {"name": "Ana {reason}", "reason": "wants a refund"}
    assert house.store.called("hand_over") == []


async def test_an_answer_that_hands_over_is_not_thought_about_again() -> None:
    house, _ = with_tools(Using([WANTS_A_PERSON], "A colleague will help."), on_new_message="restart")
    house.store.rethinks = [MORE]
    assert await run(house) == Done()
    assert house.store.called("discard_reply") == []


async def test_nothing_is_handed_over_where_the_answer_failed() -> None:
    house, _ = with_tools(Using([WANTS_A_PERSON], RetryLater("rate limit")))
    await run(house)
    assert (house.store.also, house.store.called("hand_over")) == (None, [])


async def test_what_one_responder_wanted_does_not_follow_from_the_next_ones_answer() -> None:
    house, _ = with_tools(Using([WANTS_A_PERSON], RetryLater("rate limit")), FakeResponder("We are open until six."))
    assert await run(house) == Done()
    assert house.store.also is not None
    assert house.store.also.hand_over is None


async def test_whoever_is_told_of_a_hand_over_is_woken_too() -> None:
    house, _ = with_tools(Using([WANTS_A_PERSON], "A colleague will help."))
    save = house.store.save_reply

    async def saving(*arguments: Any, **more: Any) -> Sequence[OpenWork]:
        return [*await save(*arguments, **more), OpenWork("c2", ACCOUNT, None, NOW)]

    house.store.save_reply = saving  # type: ignore[method-assign]  # the same, and somebody is told
    await run(house)
    assert [wake.key for wake in house.queue.woken] == [CONVERSATION, "c2"]


# ── what else a responder is told, and what follows from an answer ────────────────────────────────────────────────────────


async def test_a_responder_is_told_the_channel_the_summary_and_what_is_known_of_the_person() -> None:
    responder = FakeResponder()
    contact = Contact("p1", "Ana", None, "pt", "Allergic to nuts.")
    house = house_of(responder, view=reply_view(*LINES, summary="She ordered a cake.", contact=contact))
    await run(house)
    [asked] = responder.turns
    assert (asked.channel, asked.summary, asked.contact) == ("support", "She ordered a cake.", contact)


@pytest.mark.parametrize(
    ("policy", "timer"),
    [
        ({}, None),
        ({"session_timeout": HOUR}, NOW + HOUR),
        ({"follow_up": FollowUp(after=MINUTE), "session_timeout": HOUR}, NOW + MINUTE),
    ],
)
async def test_an_answer_sets_the_timers_of_the_policy(policy: dict[str, Any], timer: int | None) -> None:
    house = house_of(FakeResponder(), **policy)
    await run(house)
    assert house.store.also is not None
    assert house.store.also.timer == timer


@each_row(("error", "key"), [(RuntimeError("a bug"), "apology"), (GiveUp("no"), "fallback")])
@each_row(("language", "code"), [(None, "en"), ("es", "es")])
async def test_an_apology_is_in_the_customers_language(error: Exception, key: str, language: str | None, code: str) -> None:
    notices: list[OutgoingContent] = []
    house = house_of(FakeResponder(error), view=in_language(reply_view(*LINES), language), apologise=True)
    end = house.store.close_turn

    async def ending(*arguments: Any, **more: Any) -> OpenWork:
        notices.extend(arguments[5])
        return await end(*arguments, **more)

    house.store.close_turn = ending  # type: ignore[method-assign]  # the same, and looks at the notices
    await run(house, RetryPolicy(attempts=1))
    assert notices == [OutgoingContent(LANGUAGES[code].texts[key])]
