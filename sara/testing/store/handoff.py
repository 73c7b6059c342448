"""What every store promises about who answers: SARA, a person of the business, or nobody for a while."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sara import Identity, OperatorEcho, OutgoingContent, Usage
from sara.engines import (
    AttemptResult,
    AttemptState,
    Conflict,
    Handoff,
    InboundBatch,
    NotFound,
    OperatorNotification,
    OutboundState,
    ReplySideEffects,
)
from sara.testing.store.scenario import ACCOUNT, ANA, COLLEAGUE, KOFI, START, STOP, WISH, StoreScenario, later, message

HOUR = 3_600_000
BOSS = Identity(phone="15550003333", name="Bea")
CALL = OperatorNotification(ACCOUNT, BOSS, OutgoingContent("{conversation} needs you"))
OPERATOR = Handoff("operator", "I take this one")
PAUSE = Handoff("operator", mode="paused")
BACK = {"": OutgoingContent("I am back."), "de": OutgoingContent("Ich bin wieder da.")}


async def person_has(shop: StoreScenario, change: Handoff = OPERATOR) -> str:
    """Return a conversation with one answered message, which an operator has taken over."""
    conversation = await shop.answered("one")
    await shop.send(conversation, "a1", "out-1")
    await shop.store.hand_over(conversation, change, shop.clock())
    return conversation


class ModesExam:
    """Part of `StoreContract`."""

    # what was said last

    async def test_what_a_person_was_told_last_is_known_and_costs_the_same_however_long_they_write(
        self, shop: StoreScenario
    ) -> None:
        assert await shop.store.last_said(ACCOUNT, ANA) is None
        conversation = await shop.asked()
        await shop.answer(
            conversation, "Which size?", OutgoingContent("Choose.", "buttons", {"buttons": [{"id": "1", "title": "Tall"}]})
        )
        assert await shop.store.last_said(ACCOUNT, ANA) is None, "it has not left yet"
        await shop.send(conversation, "a1", "out-1")
        said = await shop.store.last_said(ACCOUNT, Identity(user_id=ANA.user_id))
        assert said is not None
        assert (said.role, said.text, said.content) == ("assistant", "Which size?", {})
        await shop.send(conversation, "a2", "out-2")
        await shop.asked(ANA, "in-2")
        said = await shop.store.last_said(ACCOUNT, Identity(phone=ANA.phone))
        assert said is not None
        assert (said.text, said.content) == ("Choose.", {"buttons": [{"id": "1", "title": "Tall"}]})
        await shop.store.enqueue_messages(conversation, [OutgoingContent("We are closed.")], "notice", "sara", shop.clock())
        await shop.send(conversation, "a3", "out-3")
        said = await shop.store.last_said(ACCOUNT, ANA)
        assert said is not None
        assert (said.role, said.text) == ("notice", "We are closed.")
        assert await shop.store.last_said(ACCOUNT, KOFI) is None
        assert await shop.store.last_said("test:2", ANA) is None
        for number in range(40):
            await shop.asked(ANA, f"more-{number}")
        assert await shop.store.last_said(ACCOUNT, ANA) is None, "it is not looked for without end"
        # What is quoted is found however old it is, and only where this very person was told it.
        for person, account, quoted, text in (
            (ANA, ACCOUNT, "out-1", "Which size?"),
            (ANA, ACCOUNT, "out-2", "Choose."),
            (ANA, ACCOUNT, "in-2", None),
            (ANA, ACCOUNT, "nothing", None),
            (KOFI, ACCOUNT, "out-1", None),
            (ANA, "test:2", "out-1", None),
        ):
            found = await shop.store.last_said(account, person, quoted)
            assert (found and found.text) == text, (person, account, quoted)

    # handing over

    async def test_a_customer_who_asks_for_a_person_gets_one_and_is_told_so_behind_their_words(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.asked(ANA, "in-2")
        taken = await shop.take(message("in-3", text="human"), verdict=WISH)
        assert await shop.lines(conversation) == [
            ("hello", "answered"),
            ("one", "cancelled"),
            ("hello", "skipped"),
            ("human", "skipped"),
            ("A colleague will answer.", "queued"),
        ]
        assert [(each.reply_due, each.deliver_due) for each in taken.work] == [(None, shop.clock())]
        view = await shop.reading(conversation)
        assert (view.mode, view.mode_until, view.waiting) == ("human", None, ())
        assert (await shop.found("in-2")).reason == (await shop.found("in-3")).reason == "handed_over"

    async def test_a_message_that_hands_over_is_never_answered_whatever_its_verdict_says(self, shop: StoreScenario) -> None:
        taken = await shop.take(message("in-1"), verdict=replace(WISH, skip=None))
        assert [(each.reply_due, await shop.state("in-1")) for each in taken.work] == [(None, "skipped")]

    async def test_a_message_met_again_hands_over_nothing_again(self, shop: StoreScenario) -> None:
        await shop.take(message("in-1"), verdict=WISH)
        conversation = (await shop.found("in-1")).conversation
        await shop.store.hand_back(conversation, "operator", shop.clock())
        await shop.take(message("in-1"), verdict=WISH)
        assert (await shop.reading(conversation)).mode == "bot"
        assert len(await shop.states(conversation)) == 2

    @pytest.mark.parametrize(
        ("before", "of_the_wish", "wish", "expected"),
        [
            ("de", None, None, "Eine Kollegin antwortet."),
            (None, "de", None, "Eine Kollegin antwortet."),
            (None, None, "de", "Eine Kollegin antwortet."),
            (None, None, None, "A colleague will answer."),
            ("de", "es", "es", "Eine Kollegin antwortet."),
            ("xx", "de", "de", "Eine Kollegin antwortet."),
        ],
    )
    async def test_the_customer_is_told_in_the_language_that_they_write(
        self, shop: StoreScenario, before: str | None, of_the_wish: str | None, wish: str | None, expected: str
    ) -> None:
        """The wish itself is often a word of another language: it counts only where nothing else is known."""
        if before is not None:
            await shop.take(message("in-1", text="Guten Tag"), language=before)
        verdict = replace(WISH, language=of_the_wish)
        [stored] = (await shop.take(message("in-2"), verdict=verdict, language=wish)).stored
        said = (await shop.next(stored.conversation)).part
        assert (said.text, said.purpose) == (expected, "notice")
        if before is not None:
            assert (await shop.store.conversation(stored.conversation)).language == before

    async def test_what_is_on_its_way_or_in_doubt_is_left_alone(self, shop: StoreScenario) -> None:
        sending, doubtful = (
            await shop.answered("one", "two"),
            await shop.answered("three", "four", person=KOFI, external_id="in-2"),
        )
        for conversation, attempt in ((sending, "a1"), (doubtful, "a2")):
            await shop.begin(conversation, attempt)
        await shop.store.record_attempt(
            "a2", AttemptResult(AttemptState.IN_DOUBT, OutboundState.IN_DOUBT, shop.clock() + 60_000), shop.clock()
        )
        for conversation in (sending, doubtful):
            [work] = await shop.store.hand_over(conversation, OPERATOR, shop.clock())
            assert work.deliver_due is not None
        assert await shop.states(sending) == ["answered", "sending", "cancelled"]
        assert await shop.states(doubtful) == ["answered", "in_doubt", "cancelled"]
        assert (await shop.next(doubtful)).mode == "human"
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.ACCEPTED, OutboundState.ACCEPTED, external_id="out-1"), shop.clock()
        )
        assert await shop.states(sending) == ["answered", "accepted", "cancelled"]

    async def test_what_the_operator_and_sara_herself_have_still_to_say_is_said(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.store.enqueue_messages(conversation, [OutgoingContent("I am Bea.")], "operator", "operator", shop.clock())
        await shop.store.enqueue_messages(conversation, [OutgoingContent("We are closed.")], "notice", "sara", shop.clock())
        await shop.store.hand_over(conversation, OPERATOR, shop.clock())
        assert await shop.states(conversation) == ["answered", "cancelled", "queued", "queued"]

    @pytest.mark.parametrize("change", [OPERATOR, PAUSE], ids=["human", "paused"])
    async def test_an_answer_that_was_being_made_is_stale(self, shop: StoreScenario, change: Handoff) -> None:
        conversation = await shop.asked()
        attempt, ids = await shop.call(conversation)
        await shop.store.hand_over(conversation, change, shop.clock())
        with pytest.raises(Conflict):
            await shop.store.save_reply(conversation, attempt, ids, [OutgoingContent("late")], None, shop.clock())
        with pytest.raises(Conflict):
            await shop.store.discard_reply(conversation, attempt, ids, 2, None, 0, shop.clock())
        assert "late" not in dict(await shop.lines(conversation))

    async def test_a_call_that_began_just_after_the_hand_over_is_none_of_the_next_turn(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        ids = [line.id for line in (await shop.reading(conversation)).waiting]
        await shop.store.hand_over(conversation, OPERATOR, shop.clock())
        late = await shop.store.begin_reply(conversation, ids, shop.clock())
        await shop.store.hand_back(conversation, "operator", shop.clock())
        await shop.take(message("in-2"))
        with pytest.raises(Conflict):
            await shop.store.save_reply(conversation, late, ids, [OutgoingContent("late")], None, shop.clock())
        assert (await shop.reading(conversation)).attempts == 0
        found = await shop.store.open_work(None, 10, before=shop.clock() + HOUR)
        assert [each.conversation for each in found] == [conversation]

    async def test_a_failure_told_after_the_hand_over_apologises_to_nobody(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        _, ids = await shop.call(conversation)
        await shop.store.hand_over(conversation, OPERATOR, shop.clock())
        await shop.store.close_turn(conversation, ids, "dead", "given_up: no", shop.clock(), [OutgoingContent("Sorry.")])
        assert await shop.states(conversation) == ["skipped"]
        assert not (await shop.reading(conversation)).apologised

    async def test_an_unknown_conversation_cannot_be_handed_over_or_back(self, shop: StoreScenario) -> None:
        with pytest.raises(NotFound):
            await shop.store.hand_over("c999999", OPERATOR, shop.clock())
        with pytest.raises(NotFound):
            await shop.store.hand_back("c999999", "operator", shop.clock())

    # who is told

    async def test_somebody_of_the_business_is_told_which_conversation_needs_them(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        mine, theirs = await shop.store.hand_over(conversation, replace(OPERATOR, tell=CALL), shop.clock())
        assert (mine.conversation, mine.reply_due, mine.deliver_due) == (conversation, None, None)
        assert (theirs.account, theirs.deliver_due) == (ACCOUNT, shop.clock())
        told = (await shop.next(theirs.conversation)).part
        assert (told.text, told.to.phone) == (f"{conversation} needs you", BOSS.phone)

    async def test_a_wish_in_a_message_tells_them_in_the_same_step(self, shop: StoreScenario) -> None:
        over = Handoff("customer", notice=COLLEAGUE, tell=CALL)
        taken = await shop.take(message("in-1"), verdict=replace(WISH, hand_over=over))
        assert len(taken.work) == 2
        assert all(each.deliver_due == shop.clock() for each in taken.work)

    async def test_one_who_asked_for_silence_is_not_told(self, shop: StoreScenario) -> None:
        [stored] = (await shop.take(message("in-0", BOSS), verdict=STOP)).stored
        conversation = await shop.asked()
        work = await shop.store.hand_over(conversation, replace(OPERATOR, tell=CALL), shop.clock())
        assert [each.deliver_due for each in work if each.conversation == stored.conversation] == [None]

    async def test_who_is_to_be_told_of_their_own_conversation_is_told_once(self, shop: StoreScenario) -> None:
        conversation = await shop.asked(BOSS)
        [work] = await shop.store.hand_over(conversation, replace(OPERATOR, tell=CALL), shop.clock())
        assert work.deliver_due == shop.clock()
        assert await shop.states(conversation) == ["skipped", "queued"]

    async def test_a_second_hand_over_tells_nobody_and_a_wish_only_prolongs(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        start = shop.clock()
        for asked, kept in ((2 * HOUR, 2 * HOUR), (1 * HOUR, 2 * HOUR), (3 * HOUR, 3 * HOUR), (None, None), (9 * HOUR, None)):
            until = None if asked is None else start + asked
            change = Handoff("customer", "again", until=until, notice=COLLEAGUE, tell=CALL)
            work = await shop.store.hand_over(conversation, change, shop.clock())
            assert (await shop.reading(conversation)).mode_until == (None if kept is None else start + kept)
        assert len(work) == 1
        assert await shop.states(conversation) == ["skipped", "queued"]

    async def test_an_operator_says_until_when_also_where_that_is_sooner(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        for until in (None, shop.clock() + 2 * HOUR, shop.clock() + HOUR):
            [work] = await shop.store.hand_over(conversation, Handoff("operator", until=until), shop.clock())
            assert ((await shop.reading(conversation)).mode_until, work.timer_due) == (until, until)

    async def test_words_from_the_phone_app_do_not_shorten_what_an_operator_said(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        await shop.store.hand_over(conversation, OPERATOR, shop.clock())
        await self.echo(shop, until=shop.clock() + HOUR)
        assert (await shop.reading(conversation)).mode_until is None

    # by the assistant

    async def test_the_assistant_hands_over_together_with_its_last_words(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.asked(ANA, "in-2")
        attempt, ids = await shop.call(conversation)
        await shop.take(message("in-3"))
        also = ReplySideEffects(
            7, Handoff("assistant", "wants a refund", until=shop.clock() + HOUR, tell=CALL), shop.clock() + 60_000
        )
        mine, theirs = await shop.store.save_reply(
            conversation,
            attempt,
            ids,
            [OutgoingContent("A colleague"), OutgoingContent("will help.")],
            Usage(1, 1, "t"),
            shop.clock(),
            effects=also,
        )
        assert await shop.states(conversation) == ["answered", "cancelled", "answered", "skipped", "queued", "queued"]
        assert (mine.reply_due, mine.deliver_due, mine.timer_due) == (None, shop.clock(), shop.clock() + 60_000)
        assert theirs.deliver_due == shop.clock()
        assert (await shop.reading(conversation)).mode == "human"
        await shop.send(conversation, "a2", "out-2")
        assert (await shop.next(conversation)).part.text == "will help."

    # by an echo

    async def echo(self, shop: StoreScenario, name: str = "echo-1", until: int | None = None) -> None:
        """Store what an operator answers from the phone app."""
        echo = OperatorEcho(ACCOUNT, name, ANA, "text", "I called you", shop.clock())
        await shop.store.accept(
            InboundBatch(ACCOUNT, changes=(echo,), echoed={name: Handoff("operator", until=until)}), shop.clock()
        )

    async def test_an_answer_from_the_phone_app_hands_over_once_and_told_again_changes_nothing(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.take(later(shop, "in-2"))
        await self.echo(shop, until=shop.clock() + HOUR)
        assert await shop.states(conversation) == ["answered", "cancelled", "skipped", "sent"]
        assert (await shop.reading(conversation)).mode_until == shop.clock() + HOUR
        await shop.store.hand_back(conversation, "operator", shop.clock())
        await self.echo(shop, until=shop.clock() + HOUR)
        assert (await shop.reading(conversation)).mode == "bot"

    async def test_a_further_answer_from_the_phone_app_keeps_the_conversation_for_longer(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        await self.echo(shop, until=shop.clock() + HOUR)
        shop.clock.forward(HOUR // 2)
        await self.echo(shop, "echo-2", until=shop.clock() + HOUR)
        assert (await shop.tending(conversation)).mode_until == shop.clock() + HOUR

    # consent

    async def test_one_who_asked_for_silence_is_told_nothing_of_a_hand_over(self, shop: StoreScenario) -> None:
        await shop.take(message("in-1"), verdict=STOP)
        [stored] = (await shop.take(message("in-2"), verdict=WISH)).stored
        conversation = stored.conversation
        assert (await shop.reading(conversation)).mode == "human"
        await shop.store.hand_back(conversation, "operator", shop.clock(), BACK)
        assert await shop.states(conversation) == ["skipped", "skipped"]

    async def test_stop_counts_while_a_person_answers_and_is_confirmed(self, shop: StoreScenario) -> None:
        conversation = await person_has(shop)
        await shop.store.enqueue_messages(conversation, [OutgoingContent("Just a moment.")], "operator", "operator", shop.clock())
        await shop.take(message("in-2", text="STOP"), verdict=replace(STOP, notice={"": OutgoingContent("Bye.")}))
        assert (await shop.lines(conversation))[2:] == [("Just a moment.", "queued"), ("STOP", "skipped"), ("Bye.", "queued")]
        await shop.take(message("in-3"), verdict=START)
        assert (await shop.reading(conversation)).mode == "human"

    # one person under two ids

    async def test_a_person_has_the_older_conversation_too_when_two_turn_out_to_be_one(self, shop: StoreScenario) -> None:
        by_number = await shop.asked(Identity(phone="15550009999"), "in-1")
        attempt, ids = await shop.call(by_number)
        until = shop.clock() + HOUR
        over = replace(WISH, hand_over=Handoff("customer", until=until))
        await shop.take(message("in-2", Identity(user_id="US.9")), verdict=over)
        taken = await shop.take(message("in-3", Identity(user_id="US.9", phone="15550009999")))
        assert [(each.conversation, each.state, each.reason) for each in taken.stored] == [(by_number, "skipped", "human")]
        assert (await shop.reading(by_number)).mode == "human"
        assert [each.timer_due for each in taken.work] == [until]
        with pytest.raises(Conflict):
            await shop.store.save_reply(by_number, attempt, ids, [OutgoingContent("late")], None, shop.clock())

    async def test_silence_once_asked_for_ends_what_was_open_under_the_other_name(self, shop: StoreScenario) -> None:
        hidden = await shop.answered("one", person=Identity(user_id="US.9"), external_id="in-1")
        await shop.asked(Identity(user_id="US.9"), "in-2")
        attempt, ids = await shop.call(hidden)
        stop = replace(STOP, notice={"": OutgoingContent("Bye.")})
        [silent] = (await shop.take(message("in-3", Identity(phone="15550009999")), verdict=stop)).stored
        await shop.take(message("in-4", Identity(user_id="US.9", phone="15550009999")))
        assert (await shop.states(hidden))[:3] == ["answered", "cancelled", "skipped"]
        with pytest.raises(Conflict):
            await shop.store.save_reply(hidden, attempt, ids, [OutgoingContent("late")], None, shop.clock())
        assert (await shop.next(silent.conversation)).part.text == "Bye.", "what confirms the silence is said"
