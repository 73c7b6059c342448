"""What every store promises about calls of tools: none is made twice for the same thing."""

from __future__ import annotations

import pytest

from sara.engines import Conflict, Handoff
from sara.testing.store.scenario import ANA, KOFI, STOP, StoreScenario, message


class ToolsExam:
    """Part of `StoreContract`."""

    async def use(
        self, shop: StoreScenario, conversation: str, attempt: int, arguments: str = "{}", occurrence: int = 1
    ) -> tuple[int, bool]:
        """Write down a call of the tool `book`: its record, and whether it is new."""
        record, new = await shop.store.begin_tool(conversation, attempt, "book", arguments, occurrence, shop.clock())
        return record.id, new

    async def again(self, shop: StoreScenario, conversation: str, attempt: int) -> int:
        """Fail the call to the responder, and begin another one."""
        await shop.store.fail_reply_attempt(conversation, attempt, shop.clock(), "busy", shop.clock())
        return (await shop.call(conversation))[0]

    async def test_the_same_call_in_a_retry_is_known_with_what_it_brought(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        attempt, _ = await shop.call(conversation)
        record, new = await self.use(shop, conversation, attempt)
        assert new
        await shop.store.end_tool(record, "booked", shop.clock())
        attempt = await self.again(shop, conversation, attempt)
        known, new = await shop.store.begin_tool(conversation, attempt, "book", "{}", 1, shop.clock())
        assert (known.id, known.result, new) == (record, "booked", False)

    async def test_a_call_whose_outcome_is_not_known_stays_so_through_a_crash(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        attempt, _ = await shop.call(conversation)
        await self.use(shop, conversation, attempt)
        for life in ("second", "third"):
            await shop.store.recover(life, shop.clock())
            attempt, _ = await shop.call(conversation)
            known, new = await shop.store.begin_tool(conversation, attempt, "book", "{}", 1, shop.clock())
            assert (known.result, new) == (None, False)

    async def test_other_arguments_another_name_and_a_second_time_are_other_calls(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        attempt, _ = await shop.call(conversation)
        for arguments, occurrence in (("{}", 1), ('{"n":1}', 1), ("{}", 2)):
            assert (await self.use(shop, conversation, attempt, arguments, occurrence))[1]
        assert (await shop.store.begin_tool(conversation, attempt, "cancel", "{}", 1, shop.clock()))[1]

    async def test_the_next_turn_and_another_conversation_make_their_own_calls(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        attempt, ids = await shop.call(conversation)
        await self.use(shop, conversation, attempt)
        await shop.store.save_reply(conversation, attempt, ids, [], None, shop.clock())
        await shop.asked(ANA, "in-2")
        attempt, _ = await shop.call(conversation)
        assert (await self.use(shop, conversation, attempt))[1]
        other = await shop.asked(KOFI, "in-3")
        attempt, _ = await shop.call(other)
        assert (await self.use(shop, other, attempt))[1]

    async def test_a_message_that_joins_the_turn_repeats_no_call(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        attempt, ids = await shop.call(conversation)
        await self.use(shop, conversation, attempt)
        await shop.asked(ANA, "in-2")
        assert await shop.store.discard_reply(conversation, attempt, ids, 2, None, 0, shop.clock()) is not None
        attempt, _ = await shop.call(conversation)
        assert not (await self.use(shop, conversation, attempt))[1]

    async def test_a_message_that_is_taken_along_repeats_no_call(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        attempt, ids = await shop.call(conversation)
        await self.use(shop, conversation, attempt)
        await shop.store.close_turn(conversation, ids, "dead", "max_duration: away", shop.clock())
        await shop.asked(ANA, "in-2")
        attempt, _ = await shop.call(conversation)
        assert not (await self.use(shop, conversation, attempt))[1]

    async def test_an_older_message_that_an_operator_revives_repeats_no_call(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        await shop.lose(conversation, "given_up: no")
        await shop.asked(ANA, "in-2")
        attempt, _ = await shop.call(conversation)
        await self.use(shop, conversation, attempt)
        await shop.store.retry_failed(conversation, "reply", shop.clock())
        assert not (await self.use(shop, conversation, attempt))[1]

    @pytest.mark.parametrize("what", ["an earlier call", "a failed call", "stop", "a hand-over", "no call at all"])
    async def test_no_tool_is_called_for_a_turn_that_has_moved_on(self, shop: StoreScenario, what: str) -> None:
        conversation = await shop.asked()
        attempt = 0
        if what != "no call at all":
            attempt, _ = await shop.call(conversation)
        if what == "an earlier call":
            await self.again(shop, conversation, attempt)
        elif what == "a failed call":
            await shop.store.fail_reply_attempt(conversation, attempt, shop.clock() + 1_000, "busy", shop.clock())
        elif what == "stop":
            await shop.take(message("in-2"), verdict=STOP)
        elif what == "a hand-over":
            await shop.store.hand_over(conversation, Handoff("operator"), shop.clock())
        with pytest.raises(Conflict):
            await self.use(shop, conversation, attempt)

    async def test_what_an_unknown_call_brought_belongs_nowhere(self, shop: StoreScenario) -> None:
        with pytest.raises(Conflict):
            await shop.store.end_tool(999_999, "booked", shop.clock())
