"""What every store promises about chapters and about what was summed up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sara import Usage
from sara.engines import NotFound
from sara.testing.store.scenario import ANA, KOFI, STOP, StoreScenario, later, message

HOUR = 3_600_000
PERIODS = ("2027-01-15", "2027-01")


class MemoryExam:
    """Part of `StoreContract`."""

    async def talk(self, shop: StoreScenario, turns: int, first: int = 1) -> str:
        """Store `turns` questions and answers; return the conversation."""
        for n in range(first, first + turns):
            conversation = await shop.asked(ANA, f"in-{n}", f"question {n}")
            await shop.answer(conversation, f"answer {n}")
            await shop.send(conversation, f"a{n}", f"out-{n}")
        return conversation

    async def keep(self, shop: StoreScenario, conversation: str, upto: str, text: str = "so far") -> None:
        """Return a summary of everything up to a message."""
        await shop.store.save_summary(conversation, text, upto, Usage(3, 2, "t"), 9, PERIODS, shop.clock())

    # chapters

    async def test_a_message_after_the_close_begins_a_new_chapter(self, shop: StoreScenario) -> None:
        conversation = await self.talk(shop, 2)
        await self.keep(shop, conversation, await shop.id("out-1"))
        await shop.store.close_conversation(conversation, shop.clock(), shop.clock())
        assert (await shop.tending(conversation)).closed
        shop.clock.forward(HOUR)
        await shop.take(replace(later(shop, "in-9"), text="hello again", reply_to="out-1"))
        view = await shop.reading(conversation)
        assert (view.history, view.summary) == ((), "")
        assert [(line.text, line.quoted) for line in view.waiting] == [("hello again", "answer 1")], (
            "a quote is read all the same"
        )
        tending = await shop.tending(conversation, 0)
        assert (tending.closed, tending.older) == (False, 0)
        assert len(await shop.states(conversation)) == 5, "what was said before is still there"
        await shop.answer(conversation, "welcome back")
        await shop.asked(ANA, "in-10")
        assert [line.text for line in (await shop.reading(conversation)).history] == ["hello again", "welcome back"]

    async def test_a_conversation_is_closed_once(self, shop: StoreScenario) -> None:
        conversation = await self.talk(shop, 1)
        for _ in range(2):
            work = await shop.store.close_conversation(conversation, shop.clock(), shop.clock())
        assert (work.reply_due, work.deliver_due) == (None, None)
        await shop.take(message("in-1"))
        assert (await shop.tending(conversation)).closed, "a message met again opens nothing"
        with pytest.raises(NotFound):
            await shop.store.close_conversation("c999999", shop.clock(), shop.clock())

    @pytest.mark.parametrize(
        ("after", "read"), [(HOUR, []), (HOUR + 1, ["question 1", "answer 1"]), (None, ["question 1", "answer 1"])]
    )
    async def test_a_message_that_comes_long_after_the_last_begins_a_new_chapter(
        self, shop: StoreScenario, after: int | None, read: list[str]
    ) -> None:
        conversation = await self.talk(shop, 1)
        shop.clock.forward(HOUR + 1)
        await shop.take(later(shop, "in-2"), chapter_after=after)
        assert [line.text for line in (await shop.reading(conversation)).history] == read

    async def test_neither_a_first_message_nor_an_old_one_nor_a_second_of_a_burst_begins_a_chapter(
        self, shop: StoreScenario
    ) -> None:
        await shop.take(later(shop, "in-1"), chapter_after=1)
        shop.clock.forward(HOUR)
        await shop.take(later(shop, "in-2"), chapter_after=HOUR)
        conversation = (await shop.found("in-1")).conversation
        await shop.answer(conversation, "both")
        await shop.take(later(shop, "in-0", ago=24 * HOUR), chapter_after=1)
        assert len((await shop.reading(conversation)).history) == 3

    async def test_what_still_waits_from_the_chapter_before_is_answered_with_the_new_one(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        shop.clock.forward(HOUR)
        await shop.take(later(shop, "in-2"), chapter_after=1_000)
        assert len((await shop.reading(conversation)).waiting) == 2

    async def test_stop_after_the_close_begins_a_chapter_as_any_message_does(self, shop: StoreScenario) -> None:
        conversation = await self.talk(shop, 1)
        await shop.store.close_conversation(conversation, shop.clock(), shop.clock())
        await shop.take(later(shop, "in-2"), verdict=STOP)
        assert not (await shop.tending(conversation)).closed

    # summaries

    async def test_the_oldest_come_first_and_the_newest_are_left_out(self, shop: StoreScenario) -> None:
        conversation = await self.talk(shop, 4)
        assert (await shop.tending(conversation, 3)).older == 5
        summary, lines = await shop.store.unsummarised_messages(conversation, 3, 2)
        assert (summary, [line.text for line in lines]) == ("", ["question 1", "answer 1"])
        await self.keep(shop, conversation, lines[-1].id)
        summary, lines = await shop.store.unsummarised_messages(conversation, 3, 10)
        assert (summary, [line.text for line in lines]) == ("so far", ["question 2", "answer 2", "question 3"])
        await self.keep(shop, conversation, lines[-1].id, "all of it")
        assert await shop.store.unsummarised_messages(conversation, 3, 10) == ("all of it", ())
        assert (await shop.tending(conversation, 3)).older == 0
        await shop.asked(ANA, "in-9")
        assert (await shop.reading(conversation)).summary == "all of it"

    async def test_however_many_there_are_none_is_left_out(self, shop: StoreScenario) -> None:
        arrivals = [message(f"in-{n}", text=str(n)) for n in range(1_100)]
        [stored, *_] = (await shop.take(*arrivals)).stored
        await shop.store.drop(stored.conversation, "reply", shop.clock())
        _, lines = await shop.store.unsummarised_messages(stored.conversation, 10, 3)
        assert [line.text for line in lines] == ["0", "1", "2"]
        assert (await shop.tending(stored.conversation, 10)).older >= 1_000

    async def test_only_what_was_said_is_summed_up(self, shop: StoreScenario) -> None:
        await shop.store.recover("life 1", shop.clock())
        conversation = await shop.asked(text="poison")
        for life in (2, 3, 4):
            await shop.call(conversation)
            await shop.store.recover(f"life {life}", shop.clock.forward(1_000))
        await shop.asked(ANA, "in-2")
        await shop.answer(conversation, "one", "two")
        await shop.store.drop(conversation, "deliver", shop.clock())
        await shop.asked(ANA, "in-3", "waits")
        _, lines = await shop.store.unsummarised_messages(conversation, 0, 10)
        assert [line.external_id for line in lines] == ["in-2"]

    async def test_a_summary_goes_forward_only(self, shop: StoreScenario) -> None:
        conversation = await self.talk(shop, 3)
        await self.keep(shop, conversation, await shop.id("out-2"), "newer")
        for upto in (await shop.id("out-1"), await shop.id("out-2"), "m999999", "nonsense"):
            await self.keep(shop, conversation, upto, "older")
        assert (await shop.store.unsummarised_messages(conversation, 0, 10))[0] == "newer"
        assert await shop.store.ai_usage(PERIODS[0]) == {"calls": 5, "tokens": 25, "money": 45}, "each call cost something"

    async def test_a_summary_that_was_made_while_a_new_chapter_began_is_not_kept(self, shop: StoreScenario) -> None:
        conversation = await self.talk(shop, 2)
        await shop.store.close_conversation(conversation, shop.clock(), shop.clock())
        await shop.asked(ANA, "in-9")
        await self.keep(shop, conversation, await shop.id("out-2"))
        assert (await shop.reading(conversation)).summary == ""
        await shop.answer(conversation, "answer 9")
        _, lines = await shop.store.unsummarised_messages(conversation, 0, 10)
        assert [line.external_id for line in lines] == ["in-9", None]

    async def test_a_summary_holds_nobody_elses_messages(self, shop: StoreScenario) -> None:
        conversation = await self.talk(shop, 1)
        await shop.asked(KOFI, "in-7")
        await self.keep(shop, conversation, (await shop.found("in-7")).id)
        assert (await shop.store.unsummarised_messages(conversation, 0, 10))[0] == ""
        assert (await shop.store.unsummarised_messages(conversation, 0, 0))[1] == ()
