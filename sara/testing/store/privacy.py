"""What every store promises about finding what was said, showing what is kept, and forgetting people and old messages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sara import Identity, OperatorEcho, OutgoingContent, PreferenceChange, SaraError
from sara.engines import (
    AttemptResult,
    AttemptState,
    Conflict,
    Handoff,
    HistoryLimits,
    InboundBatch,
    InboundDecision,
    NotFound,
    OperatorNotification,
    OutboundState,
    ReplySideEffects,
    Store,
)
from sara.testing.store.attachments import DAY, PHOTO, with_files
from sara.testing.store.scenario import ACCOUNT, ANA, KOFI, STOP, StoreScenario, arrival, message

START = InboundDecision(skip="opt_in", consent="opt_in")


async def erase(store: Store) -> None:
    """Take all the steps there are, removing no files: none were fetched."""
    for _ in range(1_000):
        if not await store.continue_erasure(2):
            return
    raise AssertionError("erasing does not end")


async def forget(shop: StoreScenario, who: str) -> None:
    """Forget somebody altogether."""
    await shop.store.start_erasure(who, shop.clock())
    await erase(shop.store)


class RightsExam:
    """Part of `StoreContract`."""

    # finding

    async def hits(self, shop: StoreScenario, words: str, limit: int = 10) -> list[str]:
        """Return the ids that a search finds."""
        return [hit.message for hit in await shop.store.search(words, limit)]

    async def test_a_search_finds_words_of_both_directions_newest_first(self, shop: StoreScenario) -> None:
        conversation = await shop.asked(ANA, "in-1", "Is the red bicycle still there?")
        await shop.answer(conversation, "Yes, the bicycle is here, but it is blue.")
        await shop.asked(KOFI, "in-2", "nothing of it")
        answer, asked = await shop.store.search("bicycle", 10)
        assert (asked.message, asked.conversation, asked.direction, asked.name) == ("m1", conversation, "in", "Ana")
        assert (answer.conversation, answer.direction, answer.contact) == (conversation, "out", asked.contact)
        assert asked.snippet == "Is the red [bicycle] still there?"
        assert await self.hits(shop, "red BICYCLE") == [asked.message]
        assert await self.hits(shop, "bicycle", 1) == [answer.message]
        assert await self.hits(shop, "green bicycle") == []

    async def test_a_search_knows_beginnings_and_letters_without_their_marks(self, shop: StoreScenario) -> None:
        await shop.asked(ANA, "in-1", "Quero o cartão de crédito")
        assert len(await self.hits(shop, "cartao cred")) == 1
        assert len(await self.hits(shop, "CARTÃO")) == 1
        assert await self.hits(shop, "cart credito") == [], "only the last word may be a beginning"
        assert await self.hits(shop, "cr") == [], "two letters begin too much"

    @pytest.mark.parametrize(
        "words",
        ["", " ", "!?", '"', "NEAR(hello", "hello AND", "hello OR *", "text:hello", "^hello", "-hello", "hello\0", "(", "\ud800"],
    )
    async def test_nothing_that_is_typed_means_anything_but_itself(self, shop: StoreScenario, words: str) -> None:
        await shop.asked(ANA, "in-1", "hello")
        assert await self.hits(shop, words) in ([], ["m1"])

    async def test_what_was_found_in_a_message_is_found_in_its_place(self, shop: StoreScenario) -> None:
        conversation = await shop.asked(ANA, "in-1", "(a voice message)")
        [line] = (await shop.reading(conversation)).waiting
        attempt = await shop.store.begin_reply(conversation, [line.id], shop.clock())
        effects = ReplySideEffects(transcripts={line.id: "two tickets, please"})
        await shop.store.save_reply(conversation, attempt, [line.id], [OutgoingContent("sure")], None, shop.clock(), effects)
        assert await self.hits(shop, "tickets") == [line.id]
        assert await self.hits(shop, "voice") == []

    async def test_a_quarantined_text_is_not_found(self, shop: StoreScenario) -> None:
        conversation = await shop.asked(ANA, "in-1", "a poisonous word")
        for owner in ("one", "two", "three", "four"):
            view = await shop.reading(conversation)
            if view.waiting:
                await shop.store.begin_reply(conversation, [line.id for line in view.waiting], shop.clock())
            shop.clock.forward(1_000)
            await shop.store.recover(owner, shop.clock())
        assert (await shop.found("in-1")).state == "quarantined"
        assert await self.hits(shop, "poisonous") == []

    # showing

    async def test_a_conversations_events_come_in_pages_with_who_did_what(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        await shop.asked(KOFI, "in-2")
        await shop.take(message("in-3", text="stop"), verdict=STOP)
        seen: list[tuple[str, str]] = []
        after = None
        while page := await shop.store.events(conversation, after, 2):
            seen += [(event.what, event.actor) for event in page]
            after = page[-1].id
        assert ("received", "sara") in seen
        assert ("opted_out", "customer") in seen
        assert len(seen) == len(await shop.store.events(conversation, None, 100))
        assert {event.message for event in await shop.store.events(conversation, None, 100)} == {"m1", "m3", None}

    async def test_a_person_is_found_by_any_of_their_names_for_machines(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        await shop.asked(KOFI, "in-2")
        found = await shop.store.subject_data("15550001111")
        assert found is not None
        assert found.conversations == (conversation,)
        for who in (found.contact, "US.1", "+15550001111", "+1 (555) 000-1111", "1 555 0001111", conversation):
            assert await shop.store.subject_data(who) == found
        for nobody in ("Ana", "p999", "c999", "", "15559999999", "m1"):
            assert await shop.store.subject_data(nobody) is None

    async def test_a_person_of_two_contacts_is_shown_as_one(self, shop: StoreScenario) -> None:
        first = await shop.asked(Identity(phone="15550009999", name="Lee"), "in-1")
        second = await shop.asked(Identity(user_id="US.9"), "in-2")
        await shop.take(message("in-3", Identity(user_id="US.9", phone="15550009999")))
        found = await shop.store.subject_data("US.9")
        assert found is not None
        assert set(found.conversations) == {first, second}
        assert len(found.linked) == 1
        assert await shop.store.subject_data(found.linked[0]) == found
        assert "Lee" in str(found.details)

    async def test_what_a_conversation_brought_along_is_listed_with_its_messages(self, shop: StoreScenario) -> None:
        [stored] = (await shop.take(with_files("in-1", PHOTO, PHOTO))).stored
        await shop.take(with_files("in-2", PHOTO, person=KOFI))
        found = await shop.store.attachments(stored.conversation, None, 1)
        found = [*found, *await shop.store.attachments(stored.conversation, found[0][1].id, 10)]
        assert [(message, file.name) for message, file in found] == [(stored.id, "holiday.jpg")] * 2

    # forgetting

    async def test_of_a_person_who_was_forgotten_nothing_is_left_and_others_are_as_before(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one", "two")
        await shop.send(conversation, "a1", "out-1")
        await shop.take(with_files("in-2", PHOTO), message("in-3", KOFI, "hello from me"))
        kofi = await shop.store.subject_data("15550002222")
        told = await shop.store.start_erasure("+1 555 0001111", shop.clock())
        assert (told.conversations, told.messages, told.opt_out_retained) == ((conversation,), 4, False)
        await erase(shop.store)
        assert await shop.store.messages(conversation, None, 10) == []
        assert [each.text for each in await shop.store.messages(None, None, 10)] == ["hello from me"]
        assert [each.name for each in await shop.store.conversations(10)] == ["Kofi"]
        for name in ("15550001111", "US.1", conversation, *told.contacts):
            assert await shop.store.subject_data(name) is None
        assert await shop.store.subject_data("15550002222") == kofi
        assert await shop.store.find("out-1") is None
        assert await shop.store.events(conversation, None, 10) == []
        assert len(await self.hits(shop, "hello")) == 1
        assert await shop.store.reply_view(conversation, HistoryLimits()) is None
        assert {work.conversation for work in await shop.store.open_work(None, 10)} == {*(kofi.conversations if kofi else ())}

    async def test_nobody_is_forgotten_twice_or_by_mistake(self, shop: StoreScenario) -> None:
        await shop.asked()
        for nobody in ("Ana", "p99", ""):
            with pytest.raises(NotFound):
                await shop.store.start_erasure(nobody, shop.clock())
        told = await shop.store.start_erasure("US.1", shop.clock())
        for who in ("US.1", *told.contacts):
            with pytest.raises(SaraError):
                await shop.store.start_erasure(who, shop.clock())

    async def test_all_contacts_of_a_person_are_forgotten(self, shop: StoreScenario) -> None:
        await shop.asked(Identity(phone="15550009999"), "in-1")
        await shop.asked(Identity(user_id="US.9"), "in-2")
        await shop.take(message("in-3", Identity(user_id="US.9", phone="15550009999")))
        assert len((await shop.store.start_erasure("US.9", shop.clock())).contacts) == 2
        await erase(shop.store)
        assert await shop.store.messages(None, None, 10) == []
        assert await shop.store.subject_data("15550009999") is None

    async def test_a_message_delivered_again_brings_nobody_back(self, shop: StoreScenario) -> None:
        nameless = replace(message(None), at=5)
        echo = OperatorEcho(ACCOUNT, "echo-1", ANA, "text", "from the phone", shop.clock())
        told = PreferenceChange(ACCOUNT, ANA, "marketing_messages", False, shop.clock())
        everything = InboundBatch(ACCOUNT, (arrival(message("in-1")), arrival(nameless)), changes=(echo, told))
        await shop.store.accept(everything, shop.clock())
        await forget(shop, "US.1")
        for _ in range(2):
            shop.clock.forward(29 * DAY // 2)
            taken = await shop.store.accept(everything, shop.clock())
            assert (taken.stored, taken.work, taken.known) == ((), (), 2)
            assert await shop.store.messages(None, None, 10) == []
            assert await shop.store.subject_data("US.1") is None

    async def test_who_was_forgotten_may_come_again_as_somebody_new(self, shop: StoreScenario) -> None:
        before = await shop.asked()
        told = await shop.store.start_erasure("US.1", shop.clock())
        # Also while the rest is still being erased.
        after = await shop.asked(ANA, "in-2", "hello again")
        await erase(shop.store)
        assert after != before
        assert [line.text for line in (await shop.reading(after)).waiting] == ["hello again"]
        assert (await shop.reading(after)).history == ()
        found = await shop.store.subject_data("US.1")
        assert found is not None
        assert found.contact not in told.contacts

    async def test_who_opted_out_and_was_forgotten_still_is_opted_out(self, shop: StoreScenario) -> None:
        await shop.asked()
        await shop.take(message("in-2", text="stop"), verdict=STOP)
        assert (await shop.store.start_erasure("US.1", shop.clock())).opt_out_retained
        await erase(shop.store)
        # Known again by either id alone.
        [stored] = (await shop.take(message("in-3", Identity(phone="15550001111")))).stored
        assert (stored.state, stored.reason) == ("skipped", "opted_out")
        await forget(shop, "15550001111")
        [stored] = (await shop.take(message("in-4", Identity(phone="15550001111")))).stored
        assert stored.reason == "opted_out"

    async def test_who_opted_in_again_stays_so_whichever_id_shows_next(self, shop: StoreScenario) -> None:
        await shop.asked()
        await shop.take(message("in-2", text="stop"), verdict=STOP)
        await forget(shop, "US.1")
        await shop.take(message("in-3", Identity(phone="15550001111"), "start", shop.clock()), verdict=START)
        [stored] = (await shop.take(message("in-4", ANA))).stored
        assert stored.state == "waiting"
        await forget(shop, "US.1")
        [stored] = (await shop.take(message("in-5", ANA))).stored
        assert stored.state == "waiting"

    async def test_an_answer_or_a_send_under_way_brings_nothing_back(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one", "two")
        part = await shop.begin(conversation, "a1")
        await shop.take(message("in-2"))
        [line] = (await shop.reading(conversation)).waiting
        call = await shop.store.begin_reply(conversation, [line.id], shop.clock())
        await shop.store.start_erasure("US.1", shop.clock())
        for erased in (False, True):
            if erased:
                await erase(shop.store)
            with pytest.raises(Conflict):
                await shop.store.save_reply(conversation, call, [line.id], [OutgoingContent("late")], None, shop.clock())
            with pytest.raises(Conflict):
                await shop.store.begin_attempt(part, "a2", "me", shop.clock())
            assert await shop.store.delivery_view(conversation) is None
            assert await shop.store.open_work(None, 10) == []
        with pytest.raises(NotFound):
            await shop.store.record_attempt(
                "a1", AttemptResult(AttemptState.ACCEPTED, OutboundState.ACCEPTED, external_id="out-1"), shop.clock()
            )
        with pytest.raises(Conflict):
            await shop.store.close_turn(conversation, [line.id], "dead", "late", shop.clock(), [OutgoingContent("sorry")])
        assert await shop.store.messages(None, None, 10) == []

    async def test_a_send_that_ends_while_its_person_is_being_erased_leads_to_nothing_more(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one", "two")
        await shop.begin(conversation, "a1")
        await shop.store.start_erasure("US.1", shop.clock())
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.NOT_SENT, OutboundState.QUEUED, error="try again"), shop.clock()
        )
        assert await shop.store.delivery_view(conversation) is None
        await shop.store.close_turn(conversation, [], "dead", "late", shop.clock(), [OutgoingContent("sorry")])
        await erase(shop.store)
        assert await shop.store.messages(None, None, 10) == []

    async def test_what_was_noted_about_a_person_and_told_to_the_business_goes_too(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        with_kofi = await shop.asked(KOFI, "in-2")
        await shop.store.close_turn(with_kofi, ["m2"], "skipped", "a colleague", shop.clock())
        await shop.store.note(conversation, "likes tea", "operator", shop.clock())
        for n, sent in enumerate((True, False)):
            told = OperatorNotification(ACCOUNT, KOFI, OutgoingContent("Ana wants to talk: {conversation}"))
            await shop.store.hand_over(conversation, Handoff("customer", "asked for it", tell=told), shop.clock())
            await shop.store.hand_back(conversation, "operator", shop.clock())
            if sent:
                await shop.send(with_kofi, f"a{n}", f"out-{n}")
        known = await shop.store.subject_data("US.1")
        assert known is not None
        assert "likes tea" in str(known.details)
        await shop.store.start_erasure("US.1", shop.clock())
        assert await shop.store.delivery_view(with_kofi) is None
        assert await shop.store.open_work(None, 10) == []
        await erase(shop.store)
        assert [each.text for each in await shop.store.messages(None, None, 10)] == ["hello"]

    async def test_a_file_goes_unless_somebody_else_sent_it_too(self, shop: StoreScenario) -> None:
        for external_id, person, file in (
            ("in-1", ANA, "hers"),
            ("in-2", ANA, "both"),
            ("in-3", KOFI, "both"),
            ("in-4", KOFI, "his"),
        ):
            [stored] = (await shop.take(with_files(external_id, PHOTO, person=person))).stored
            line = next(each for each in (await shop.reading(stored.conversation)).waiting if each.id == stored.id)
            await shop.store.keep_attachment(line.attachments[0].id, file, f"{file:0>64}", 1, None, shop.clock())
        assert await shop.store.forgotten_files(10) == []
        assert (await shop.store.start_erasure("US.1", shop.clock())).files == 2
        for _ in range(5):
            assert await shop.store.continue_erasure(1)
            assert await shop.store.forgotten_files(10) == ["hers"], "what names a file stays until the file is gone"
        await shop.store.forget_files(["hers"], shop.clock())
        assert await shop.store.forgotten_files(10) == []
        await erase(shop.store)
        assert await shop.store.attachment_file(f"{'both':0>64}") == "both"
        assert await shop.store.attachment_file(f"{'hers':0>64}") is None
