"""What every store promises about limits and budgets: set aside before a call, settled after it, counted once."""

from __future__ import annotations

import asyncio

import pytest

from sara import Identity, OutgoingContent, Usage
from sara.engines import (
    Conflict,
    Handoff,
    HistoryLimits,
    InboundDecision,
    OneTimeNotice,
    OverBudget,
    ReplySideEffects,
    UsageLimit,
    UsageReservation,
)
from sara.testing.store.scenario import ANA, KOFI, QUIET, STOP, StoreScenario, later, message

DAY, MONTH = "2027-01-15", "2027-01"
MINUTE = 60_000


def reserve(**most: int) -> UsageReservation:
    """Return a reservation under a limit for the day and none for the month."""
    return UsageReservation(100, 1_000, (UsageLimit(DAY, **most), UsageLimit(MONTH)))


async def spent(shop: StoreScenario, period: str = DAY) -> tuple[int, int, int]:
    """Return calls, tokens and money of a period."""
    found = await shop.store.ai_usage(period)
    return found["calls"], found["tokens"], found["money"]


class SpendingExam:
    """Part of `StoreContract`."""

    # what the AI costs

    async def test_nothing_was_spent_in_a_period_without_calls(self, shop: StoreScenario) -> None:
        assert await spent(shop) == (0, 0, 0)

    async def test_what_a_call_may_cost_is_set_aside_and_settled_to_what_it_did_cost(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        attempt, ids = await shop.call(conversation, reserve())
        assert await spent(shop) == await spent(shop, MONTH) == (1, 100, 1_000)
        await shop.store.hand_over(conversation, Handoff("operator"), shop.clock())
        with pytest.raises(Conflict):
            await shop.store.save_reply(conversation, attempt, ids, [], Usage(30, 12, "t"), shop.clock())
        assert await spent(shop) == (1, 100, 1_000), "a dropped answer has cost something, nobody knows how much"
        await shop.store.hand_back(conversation, "operator", shop.clock())
        await shop.asked(ANA, "in-2")
        await self.save(shop, conversation, Usage(30, 12, "t"), 420)
        assert await spent(shop) == await spent(shop, MONTH) == (2, 142, 1_420)

    async def save(self, shop: StoreScenario, conversation: str, usage: Usage | None, money: int) -> None:
        """One more call that is answered."""
        attempt, ids = await shop.call(conversation, reserve())
        await shop.store.save_reply(conversation, attempt, ids, [], usage, shop.clock(), effects=ReplySideEffects(money))

    async def test_where_nobody_says_what_it_cost_all_that_was_set_aside_is_spent(self, shop: StoreScenario) -> None:
        await self.save(shop, await shop.asked(), None, 0)
        assert await spent(shop) == (1, 100, 1_000)

    @pytest.mark.parametrize("most", [{"calls": 1}, {"tokens": 199}, {"money": 1_999}])
    async def test_what_a_ceiling_cannot_hold_is_refused_and_counts_nothing(
        self, shop: StoreScenario, most: dict[str, int]
    ) -> None:
        first, second = await shop.asked(), await shop.asked(KOFI, "in-2")
        await shop.call(first, reserve(**most))
        with pytest.raises(OverBudget) as refused:
            await shop.call(second, reserve(**most))
        assert refused.value.period == DAY
        assert await spent(shop) == await spent(shop, MONTH) == (1, 100, 1_000)
        assert (await shop.reading(second)).attempts == 0
        assert await shop.told(await shop.id("in-2")) == ["received"]

    async def test_the_ceiling_itself_can_be_reached(self, shop: StoreScenario) -> None:
        await shop.call(await shop.asked(), reserve(calls=1, tokens=100, money=1_000))

    async def test_the_ceiling_of_the_month_counts_as_much_as_that_of_the_day(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        with pytest.raises(OverBudget) as refused:
            await shop.call(conversation, UsageReservation(100, 0, (UsageLimit(DAY), UsageLimit(MONTH, tokens=99))))
        assert (refused.value.period, await spent(shop)) == (MONTH, (0, 0, 0))

    async def test_calls_at_the_same_time_cannot_overshoot(self, shop: StoreScenario) -> None:
        taken = await shop.take(*(message(f"in-{n}", Identity(user_id=f"U{n}")) for n in range(8)))
        calls = (shop.store.begin_reply(each.conversation, [each.id], shop.clock(), reserve(tokens=250)) for each in taken.stored)
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(each, OverBudget) for each in ended) == 6
        assert await spent(shop) == (2, 200, 2_000)

    async def test_a_failure_gives_back_what_it_might_have_cost_but_not_the_call(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        attempt, ids = await shop.call(conversation, reserve())
        for _ in range(2):
            await shop.store.fail_reply_attempt(conversation, attempt, shop.clock(), "busy", shop.clock())
            assert await spent(shop) == (1, 0, 0)
        await shop.call(conversation, reserve())
        await shop.store.close_turn(conversation, ids, "dead", "attempts_used_up", shop.clock())
        assert await spent(shop) == (2, 0, 0)

    async def test_a_failure_told_after_the_turn_has_ended_gives_it_back_too(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        attempt, _ = await shop.call(conversation, reserve())
        await shop.take(message("in-2"), verdict=STOP)
        await shop.store.fail_reply_attempt(conversation, attempt, shop.clock(), "busy", shop.clock())
        assert await spent(shop) == (1, 0, 0)
        assert await shop.due(conversation) == (None, None)

    @pytest.mark.parametrize("then", ["answered", "failed", "dead"])
    async def test_a_crash_keeps_what_was_set_aside_whatever_comes_next(self, shop: StoreScenario, then: str) -> None:
        conversation = await shop.asked()
        await shop.call(conversation, reserve())
        await shop.store.recover("the next life", shop.clock())
        assert await spent(shop) == (1, 100, 1_000)
        attempt, ids = await shop.call(conversation)
        if then == "answered":
            await shop.store.save_reply(conversation, attempt, ids, [], Usage(1, 1, "t"), shop.clock())
        elif then == "failed":
            await shop.store.fail_reply_attempt(conversation, attempt, shop.clock(), "busy", shop.clock())
        else:
            await shop.store.close_turn(conversation, ids, "dead", "given_up: no", shop.clock())
        assert await spent(shop) == (1, 100, 1_000)

    # thinking again

    async def test_an_answer_is_dropped_because_more_was_written_and_is_paid_for(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        attempt, ids = await shop.call(conversation, reserve())
        shop.clock.forward(5_000)
        await shop.asked(ANA, "in-2")
        work = await shop.store.discard_reply(conversation, attempt, ids, 2, Usage(30, 12, "t"), 420, shop.clock())
        assert work is not None
        assert (work.reply_due, await spent(shop)) == (shop.clock() + QUIET, (1, 42, 420))
        view = await shop.reading(conversation)
        assert (len(view.waiting), view.attempts, view.first_at, view.rethought) == (2, 0, None, 1)
        assert "reply_restarted" in await shop.told(ids[0])
        with pytest.raises(Conflict):
            await shop.store.save_reply(conversation, attempt, ids, [OutgoingContent("too early")], None, shop.clock())

    async def test_an_answer_that_has_read_everything_is_kept(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        attempt, ids = await shop.call(conversation, reserve())
        assert await shop.store.discard_reply(conversation, attempt, ids, 2, Usage(1, 1, "t"), 1, shop.clock()) is None
        await shop.take(message("in-2"), verdict=InboundDecision(skip="recorded"))
        assert await shop.store.discard_reply(conversation, attempt, ids, 2, Usage(1, 1, "t"), 1, shop.clock()) is None
        assert await spent(shop) == (1, 100, 1_000), "it is settled when it is kept"

    async def test_one_thinks_again_so_often_and_no_more_until_it_was_answered(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        for n in range(4):
            attempt, ids = await shop.call(conversation)
            await shop.asked(ANA, f"more-{n}")
            again = await shop.store.discard_reply(conversation, attempt, ids, 2, None, 0, shop.clock())
            assert (again is None) == (n in (2, 3))
            if again is None:
                await shop.store.fail_reply_attempt(conversation, attempt, shop.clock(), "busy", shop.clock())
        assert (await shop.reading(conversation)).attempts == 2
        await shop.answer(conversation, "at last")
        await shop.asked(ANA, "in-9")
        assert (await shop.reading(conversation)).rethought == 0

    # how much comes

    async def test_the_messages_of_a_minute_and_a_day_are_counted_once_for_everybody_on_the_channel(
        self, shop: StoreScenario
    ) -> None:
        shop.clock.forward(-(shop.clock() % (24 * 60 * MINUTE)))
        await shop.take(later(shop, "in-1"), later(shop, "in-2"))
        await shop.take(later(shop, "in-2"))
        shop.clock.forward(MINUTE)
        await shop.asked(KOFI, "in-3")
        conversation = (await shop.found("in-1")).conversation
        await shop.asked(ANA, "in-4")
        view = await shop.store.reply_view(conversation, HistoryLimits(counted=10))
        assert view is not None
        assert view.on_channel == {"minute": 2, "day": 4}
        assert view.recent == (shop.clock(), shop.clock() - MINUTE, shop.clock() - MINUTE)
        shop.clock.forward(24 * 60 * MINUTE)
        await shop.asked(ANA, "in-5")
        view = await shop.store.reply_view(conversation, HistoryLimits(counted=2))
        assert view is not None
        assert (view.on_channel, len(view.recent)) == ({"minute": 1, "day": 1}, 2)

    async def test_what_calls_for_no_answer_counts_towards_no_limit(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        await shop.store.hand_over(conversation, Handoff("operator"), shop.clock())
        await shop.take(message("in-2"))
        await shop.store.hand_back(conversation, "operator", shop.clock())
        await shop.take(message("in-3"), verdict=STOP)
        await shop.take(message("in-4"))
        other = await shop.asked(KOFI, "in-5")
        view = await shop.store.reply_view(other, HistoryLimits(counted=10))
        assert view is not None
        assert view.on_channel["day"] == 2

    # SARA's own texts

    async def test_one_of_saras_texts_is_said_once_in_its_time(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        start = shop.clock()
        for since, count in ((start, 1), (start, 1), (start + 1, 2)):
            said = OneTimeNotice("away", (OutgoingContent("We are closed."),), since)
            await shop.store.close_turn(conversation, (), "skipped", "", shop.clock(), said=said)
            assert (await shop.states(conversation)).count("queued") == count
            shop.clock.forward(10)
        assert (await shop.reading(conversation)).said == {"away": start + 20}
        assert await shop.state("in-1") == "waiting"

    async def test_what_is_over_a_limit_is_skipped_and_said_together(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        await shop.asked(ANA, "in-2")
        said = OneTimeNotice("limit", (OutgoingContent("That was a lot."),), shop.clock())
        work = await shop.store.close_turn(
            conversation, [await shop.id("in-2")], "skipped", "over_limit", shop.clock(), said=said
        )
        assert (await shop.store.counts())["skipped:over_limit"] == 1
        assert await shop.states(conversation) == ["waiting", "skipped", "queued"]
        assert (work.reply_due is not None, work.deliver_due) == (True, shop.clock())

    @pytest.mark.parametrize("how", ["stop", "an operator", "a hand-over"])
    async def test_nothing_is_said_to_one_who_asked_for_silence_or_has_a_person_since_it_was_decided(
        self, shop: StoreScenario, how: str
    ) -> None:
        conversation = await shop.asked()
        if how == "stop":
            await shop.take(message("in-2"), verdict=STOP)
        elif how == "an operator":
            await shop.store.consent(conversation, True, "operator", "by phone", shop.clock())
        else:
            await shop.store.hand_over(conversation, Handoff("operator"), shop.clock())
        said = OneTimeNotice("late", (OutgoingContent("We are late."),))
        for answers in ([await shop.id("in-1")], []):
            await shop.store.close_turn(conversation, answers, "skipped", "x", shop.clock(), [OutgoingContent("Sorry.")], said)
        assert "queued" not in await shop.states(conversation)
        assert (await shop.reading(conversation)).said == {}
