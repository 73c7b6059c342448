"""What every store promises about failures that a receipt tells of, and about what messages cost."""

from __future__ import annotations

from typing import Literal

import pytest

from sara import OutgoingContent
from sara.engines import AttemptResult, AttemptState, Conflict, OpenWork, OutboundState
from sara.testing.store.scenario import ACCOUNT, STOP, StoreScenario, later, message


class FailuresExam:
    """Part of `StoreContract`."""

    # failures that a receipt tells of

    async def fail(
        self,
        shop: StoreScenario,
        attempt: str,
        then: Literal["fail", "retry", "park", "send_as_text", "block_channel"],
        after: int | None = None,
    ) -> None:
        """Store a receipt which says that an attempt's message was not delivered."""
        await shop.receipt("failed", attempt=attempt, external_id=f"out-{attempt}", then=then, after=after)

    async def test_a_failure_that_passes_is_tried_again_at_most_three_times_and_ever_later(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one", "two")
        pauses = []
        for n in range(4):
            part = await shop.send(conversation, f"a{n}", f"out-a{n}")
            await self.fail(shop, f"a{n}", "retry")
            view = await shop.store.delivery_view(conversation)
            if view is None:
                break
            assert (view.part.id, view.state) == (part, "queued"), "the rest of the answer stays behind it"
            pauses.append(view.not_before - shop.clock())
            shop.clock.forward(pauses[-1])
        assert pauses == [60_000, 120_000, 240_000]
        assert await shop.states(conversation) == ["answered", "failed", "cancelled"]
        assert (await shop.told(part)).count("requeued") == 3
        assert (await shop.found(part)).error == "131026: undeliverable"
        assert (await shop.store.counts()).get("duplicate_sends", 0) == 0

    async def test_a_failure_may_say_how_long_to_wait(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.send(conversation, "a1", "out-a1")
        await self.fail(shop, "a1", "retry", after=5_000)
        assert (await shop.next(conversation)).not_before == shop.clock() + 5_000
        assert await shop.due(conversation) == (None, shop.clock() + 5_000)

    async def test_a_failure_told_again_puts_nothing_back_again(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.send(conversation, "a1", "out-a1")
        await self.fail(shop, "a1", "retry")
        shop.clock.forward(60_000)
        part = await shop.begin(conversation, "a2")
        for _ in range(2):
            await self.fail(shop, "a1", "retry")
            assert await shop.state(part) == "sending"
        await shop.store.record_attempt(
            "a2", AttemptResult(AttemptState.ACCEPTED, OutboundState.ACCEPTED, external_id="out-a2"), shop.clock()
        )
        await self.fail(shop, "a1", "retry")
        assert await shop.state(part) == "accepted"

    async def test_what_was_overtaken_is_not_sent_again(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one", "two")
        await shop.send(conversation, "a1", "out-a1")
        await shop.send(conversation, "a2", "out-a2")
        await self.fail(shop, "a1", "retry")
        assert await shop.states(conversation) == ["answered", "failed", "accepted"]
        await self.fail(shop, "a2", "retry")
        assert await shop.states(conversation) == ["answered", "failed", "failed"], "half an answer is none"

    async def test_a_part_that_was_put_back_goes_before_those_looked_at_meanwhile(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one", "two")
        await shop.send(conversation, "a1", "out-a1")
        second = (await shop.next(conversation)).part.id
        await self.fail(shop, "a1", "retry")
        with pytest.raises(Conflict):
            await shop.store.begin_attempt(second, "a2", "me", shop.clock())
        assert (await shop.next(conversation)).part.text == "one"

    async def test_a_failure_told_before_the_answer_to_the_request_counts_as_much(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        part = await shop.begin(conversation, "a1")
        taken = await shop.receipt("failed", external_id="out-a1", then="retry", after=7_000)
        assert taken.unknown_receipts == 1
        work = await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.ACCEPTED, OutboundState.ACCEPTED, external_id="out-a1"), shop.clock()
        )
        assert work.deliver_due == shop.clock() + 7_000
        assert await shop.state(part) == "queued"

    async def test_a_failure_told_while_the_part_is_being_sent_waits_for_nothing_else(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        part = await shop.begin(conversation, "a1")
        await self.fail(shop, "a1", "retry")
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.IN_DOUBT, OutboundState.IN_DOUBT, shop.clock() + 60_000), shop.clock()
        )
        assert await shop.state(part) == "queued"

    async def test_a_part_that_arrived_after_all_is_not_sent_again(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one", "two")
        part = await shop.send(conversation, "a1", "out-a1")
        await self.fail(shop, "a1", "retry")
        await shop.receipt("sent", attempt="a1", external_id="out-a1")
        assert await shop.state(part) == "queued", "a late `sent` proves nothing"
        await shop.receipt("delivered", attempt="a1", external_id="out-a1")
        assert await shop.state(part) == "delivered"
        assert (await shop.next(conversation)).part.text == "two"
        assert (await shop.store.counts()).get("duplicate_sends", 0) == 0

    async def test_a_part_that_arrived_after_all_while_it_leaves_again_is_counted_as_a_duplicate(
        self, shop: StoreScenario
    ) -> None:
        conversation = await shop.answered("one")
        await shop.send(conversation, "a1", "out-a1")
        await self.fail(shop, "a1", "retry")
        part = await shop.send(conversation, "a2", "out-a2")
        await shop.receipt("delivered", attempt="a1", external_id="out-a1")
        await shop.receipt("failed", attempt="a2", external_id="out-a2", then="retry")
        assert await shop.state(part) == "delivered"
        assert (await shop.store.counts())["duplicate_sends"] == 1
        assert await shop.store.delivery_view(conversation) is None

    async def test_while_another_attempt_may_arrive_nothing_is_put_back(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        part = await shop.begin(conversation, "a1")
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.IN_DOUBT, OutboundState.IN_DOUBT, shop.clock()), shop.clock()
        )
        await shop.store.resolve_in_doubt(part, "resend", False, shop.clock())
        await shop.begin(conversation, "a2")
        await self.fail(shop, "a1", "retry")
        assert await shop.state(part) == "sending"

    async def test_a_younger_doubt_is_ended_as_any_other(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        part = await shop.begin(conversation, "a1")
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.IN_DOUBT, OutboundState.IN_DOUBT, shop.clock()), shop.clock()
        )
        await shop.store.resolve_in_doubt(part, "resend", False, shop.clock())
        await shop.begin(conversation, "a2")
        await shop.store.record_attempt(
            "a2", AttemptResult(AttemptState.IN_DOUBT, OutboundState.IN_DOUBT, shop.clock() + 60_000), shop.clock()
        )
        await shop.receipt("sent", attempt="a1", external_id="out-a1")
        await self.fail(shop, "a1", "retry")
        view = await shop.next(conversation)
        assert (view.state, view.last and view.last.id) == ("in_doubt", "a2")

    @pytest.mark.parametrize("then", ["retry", "park"])
    async def test_who_wants_silence_is_not_written_to_again(self, shop: StoreScenario, then: Literal["retry", "park"]) -> None:
        conversation = await shop.answered("one")
        part = await shop.send(conversation, "a1", "out-a1")
        await shop.take(message("in-2"), verdict=STOP)
        await self.fail(shop, "a1", then)
        assert await shop.state(part) == "failed"

    @pytest.mark.parametrize("then", ["retry", "park"])
    async def test_what_a_person_has_to_look_at_is_not_put_back(
        self, shop: StoreScenario, then: Literal["retry", "park"]
    ) -> None:
        conversation = await shop.answered("one")
        part = await shop.begin(conversation, "a1")
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.IN_DOUBT, OutboundState.IN_DOUBT, shop.clock()), shop.clock()
        )
        await shop.store.resolve_in_doubt(part, "hold", False, shop.clock())
        await self.fail(shop, "a1", then)
        assert await shop.state(part) == "failed"

    async def test_a_failure_because_the_window_is_closed_closes_it_here_too(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one", "two")
        part = await shop.send(conversation, "a1", "out-a1")
        shop.clock.forward(1_000)
        await self.fail(shop, "a1", "park")
        view = await shop.next(conversation)
        assert (view.part.id, view.state, view.not_before, view.customer_at) == (part, "queued", shop.clock(), None)
        await shop.park(conversation)
        await shop.park(conversation)
        assert await shop.states(conversation) == ["answered", "parked", "parked", "queued"]
        # An old message that comes late opens nothing; the customer's next one does.
        await shop.take(later(shop, "in-0", ago=10_000))
        assert (await shop.next(conversation)).customer_at is None
        shop.clock.forward(1_000)
        await shop.take(later(shop, "in-2"))
        assert (await shop.states(conversation))[1:4] == ["queued", "queued", "cancelled"]
        assert (await shop.next(conversation)).customer_at == shop.clock()

    async def test_a_whole_answer_that_the_window_shut_out_waits_whole(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one", "two")
        await shop.send(conversation, "a1", "out-a1")
        await shop.send(conversation, "a2", "out-a2")
        shop.clock.forward(1_000)
        for attempt in ("a2", "a1"):
            await self.fail(shop, attempt, "park")
        assert await shop.states(conversation) == ["answered", "queued", "queued"]
        assert (await shop.next(conversation)).part.text == "one"

    async def test_who_wrote_since_has_opened_the_window_again(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        part = await shop.send(conversation, "a1", "out-a1")
        failed_at = shop.clock.forward(1_000)
        shop.clock.forward(1_000)
        await shop.take(later(shop, "in-2"))
        await shop.receipt("failed", attempt="a1", external_id="out-a1", then="park", at=failed_at)
        view = await shop.next(conversation)
        assert (view.part.id, view.state, view.customer_at) == (part, "queued", shop.clock())

    async def test_what_would_come_after_a_later_part_does_not_come_though_the_window_is_open_again(
        self, shop: StoreScenario
    ) -> None:
        conversation = await shop.answered("one", "two")
        await shop.send(conversation, "a1", "out-a1")
        failed_at = shop.clock.forward(1_000)
        await shop.take(later(shop, "in-2"))
        await shop.send(conversation, "a2", "out-a2")
        await shop.receipt("failed", attempt="a1", external_id="out-a1", then="park", at=failed_at)
        assert (await shop.states(conversation))[1:3] == ["failed", "accepted"]

    async def test_a_window_that_is_said_to_be_closed_again_and_again_ends_the_part(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        for n in range(4):
            part = await shop.send(conversation, f"a{n}", f"out-a{n}")
            shop.clock.forward(1_000)
            await self.fail(shop, f"a{n}", "park")
        assert await shop.state(part) == "failed"

    async def test_a_template_does_not_wait_for_the_window_that_it_is_to_open(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.park(conversation)
        part = await shop.send(conversation, "a1", "out-a1")
        await self.fail(shop, "a1", "park")
        assert await shop.states(conversation) == ["answered", "parked", "failed"]
        assert (await shop.found(part)).purpose == "template"

    async def test_what_waits_for_the_customer_goes_on_waiting_when_an_earlier_try_fails(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        part = await shop.begin(conversation, "a1")
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.IN_DOUBT, OutboundState.IN_DOUBT, shop.clock()), shop.clock()
        )
        await shop.store.resolve_in_doubt(part, "resend", False, shop.clock())
        await shop.park(conversation, None)
        await self.fail(shop, "a1", "retry")
        assert await shop.state(part) == "parked"
        await shop.receipt("delivered", attempt="a1", external_id="out-a1")
        assert await shop.state(part) == "delivered"

    async def test_a_failure_of_the_channel_is_not_held_against_the_part(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        for n in range(10):
            part = await shop.send(conversation, f"a{n}", f"out-a{n}")
            for _ in range(2):
                await self.fail(shop, f"a{n}", "block_channel")
            view = await shop.next(conversation)
            assert (view.part.id, view.state, view.not_before) == (part, "queued", shop.clock())
        assert (await shop.told(part)).count("requeued") == 10, "once for each attempt that failed"
        await shop.send(conversation, "a10", "out-a10")
        await self.fail(shop, "a10", "retry")
        assert (await shop.next(conversation)).not_before == shop.clock() + 60_000, "the first of its own failures"

    @pytest.mark.parametrize("after", [None, 3_600_000], ids=["until it is mended", "for an hour"])
    async def test_a_whole_answer_that_the_channel_did_not_deliver_goes_back_whole_and_in_order(
        self, shop: StoreScenario, after: int | None
    ) -> None:
        conversation = await shop.answered("one", "two")
        await shop.send(conversation, "a1", "out-a1")
        await shop.send(conversation, "a2", "out-a2")
        await self.fail(shop, "a1", "block_channel", after)
        await self.fail(shop, "a2", "block_channel", after)
        assert await shop.states(conversation) == ["answered", "queued", "queued"]
        assert (await shop.next(conversation)).part.text == "one"

    async def test_what_was_overtaken_during_a_short_rest_of_the_channel_is_not_sent_again(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one", "two")
        await shop.send(conversation, "a1", "out-a1")
        await shop.send(conversation, "a2", "out-a2")
        await self.fail(shop, "a1", "block_channel", 5_000)
        assert await shop.states(conversation) == ["answered", "failed", "accepted"]

    async def test_a_failure_of_the_channel_told_before_the_answer_to_the_request_puts_back_too(
        self, shop: StoreScenario
    ) -> None:
        conversation = await shop.answered("one")
        part = await shop.begin(conversation, "a1")
        await shop.receipt("failed", external_id="out-a1", then="block_channel")
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.ACCEPTED, OutboundState.ACCEPTED, external_id="out-a1"), shop.clock()
        )
        assert await shop.state(part) == "queued"

    async def test_a_form_that_was_refused_gives_way_to_its_words_once(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        await shop.answer(
            conversation, OutgoingContent("Soup: 5 EUR", "image", {"path": "menu"}), OutgoingContent("Anything else?")
        )
        part = await shop.send(conversation, "a1", "out-a1")
        await shop.send(conversation, "a2", "out-a2")
        await self.fail(shop, "a1", "send_as_text")
        view = await shop.next(conversation)
        assert (view.part.id, view.part.kind, view.part.text, view.part.content) == (part, "text", "Soup: 5 EUR", {})
        await shop.send(conversation, "a3", "out-a3")
        await self.fail(shop, "a3", "send_as_text")
        assert await shop.state(part) == "failed"

    async def test_a_form_without_words_that_was_refused_has_failed(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        await shop.answer(conversation, OutgoingContent("", "image", {"path": "menu"}))
        part = await shop.send(conversation, "a1", "out-a1")
        await self.fail(shop, "a1", "send_as_text")
        assert await shop.state(part) == "failed"

    async def test_a_part_put_back_wakes_whoever_sends(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.send(conversation, "a1", "out-a1")
        taken = await shop.receipt("failed", attempt="a1", external_id="out-a1", then="retry")
        assert taken.work == (OpenWork(conversation, ACCOUNT, None, shop.clock() + 60_000),)

    # what messages cost

    async def test_each_message_is_billed_once_in_the_month_of_its_receipt(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one", "two")
        november, december = 1_796_083_199_999, 1_796_083_200_000  # the last moment of November 2026 in UTC, and the next
        paid = {"type": "regular", "category": "service", "pricing_model": "PMP"}
        part = await shop.send(conversation, "a1", "out-1")
        await shop.receipt("sent", attempt="a1", external_id="out-1", pricing=paid, counts=True, at=november)
        for _ in range(2):
            await shop.receipt("delivered", attempt="a1", external_id="out-1", pricing=paid, counts=True, at=december)
        await shop.send(conversation, "a2", "out-2")
        free = {"type": "free_customer_service", "category": "service"}
        await shop.receipt("sent", attempt="a2", external_id="out-2", at=december)
        await shop.receipt("read", attempt="a2", external_id="out-2", pricing=free, at=december)
        assert await shop.store.message_counts(ACCOUNT, "2026-11") == {"regular.service": 1, "counted": 1}
        assert await shop.store.message_counts(ACCOUNT, "2026-12") == {"free_customer_service.service": 1}
        assert await shop.store.message_counts("test:2", "2026-11") == {}
        told = {each.what: each.detail for each in await shop.store.timeline(part)}
        assert (told["sent"], told["delivered"]) == ("regular service", "")

    async def test_two_copies_of_a_part_are_two_messages_on_the_bill(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.send(conversation, "a1", "out-a1")
        await self.fail(shop, "a1", "retry")
        await shop.send(conversation, "a2", "out-a2")
        for attempt in ("a1", "a2"):
            await shop.receipt("delivered", attempt=attempt, external_id=f"out-{attempt}", counts=True, at=1_795_996_800_000)
        assert await shop.store.message_counts(ACCOUNT, "2026-11") == {"counted": 2}

    async def test_the_price_on_an_early_receipt_is_not_lost(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.begin(conversation, "a1")
        odd = {"type": "half \ud800 a pair"}
        await shop.receipt("sent", external_id="out-1", pricing=odd, counts=True, at=1_795_996_800_000)
        assert await shop.store.message_counts(ACCOUNT, "2026-11") == {}
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.ACCEPTED, OutboundState.ACCEPTED, external_id="out-1"), shop.clock()
        )
        billed = dict(await shop.store.message_counts(ACCOUNT, "2026-11"))
        assert billed.pop("counted") == 1
        assert list(billed.values()) == [1]
