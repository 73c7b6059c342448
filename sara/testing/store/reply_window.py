"""What every store promises about the reply window and about failures that a receipt tells of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sara import Identity, Instant, OperatorEcho
from sara.engines import AttemptResult, AttemptState, InboundDecision, OutboundState
from sara.testing.store.scenario import ACCOUNT, ANA, INVITATION, STOP, StoreScenario, later, message

DAY = 86_400_000


async def customer_at(shop: StoreScenario, conversation: str) -> Instant | None:
    """Return when the customer last opened the window, as a deliver job sees it."""
    return (await shop.next(conversation)).customer_at


class WindowExam:
    """Part of `StoreContract`."""

    # the reply window

    async def parked(self, shop: StoreScenario, *texts: str) -> str:
        """Return a conversation whose reply came too late."""
        conversation = await shop.answered(*texts)
        shop.clock.forward(2 * DAY)
        for _ in texts:
            await shop.park(conversation)
        return conversation

    async def test_the_window_is_counted_from_the_customers_own_last_message(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        written = shop.clock()
        assert await customer_at(shop, conversation) == written
        shop.clock.forward(60_000)
        await shop.take(later(shop, "in-2", ago=5_000))
        assert await customer_at(shop, conversation) == shop.clock() - 5_000
        await shop.take(later(shop, "in-3", ago=50_000))
        await shop.take(replace(later(shop, "in-4"), opens_window=False))
        await shop.take(later(shop, "in-2"))
        assert await customer_at(shop, conversation) == shop.clock() - 5_000

    async def test_a_part_that_came_too_late_waits_and_a_template_asks_instead_once(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one", "two")
        first = await shop.park(conversation)
        await shop.park(conversation)
        assert await shop.states(conversation) == ["answered", "parked", "parked", "queued"]
        view = await shop.next(conversation)
        assert (view.part.kind, view.part.purpose, view.part.text) == ("template", "template", "May we go on?")
        assert view.part.content == INVITATION.content
        assert {each.id for each in await shop.store.list_failed(10)} >= {first}
        await shop.send(conversation, "a1", "out-1")
        await shop.take(replace(message("in-2"), opens_window=False))
        await shop.answer(conversation, "three")
        await shop.park(conversation)
        assert await shop.store.delivery_view(conversation) is None, "they were asked already"

    async def test_what_was_parked_is_said_when_the_customer_writes_before_the_new_answer(self, shop: StoreScenario) -> None:
        conversation = await self.parked(shop, "one", "two")
        taken = await shop.take(later(shop, "in-2"))
        [work] = taken.work
        assert work.deliver_due == shop.clock()
        assert await shop.states(conversation) == ["answered", "queued", "queued", "cancelled", "waiting"]
        template = (await shop.store.messages(conversation, None, 10))[3]
        assert template.reason == "window_open"
        await shop.answer(conversation, "three")
        said = []
        for n in range(3):
            said.append((await shop.next(conversation)).part.text)
            part = await shop.send(conversation, f"a{n}", f"out-{n}")
            assert ("unparked" in await shop.told(part)) == (n < 2)
        assert said == ["one", "two", "three"]
        shop.clock.forward(2 * DAY)
        await shop.take(replace(later(shop, "in-3"), opens_window=False))
        await shop.answer(conversation, "four")
        await shop.park(conversation)
        assert (await shop.next(conversation)).part.purpose == "template", "they are asked anew"

    async def test_a_template_that_has_left_is_left_alone(self, shop: StoreScenario) -> None:
        conversation = await self.parked(shop, "one")
        part = await shop.send(conversation, "a1", "out-1")
        await shop.take(later(shop, "in-2"))
        assert await shop.state(part) == "accepted"

    @pytest.mark.parametrize("written", ["an old message", "one met again", "one that opens nothing"])
    async def test_only_a_new_message_that_opens_the_window_brings_it_back(self, shop: StoreScenario, written: str) -> None:
        conversation = await self.parked(shop, "one")
        old = later(shop, "in-0", ago=3 * DAY)
        again = later(shop, "in-1")
        closed = replace(later(shop, "in-2"), opens_window=False)
        await shop.take({"an old message": old, "one met again": again}.get(written, closed))
        assert (await shop.states(conversation))[1:3] == ["parked", "queued"]

    async def test_an_answer_to_last_weeks_question_stays_parked(self, shop: StoreScenario) -> None:
        conversation = await self.parked(shop, "one")
        shop.clock.forward(6 * DAY)
        await shop.take(later(shop, "in-2"))
        assert await shop.states(conversation) == ["answered", "parked", "cancelled", "waiting"]

    @pytest.mark.parametrize("looked", [True, False], ids=["parked", "not looked at yet"])
    async def test_what_was_overtaken_while_it_waited_is_not_said_any_more(self, shop: StoreScenario, looked: bool) -> None:
        conversation = await shop.answered("one", "two", "three")
        await shop.send(conversation, "a1", "out-1")
        await shop.send(conversation, "a2", "out-2")
        shop.clock.forward(1_000)
        await shop.receipt("failed", attempt="a1", then="park")
        if looked:
            await shop.park(conversation)
            await shop.park(conversation)
        shop.clock.forward(1_000)
        await shop.take(later(shop, "in-2"))
        assert (await shop.states(conversation))[1:4] == ["failed", "accepted", "cancelled"]

    @pytest.mark.parametrize("older", [True, False], ids=["in the older", "in the younger"])
    async def test_what_was_parked_in_either_of_two_conversations_of_one_person_comes_back(
        self, shop: StoreScenario, older: bool
    ) -> None:
        numbered, named = Identity(phone="15550006666"), Identity(user_id="US.6")
        texts: dict[str, str] = {}
        for n, person in enumerate((numbered, named)):
            texts[await shop.answered(f"to {n}", person=person, external_id=f"in-{n}")] = f"to {n}"
        shop.clock.forward(2 * DAY)
        for conversation in texts:
            await shop.park(conversation, None)
        both = Identity(user_id="US.6", phone="15550006666")
        if older:
            taken = await shop.take(message("in-3", both, at=shop.clock()))
        else:
            # Known to be one before anything that opens the window comes.
            await shop.take(replace(message("in-3", both, at=shop.clock()), opens_window=False))
            taken = await shop.take(message("in-4", named, at=shop.clock()))
        assert {work.conversation for work in taken.work} == texts.keys(), "whoever sends is woken for both"
        for conversation, text in texts.items():
            view = await shop.next(conversation)
            assert (view.part.text, view.state, view.customer_at) == (text, "queued", shop.clock())

    async def test_parts_parked_for_another_reason_stay_parked(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.store.cancel_outbound((await shop.next(conversation)).part.id, "parked", "other", shop.clock())
        shop.clock.forward(1_000)
        await shop.take(later(shop, "in-2"))
        assert await shop.states(conversation) == ["answered", "parked", "waiting"]

    async def test_stop_ends_what_was_parked_and_nothing_of_it_comes_back(self, shop: StoreScenario) -> None:
        conversation = await self.parked(shop, "one")
        await shop.take(later(shop, "in-2"), verdict=STOP)
        assert await shop.states(conversation) == ["answered", "cancelled", "cancelled", "skipped"]
        shop.clock.forward(1_000)
        taken = await shop.take(later(shop, "in-3"), verdict=InboundDecision(skip="opt_in", consent="opt_in"))
        assert taken.work == ()

    async def test_an_answer_from_the_phone_app_ends_what_was_parked(self, shop: StoreScenario) -> None:
        conversation = await self.parked(shop, "one")
        await shop.change(OperatorEcho(ACCOUNT, "echo-1", ANA, "text", "I called you", shop.clock()))
        await shop.take(later(shop, "in-2"))
        assert (await shop.states(conversation))[1] == "cancelled"

    @pytest.mark.parametrize("wrote", [False, True], ids=["silent", "wrote since"])
    async def test_a_send_that_found_the_window_closed_closes_it_unless_the_customer_wrote_since(
        self, shop: StoreScenario, wrote: bool
    ) -> None:
        conversation = await shop.answered("one")
        shop.clock.forward(1_000)
        part = await shop.begin(conversation, "a1")
        shop.clock.forward(1_000)
        if wrote:
            await shop.take(later(shop, "in-2"))
        outcome = AttemptResult(
            AttemptState.NOT_SENT, OutboundState.QUEUED, shop.clock() + 6_000, charged=False, error="131047", closes_window=True
        )
        work = await shop.store.record_attempt("a1", outcome, shop.clock())
        view = await shop.next(conversation)
        assert (view.part.id, view.state, view.attempts) == (part, "queued", 0)
        assert (view.customer_at is None, work.deliver_due) == (not wrote, shop.clock() + (6_000 if wrote else 0))
        if not wrote:
            await shop.park(conversation)
            shop.clock.forward(1_000)
            await shop.take(later(shop, "in-2"))
            assert await shop.state(part) == "queued"

    async def test_what_was_parked_can_be_sent_or_dropped_by_hand(self, shop: StoreScenario) -> None:
        conversation = await self.parked(shop, "one")
        await shop.store.retry_failed(conversation, "deliver", shop.clock())
        assert await shop.states(conversation) == ["answered", "queued", "queued"]
        await shop.park(conversation)
        assert (await shop.store.drop(conversation, "deliver", shop.clock())).changed == 2
        assert await shop.states(conversation) == ["answered", "cancelled", "cancelled"]
