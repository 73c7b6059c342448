"""What every store promises about keeping nothing longer than it is wanted."""

from __future__ import annotations

from sara import Identity
from sara.engines import AttemptResult, AttemptState, OutboundState
from sara.testing.store.attachments import DAY, PHOTO, with_files
from sara.testing.store.scenario import ANA, KOFI, STOP, StoreScenario, message


class ExpiryExam:
    """Part of `StoreContract`."""

    # keeping no longer than needed

    async def expired(self, shop: StoreScenario, days: int = 90, limit: int = 100) -> int:
        """Delete what is older than so many days."""
        return await shop.store.expire(shop.clock() - days * DAY, limit, shop.clock())

    async def test_old_messages_go_in_steps_with_whoever_has_no_others(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one", "two")
        for attempt in ("a1", "a2"):
            await shop.send(conversation, attempt, f"out-{attempt}")
        await shop.answer(await shop.asked(KOFI, "in-2", "hello"))
        shop.clock.forward(91 * DAY)
        await shop.answer(await shop.asked(KOFI, "in-3", "much later"))
        assert await shop.store.expire(None, 100, shop.clock()) == 0
        assert [await self.expired(shop, limit=3), await self.expired(shop, limit=3), await self.expired(shop, limit=3)] == [
            3,
            1,
            0,
        ]
        assert [each.text for each in await shop.store.messages(None, None, 10)] == ["much later"]
        assert await shop.store.subject_data("US.1") is None
        assert await shop.store.subject_data("GH.2") is not None
        assert await shop.store.search("hello", 10) == []
        assert await shop.store.find("out-a1") is None

    async def test_nothing_that_waits_ever_expires(self, shop: StoreScenario) -> None:
        waiting = await shop.asked(ANA, "in-1")
        queued = await shop.answered("one", "two", person=KOFI, external_id="in-2")
        doubtful = await shop.answered("one", person=Identity(user_id="X.1"), external_id="in-3")
        part = await shop.begin(doubtful, "a1")
        await shop.store.record_attempt("a1", AttemptResult(AttemptState.IN_DOUBT, OutboundState.IN_DOUBT), shop.clock())
        held = await shop.answered("one", person=Identity(user_id="X.2"), external_id="in-4")
        await shop.begin(held, "a2")
        await shop.store.record_attempt("a2", AttemptResult(AttemptState.IN_DOUBT, OutboundState.IN_DOUBT), shop.clock())
        await shop.store.resolve_in_doubt((await shop.next(held)).part.id, "hold", False, shop.clock())
        parked = await shop.answered("one", person=Identity(user_id="X.3"), external_id="in-5")
        await shop.park(parked, None)
        shop.clock.forward(1_000 * DAY)
        while await self.expired(shop):
            pass
        assert await shop.states(waiting) == ["waiting"]
        assert await shop.states(queued) == ["queued", "queued"]
        assert await shop.states(doubtful) == ["in_doubt"]
        assert await shop.states(held) == ["held"]
        assert await shop.states(parked) == ["parked"]
        await shop.receipt("delivered", attempt="a1")
        assert await shop.state(part) == "delivered"

    async def test_who_opted_out_is_remembered_though_their_messages_expire(self, shop: StoreScenario) -> None:
        await shop.take(message("in-1", text="stop"), verdict=STOP)
        shop.clock.forward(91 * DAY)
        assert await self.expired(shop) == 1
        [stored] = (await shop.take(message("in-2", at=shop.clock()))).stored
        assert stored.reason == "opted_out"

    async def test_a_message_that_expired_early_is_still_known_when_it_is_delivered_again(self, shop: StoreScenario) -> None:
        await shop.answer(await shop.asked())
        shop.clock.forward(2 * DAY)
        assert await self.expired(shop, days=1) == 1
        taken = await shop.take(message("in-1"))
        assert (taken.stored, taken.known) == ((), 1)

    async def test_a_message_stays_until_its_file_is_gone(self, shop: StoreScenario) -> None:
        [stored] = (await shop.take(with_files("in-1", PHOTO, at=shop.clock()))).stored
        [line] = (await shop.reading(stored.conversation)).waiting
        await shop.store.keep_attachment(line.attachments[0].id, "x", "bb" * 32, 1, None, shop.clock())
        await shop.answer(stored.conversation)
        shop.clock.forward(91 * DAY)
        assert await self.expired(shop) == 0
        await shop.store.forget_files(await shop.store.old_files(shop.clock() - 90 * DAY, 10), shop.clock())
        assert await self.expired(shop) == 1

    async def test_a_summary_goes_with_the_last_message_that_it_holds(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        await shop.answer(conversation)
        await shop.store.save_summary(conversation, "Ana said hello.", "m1", None, 0, (), shop.clock())
        shop.clock.forward(91 * DAY)
        await shop.asked(ANA, "in-2")
        assert (await shop.reading(conversation)).summary == "Ana said hello."
        assert await self.expired(shop) == 1
        assert (await shop.reading(conversation)).summary == ""
