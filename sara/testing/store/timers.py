"""What every store promises about silence, chapters, and what is said at a time of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sara import Milliseconds, OperatorEcho, OutgoingContent
from sara.engines import (
    AttemptResult,
    AttemptState,
    Conflict,
    Handoff,
    NotFound,
    OperatorNotification,
    OutboundState,
    Purpose,
    ReplySideEffects,
)
from sara.testing.store.scenario import ACCOUNT, ANA, COLLEAGUE, KOFI, STOP, StoreScenario, later, message

HOUR = 3_600_000
DAY = 24 * HOUR
QUESTION = OutgoingContent("Are you still there?")


async def silent(shop: StoreScenario) -> str:
    """Return a conversation whose last message was sent an hour ago."""
    conversation = await shop.answered("one")
    shop.clock.forward(1_000)
    await shop.send(conversation, "a1", "out-1")
    shop.clock.forward(HOUR)
    return conversation


async def since(shop: StoreScenario, conversation: str) -> int:
    """Since when nobody has said anything, as the timers see it."""
    view = await shop.tending(conversation)
    return max(view.customer_at or 0, view.ours_at or 0)


async def scheduled(shop: StoreScenario, conversation: str, after: Milliseconds = HOUR, purpose: Purpose = "operator") -> str:
    """Something to be said later; its id."""
    at = shop.clock() + after
    await shop.store.enqueue_messages(conversation, [OutgoingContent("later")], purpose, purpose, shop.clock(), at)
    return (await shop.store.messages(conversation, None, 100))[-1].id


class TimingExam:
    """Part of `StoreContract`."""

    # timers

    async def test_a_timer_is_open_work_and_is_found_when_it_is_due(self, shop: StoreScenario) -> None:
        conversation = await silent(shop)
        due = shop.clock() + HOUR
        work = await shop.store.set_timer(conversation, due, shop.clock())
        assert (work.reply_due, work.deliver_due, work.timer_due) == (None, None, due)
        assert [each.timer_due for each in await shop.store.open_work(None, 10)] == [due]
        assert await shop.store.open_work(None, 10, before=due - 1) == []
        assert [each.timer_due for each in await shop.store.open_work(None, 10, before=due)] == [due]
        await shop.store.set_timer(conversation, None, shop.clock())
        assert await shop.store.open_work(None, 10) == []
        assert await shop.store.unsettled_accounts() == {}

    async def test_who_is_told_that_a_customer_needs_a_person_owes_no_answer(self, shop: StoreScenario) -> None:
        boss = await shop.answered("one", person=KOFI, external_id="in-0")
        await shop.send(boss, "a0", "out-0")
        silence = await since(shop, boss)
        shop.clock.forward(HOUR)
        call = Handoff("customer", tell=OperatorNotification(ACCOUNT, KOFI, OutgoingContent("{conversation} needs you")))
        await shop.store.hand_over(await shop.asked(), call, shop.clock())
        await shop.send(boss, "a1", "out-1")
        assert await since(shop, boss) == silence

    async def test_open_work_comes_in_pages_whatever_is_due(self, shop: StoreScenario) -> None:
        with_timer = await shop.answered("one")
        await shop.send(with_timer, "a1", "out-1")
        await shop.store.set_timer(with_timer, shop.clock(), shop.clock())
        waiting = await shop.asked(KOFI, "in-2")
        unsent = await shop.answered("two", person=replace(KOFI, user_id="X", phone="1"), external_id="in-3")
        await shop.store.set_timer(unsent, shop.clock() + DAY, shop.clock())
        found: list[str] = []
        while page := await shop.store.open_work(found[-1] if found else None, 1, before=shop.clock() + HOUR):
            found += [each.conversation for each in page]
        assert sorted(found) == sorted([with_timer, waiting, unsent])

    async def test_an_answer_sets_the_timer_and_never_puts_an_earlier_one_off(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        start = shop.clock()
        for n, (asked, kept) in enumerate(((2 * HOUR, 2 * HOUR), (3 * HOUR, 2 * HOUR), (HOUR, HOUR)), 2):
            attempt, ids = await shop.call(conversation)
            also = ReplySideEffects(timer=start + asked)
            [work] = await shop.store.save_reply(conversation, attempt, ids, [], None, shop.clock(), effects=also)
            assert work.timer_due == start + kept
            await shop.asked(ANA, f"in-{n}")

    async def test_a_clock_that_was_set_back_moves_no_timer_and_nothing_that_has_its_own_time(self, shop: StoreScenario) -> None:
        conversation = await silent(shop)
        part = await scheduled(shop, conversation, 90 * DAY)
        due = shop.clock() + 90 * DAY
        assert await shop.store.reset_future_dues(shop.clock() + DAY, shop.clock()) == 0
        view = await shop.tending(conversation)
        assert (view.due, view.scheduled, await shop.state(part)) == (due, due, "parked")

    async def test_an_unknown_conversation_has_no_timers(self, shop: StoreScenario) -> None:
        assert await shop.store.timer_view("c999999", 2) is None
        with pytest.raises(NotFound):
            await shop.store.set_timer("c999999", 1, shop.clock())

    async def test_a_silence_begins_with_the_last_words_that_reached_the_customer(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        asked = shop.clock()
        shop.clock.forward(1_000)
        await shop.answer(conversation, "one", "two")
        view = await shop.tending(conversation)
        assert (view.customer_at, view.ours_at, view.waiting, view.unsent) == (asked, None, 0, 2)
        await shop.send(conversation, "a1", "out-1")
        shop.clock.forward(1_000)
        await shop.store.enqueue_messages(conversation, [OutgoingContent("We are closed.")], "notice", "sara", shop.clock())
        view = await shop.tending(conversation)
        assert (view.ours_at, view.unsent) == (asked + 1_000, 2)

    # asking once more

    async def test_a_silent_customer_is_asked_once(self, shop: StoreScenario) -> None:
        conversation = await silent(shop)
        work = await shop.store.follow_up(conversation, QUESTION, await since(shop, conversation), shop.clock())
        assert work.deliver_due == shop.clock()
        assert (await shop.next(conversation)).part.purpose == "notice"
        await shop.send(conversation, "a2", "out-2")
        assert (await shop.tending(conversation)).followed_up
        with pytest.raises(Conflict):
            await shop.store.follow_up(conversation, QUESTION, await since(shop, conversation), shop.clock())

    async def test_one_who_writes_again_may_be_asked_again(self, shop: StoreScenario) -> None:
        conversation = await silent(shop)
        await shop.store.follow_up(conversation, QUESTION, await since(shop, conversation), shop.clock())
        await shop.send(conversation, "a2", "out-2")
        await shop.take(later(shop, "in-1"))
        assert (await shop.tending(conversation)).followed_up, "a message met again is nothing new"
        await shop.take(later(shop, "in-2"))
        assert not (await shop.tending(conversation)).followed_up
        await shop.answer(conversation, "two")
        await shop.send(conversation, "a3", "out-3")
        await shop.store.follow_up(conversation, QUESTION, await since(shop, conversation), shop.clock())

    @pytest.mark.parametrize("what", ["a message", "a skipped one", "a person", "an echo", "words under way", "stop", "a pause"])
    async def test_nobody_is_asked_and_nothing_closed_after_something_happened(self, shop: StoreScenario, what: str) -> None:
        conversation = await silent(shop)
        silence = await since(shop, conversation)
        if what == "a message":
            await shop.take(later(shop, "in-2"))
        elif what == "a skipped one":
            await shop.take(later(shop, "in-2"))
            await shop.store.drop(conversation, "reply", shop.clock())
        elif what == "an echo":
            await shop.change(OperatorEcho(ACCOUNT, "echo-1", ANA, "text", "I called you", shop.clock()))
        elif what == "words under way":
            await shop.store.enqueue_messages(conversation, [OutgoingContent("hm")], "operator", "operator", shop.clock())
        elif what == "stop":
            await shop.store.consent(conversation, True, "operator", "by phone", shop.clock())
        else:
            await shop.store.hand_over(
                conversation, Handoff("operator", mode="paused" if what == "a pause" else "human"), shop.clock()
            )
        before = await shop.states(conversation)
        with pytest.raises(Conflict):
            await shop.store.follow_up(conversation, QUESTION, silence, shop.clock())
        if what not in ("stop", "a person", "a pause"):
            with pytest.raises(Conflict):
                await shop.store.close_conversation(conversation, silence, shop.clock())
        assert await shop.states(conversation) == before

    @pytest.mark.parametrize("how", ["failed", "held", "cancelled", "parked", "not its time"])
    async def test_what_did_not_reach_the_customer_breaks_no_silence(self, shop: StoreScenario, how: str) -> None:
        conversation = await silent(shop)
        silence = await since(shop, conversation)
        if how == "not its time":
            await scheduled(shop, conversation)
        else:
            await shop.store.enqueue_messages(conversation, [OutgoingContent("hm")], "operator", "operator", shop.clock())
            part = (await shop.next(conversation)).part.id
            if how == "held":
                await shop.begin(conversation, "a2")
                await shop.store.record_attempt(
                    "a2", AttemptResult(AttemptState.IN_DOUBT, OutboundState.IN_DOUBT, shop.clock()), shop.clock()
                )
                await shop.store.resolve_in_doubt(part, "hold", False, shop.clock())
            else:
                await shop.store.cancel_outbound(part, how, "test", shop.clock())  # type: ignore[arg-type]  # the words of the table
        assert await since(shop, conversation) == silence
        await shop.store.follow_up(conversation, QUESTION, silence, shop.clock())
        await shop.send(conversation, "a3", "out-3")
        await shop.store.close_conversation(conversation, silence, shop.clock())
        assert (await shop.tending(conversation)).closed

    # what has a time of its own

    async def test_what_is_to_be_said_later_keeps_nobody_waiting_and_keeps_its_time(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        at = shop.clock() + HOUR
        work = await shop.store.enqueue_messages(
            conversation, [OutgoingContent("a"), OutgoingContent("b")], "operator", "operator", shop.clock(), at
        )
        assert (work.deliver_due, work.timer_due) == (None, at)
        assert (await shop.tending(conversation)).scheduled == at
        assert (await shop.reading(conversation)).delivery == "clear"
        await shop.answer(conversation, "now")
        assert (await shop.next(conversation)).part.text == "now"
        await shop.send(conversation, "a1", "out-1")
        shop.clock.forward(HOUR - 1)
        await shop.store.recover("the next life", shop.clock())
        assert (await shop.store.queue_scheduled(conversation, shop.clock())).deliver_due is None
        shop.clock.forward(1)
        assert (await shop.store.queue_scheduled(conversation, shop.clock())).deliver_due == shop.clock()
        for n, text in enumerate("ab", 2):
            assert (await shop.next(conversation)).part.text == text
            await shop.send(conversation, f"a{n}", f"out-{n}")
        assert (await shop.tending(conversation)).scheduled is None
        assert await since(shop, conversation) == shop.clock()

    async def test_a_time_that_is_past_is_now(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        work = await shop.store.enqueue_messages(
            conversation, [OutgoingContent("a")], "operator", "operator", shop.clock(), shop.clock()
        )
        assert (work.deliver_due, work.timer_due) == (shop.clock(), None)

    async def test_each_part_goes_at_its_own_time(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        second, first = await scheduled(shop, conversation, 2 * HOUR), await scheduled(shop, conversation)
        shop.clock.forward(HOUR)
        await shop.store.queue_scheduled(conversation, shop.clock())
        assert [await shop.state(each) for each in (first, second)] == ["queued", "parked"]
        assert (await shop.tending(conversation)).scheduled == shop.clock() + HOUR

    async def test_stop_cancels_what_was_to_be_said_later_but_not_an_operators_own_words(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        notice, words = await scheduled(shop, conversation, purpose="notice"), await scheduled(shop, conversation)
        await shop.take(message("in-2"), verdict=STOP)
        assert [await shop.state(each) for each in (notice, words)] == ["cancelled", "parked"]

    async def test_what_waits_for_its_time_is_not_given_up_and_not_revived_early(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.park(conversation, None)
        part = await scheduled(shop, conversation)
        assert part not in [each.id for each in await shop.store.list_failed(10)]
        await shop.store.retry_failed(conversation, "deliver", shop.clock())
        shop.clock.forward(1_000)
        await shop.take(later(shop, "in-2"))
        assert await shop.state(part) == "parked"
        await shop.store.drop(conversation, "deliver", shop.clock())
        assert await shop.state(part) == "cancelled"

    async def test_what_was_said_meanwhile_does_not_overtake_it(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        part = await scheduled(shop, conversation, 10 * DAY)
        await shop.answer(conversation, "one")
        await shop.send(conversation, "a1", "out-1")
        shop.clock.forward(10 * DAY)
        await shop.store.queue_scheduled(conversation, shop.clock())
        await shop.park(conversation, None)
        shop.clock.forward(1_000)
        await shop.take(later(shop, "in-2"))
        assert await shop.state(part) == "queued", "the customer opened the window, and it is new"
        await shop.send(conversation, "a2", "out-2")
        await shop.receipt("failed", attempt="a2", then="retry")
        assert await shop.state(part) == "queued"

    async def test_a_hand_over_leaves_an_operators_later_words_alone(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        part = await scheduled(shop, conversation)
        for change in (Handoff("operator", mode="paused"), Handoff("customer", notice=COLLEAGUE)):
            await shop.store.hand_over(conversation, change, shop.clock())
        await shop.store.hand_back(conversation, "operator", shop.clock())
        assert await shop.state(part) == "parked"
