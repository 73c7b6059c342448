"""What every store promises about a pause, and about the time after a person of the business has answered."""

from __future__ import annotations

import pytest

from sara import OutgoingContent
from sara.engines import AttemptResult, AttemptState, Conflict, Handoff, InboundDecision, OutboundState
from sara.testing.store.handoff import BACK, HOUR, OPERATOR, PAUSE, person_has
from sara.testing.store.scenario import ANA, STOP, WISH, StoreScenario, later, message


class BackExam:
    """Part of `StoreContract`."""

    # after a person has answered

    async def test_what_came_while_a_person_answered_is_never_answered_and_is_history(self, shop: StoreScenario) -> None:
        conversation = await person_has(shop)
        [stored] = (await shop.take(message("in-2", text="are you there?"))).stored
        assert (stored.state, stored.reason) == ("skipped", "human")
        await shop.store.enqueue_messages(conversation, [OutgoingContent("I am.")], "operator", "operator", shop.clock())
        await shop.send(conversation, "a2", "out-2")
        work = await shop.store.hand_back(conversation, "operator", shop.clock())
        assert (work.reply_due, work.deliver_due) == (None, None)
        await shop.take(message("in-3", text="and now?"))
        view = await shop.reading(conversation)
        assert [line.text for line in view.waiting] == ["and now?"]
        assert [(line.role, line.text) for line in view.history[2:]] == [("customer", "are you there?"), ("operator", "I am.")]

    async def test_what_nobody_could_answer_before_a_person_did_is_not_taken_along_later(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        await shop.lose(conversation)
        await shop.store.hand_over(conversation, OPERATOR, shop.clock())
        await shop.store.hand_back(conversation, "operator", shop.clock())
        await shop.take(message("in-2"))
        assert [line.external_id for line in (await shop.reading(conversation)).waiting] == ["in-2"]

    async def test_what_nobody_could_answer_before_stop_is_not_taken_along_after_start(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        await shop.lose(conversation)
        await shop.take(message("in-2"), verdict=STOP)
        await shop.take(message("in-3"), verdict=InboundDecision(skip="opt_in", consent="opt_in"))
        await shop.take(message("in-4"))
        assert [line.external_id for line in (await shop.reading(conversation)).waiting] == ["in-4"]

    async def test_what_no_responder_wants_stays_visible_when_a_person_takes_over(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        await shop.lose(conversation, "given_up: no")
        await shop.store.hand_over(conversation, OPERATOR, shop.clock())
        assert await shop.states(conversation) == ["dead"]

    async def test_sara_says_that_she_is_back_once_and_in_their_language(self, shop: StoreScenario) -> None:
        await shop.take(message("in-0"), language="de")
        conversation = await person_has(shop)
        for _ in range(2):
            work = await shop.store.hand_back(conversation, "operator", shop.clock(), BACK)
        assert work.deliver_due == shop.clock()
        assert (await shop.next(conversation)).part.text == "Ich bin wieder da."
        assert (await shop.states(conversation)).count("queued") == 1

    async def test_a_conversation_that_nobody_took_over_is_not_handed_back(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        before = await shop.due(conversation)
        await shop.store.hand_back(conversation, "operator", shop.clock(), BACK)
        assert (await shop.states(conversation), await shop.due(conversation)) == (["waiting"], before)

    async def test_a_wish_in_the_time_of_a_person_changes_nothing_but_its_end(self, shop: StoreScenario) -> None:
        conversation = await person_has(shop)
        await shop.take(message("in-2"), verdict=WISH)
        assert await shop.states(conversation) == ["answered", "accepted", "skipped"]

    # a pause

    async def test_a_pause_parks_what_is_unsaid_and_its_end_says_it_in_order(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one", "two")
        [work] = await shop.store.hand_over(conversation, PAUSE, shop.clock())
        assert (work.reply_due, work.deliver_due) == (None, None)
        assert await shop.states(conversation) == ["answered", "parked", "parked"]
        assert (await shop.reading(conversation)).delivery == "clear"
        shop.clock.forward(HOUR)
        work = await shop.store.hand_back(conversation, "operator", shop.clock())
        assert work.deliver_due == shop.clock()
        assert (await shop.next(conversation)).part.text == "one"
        await shop.send(conversation, "a1", "out-1")
        assert (await shop.next(conversation)).part.text == "two"

    async def test_what_waits_during_a_pause_is_answered_when_it_ends(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        until = shop.clock() + HOUR
        await shop.store.hand_over(conversation, Handoff("operator", mode="paused", until=until), shop.clock())
        await shop.take(later(shop, "in-2"))
        assert await shop.states(conversation) == ["waiting", "waiting"]
        await shop.store.reschedule(conversation, "reply", until, shop.clock())
        shop.clock.forward(60_000)
        work = await shop.store.hand_back(conversation, "operator", shop.clock())
        assert work.reply_due == shop.clock()
        assert len((await shop.reading(conversation)).waiting) == 2

    async def test_the_end_of_a_pause_wakes_nothing_where_nothing_waits(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.send(conversation, "a1", "out-1")
        await shop.store.hand_over(conversation, PAUSE, shop.clock())
        work = await shop.store.hand_back(conversation, "operator", shop.clock())
        assert (work.reply_due, work.deliver_due) == (None, None)

    async def test_a_pause_lets_an_operators_words_and_notices_pass(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.store.enqueue_messages(conversation, [OutgoingContent("I am Bea.")], "operator", "operator", shop.clock())
        await shop.store.hand_over(conversation, PAUSE, shop.clock())
        assert (await shop.next(conversation)).part.text == "I am Bea."

    async def test_stop_during_a_pause_ends_what_it_kept(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.store.hand_over(conversation, PAUSE, shop.clock())
        await shop.asked(ANA, "in-2")
        await shop.take(message("in-3"), verdict=STOP)
        work = await shop.store.hand_back(conversation, "operator", shop.clock(), BACK)
        assert (work.reply_due, work.deliver_due) == (None, None)
        assert await shop.states(conversation) == ["answered", "cancelled", "skipped", "skipped"]

    async def test_a_person_who_takes_over_during_a_pause_ends_what_it_kept(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.store.hand_over(conversation, PAUSE, shop.clock())
        await shop.asked(ANA, "in-2")
        await shop.store.hand_over(conversation, OPERATOR, shop.clock())
        assert await shop.states(conversation) == ["answered", "cancelled", "skipped"]
        await shop.store.hand_back(conversation, "operator", shop.clock())
        assert await shop.due(conversation) == (None, None)

    async def test_what_waited_for_the_window_is_not_said_because_a_pause_ends(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.park(conversation, None)
        await shop.store.hand_over(conversation, PAUSE, shop.clock())
        await shop.store.hand_back(conversation, "operator", shop.clock())
        assert await shop.states(conversation) == ["answered", "parked"]

    async def test_a_message_in_a_pause_does_not_bring_back_what_it_keeps(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.store.hand_over(conversation, PAUSE, shop.clock())
        shop.clock.forward(1_000)
        await shop.take(later(shop, "in-2"))
        assert await shop.states(conversation) == ["answered", "parked", "waiting"]

    async def test_a_part_that_did_not_leave_in_a_pause_is_parked_and_comes_back(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        part = await shop.begin(conversation, "a1")
        await shop.store.hand_over(conversation, PAUSE, shop.clock())
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.NOT_SENT, OutboundState.QUEUED, shop.clock()), shop.clock()
        )
        assert (await shop.next(conversation)).mode == "paused"
        await shop.store.cancel_outbound(part, "parked", "paused", shop.clock())
        await shop.store.hand_back(conversation, "operator", shop.clock())
        assert await shop.state(part) == "queued"

    async def test_what_is_parked_just_as_the_pause_ends_does_not_stay_behind(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        part = await shop.begin(conversation, "a1")
        await shop.store.hand_over(conversation, PAUSE, shop.clock())
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.NOT_SENT, OutboundState.QUEUED, shop.clock()), shop.clock()
        )
        await shop.store.hand_back(conversation, "operator", shop.clock())
        with pytest.raises(Conflict):
            await shop.store.cancel_outbound(part, "parked", "paused", shop.clock())
        assert await shop.state(part) == "queued"

    async def test_what_a_pause_keeps_is_not_given_up_and_not_said_before_its_end(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.store.hand_over(conversation, PAUSE, shop.clock())
        assert await shop.store.list_failed(10) == []
        await shop.store.retry_failed(conversation, "deliver", shop.clock())
        assert await shop.states(conversation) == ["answered", "parked"]

    # for how long, and through a crash

    @pytest.mark.parametrize("change", [OPERATOR, PAUSE], ids=["human", "paused"])
    async def test_the_end_of_a_hand_over_is_open_work(self, shop: StoreScenario, change: Handoff) -> None:
        conversation = await shop.answered("one")
        await shop.send(conversation, "a1", "out-1")
        until = shop.clock() + HOUR
        timed = Handoff(change.by, mode=change.mode, until=until)
        [work] = await shop.store.hand_over(conversation, timed, shop.clock())
        assert work.timer_due == until
        assert await shop.store.open_work(None, 10, before=until - 1) == []
        assert [each.conversation for each in await shop.store.open_work(None, 10, before=until)] == [conversation]
        assert (await shop.tending(conversation)).mode_until == until

    async def test_sara_takes_over_by_herself_only_when_it_is_time(self, shop: StoreScenario) -> None:
        conversation = await person_has(shop, Handoff("operator", until=shop.clock() + HOUR))
        shop.clock.forward(HOUR)
        await shop.store.hand_over(conversation, Handoff("operator", until=shop.clock() + HOUR), shop.clock())
        await shop.store.hand_back(conversation, "sara", shop.clock(), BACK)
        assert (await shop.reading(conversation)).mode == "human", "it was prolonged just then"
        work = await shop.store.hand_back(conversation, "sara", shop.clock.forward(HOUR), BACK)
        assert ((await shop.reading(conversation)).mode, work.deliver_due) == ("bot", shop.clock())
        await shop.store.hand_over(conversation, OPERATOR, shop.clock())
        await shop.store.hand_back(conversation, "sara", shop.clock.forward(HOUR), BACK)
        assert (await shop.reading(conversation)).mode == "human", "until somebody says so"

    async def test_who_answers_outlives_a_crash(self, shop: StoreScenario) -> None:
        conversation = await person_has(shop, Handoff("operator", until=shop.clock() + HOUR))
        await shop.store.recover("the next life", shop.clock())
        assert (await shop.reading(conversation)).mode == "human"
        assert (await shop.tending(conversation)).due == shop.clock() + HOUR

    async def test_a_quarantined_message_stays_so_whoever_answers(self, shop: StoreScenario) -> None:
        await shop.store.recover("life 1", shop.clock())
        conversation = await shop.asked()
        for life in (2, 3, 4):
            await shop.call(conversation)
            await shop.store.recover(f"life {life}", shop.clock.forward(1_000))
        await shop.store.hand_over(conversation, OPERATOR, shop.clock())
        await shop.store.hand_back(conversation, "operator", shop.clock())
        await shop.take(message("in-2"))
        assert await shop.states(conversation) == ["quarantined", "waiting"]
