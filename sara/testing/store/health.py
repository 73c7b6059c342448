"""What every store promises about conversations that somebody should look at, and about what the business notes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sara import Identity, Milliseconds, OperatorEcho, OutgoingContent
from sara.engines import AttemptResult, AttemptState, Conflict, Handoff, InboundBatch, OutboundState
from sara.testing.store.scenario import ACCOUNT, ANA, KOFI, START, STOP, WISH, StoreScenario, message

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
BYE = {"": OutgoingContent("Bye."), "de": OutgoingContent("Tschüss.")}


async def ill(
    shop: StoreScenario, unanswered: Milliseconds = 10 * MINUTE, person: Milliseconds = 30 * MINUTE, limit: int = 10
) -> Sequence[tuple[str, str]]:
    """Return the unhealthy conversations, and why."""
    found = await shop.store.unhealthy(shop.clock(), unanswered, person, limit)
    return [(each.conversation, each.reason) for each in found]


class HealthExam:
    """Part of `StoreContract`."""

    # unhealthy conversations

    async def test_nothing_is_wrong_where_all_is_well(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one", "two")
        await shop.send(conversation, "a1", "out-1")
        waiting = await shop.asked(KOFI, "in-2")
        shop.clock.forward(MINUTE)
        assert await ill(shop) == []
        shop.clock.forward(DAY)
        await shop.answer(waiting, "three")
        await shop.take(message("in-3"), verdict=STOP)
        assert await ill(shop) == []

    async def test_a_message_that_waits_too_long(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        start = shop.clock()
        shop.clock.forward(10 * MINUTE - 1)
        await shop.asked(ANA, "in-2")
        assert await ill(shop) == []
        attempt, _ = await shop.call(conversation)
        await shop.store.fail_reply_attempt(conversation, attempt, shop.clock() + MINUTE, "busy", shop.clock())
        shop.clock.forward(1)
        [found] = await shop.store.unhealthy(shop.clock(), 10 * MINUTE, HOUR, 10)
        assert (found.conversation, found.account, found.name, found.reason) == (conversation, ACCOUNT, "Ana", "unanswered")
        assert (found.since, found.detail) == (start, "busy")

    @pytest.mark.parametrize("why", ["the shop is closed", "it is paused"])
    async def test_a_message_that_waits_on_purpose_waits_well(self, shop: StoreScenario, why: str) -> None:
        conversation = await shop.asked()
        if why == "it is paused":
            await shop.store.hand_over(conversation, Handoff("operator", mode="paused"), shop.clock())
        else:
            await shop.store.reschedule(conversation, "reply", shop.clock() + DAY, shop.clock())
        shop.clock.forward(HOUR)
        assert await ill(shop) == []

    async def test_an_answer_that_could_not_be_made_or_sent(self, shop: StoreScenario) -> None:
        dead = await shop.asked()
        await shop.lose(dead, "given_up: no")
        shop.clock.forward(1)
        failed = await shop.answered("one", person=KOFI, external_id="in-2")
        await shop.begin(failed, "a1")
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.REFUSED, OutboundState.FAILED, error="131026: undeliverable"), shop.clock()
        )
        found = await shop.store.unhealthy(shop.clock(), HOUR, HOUR, 10)
        assert [(each.conversation, each.reason, each.detail) for each in found] == [
            (dead, "failing", "given_up: no"),
            (failed, "failing", "131026: undeliverable"),
        ]
        await shop.store.retry_failed(dead, "reply", shop.clock())
        assert await ill(shop) == [(failed, "failing")]
        shop.clock.forward(7 * DAY + 1)
        assert [each for each in await ill(shop) if each[1] == "failing"] == []

    async def test_a_failure_that_a_person_took_over_from_is_over(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        await shop.lose(conversation)
        await shop.store.hand_over(conversation, Handoff("operator"), shop.clock())
        assert await ill(shop) == []

    async def test_a_doubt_until_it_ends(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        part = await shop.begin(conversation, "a1")
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.IN_DOUBT, OutboundState.IN_DOUBT, shop.clock(), error="reset"), shop.clock()
        )
        assert await ill(shop) == [(conversation, "doubtful")]
        await shop.store.resolve_in_doubt(part, "hold", True, shop.clock())
        assert await ill(shop) == [(conversation, "doubtful")]
        await shop.receipt("delivered", attempt="a1", external_id="out-1")
        assert await ill(shop) == []

    async def test_a_customer_who_waits_for_a_person(self, shop: StoreScenario) -> None:
        [stored] = (await shop.take(message("in-1", at=shop.clock()), verdict=WISH)).stored
        conversation, start = stored.conversation, shop.clock()
        shop.clock.forward(30 * MINUTE)
        await shop.take(message("in-2", at=shop.clock()))
        [found] = await shop.store.unhealthy(shop.clock(), HOUR, 30 * MINUTE, 10)
        assert (found.conversation, found.reason, found.since) == (conversation, "waiting_for_person", start)
        await shop.store.enqueue_messages(
            conversation, [OutgoingContent("later")], "operator", "operator", shop.clock(), shop.clock() + HOUR
        )
        assert await ill(shop) != [], "what is to be said later is no answer yet"
        await shop.store.enqueue_messages(conversation, [OutgoingContent("I am Bea.")], "operator", "operator", shop.clock())
        assert await ill(shop) == []
        await shop.take(message("in-3", at=shop.clock()))
        shop.clock.forward(30 * MINUTE)
        assert await ill(shop) == [(conversation, "waiting_for_person")]

    async def test_what_they_wrote_after_the_persons_words_waits_for_a_person(self, shop: StoreScenario) -> None:
        conversation, said = await shop.asked(), shop.clock()
        written = shop.clock.forward(MINUTE)
        await shop.take(message("in-2", at=written))
        echo = OperatorEcho(ACCOUNT, "echo-1", ANA, "text", "I called you", said)
        await shop.store.accept(
            InboundBatch(ACCOUNT, changes=(echo,), echoed={"echo-1": Handoff("operator")}), shop.clock.forward(MINUTE)
        )
        [found] = await shop.store.unhealthy(shop.clock(), HOUR, MINUTE, 10)
        assert (found.conversation, found.reason, found.since) == (conversation, "waiting_for_person", written)

    @pytest.mark.parametrize("how", ["an echo", "a hand-over to oneself", "the hand-back", "words whose time has come"])
    async def test_they_wait_no_longer_once_somebody_cares(self, shop: StoreScenario, how: str) -> None:
        [stored] = (await shop.take(message("in-1"), verdict=WISH)).stored
        shop.clock.forward(HOUR)
        if how == "an echo":
            await shop.change(OperatorEcho(ACCOUNT, "echo-1", ANA, "text", "I called you", shop.clock()))
        elif how == "a hand-over to oneself":
            await shop.store.hand_over(stored.conversation, Handoff("operator"), shop.clock())
        elif how == "the hand-back":
            await shop.store.hand_back(stored.conversation, "operator", shop.clock())
        else:
            at = shop.clock() + MINUTE
            await shop.store.enqueue_messages(
                stored.conversation, [OutgoingContent("now")], "operator", "operator", shop.clock(), at
            )
            await shop.store.queue_scheduled(stored.conversation, shop.clock.forward(MINUTE))
        shop.clock.forward(1)
        assert await ill(shop, person=HOUR) == []

    async def test_the_longest_come_first_and_no_more_than_were_asked_for(self, shop: StoreScenario) -> None:
        people = [Identity(user_id=f"U{n}") for n in range(5)]
        conversations = []
        for n, person in enumerate(people):
            conversations.append(await shop.asked(person, f"in-{n}"))
            if n == 2:
                await shop.lose(conversations[n], "given_up: no")
            shop.clock.forward(MINUTE)
        shop.clock.forward(HOUR)
        found = await ill(shop, limit=4)
        assert [each for each, _ in found] == conversations[:4]
        assert [what for _, what in found] == ["unanswered", "unanswered", "failing", "unanswered"]

    # what the business notes

    async def test_an_operator_notes_that_somebody_wants_silence_and_it_counts_at_once(self, shop: StoreScenario) -> None:
        await shop.take(message("in-0"), language="de")
        conversation = await shop.answered("one")
        await shop.take(message("in-2"))
        attempt, ids = await shop.call(conversation)
        work = await shop.store.consent(conversation, True, "operator", "by phone", shop.clock(), BYE)
        assert (work.reply_due, work.deliver_due) == (None, shop.clock())
        assert (await shop.lines(conversation))[2:] == [("one", "cancelled"), ("hello", "skipped"), ("Tschüss.", "queued")]
        with pytest.raises(Conflict):
            await shop.store.save_reply(conversation, attempt, ids, [OutgoingContent("late")], None, shop.clock())
        await shop.store.consent(conversation, True, "operator", "again", shop.clock(), BYE)
        assert (await shop.states(conversation)).count("queued") == 1, "said once"
        [silent] = (await shop.take(message("in-3"))).stored
        assert silent.reason == "opted_out"

    async def test_either_side_can_end_the_silence(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        for end in ("the operator", "the customer"):
            await shop.store.consent(conversation, True, "operator", "by phone", shop.clock())
            if end == "the operator":
                await shop.store.consent(
                    conversation, False, "operator", "by phone", shop.clock(), {"": OutgoingContent("Welcome!")}
                )
            else:
                await shop.take(message("in-9", at=shop.clock()), verdict=START)
            assert not (await shop.store.conversation(conversation)).opted_out
        assert (await shop.lines(conversation))[1] == ("Welcome!", "cancelled")

    async def test_silence_is_of_the_person_whichever_conversation_it_was_noted_in(self, shop: StoreScenario) -> None:
        by_number = await shop.asked(Identity(phone="15550009999"), "in-1")
        hidden = await shop.asked(Identity(user_id="US.9"), "in-2")
        await shop.asked(Identity(user_id="US.9", phone="15550009999"), "in-3")
        await shop.store.consent(hidden, True, "operator", "by phone", shop.clock())
        assert await shop.states(by_number) == ["skipped", "skipped"]
        assert (await shop.store.conversation(by_number)).opted_out
        await shop.store.consent(by_number, False, "operator", "by phone", shop.clock())
        assert not (await shop.store.conversation(hidden)).opted_out

    async def test_a_note_is_of_the_person_and_the_latest_counts(self, shop: StoreScenario) -> None:
        by_number = await shop.asked(Identity(phone="15550009999"), "in-1")
        hidden = await shop.asked(Identity(user_id="US.9"), "in-2")
        await shop.asked(Identity(user_id="US.9", phone="15550009999"), "in-3")
        for text in ("likes tea", "likes coffee"):
            await shop.store.note(hidden, text, "operator", shop.clock())
        assert [(await shop.reading(each)).contact.notes for each in (hidden, by_number)] == ["likes coffee"] * 2
        assert (await shop.tending(hidden)).contact.notes == "likes coffee"

    async def test_a_conversation_is_shown_as_it_stands(self, shop: StoreScenario) -> None:
        await shop.take(message("in-0", text="Guten Tag", at=shop.clock()), language="de")
        conversation = await shop.answered("one", "two")
        await shop.asked(ANA, "in-2")
        await shop.store.hand_over(conversation, Handoff("operator", mode="paused"), shop.clock())
        found = await shop.store.conversation(conversation)
        assert (found.id, found.account, found.name, found.language, found.mode) == (conversation, ACCOUNT, "Ana", "de", "paused")
        assert (found.messages, found.waiting, found.unsent, found.opted_out) == (5, 1, 0, False)
        assert [found] == list(await shop.store.conversations(10))

    async def test_nobody_acts_on_a_conversation_that_does_not_exist(self, shop: StoreScenario) -> None:
        store, now = shop.store, shop.clock()
        for call in (
            store.conversation("c999999"),
            store.consent("c999999", True, "operator", "", now),
            store.note("c999999", "x", "operator", now),
            store.enqueue_messages("c999999", [OutgoingContent("x")], "operator", "operator", now),
            store.follow_up("c999999", OutgoingContent("x"), now, now),
            store.queue_scheduled("c999999", now),
            store.unsummarised_messages("c999999", 1, 1),
        ):
            with pytest.raises(Conflict):
                await call
