"""What every store promises."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sara import Identity, IdentityChange, OperatorEcho, OutgoingContent, SaraError, UnparsedPayload
from sara.engines import (
    AttemptResult,
    AttemptState,
    Conflict,
    HistoryLimits,
    InboundBatch,
    InboundDecision,
    NotFound,
    OpenWork,
    OutboundState,
    RecoveryReport,
    Store,
)
from sara.testing.clock import ManualClock
from sara.testing.store.account_events import EventsExam
from sara.testing.store.ai_usage import SpendingExam
from sara.testing.store.attachments import FilesExam
from sara.testing.store.corrections import CorrectionsExam
from sara.testing.store.handback import BackExam
from sara.testing.store.handoff import ModesExam
from sara.testing.store.health import HealthExam
from sara.testing.store.late_failures import FailuresExam
from sara.testing.store.operators import OperatorsExam
from sara.testing.store.phone_numbers import NumbersExam
from sara.testing.store.privacy import RightsExam
from sara.testing.store.reply_window import WindowExam
from sara.testing.store.retention import ExpiryExam
from sara.testing.store.scenario import ACCOUNT, ANA, KOFI, LONGEST, QUIET, STOP, StoreScenario, arrival, message
from sara.testing.store.summaries import MemoryExam
from sara.testing.store.timers import TimingExam
from sara.testing.store.tool_calls import ToolsExam


class StoreContract(
    FilesExam,
    WindowExam,
    FailuresExam,
    ModesExam,
    NumbersExam,
    OperatorsExam,
    BackExam,
    CorrectionsExam,
    EventsExam,
    TimingExam,
    MemoryExam,
    SpendingExam,
    ToolsExam,
    HealthExam,
    RightsExam,
    ExpiryExam,
):
    """Subclass it and provide the `store` fixture: a new, open store."""

    @pytest.fixture
    def clock(self) -> ManualClock:
        """Provide a manual clock."""
        return ManualClock()

    @pytest.fixture
    def shop(self, store: Store, clock: ManualClock) -> StoreScenario:
        """Provide the store with its most common steps."""
        return StoreScenario(store, clock)

    # taking in

    async def test_a_message_is_stored_and_calls_for_an_answer_after_the_quiet_window(self, shop: StoreScenario) -> None:
        taken = await shop.take(message("in-1", text="hi", at=5))
        [stored] = taken.stored
        assert (stored.external_id, stored.text, stored.state, stored.direction, stored.at) == ("in-1", "hi", "waiting", "in", 5)
        assert taken.work == (OpenWork(stored.conversation, ACCOUNT, shop.clock() + QUIET, None),)

    async def test_a_message_met_again_changes_nothing_but_returns_its_open_work(self, shop: StoreScenario) -> None:
        first = await shop.take(message("in-1"))
        shop.clock.forward(400)
        again = await shop.take(message("in-1"), message("in-1", text="changed"))
        assert again.stored == ()
        assert again.known == 2
        assert again.work == first.work

    async def test_a_message_twice_in_one_request_is_stored_once(self, shop: StoreScenario) -> None:
        taken = await shop.take(message("in-1"), message("in-1"))
        assert len(taken.stored) == 1
        assert taken.known == 1

    async def test_a_message_without_an_id_is_known_by_its_content(self, shop: StoreScenario) -> None:
        await shop.take(message(None, text="hi", at=1))
        again = await shop.take(message(None, text="hi", at=1), message(None, text="hi", at=2))
        assert (again.known, len(again.stored)) == (1, 1)

    async def test_a_burst_pushes_the_answer_back_but_not_for_ever(self, shop: StoreScenario) -> None:
        first = shop.clock()
        conversation = await shop.asked()
        for n in range(2, 30):
            shop.clock.forward(900)
            await shop.take(message(f"in-{n}"))
        assert await shop.due(conversation) == (first + LONGEST, None)

    async def test_the_same_person_keeps_one_conversation_per_account(self, shop: StoreScenario) -> None:
        assert await shop.asked(ANA, "in-1") == await shop.asked(ANA, "in-2")
        assert await shop.asked(KOFI, "in-3") != await shop.asked(ANA, "in-4")

    async def test_messages_of_one_request_stand_in_the_order_of_their_times(self, shop: StoreScenario) -> None:
        taken = await shop.take(message("in-2", text="second", at=2_000), message("in-1", text="first", at=1_000))
        assert [each.text for each in taken.stored] == ["first", "second"]

    async def test_a_message_that_is_only_recorded_calls_for_no_answer(self, shop: StoreScenario) -> None:
        taken = await shop.take(message("in-1"), verdict=InboundDecision(skip="recorded"))
        assert [(each.state, each.reason) for each in taken.stored] == [("skipped", "recorded")]
        assert taken.work == ()

    async def test_a_reaction_is_never_shown_before_a_message_that_it_came_after(self, shop: StoreScenario) -> None:
        conversation = await shop.asked(ANA, "in-1")
        await shop.take(message("in-2", text="a reaction: 👍"), verdict=InboundDecision(skip="recorded"))
        view = await shop.store.reply_view(conversation, HistoryLimits())
        assert view is not None
        assert (len(view.waiting), view.history) == (1, ())
        await shop.answer(conversation, "an answer")
        await shop.asked(ANA, "in-3")
        view = await shop.store.reply_view(conversation, HistoryLimits())
        assert view is not None
        assert [line.text for line in view.history][1] == "a reaction: 👍"

    async def test_what_was_not_understood_is_kept_once(self, shop: StoreScenario) -> None:
        for _ in range(2):
            await shop.store.accept(
                InboundBatch(ACCOUNT, unparsed=(UnparsedPayload(ACCOUNT, "not JSON", b"\xff"),)), shop.clock()
            )
        assert (await shop.store.counts())["unparsed_payloads"] == 1

    async def test_what_was_not_understood_can_be_looked_at_page_by_page(self, shop: StoreScenario) -> None:
        for body in (b"one", b"\xfftwo", b"three"):
            await shop.store.accept(
                InboundBatch(ACCOUNT, unparsed=(UnparsedPayload(ACCOUNT, "odd", body),)), shop.clock.forward(1_000)
            )
        first = await shop.store.unparsed_payloads(None, 2)
        rest = await shop.store.unparsed_payloads(first[-1].id, 2)
        assert [(each.account, each.reason, each.body) for each in (*first, *rest)] == [
            (ACCOUNT, "odd", b"one"),
            (ACCOUNT, "odd", b"\xfftwo"),
            (ACCOUNT, "odd", b"three"),
        ]
        assert rest[0].at == shop.clock()
        assert await shop.store.unparsed_payloads(None, 10, since=shop.clock()) == rest

    async def test_a_message_that_cannot_be_stored_is_set_aside_and_the_rest_is_kept(self, shop: StoreScenario) -> None:
        taken = await shop.take(message("in-1"), message("in-2", text="half \ud800 a pair"), message("in-3"))
        assert [each.external_id for each in taken.stored] == ["in-1", "in-3"]
        assert (await shop.store.counts())["unparsed_payloads"] == 1

    # people

    async def test_a_person_is_known_by_user_id_whatever_the_number(self, shop: StoreScenario) -> None:
        assert await shop.asked(ANA, "in-1") == await shop.asked(replace(ANA, phone=None), "in-2")

    async def test_a_hidden_number_that_appears_later_is_the_same_person(self, shop: StoreScenario) -> None:
        hidden = await shop.asked(Identity(user_id="US.7"), "in-1")
        assert await shop.asked(Identity(user_id="US.7", phone="15550007777"), "in-2") == hidden
        assert await shop.asked(Identity(phone="15550007777"), "in-3") == hidden

    async def test_a_person_known_by_number_gains_a_user_id(self, shop: StoreScenario) -> None:
        assert await shop.asked(Identity(phone="15550008888"), "in-1") == await shop.asked(
            Identity(user_id="US.8", phone="15550008888"), "in-2"
        )

    async def test_a_number_with_another_user_id_is_another_person(self, shop: StoreScenario) -> None:
        before = await shop.asked(Identity(user_id="US.1", phone="15550001111"), "in-1")
        assert await shop.asked(Identity(user_id="US.2", phone="15550001111"), "in-2") != before
        assert await shop.asked(Identity(user_id="US.1"), "in-3") == before

    async def test_the_older_conversation_goes_on_when_two_turn_out_to_be_one_person(self, shop: StoreScenario) -> None:
        by_number = await shop.asked(Identity(phone="15550009999"), "in-1")
        hidden = await shop.asked(Identity(user_id="US.9"), "in-2")
        assert hidden != by_number
        assert await shop.asked(Identity(user_id="US.9", phone="15550009999"), "in-3") == by_number
        assert await shop.asked(Identity(user_id="US.9"), "in-4") == by_number
        assert await shop.states(hidden) == ["waiting"]

    async def test_a_username_names_nobody(self, shop: StoreScenario) -> None:
        first = await shop.asked(Identity(user_id="US.1", username="nox"), "in-1")
        assert await shop.asked(Identity(user_id="US.2", username="nox"), "in-2") != first

    async def test_a_change_of_number_and_id_that_the_provider_names_keeps_the_conversation(self, shop: StoreScenario) -> None:
        before = await shop.asked(ANA, "in-1")
        after = Identity(user_id="US.11", phone="15550001199")
        await shop.change(IdentityChange(ACCOUNT, Identity(user_id="US.1", phone="15550001111"), after, shop.clock()))
        assert await shop.asked(after, "in-2") == before
        view = await self._delivery(shop, before)
        assert (view.user_id, view.phone) == ("US.11", "15550001199")
        # The old number may be given to somebody else.
        assert await shop.asked(Identity(user_id="US.99", phone="15550001111"), "in-3") != before

    async def test_the_message_that_announces_a_new_identity_does_not_undo_it(self, shop: StoreScenario) -> None:
        conversation = await shop.asked(ANA, "in-1")
        after = Identity(user_id="US.11", phone="15550001199")
        change = IdentityChange(ACCOUNT, ANA, after, 7)
        announcing = arrival(message("in-2", ANA), InboundDecision(skip="recorded"))
        for _ in range(2):
            await shop.store.accept(InboundBatch(ACCOUNT, (announcing,), changes=(change,)), shop.clock())
        # One that was written before and comes late is still theirs, and teaches nothing.
        assert await shop.asked(ANA, "in-3") == conversation
        to = await self._delivery(shop, conversation)
        assert (to.user_id, to.phone) == ("US.11", "15550001199")

    async def test_a_change_told_again_does_not_undo_what_came_after_it(self, shop: StoreScenario) -> None:
        old, new = Identity(phone="111"), Identity(phone="222")
        ana = await shop.asked(old, "in-1")
        change = IdentityChange(ACCOUNT, old, new, 7)
        await shop.change(change)
        newcomer = await shop.asked(old, "in-2")
        await shop.change(change)
        assert newcomer != ana
        assert await shop.asked(new, "in-3") == ana
        assert await shop.asked(old, "in-4") == newcomer

    async def test_two_changes_told_in_reverse_leave_the_last_identity(self, shop: StoreScenario) -> None:
        first = Identity(user_id="US.1", phone="111")
        second, third = Identity(user_id="US.2", phone="222"), Identity(user_id="US.3", phone="333")
        ana = await shop.asked(first, "in-1")
        announcing = arrival(message("in-2", second), InboundDecision(skip="recorded"))
        await shop.store.accept(
            InboundBatch(ACCOUNT, (announcing,), changes=(IdentityChange(ACCOUNT, second, third, 8),)), shop.clock()
        )
        await shop.change(IdentityChange(ACCOUNT, first, second, 7))
        to = await self._delivery(shop, ana)
        assert (to.user_id, to.phone) == ("US.3", "333")
        assert await shop.asked(third, "in-3") == ana
        # Late ones under any of the names are theirs, and teach nothing.
        for n, late in enumerate((first, second)):
            assert await shop.asked(late, f"late-{n}") == ana
        to = await self._delivery(shop, ana)
        assert (to.user_id, to.phone) == ("US.3", "333")

    async def test_who_takes_over_a_number_does_not_become_its_former_owner(self, shop: StoreScenario) -> None:
        bob = await shop.asked(Identity(phone="222"), "in-1")
        ana = await shop.asked(Identity(user_id="US.A", phone="111"), "in-2")
        assert await shop.asked(Identity(user_id="US.A", phone="222"), "in-3") == ana
        assert bob != ana

    async def _delivery(self, shop: StoreScenario, conversation: str) -> Identity:
        await shop.answer(conversation, "hello")
        view = await shop.store.delivery_view(conversation)
        assert view is not None
        return view.part.to

    # consent

    async def test_stop_takes_effect_with_the_message_itself(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one", "two")
        await shop.take(message("in-2"))
        stop = InboundDecision(skip="opt_out", consent="opt_out", notice={"": OutgoingContent("You will hear no more.")})
        taken = await shop.take(message("in-3", text="STOP"), verdict=stop)
        assert await shop.states(conversation) == ["answered", "cancelled", "cancelled", "skipped", "skipped", "queued"]
        assert taken.work == (OpenWork(conversation, ACCOUNT, None, shop.clock()),)
        view = await shop.store.delivery_view(conversation)
        assert view is not None
        assert (view.part.text, view.part.purpose, view.opted_out) == ("You will hear no more.", "notice", True)

    async def test_after_stop_messages_are_kept_and_not_answered_until_start(self, shop: StoreScenario) -> None:
        await shop.take(message("in-1"), verdict=InboundDecision(skip="opt_out", consent="opt_out"))
        [silent] = (await shop.take(message("in-2"))).stored
        assert (silent.state, silent.reason) == ("skipped", "opted_out")
        await shop.take(message("in-3"), verdict=InboundDecision(skip="opt_in", consent="opt_in"))
        [heard] = (await shop.take(message("in-4"))).stored
        assert heard.state == "waiting"

    async def test_stop_reaches_every_conversation_of_the_person(self, shop: StoreScenario) -> None:
        await shop.asked(Identity(phone="15550009999"), "in-1")
        hidden = await shop.asked(Identity(user_id="US.9"), "in-2")
        await shop.take(
            message("in-3", Identity(user_id="US.9", phone="15550009999")),
            verdict=InboundDecision(skip="opt_out", consent="opt_out"),
        )
        assert await shop.states(hidden) == ["skipped"]
        view = await shop.store.reply_view(hidden, HistoryLimits())
        assert view is not None
        assert view.opted_out

    async def test_a_further_stop_is_not_confirmed_again_and_an_idle_start_is_a_message_like_any_other(
        self, shop: StoreScenario
    ) -> None:
        start = InboundDecision(skip="opt_in", consent="opt_in", notice={"": OutgoingContent("Welcome back!")})
        [first] = (await shop.take(message("in-1", text="START"), verdict=start)).stored
        assert first.state == "waiting"
        stop = InboundDecision(skip="opt_out", consent="opt_out", notice={"": OutgoingContent("Bye.")})
        for n in (2, 3):
            await shop.take(message(f"in-{n}", text="STOP"), verdict=stop)
        assert await shop.states(first.conversation) == ["skipped", "skipped", "queued", "skipped"]

    async def test_an_answer_from_the_phone_app_ends_what_it_answers_and_nothing_newer(self, shop: StoreScenario) -> None:
        conversation = await shop.asked(ANA, "in-1")
        told = shop.clock.forward(1_000)
        await shop.take(message("in-2", at=shop.clock.forward(1_000)))
        echo = OperatorEcho(ACCOUNT, "echo-1", Identity(phone=ANA.phone), "text", "I will call you", told)
        for _ in range(2):
            await shop.change(echo)
        assert await shop.states(conversation) == ["skipped", "waiting", "sent"]

    async def test_an_answer_that_was_being_made_at_stop_is_stale(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        view = await shop.store.reply_view(conversation, HistoryLimits())
        assert view is not None
        ids = [line.id for line in view.waiting]
        attempt = await shop.store.begin_reply(conversation, ids, shop.clock())
        await shop.take(message("in-2"), verdict=InboundDecision(skip="opt_out", consent="opt_out"))
        with pytest.raises(Conflict):
            await shop.store.save_reply(conversation, attempt, ids, [OutgoingContent("late")], None, shop.clock())

    # replies

    async def test_a_view_holds_what_waits_and_the_history_before_it(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("hi Ana")
        await shop.take(message("in-2", text="second"))
        view = await shop.store.reply_view(conversation, HistoryLimits())
        assert view is not None
        assert [line.text for line in view.waiting] == ["second"]
        assert [(line.role, line.text) for line in view.history] == [("customer", "hello"), ("assistant", "hi Ana")]
        assert view.contact.name == "Ana"
        short = await shop.store.reply_view(conversation, HistoryLimits(messages=1))
        assert short is not None
        assert [line.text for line in short.history] == ["hi Ana"]

    async def test_an_unknown_conversation_has_no_view(self, shop: StoreScenario) -> None:
        assert await shop.store.reply_view("c999999", HistoryLimits()) is None
        assert await shop.store.reply_view("nonsense", HistoryLimits()) is None
        assert await shop.store.delivery_view("c999999") is None

    async def test_an_answer_settles_its_messages_and_queues_its_parts(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        work = await shop.answer(conversation, "one", "two")
        assert work == OpenWork(conversation, ACCOUNT, None, shop.clock())
        assert await shop.states(conversation) == ["answered", "queued", "queued"]

    async def test_an_answer_is_saved_once(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        view = await shop.store.reply_view(conversation, HistoryLimits())
        assert view is not None
        ids = [line.id for line in view.waiting]
        attempt = await shop.store.begin_reply(conversation, ids, shop.clock())
        await shop.store.save_reply(conversation, attempt, ids, [OutgoingContent("one")], None, shop.clock())
        with pytest.raises(Conflict):
            await shop.store.save_reply(conversation, attempt, ids, [OutgoingContent("one")], None, shop.clock())
        assert await shop.states(conversation) == ["answered", "queued"]

    @pytest.mark.parametrize("when", ["before the call", "during the call"])
    async def test_an_answer_to_several_messages_is_stale_once_one_of_them_was_settled(
        self, shop: StoreScenario, when: str
    ) -> None:
        conversation = await shop.asked(ANA, "in-1")
        await shop.asked(ANA, "in-2")
        view = await shop.store.reply_view(conversation, HistoryLimits())
        assert view is not None
        first, second = [line.id for line in view.waiting]
        if when == "before the call":
            await shop.store.close_turn(conversation, [first], "skipped", "too_old", shop.clock())
        attempt = await shop.store.begin_reply(conversation, [first, second], shop.clock())
        if when == "during the call":
            await shop.store.close_turn(conversation, [first], "skipped", "too_old", shop.clock())
        with pytest.raises(Conflict):
            await shop.store.save_reply(conversation, attempt, [first, second], [OutgoingContent("both")], None, shop.clock())
        assert await shop.states(conversation) == ["skipped", "waiting"]

    async def test_the_answer_of_an_earlier_call_is_stale(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        view = await shop.store.reply_view(conversation, HistoryLimits())
        assert view is not None
        ids = [line.id for line in view.waiting]
        late = await shop.store.begin_reply(conversation, ids, shop.clock())
        await shop.store.fail_reply_attempt(conversation, late, shop.clock() + 1, "timed out", shop.clock())
        await shop.store.begin_reply(conversation, ids, shop.clock())
        with pytest.raises(Conflict):
            await shop.store.save_reply(conversation, late, ids, [OutgoingContent("late")], None, shop.clock())

    async def test_calls_are_counted_before_they_are_made(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        for calls in (1, 2, 3):
            attempt = await shop.store.begin_reply(conversation, (), shop.clock())
            view = await shop.store.reply_view(conversation, HistoryLimits())
            assert view is not None
            assert (view.attempts, view.first_at) == (calls, shop.clock())
            await shop.store.fail_reply_attempt(conversation, attempt, shop.clock() + 1_000, "busy", shop.clock())
        assert await shop.due(conversation) == (shop.clock() + 1_000, None)

    async def test_a_call_that_says_nothing_about_the_messages_counts_for_nothing(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        first = shop.clock()
        for charged, calls, since in ((False, 0, None), (True, 1, first + 1_000), (False, 1, first + 1_000)):
            attempt = await shop.store.begin_reply(conversation, (), shop.clock())
            await shop.store.fail_reply_attempt(conversation, attempt, shop.clock(), "no key", shop.clock(), charged)
            view = await shop.store.reply_view(conversation, HistoryLimits())
            assert view is not None
            assert (view.attempts, view.first_at, view.due) == (calls, since, shop.clock())
            shop.clock.forward(1_000)

    async def test_a_message_that_comes_during_a_back_off_does_not_cut_it_short(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        attempt = await shop.store.begin_reply(conversation, (), shop.clock())
        await shop.store.fail_reply_attempt(conversation, attempt, shop.clock() + 60_000, "busy", shop.clock())
        await shop.take(message("in-2"))
        assert await shop.due(conversation) == (shop.clock() + 60_000, None)

    async def test_a_message_that_comes_during_the_call_is_answered_next(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        view = await shop.store.reply_view(conversation, HistoryLimits())
        assert view is not None
        ids = [line.id for line in view.waiting]
        attempt = await shop.store.begin_reply(conversation, ids, shop.clock())
        shop.clock.forward(500)
        await shop.take(message("in-2", text="one more"))
        [work] = await shop.store.save_reply(conversation, attempt, ids, [OutgoingContent("one")], None, shop.clock())
        assert work.reply_due == shop.clock() + QUIET
        after = await shop.store.reply_view(conversation, HistoryLimits())
        assert after is not None
        assert ([line.text for line in after.waiting], after.attempts) == (["one more"], 0)

    async def test_messages_that_are_given_up_are_dead_and_can_be_revived(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        view = await shop.store.reply_view(conversation, HistoryLimits())
        assert view is not None
        ids = [line.id for line in view.waiting]
        await shop.store.close_turn(conversation, ids, "dead", "attempts_used_up", shop.clock())
        assert await shop.states(conversation) == ["dead"]
        assert await shop.due(conversation) == (None, None)
        assert [each.id for each in await shop.store.list_failed(10)] == ids
        work = await shop.store.retry_failed(conversation, "reply", shop.clock())
        assert (work.reply_due, work.changed, await shop.states(conversation)) == (shop.clock(), 1, ["waiting"])
        assert (await shop.store.retry_failed(conversation, "reply", shop.clock())).changed == 0
        again = await shop.store.reply_view(conversation, HistoryLimits())
        assert again is not None
        assert again.waiting[0].revived_at == shop.clock()

    async def test_what_waits_can_be_dropped(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        work = await shop.store.drop(conversation, "reply", shop.clock())
        assert (work.reply_due, work.changed, await shop.states(conversation)) == (None, 1, ["skipped"])
        assert (await shop.store.drop(conversation, "reply", shop.clock())).changed == 0

    # delivery

    async def test_parts_are_sent_in_order(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one", "two")
        view = await shop.store.delivery_view(conversation)
        assert view is not None
        assert (view.part.text, view.state, view.part.to.phone, view.part.purpose) == ("one", "queued", ANA.phone, "reply")
        await shop.send(conversation, "a1", "out-1")
        after = await shop.store.delivery_view(conversation)
        assert after is not None
        assert after.part.text == "two"
        await shop.send(conversation, "a2", "out-2")
        assert await shop.store.delivery_view(conversation) is None
        assert await shop.due(conversation) == (None, None)

    async def test_a_part_cannot_be_sent_twice_at_once(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        part = await shop.begin(conversation, "a1")
        with pytest.raises(Conflict):
            await shop.store.begin_attempt(part, "a2", "me", shop.clock())

    async def test_a_part_that_was_not_sent_waits_for_its_time(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.begin(conversation, "a1")
        work = await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.NOT_SENT, OutboundState.QUEUED, shop.clock() + 2_000, error="busy"), shop.clock()
        )
        assert work.deliver_due == shop.clock() + 2_000
        view = await shop.store.delivery_view(conversation)
        assert view is not None
        assert (view.state, view.attempts, view.not_before) == ("queued", 1, shop.clock() + 2_000)

    async def test_an_attempt_that_is_nobodys_fault_is_not_charged(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.begin(conversation, "a1")
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.NOT_SENT, OutboundState.QUEUED, shop.clock(), charged=False), shop.clock()
        )
        view = await shop.store.delivery_view(conversation)
        assert view is not None
        assert view.attempts == 0

    async def test_what_is_nobodys_fault_does_not_use_up_the_time_of_a_part(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.begin(conversation, "a1")
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.NOT_SENT, OutboundState.QUEUED, shop.clock(), charged=False), shop.clock()
        )
        shop.clock.forward(7 * 86_400_000)
        await shop.begin(conversation, "a2")
        charged = shop.clock()
        await shop.store.record_attempt(
            "a2", AttemptResult(AttemptState.NOT_SENT, OutboundState.QUEUED, shop.clock()), shop.clock()
        )
        shop.clock.forward(1_000)
        await shop.begin(conversation, "a3")
        await shop.store.record_attempt(
            "a3", AttemptResult(AttemptState.NOT_SENT, OutboundState.QUEUED, shop.clock(), charged=False), shop.clock()
        )
        view = await shop.store.delivery_view(conversation)
        assert view is not None
        assert (view.attempts, view.first_at) == (1, charged)

    async def test_a_refused_part_cancels_the_rest_of_its_reply_and_the_conversation_goes_on(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one", "two", "three")
        await shop.begin(conversation, "a1")
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.REFUSED, OutboundState.FAILED, error="131026: undeliverable"), shop.clock()
        )
        assert await shop.states(conversation) == ["answered", "failed", "cancelled", "cancelled"]
        await shop.asked(ANA, "in-2")
        await shop.answer(conversation, "again")
        view = await shop.store.delivery_view(conversation)
        assert view is not None
        assert view.part.text == "again"

    async def test_a_retried_answer_is_whole(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one", "two")
        await shop.begin(conversation, "a1")
        await shop.store.record_attempt("a1", AttemptResult(AttemptState.REFUSED, OutboundState.FAILED, error="no"), shop.clock())
        await shop.store.retry_failed(conversation, "deliver", shop.clock())
        assert await shop.states(conversation) == ["answered", "queued", "queued"]

    async def test_settling_an_unknown_attempt_is_stale(self, shop: StoreScenario) -> None:
        with pytest.raises(NotFound):
            await shop.store.record_attempt("nobody", AttemptResult(AttemptState.ACCEPTED, OutboundState.ACCEPTED), shop.clock())

    # receipts

    async def test_receipts_move_a_part_forward_and_never_back(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        part = await shop.send(conversation, "a1", "out-1")
        for status, state in (("delivered", "delivered"), ("sent", "delivered"), ("read", "read"), ("delivered", "read")):
            await shop.receipt(status, external_id="out-1")  # type: ignore[arg-type]  # the words of the table
            assert await shop.state(part) == state
        await shop.receipt("failed", external_id="out-1")
        assert await shop.state(part) == "read"

    async def test_a_failure_reported_later_ends_the_part_with_its_reason(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        part = await shop.send(conversation, "a1", "out-1")
        await shop.receipt("failed", external_id="out-1")
        failed = await shop.found(part)
        assert (failed.state, failed.error) == ("failed", "131026: undeliverable")

    async def test_a_receipt_that_comes_before_the_answer_settles_the_attempt(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        part = await shop.begin(conversation, "a1")
        await shop.receipt("sent", attempt="a1", external_id="out-1")
        assert await shop.state(part) == "sent"
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.ACCEPTED, OutboundState.ACCEPTED, external_id="out-1"), shop.clock()
        )
        assert await shop.state(part) == "sent"
        assert (await shop.found("out-1")).id == part

    async def test_a_receipt_without_our_id_that_comes_early_is_kept_for_its_part(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        part = await shop.begin(conversation, "a1")
        taken = await shop.receipt("delivered", external_id="out-1")
        assert taken.unknown_receipts == 1
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.ACCEPTED, OutboundState.ACCEPTED, external_id="out-1"), shop.clock()
        )
        assert await shop.state(part) == "delivered"

    async def test_a_receipt_ends_a_doubt(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        part = await shop.begin(conversation, "a1")
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.IN_DOUBT, OutboundState.IN_DOUBT, shop.clock() + 60_000, error="reset"), shop.clock()
        )
        assert await shop.state(part) == "in_doubt"
        taken = await shop.receipt("sent", attempt="a1", external_id="out-1")
        assert await shop.state(part) == "sent"
        assert taken.work == ()

    async def test_a_receipt_for_a_part_about_to_be_sent_again_stops_that(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        part = await shop.begin(conversation, "a1")
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.IN_DOUBT, OutboundState.IN_DOUBT, shop.clock()), shop.clock()
        )
        await shop.store.resolve_in_doubt(part, "resend", False, shop.clock())
        assert await shop.state(part) == "queued"
        await shop.receipt("delivered", attempt="a1", external_id="out-1")
        assert await shop.state(part) == "delivered"
        assert await shop.store.delivery_view(conversation) is None

    async def test_an_earlier_attempts_failure_does_not_fail_a_later_one(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one", "two")
        part = await shop.begin(conversation, "a1")
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.IN_DOUBT, OutboundState.IN_DOUBT, shop.clock()), shop.clock()
        )
        await shop.store.resolve_in_doubt(part, "resend", False, shop.clock())
        await shop.begin(conversation, "a2")
        await shop.receipt("failed", attempt="a1", external_id="out-1")
        assert await shop.state(part) == "sending"
        await shop.store.record_attempt(
            "a2", AttemptResult(AttemptState.ACCEPTED, OutboundState.ACCEPTED, external_id="out-2"), shop.clock()
        )
        await shop.receipt("delivered", attempt="a2", external_id="out-2")
        assert await shop.state(part) == "delivered"
        assert await shop.states(conversation) == ["answered", "delivered", "queued"]

    async def test_a_later_attempts_failure_ends_the_part_though_an_earlier_one_is_in_doubt(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        part = await shop.begin(conversation, "a1")
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.IN_DOUBT, OutboundState.IN_DOUBT, shop.clock()), shop.clock()
        )
        await shop.store.resolve_in_doubt(part, "resend", False, shop.clock())
        await shop.begin(conversation, "a2")
        await shop.receipt("failed", attempt="a2", external_id="out-2")
        await shop.store.record_attempt(
            "a2", AttemptResult(AttemptState.ACCEPTED, OutboundState.ACCEPTED, external_id="out-2"), shop.clock()
        )
        assert await shop.state(part) == "failed"
        assert await shop.due(conversation) == (None, None)
        await shop.receipt("delivered", attempt="a1", external_id="out-1")
        assert await shop.state(part) == "delivered"

    async def test_only_attempts_in_doubt_count_as_doubts(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        for n in range(3):
            await shop.begin(conversation, f"a{n}")
            await shop.store.record_attempt(
                f"a{n}", AttemptResult(AttemptState.NOT_SENT, OutboundState.QUEUED, shop.clock()), shop.clock()
            )
        await shop.begin(conversation, "a3")
        await shop.store.record_attempt(
            "a3", AttemptResult(AttemptState.IN_DOUBT, OutboundState.IN_DOUBT, shop.clock()), shop.clock()
        )
        view = await shop.store.delivery_view(conversation)
        assert view is not None
        assert (view.attempts, view.doubts, view.blind) == (4, 1, 0)

    @pytest.mark.parametrize("blind", [True, False])
    async def test_doubts_that_ended_blindly_are_counted(self, shop: StoreScenario, blind: bool) -> None:
        conversation = await shop.answered("one")
        part = await shop.begin(conversation, "a1")
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.IN_DOUBT, OutboundState.IN_DOUBT, shop.clock()), shop.clock()
        )
        await shop.store.resolve_in_doubt(part, "resend", blind, shop.clock())
        view = await shop.store.delivery_view(conversation)
        assert view is not None
        assert (view.doubts, view.blind) == (1, int(blind))

    async def test_stop_also_cancels_what_sara_was_about_to_say(self, shop: StoreScenario) -> None:
        start = InboundDecision(skip="opt_in", consent="opt_in", notice={"": OutgoingContent("Welcome back!")})
        stop = InboundDecision(skip="opt_out", consent="opt_out", notice={"": OutgoingContent("Bye.")})
        conversation = (
            (await shop.take(message("in-1"), verdict=InboundDecision(skip="opt_out", consent="opt_out"))).stored[0].conversation
        )
        await shop.take(message("in-2"), verdict=start)
        await shop.take(message("in-3"), verdict=stop)
        assert await shop.states(conversation) == ["skipped", "skipped", "cancelled", "skipped", "queued"]

    @pytest.mark.parametrize("notice", [True, False])
    async def test_what_was_being_sent_at_stop_and_did_not_leave_is_not_tried_again(
        self, shop: StoreScenario, notice: bool
    ) -> None:
        if notice:
            await shop.take(message("in-1"), verdict=STOP)
            welcome = InboundDecision(skip="opt_in", consent="opt_in", notice={"": OutgoingContent("Welcome back!")})
            conversation = (await shop.take(message("in-2"), verdict=welcome)).stored[0].conversation
        else:
            conversation = await shop.answered("one")
        part = await shop.begin(conversation, "a1")
        shop.clock.forward(10)
        await shop.take(message("in-3"), verdict=replace(STOP, notice={"": OutgoingContent("Bye.")}))
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.NOT_SENT, OutboundState.QUEUED, shop.clock() + 6_000), shop.clock()
        )
        assert (await shop.found(part)).reason == "opted_out"
        assert (await shop.next(conversation)).part.text == "Bye."

    async def test_an_arrival_outdoes_a_later_attempts_refusal(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        part = await shop.begin(conversation, "a1")
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.IN_DOUBT, OutboundState.IN_DOUBT, shop.clock()), shop.clock()
        )
        await shop.store.resolve_in_doubt(part, "resend", False, shop.clock())
        await shop.begin(conversation, "a2")
        await shop.store.record_attempt("a2", AttemptResult(AttemptState.REFUSED, OutboundState.FAILED, error="no"), shop.clock())
        await shop.receipt("delivered", attempt="a1", external_id="out-1")
        assert await shop.state(part) == "delivered"

    async def test_two_accepted_attempts_of_one_part_are_counted(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        part = await shop.begin(conversation, "a1")
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.IN_DOUBT, OutboundState.IN_DOUBT, shop.clock()), shop.clock()
        )
        await shop.store.resolve_in_doubt(part, "resend", False, shop.clock())
        await shop.send(conversation, "a2", "out-2")
        assert (await shop.store.counts()).get("duplicate_sends", 0) == 0
        await shop.receipt("read", attempt="a1", external_id="out-1")
        assert (await shop.store.counts())["duplicate_sends"] == 1
        assert len(await shop.store.attempts(part)) == 2

    async def test_a_held_doubt_lets_the_conversation_go_on(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one", "two")
        part = await shop.begin(conversation, "a1")
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.IN_DOUBT, OutboundState.IN_DOUBT, shop.clock()), shop.clock()
        )
        await shop.store.resolve_in_doubt(part, "hold", True, shop.clock())
        assert await shop.state(part) == "held"
        view = await shop.store.delivery_view(conversation)
        assert view is not None
        assert view.part.text == "two"
        assert (await shop.store.counts())["unverified_resolutions"] == 1
        await shop.receipt("sent", attempt="a1", external_id="out-1")
        assert await shop.state(part) == "sent"

    async def test_a_doubt_wakes_an_answer_that_waited_for_it(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.begin(conversation, "a1")
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.IN_DOUBT, OutboundState.IN_DOUBT, shop.clock() + 60_000), shop.clock()
        )
        await shop.asked(ANA, "in-2")
        view = await shop.store.reply_view(conversation, HistoryLimits())
        assert view is not None
        assert view.delivery == "in_doubt"
        await shop.store.reschedule(conversation, "reply", shop.clock() + 30_000, shop.clock())
        taken = await shop.receipt("sent", attempt="a1", external_id="out-1")
        assert taken.work == (OpenWork(conversation, ACCOUNT, shop.clock(), None),)

    async def test_the_time_for_which_messages_are_put_off_is_counted_and_its_reason_kept(self, shop: StoreScenario) -> None:
        conversation = await shop.asked(ANA, "in-1")
        begun = shop.clock()
        await shop.store.reschedule(conversation, "reply", begun + 60_000, begun, "bakery: the oven is cold")
        view = await shop.store.reply_view(conversation, HistoryLimits())
        assert view is not None
        assert (view.deferred, view.waiting[0].deferred) == ((begun, begun + 60_000), 0)
        # Asked again before that, as somebody wrote more: what is over counts, and the reason is told once.
        shop.clock.forward(20_000)
        await shop.store.reschedule(conversation, "reply", begun + 90_000, shop.clock(), "bakery: the oven is cold")
        shop.clock.forward(100_000)
        await shop.store.begin_reply(conversation, [view.waiting[0].id], shop.clock())
        view = await shop.store.reply_view(conversation, HistoryLimits())
        assert view is not None
        assert (view.deferred, view.waiting[0].deferred) == (None, 90_000)
        told = [each for each in await shop.store.timeline(view.waiting[0].id) if each.what == "deferred"]
        assert [each.detail for each in told] == ["bakery: the oven is cold"]

    async def test_a_look_at_a_doubt_that_has_ended_puts_nothing_off(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one", "two")
        await shop.begin(conversation, "a1")
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.IN_DOUBT, OutboundState.IN_DOUBT, shop.clock() + 60_000), shop.clock()
        )
        await shop.receipt("sent", attempt="a1", external_id="out-1")
        work = await shop.store.reschedule(conversation, "deliver", shop.clock() + 60_000, shop.clock())
        assert work.deliver_due == shop.clock()

    # start-up, sweep and looking

    async def test_what_a_dead_process_was_sending_is_in_doubt(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        part = await shop.begin(conversation, "a1")
        assert (await shop.store.recover("me", shop.clock())).doubtful == 0
        assert (await shop.store.recover("somebody else", shop.clock())).doubtful == 1
        assert await shop.state(part) == "in_doubt"
        view = await shop.store.delivery_view(conversation)
        assert view is not None
        assert view.last is not None
        assert (view.last.id, view.last.state, view.last.settled_at) == ("a1", "in_doubt", shop.clock())

    async def test_a_doubt_from_before_a_restart_is_given_its_time_anew(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.begin(conversation, "a1")
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.IN_DOUBT, OutboundState.IN_DOUBT, shop.clock() + 60_000), shop.clock()
        )
        shop.clock.forward(600_000)
        await shop.store.recover("the next life", shop.clock())
        view = await shop.store.delivery_view(conversation)
        assert view is not None
        assert view.last is not None
        assert view.last.settled_at == shop.clock()

    async def crash_while_asking(self, shop: StoreScenario, life: int, *conversations: str) -> RecoveryReport:
        """End a run uncleanly while responders work on these conversations; return what the next run finds."""
        for conversation in conversations:
            view = await shop.store.reply_view(conversation, HistoryLimits())
            assert view is not None
            await shop.store.begin_reply(conversation, [line.id for line in view.waiting], shop.clock())
        shop.clock.forward(1_000)
        return await shop.store.recover(f"life {life + 1}", shop.clock())

    async def test_a_message_that_ends_the_process_thrice_is_quarantined_and_can_be_tried_again_by_hand(
        self, shop: StoreScenario
    ) -> None:
        await shop.store.recover("life 1", shop.clock())
        poison = await shop.asked(ANA, "in-1")
        innocent = await shop.asked(KOFI, "in-2")
        first = await self.crash_while_asking(shop, 1, poison, innocent)
        assert (first.unclean, first.suspects, first.quarantined) == (1, (), ())
        await shop.answer(innocent, "hello")
        second = await self.crash_while_asking(shop, 2, poison)
        assert (second.suspects, second.quarantined) == ((("reply", poison),), ())
        third = await self.crash_while_asking(shop, 3, poison)
        assert third.quarantined == (poison,)
        assert await shop.states(poison) == ["quarantined"]
        assert await shop.due(poison) == (None, None)
        await shop.take(message("in-3", text="and now?"))
        view = await shop.store.reply_view(poison, HistoryLimits())
        assert view is not None
        assert ([line.text for line in view.waiting], view.history) == (["and now?"], ()), (
            "its text is withheld from the next turn"
        )
        await shop.store.retry_failed(poison, "reply", shop.clock())
        assert await shop.states(poison) == ["waiting", "waiting"]

    async def test_a_quarantined_text_is_not_read_as_a_quote_either(self, shop: StoreScenario) -> None:
        await shop.store.recover("life 1", shop.clock())
        poison = await shop.asked()
        for life in (1, 2, 3):
            await self.crash_while_asking(shop, life, poison)
        await shop.take(replace(message("in-2"), reply_to="in-1"))
        assert [line.quoted for line in (await shop.reading(poison)).waiting] == [None]

    async def test_while_there_are_several_suspects_nobody_is_quarantined(self, shop: StoreScenario) -> None:
        await shop.store.recover("life 1", shop.clock())
        both = [await shop.asked(ANA, "in-1"), await shop.asked(KOFI, "in-2")]
        for life in (1, 2, 3, 4):
            found = await self.crash_while_asking(shop, life, *both)
            assert found.quarantined == ()
        assert set(found.suspects) == {("reply", each) for each in both}

    async def test_what_plugin_code_came_back_from_is_no_suspect(self, shop: StoreScenario) -> None:
        await shop.store.recover("life 1", shop.clock())
        conversation = await shop.asked()
        await self.crash_while_asking(shop, 1, conversation)
        attempt = await shop.store.begin_reply(conversation, (), shop.clock())
        await shop.store.fail_reply_attempt(conversation, attempt, shop.clock(), "busy", shop.clock())
        assert (await self.crash_while_asking(shop, 2, conversation)).suspects == ()

    async def test_unclean_ends_long_ago_and_clean_ones_convict_nobody(self, shop: StoreScenario) -> None:
        await shop.store.recover("life 1", shop.clock())
        conversation = await shop.asked()
        for life in (1, 2, 3, 4):
            shop.clock.forward(700_000)
            found = await self.crash_while_asking(shop, life, conversation)
            assert (found.unclean, found.suspects, found.quarantined) == (1, (), ())
        await shop.store.mark_clean_shutdown("life 5", shop.clock())
        assert (await shop.store.recover("life 6", shop.clock())).unclean == 1

    async def test_what_was_sent_when_the_process_ended_thrice_is_held(self, shop: StoreScenario) -> None:
        await shop.store.recover("life 1", shop.clock())
        conversation = await shop.answered("one")
        for life in (1, 2, 3):
            view = await shop.store.delivery_view(conversation)
            assert view is not None
            if view.state == "in_doubt":
                await shop.store.resolve_in_doubt(view.part.id, "resend", False, shop.clock())
            await shop.store.begin_attempt(view.part.id, f"a{life}", f"life {life}", shop.clock())
            found = await shop.store.recover(f"life {life + 1}", shop.clock())
        assert found.quarantined == (conversation,)
        assert await shop.states(conversation) == ["answered", "held"]

    async def test_a_later_message_takes_along_what_nobody_could_answer(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        await shop.store.close_turn(conversation, ["m1"], "dead", "max_duration: away", shop.clock())
        await shop.take(message("in-2"))
        assert await shop.states(conversation) == ["waiting", "waiting"]

    async def test_what_no_responder_wants_is_not_taken_along(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        await shop.store.close_turn(conversation, ["m1"], "dead", "given_up: no", shop.clock())
        await shop.take(message("in-2"))
        assert await shop.states(conversation) == ["dead", "waiting"]

    async def test_what_is_dead_is_no_history(self, shop: StoreScenario) -> None:
        """It was refused, and what is asked after it would be refused with it."""
        conversation = await shop.asked(text="poison")
        await shop.store.close_turn(conversation, ["m1"], "dead", "given_up: filtered", shop.clock(), [OutgoingContent("Sorry.")])
        await shop.take(message("in-2", text="fine"))
        view = await shop.store.reply_view(conversation, HistoryLimits())
        assert view is not None
        assert ([line.text for line in view.waiting], [line.text for line in view.history]) == (["fine"], ["Sorry."])
        await shop.answer(conversation, "Yes.")
        _, lines = await shop.store.unsummarised_messages(conversation, 0, 10)
        assert [line.text for line in lines] == ["Sorry.", "fine", "Yes."], "nor is it summed up"

    async def test_one_is_sorry_once_until_an_answer_was_made(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        await shop.store.close_turn(conversation, ["m1"], "dead", "max_duration: away", shop.clock(), [OutgoingContent("Sorry.")])
        await shop.take(message("in-2"))
        view = await shop.store.reply_view(conversation, HistoryLimits())
        assert view is not None
        assert view.apologised
        await shop.answer(conversation, "here I am")
        await shop.take(message("in-3"))
        after = await shop.store.reply_view(conversation, HistoryLimits())
        assert after is not None
        assert not after.apologised

    async def test_the_backlog_is_counted_up_to_a_limit(self, shop: StoreScenario) -> None:
        for n in range(5):
            await shop.take(message(f"in-{n}"))
        assert await shop.store.backlog(100) == 5
        assert await shop.store.backlog(3) == 3

    async def test_open_work_comes_in_pages(self, shop: StoreScenario) -> None:
        people = [replace(ANA, user_id=f"US.{n}", phone=f"1555{n}") for n in range(5)]
        made = [await shop.asked(person, f"in-{n}") for n, person in enumerate(people)]
        seen: list[str] = []
        after: str | None = None
        while page := await shop.store.open_work(after, 2):
            seen += [work.conversation for work in page]
            after = page[-1].conversation
        assert seen == made
        assert await shop.store.open_work(None, 10, before=shop.clock()) == []
        assert len(await shop.store.open_work(None, 10, before=shop.clock() + QUIET)) == 5

    async def test_nothing_waits_for_a_clock_that_went_back(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.begin(conversation, "a1")
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.NOT_SENT, OutboundState.QUEUED, shop.clock() + 60_000), shop.clock()
        )
        waiting = await shop.asked(KOFI, "in-2")
        shop.clock.now -= 3_600_000
        assert await shop.store.reset_future_dues(shop.clock() + 300_000, shop.clock()) == 2
        assert (await shop.due(conversation), await shop.due(waiting)) == ((None, shop.clock()), (shop.clock(), None))
        view = await shop.store.delivery_view(conversation)
        assert view is not None
        assert view.not_before == shop.clock()
        assert await shop.store.reset_future_dues(shop.clock() + 300_000, shop.clock()) == 0

    async def test_a_sign_of_life_from_a_clock_that_went_back_proves_nothing_that_is_to_come(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        shop.clock.now -= 3_600_000
        await shop.store.reset_future_dues(shop.clock() + 300_000, shop.clock())
        view = await shop.store.delivery_view(conversation)
        assert view is not None
        assert view.webhook_at == shop.clock()

    async def test_open_work_is_counted_by_account(self, shop: StoreScenario) -> None:
        await shop.asked(ANA, "in-1")
        await shop.asked(KOFI, "in-2")
        assert await shop.store.unsettled_accounts() == {ACCOUNT: 2}

    async def test_the_timeline_tells_a_messages_whole_way(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        part = await shop.send(conversation, "a1", "out-1")
        await shop.receipt("delivered", external_id="out-1")
        asked = (await shop.store.messages(conversation, None, 1))[0]
        assert [event.what for event in await shop.store.timeline(asked.id)] == ["received", "asked", "answered"]
        assert [event.what for event in await shop.store.timeline(part)] == ["queued", "sending", "attempt_accepted", "delivered"]

    async def test_a_message_is_found_by_our_id_and_by_the_providers(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        part = await shop.send(conversation, "a1", "out-1")
        assert (await shop.found("out-1")).id == part
        assert (await shop.found("in-1")).direction == "in"
        assert await shop.store.find("nothing") is None

    async def test_a_backup_holds_what_is_kept_and_never_replaces_a_file(self, shop: StoreScenario, tmp_path: Path) -> None:
        if type(shop.store).backup is Store.backup:
            pytest.skip("backups are optional")
        conversation = await shop.answered("one", "two")
        await shop.send(conversation, "a1", "out-1")
        saved = await shop.store.backup(tmp_path / "copy")
        assert {name: saved[name] for name in ("messages", "conversations", "attempts")} == {
            "messages": 3,
            "conversations": 1,
            "attempts": 1,
        }
        assert saved["bytes"] == (tmp_path / "copy").stat().st_size
        (tmp_path / "other").write_text("precious", encoding="ascii")
        with pytest.raises(SaraError):
            await shop.store.backup(tmp_path / "other")
        assert (tmp_path / "other").read_text(encoding="ascii") == "precious"

    async def test_conversations_are_listed_newest_first(self, shop: StoreScenario) -> None:
        await shop.take(message("in-1", ANA, at=1_000))
        await shop.take(message("in-2", KOFI, at=2_000))
        listed = await shop.store.conversations(10)
        assert {each.address for each in listed} == {ANA.phone, KOFI.phone}
        assert [(each.name, each.messages, each.waiting) for each in listed] == [("Kofi", 1, 1), ("Ana", 1, 1)]
        assert [each.name for each in await shop.store.conversations(10, "ana")] == ["Ana"]
