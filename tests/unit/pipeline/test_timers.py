"""A timer job: what is done where nobody says anything."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from sara import Contact, GiveUp, HistoryMessage, Instant, OutgoingContent, RetryLater, Summary, Usage
from sara.engines import Conflict, Done, Job, JobEnd, JobRequest, OpenWork, Reschedule, StoreUnavailable, TimerView
from sara.i18n.data import LANGUAGES
from sara.pipeline.responder_pool import GRACE
from sara.pipeline.timers import MOST_ACTS, NOT_NOW, SUMMED_AT_ONCE, TimerHandler
from sara.policy.ai_budget import AIBudget
from sara.policy.settings import BudgetSettings, ConversationSettings, FollowUp, History, Price, UsageLimitSettings
from sara.policy.timers import UNSENT_LOOK
from tests.fakes import ACCOUNT, CONVERSATION, NOW, FakeResponder, FakeStore, House, job, line, without_waiting
from tests.rows import each_row

JOB: Job = job("timer", lane="timer")
MINUTE, HOUR = 60_000, 3_600_000
QUIET = TimerView(
    CONVERSATION, ACCOUNT, Contact("p1"), False, "bot", None, 0, 0, NOW - 2 * HOUR, NOW - HOUR, NOW - 2 * HOUR, False, False,
    None, 0, None,
)  # fmt: skip
"""The customer asked two hours ago, and we answered an hour later."""


class Diary(FakeStore):
    """What is done shows in the next view."""

    def _changed(self, **changes: Any) -> None:
        assert self.timing is not None
        self.timing = replace(self.timing, **changes)

    async def hand_back(self, conversation: str, by: str, now: Instant, notice: Any = None) -> OpenWork:
        work = await super().hand_back(conversation, by, now)
        self.notice = notice
        self._changed(mode="bot", mode_until=None)
        return work

    async def queue_scheduled(self, conversation: str, now: Instant) -> OpenWork:
        await super().queue_scheduled(conversation, now)
        self._changed(scheduled=None, unsent=1)
        return OpenWork(conversation, ACCOUNT, None, now, now + 9)

    async def follow_up(self, conversation: str, draft: OutgoingContent, silent_since: Instant, now: Instant) -> OpenWork:
        await super().follow_up(conversation, draft, silent_since, now)
        self._changed(followed_up=True, unsent=1)
        return OpenWork(conversation, ACCOUNT, None, now)

    async def close_conversation(self, conversation: str, silent_since: Instant, now: Instant) -> OpenWork:
        work = await super().close_conversation(conversation, silent_since, now)
        self._changed(closed=True)
        return work

    async def save_summary(self, *arguments: Any) -> None:
        await super().save_summary(*arguments)
        self._changed(older=0)


class Scribe(FakeResponder):
    """Sums up as it was told to, in turn, and the last way for ever."""

    def __init__(self, *sums: str | Summary | Exception | None) -> None:
        super().__init__()
        self.sums = list(sums) or ["They spoke about bread."]
        self.summed: list[tuple[Sequence[HistoryMessage], str, Instant]] = []

    async def summarise(self, lines: Sequence[HistoryMessage], former: str, now: Instant) -> Summary:
        self.summed.append((lines, former, now))
        said = self.sums.pop(0) if len(self.sums) > 1 else self.sums[0]
        if isinstance(said, Exception):
            raise said
        return Summary(said, Usage(1_000, 100, "m")) if isinstance(said, str) else said  # type: ignore[return-value]  # a stranger's


def house_of(*responders: FakeResponder, policy: ConversationSettings | None = None, **view: Any) -> House:
    names = ("assistant", "second")
    policy = policy or ConversationSettings()
    line_up = policy.model_copy(update={"responder": "assistant", "fallback": names[1:]})
    house = House(dict(zip(names, responders, strict=False)), line_up)
    house.store = Diary()
    house.store.timing = replace(QUIET, **view)
    house.store.older = ("", [line("m1"), line("m2")])
    return house


def tending(house: House) -> TimerHandler:
    return TimerHandler(house.store, house.notifier, house.routes, house.manners, house.problems, house.clock, house.call_guard)


async def run(house: House) -> JobEnd:
    return await tending(house)(JOB)


def timers_of(house: House) -> list[Instant | None]:
    return [due for _, due, _ in house.store.called("set_timer")]


FOLLOW_UP = ConversationSettings(follow_up=FollowUp(after=30 * MINUTE))
CLOSE = ConversationSettings(session_timeout=30 * MINUTE)
SUMMARISE = ConversationSettings(history=History(messages=4, summarise=True))


# ── nothing to do, or not yet ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_unknown_conversation_is_done() -> None:
    house = house_of()
    house.store.timing = None
    assert await run(house) == Done()
    assert house.store.wrote() == []


async def test_a_conversation_whose_channel_is_gone_is_left_as_it_is() -> None:
    house = house_of(account="test:9", mode="human", mode_until=NOW - 1)
    assert await run(house) == Done()
    assert house.store.wrote() == []


@pytest.mark.parametrize(("due", "written"), [(None, []), (NOW, [None])])
async def test_where_no_timer_runs_nobody_looks_again(due: Instant | None, written: list[None]) -> None:
    house = house_of(due=due)
    assert await run(house) == Done()
    assert timers_of(house) == written


@pytest.mark.parametrize(("due", "written"), [(NOW, [NOW + 5]), (NOW + 5, [])])
async def test_what_is_due_later_is_looked_at_then_and_the_store_knows(due: Instant, written: list[Instant]) -> None:
    house = house_of(mode="human", mode_until=NOW + 5, due=due)
    assert await run(house) == Reschedule(NOW + 5)
    assert timers_of(house) == written
    assert house.store.called("hand_back") == []


async def test_a_question_waits_for_what_is_still_to_be_sent() -> None:
    house = house_of(policy=FOLLOW_UP, unsent=1)
    assert await run(house) == Reschedule(NOW + UNSENT_LOOK)
    assert house.store.called("follow_up") == []


# ── each thing that is done ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("mode", "told"), [("human", True), ("paused", False)])
async def test_a_conversation_is_handed_back_and_only_who_spoke_to_a_person_is_told(mode: str, told: bool) -> None:
    house = house_of(mode=mode, mode_until=NOW)
    assert await run(house) == Done()
    assert house.store.called("hand_back") == [(CONVERSATION, "sara", NOW)]
    notice = house.store.notice  # type: ignore[attr-defined]  # it is a Diary
    assert (notice.get("it") == OutgoingContent(LANGUAGES["it"].texts["hand_back"])) is told


async def test_what_was_to_be_said_at_this_time_is_released_and_its_delivery_woken() -> None:
    house = house_of(scheduled=NOW)
    assert await run(house) == Done()
    assert house.store.called("queue_scheduled") == [(CONVERSATION, NOW)]
    assert house.queue.woken == [JobRequest("deliver", CONVERSATION, NOW, "deliver:support")]


@pytest.mark.parametrize(
    ("text", "language", "said"), [(None, None, "en"), (None, "pt", "pt"), ("Still *there*?", "pt", "Still *there*?")]
)
async def test_who_fell_silent_is_asked_once_in_the_files_words_or_saras(
    text: str | None, language: str | None, said: str
) -> None:
    policy = ConversationSettings(follow_up=FollowUp(after=30 * MINUTE, text=text))
    house = house_of(policy=policy, contact=Contact("p1", language=language))
    assert await run(house) == Done()
    words = LANGUAGES[said].texts["follow_up"] if said in LANGUAGES else said
    assert house.store.called("follow_up") == [(CONVERSATION, OutgoingContent(words), NOW - HOUR, NOW)]
    assert [wake.kind for wake in house.queue.woken] == ["deliver"]


async def test_a_question_outside_the_reply_window_is_not_asked() -> None:
    house = house_of(policy=FOLLOW_UP)
    house.channel.reply_window = 2 * HOUR
    assert await run(house) == Done()
    assert house.store.called("follow_up") == []


async def test_a_conversation_in_which_nothing_was_said_for_long_is_closed() -> None:
    house = house_of(policy=CLOSE)
    assert await run(house) == Done()
    assert house.store.called("close_conversation") == [(CONVERSATION, NOW - HOUR, NOW)]


async def test_all_that_is_due_is_done_in_its_order_in_one_job() -> None:
    house = house_of(policy=CLOSE, mode="human", mode_until=NOW - 9, scheduled=NOW - 5, ours_at=NOW - 5 - 30 * MINUTE)
    assert await run(house) == Done()
    assert house.store.wrote() == ["hand_back", "queue_scheduled"]


async def test_what_was_overtaken_is_looked_at_anew() -> None:
    house = house_of(policy=CLOSE)
    close = house.store.close_conversation

    async def overtaken(*arguments: Any) -> OpenWork:
        await close(*arguments)
        house.store.timing = replace(QUIET, waiting=1)
        raise Conflict("a message waits")

    house.store.close_conversation = overtaken  # type: ignore[assignment, method-assign]  # a message comes just then
    assert await run(house) == Done()
    assert len(house.store.called("close_conversation")) == 1


async def test_one_job_does_not_go_on_for_ever() -> None:
    house = house_of(policy=CLOSE)
    house.store.fails["close_conversation"] = [Conflict() for _ in range(1_000)]
    assert await run(house) == Reschedule(NOW)
    assert len(house.store.called("close_conversation")) == MOST_ACTS


@pytest.mark.parametrize("method", ["timer_view", "close_conversation", "set_timer"])
async def test_a_store_that_is_away_is_the_queues_business(method: str) -> None:
    house = house_of(policy=CLOSE, due=NOW)
    house.store.fails[method] = [StoreUnavailable()]
    with pytest.raises(StoreUnavailable):
        await run(house)


# ── summaries ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_no_longer_shown_is_summed_up_going_on_from_the_former_summary() -> None:
    scribe = Scribe("They spoke about\x00 bread.")
    house = house_of(scribe, policy=SUMMARISE, older=2)
    lines = [line("m1"), line("m2")]
    house.store.older = ("Ana is new.", lines)
    budget = BudgetSettings(prices={"m": Price(input=1, output=2)})
    house.manners = replace(house.manners, budget=AIBudget(budget))
    assert await run(house) == Done()
    assert scribe.summed == [(tuple(lines), "Ana is new.", NOW)]
    assert house.store.called("unsummarised_messages") == [(CONVERSATION, 2, SUMMED_AT_ONCE)]
    saved = (CONVERSATION, "They spoke about bread.", "m2", Usage(1_000, 100, "m"), 1_200, ("2027-01-15", "2027-01"), NOW)
    assert house.store.called("save_summary") == [saved]
    assert house.listed() == {}


@each_row("first", [RetryLater("busy"), GiveUp("cannot"), RuntimeError("a bug"), "   ", None, OutgoingContent("no summary")])
async def test_responders_are_asked_in_turn_until_one_sums_up(first: Any) -> None:
    second = Scribe("They spoke about bread.")
    house = house_of(Scribe(first), second, policy=SUMMARISE, older=2)
    assert await run(house) == Done()
    assert len(second.summed) == 1
    assert len(house.store.called("save_summary")) == 1


@each_row("sums", [RetryLater("busy"), GiveUp("this responder writes no summaries"), RuntimeError("card 4929"), " "])
async def test_where_none_can_it_is_a_problem_and_tried_again_later(sums: Any) -> None:
    house = house_of(Scribe(sums), policy=SUMMARISE, older=2)
    assert await run(house) == Reschedule(NOW + NOT_NOW)
    assert timers_of(house) == [NOW + NOT_NOW]
    [problem] = house.problems
    assert (problem.key, problem.severity) == ("channel:support:summary_failed", "warning")
    assert "summarise" in problem.remedy
    assert "4929" not in problem.message


async def test_a_summary_that_works_again_is_no_problem_any_more() -> None:
    house = house_of(Scribe(RetryLater("busy"), "They spoke about bread."), policy=SUMMARISE, older=2)
    await run(house)
    assert "channel:support:summary_failed" in house.problems
    house.clock.forward(NOT_NOW)
    await run(house)
    assert house.listed() == {}


async def test_without_a_running_responder_it_is_tried_again_later() -> None:
    house = house_of(policy=SUMMARISE, older=2)
    assert await run(house) == Reschedule(NOW + NOT_NOW)


async def test_where_nothing_is_left_to_sum_up_nobody_is_asked() -> None:
    scribe = Scribe()
    house = house_of(scribe, policy=SUMMARISE, older=2)
    house.store.older = ("", [])
    assert await run(house) == Reschedule(NOW + NOT_NOW)
    assert scribe.summed == []


@pytest.mark.parametrize(
    ("view", "end"),
    [
        ({"scheduled": NOW + MINUTE}, NOW + MINUTE),
        ({"mode": "human", "mode_until": NOW + MINUTE}, NOW + MINUTE),
        ({"scheduled": NOW + HOUR}, NOW + NOT_NOW),
    ],
)
async def test_a_summary_that_cannot_be_written_keeps_nothing_else_waiting(view: dict[str, Any], end: Instant) -> None:
    house = house_of(Scribe(GiveUp("cannot")), policy=SUMMARISE, older=2, **view)
    assert await run(house) == Reschedule(end)
    assert timers_of(house) == [end]
    house.clock.now = NOW + MINUTE
    await run(house)
    assert bool(house.store.called("queue_scheduled") or house.store.called("hand_back")) is (end == NOW + MINUTE)


@pytest.mark.parametrize(("spent", "asked"), [({"calls": 3}, 0), ({"calls": 2}, 1)])
async def test_what_the_ai_may_cost_bounds_summaries_too(spent: dict[str, int], asked: int) -> None:
    class Spent(Diary):
        async def ai_usage(self, period: str) -> dict[str, int]:
            return spent if period == "2027-01-15" else {}

    scribe = Scribe()
    house = house_of(scribe, policy=SUMMARISE, older=2)
    timing, older = house.store.timing, house.store.older
    house.store = Spent()
    house.store.timing, house.store.older = timing, older
    house.manners = replace(house.manners, budget=AIBudget(BudgetSettings(day=UsageLimitSettings(calls=3))))
    assert await run(house) == (Done() if asked else Reschedule(NOW + NOT_NOW))
    assert len(scribe.summed) == asked
    assert house.listed() == {}


def test_a_responder_that_hangs_over_a_summary_is_given_up() -> None:
    class Dreamer(Scribe):
        async def summarise(self, lines: Sequence[HistoryMessage], former: str, now: Instant) -> Summary:
            await asyncio.Event().wait()
            raise AssertionError

    async def main() -> tuple[JobEnd, float]:
        house = house_of(Dreamer(), policy=SUMMARISE, older=2)
        began = asyncio.get_running_loop().time()
        return await run(house), asyncio.get_running_loop().time() - began

    end, took = without_waiting(main())
    assert end == Reschedule(NOW + NOT_NOW)
    assert took == pytest.approx((60_000 + GRACE) / 1_000, abs=1)
