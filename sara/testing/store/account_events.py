"""What every store promises about events that arrive late or out of order, and about what is no message at all."""

from __future__ import annotations

from dataclasses import replace

from sara import AccountEvent, Identity, OperatorEcho, OutgoingContent
from sara.engines import ClassifiedMessage, Handoff, InboundBatch, InboundDecision
from sara.testing.store.scenario import ACCOUNT, ANA, KOFI, START, STOP, StoreScenario, message

HOUR = 3_600_000


class EventsExam:
    """Part of `StoreContract`."""

    # what a person says outside SARA

    async def test_an_event_outside_sara_answers_nothing_and_hands_nothing_over(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        attempt, ids = await shop.call(conversation)
        echo = OperatorEcho(ACCOUNT, "echo-1", ANA, "reaction", "[reacted]", shop.clock(), says=False)
        await shop.change(echo)
        await shop.store.save_reply(conversation, attempt, ids, [OutgoingContent("Hello.")], None, shop.clock())
        assert (await shop.reading(conversation)).mode == "bot"
        assert await shop.lines(conversation) == [("hello", "answered"), ("[reacted]", "skipped"), ("Hello.", "queued")]

    async def test_a_late_echo_answers_what_was_before_it_and_changes_nothing_else(self, shop: StoreScenario) -> None:
        said = shop.clock() - HOUR
        old = (await shop.take(message("in-1", text="old", at=said - 1_000))).stored[0].conversation
        await shop.take(message("in-2", text="new", at=shop.clock()))
        attempt, ids = await shop.call(old)
        await shop.store.save_reply(old, attempt, ids, [OutgoingContent("an answer")], None, shop.clock())
        await shop.take(message("in-3", text="newest", at=shop.clock()))
        attempt, ids = await shop.call(old)
        # Its time is over: no hand-over comes with it.
        await shop.change(OperatorEcho(ACCOUNT, "echo-1", ANA, "text", "I called you", said))
        await shop.store.save_reply(old, attempt, ids, [OutgoingContent("another")], None, shop.clock())
        assert await shop.lines(old) == [
            ("old", "answered"),
            ("new", "answered"),
            ("an answer", "queued"),
            ("newest", "answered"),
            ("I called you", "sent"),
            ("another", "queued"),
        ]
        assert (await shop.reading(old)).mode == "bot"
        waits = (await shop.take(message("in-4", KOFI, "kofi's", at=said - 1))).stored[0].conversation
        await shop.change(OperatorEcho(ACCOUNT, "echo-2", KOFI, "text", "Done, Kofi", said))
        assert await shop.lines(waits) == [("kofi's", "skipped"), ("Done, Kofi", "sent")]
        assert await shop.due(waits) == (None, None)

    async def test_what_is_delivered_again_is_recognised_by_the_providers_time_whatever_it_was_taken_for(
        self, shop: StoreScenario
    ) -> None:
        # The provider's clock was an hour ahead, or ours behind: each delivery is taken to have happened when it came.
        stamp, account = shop.clock() + HOUR, f"{ACCOUNT}:again"
        echo = OperatorEcho(account, "echo-1", ANA, "text", "I called you", stamp)
        for number in range(3):
            now = shop.clock() + number * 60_000
            one = ClassifiedMessage(replace(message(None, at=now), account=account), InboundDecision(), 0, 0, stamp=stamp)
            intake = InboundBatch(account, (one,), changes=(replace(echo, at=now),), stamps=(stamp,))
            taken = await shop.store.accept(intake, now)
            assert (len(taken.stored), taken.known) == ((1, 0) if number == 0 else (0, 1)), number
        [conversation] = {each.conversation for each in await shop.store.messages(None, None, 100) if each.account == account}
        assert [text for text, _ in await shop.lines(conversation)] == ["hello", "I called you"]

    async def test_an_echo_from_before_the_hand_back_does_not_undo_it(self, shop: StoreScenario) -> None:
        for number, (after, mode) in enumerate(((-HOUR, "bot"), (-10_000, "bot"), (0, "human"), (10_000, "human"))):
            person = Identity(user_id=f"US.5{number}")
            conversation = await shop.asked(person, f"in-{number}")
            await shop.store.hand_over(conversation, Handoff("operator"), shop.clock())
            await shop.store.hand_back(conversation, "operator", shop.clock())
            echo = OperatorEcho(ACCOUNT, f"echo-{number}", person, "text", "I called", shop.clock() + after)
            echoed = {echo.external_id: Handoff("operator")}
            await shop.store.accept(InboundBatch(ACCOUNT, changes=(echo,), echoed=echoed), shop.clock() + max(after, 0))
            assert (await shop.reading(conversation)).mode == mode, after

    async def test_a_late_echo_does_not_end_the_wait_of_who_wrote_after_it(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        await shop.store.hand_over(conversation, Handoff("operator"), shop.clock())
        said, written = shop.clock.forward(HOUR), shop.clock.forward(HOUR)
        await shop.take(message("in-2", at=written))
        await shop.change(OperatorEcho(ACCOUNT, "echo-1", ANA, "text", "I called you", said))
        [found] = await shop.store.unhealthy(shop.clock.forward(HOUR), HOUR * 9, 1, 10)
        assert (found.reason, found.since) == ("waiting_for_person", written)
        await shop.change(OperatorEcho(ACCOUNT, "echo-2", ANA, "text", "Now", written))
        assert await shop.store.unhealthy(shop.clock(), HOUR * 9, 1, 10) == []

    async def test_the_silence_after_a_late_echo_counts_from_when_it_was_said(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        await shop.send(conversation, "a1", "out-1")
        answered = shop.clock()
        shop.clock.forward(HOUR)
        await shop.change(OperatorEcho(ACCOUNT, "echo-1", ANA, "text", "I called you", answered - HOUR))
        assert (await shop.tending(conversation)).ours_at == answered
        await shop.change(OperatorEcho(ACCOUNT, "echo-2", ANA, "text", "And now", answered + 1_000))
        assert (await shop.tending(conversation)).ours_at == answered + 1_000

    # words about consent

    async def test_words_about_consent_count_by_when_they_were_written(self, shop: StoreScenario) -> None:
        base = shop.clock()
        rows: list[tuple[list[tuple[str, int]], bool]] = [
            ([("stop", 10)], True),
            ([("stop", 10), ("start", 20)], False),
            ([("start", 20), ("stop", 10)], False),
            ([("stop", 30), ("start", 20)], True),
            ([("stop", 10), ("start", 30), ("stop", 20)], False),
            ([("stop", 10), ("start", 20), ("stop", 30)], True),
            ([("stop", 30), ("start", 40), ("stop", 20), ("start", 10)], False),
            # In the same second the order of arrival decides.
            ([("start", 10), ("stop", 10)], True),
            ([("stop", 10), ("start", 10)], False),
        ]
        for number, (words, silent) in enumerate(rows):
            person = Identity(user_id=f"US.6{number}")
            for n, (word, at) in enumerate(words):
                verdict = STOP if word == "stop" else START
                taken = await shop.take(message(f"in-{number}-{n}", person, word, base + at), verdict=verdict)
            conversation = await shop.store.conversation(taken.stored[0].conversation)
            assert conversation.opted_out is silent, words

    async def test_what_is_noted_by_hand_is_ended_by_a_stop_and_by_no_older_start(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        at = shop.clock()
        await shop.store.consent(conversation, True, "operator", "by phone", shop.clock.forward(10_000))
        await shop.take(message("in-2", text="start", at=at), verdict=START)
        assert (await shop.store.conversation(conversation)).opted_out
        await shop.store.consent(conversation, False, "operator", "by phone", shop.clock.forward(10_000))
        await shop.take(message("in-3", text="stop", at=at), verdict=STOP)
        assert (await shop.store.conversation(conversation)).opted_out

    async def test_a_stop_counts_though_the_clock_was_ahead_when_they_said_start(self, shop: StoreScenario) -> None:
        shop.clock.forward(900 * HOUR)
        await shop.take(message("in-1", text="start", at=shop.clock()), verdict=START)
        shop.clock.now -= 900 * HOUR
        [stored] = (await shop.take(message("in-2", text="stop", at=shop.clock()), verdict=STOP)).stored
        assert (await shop.store.conversation(stored.conversation)).opted_out

    # what cannot be read

    async def test_who_sends_what_cannot_be_read_is_told_so_now_and_then(self, shop: StoreScenario) -> None:
        said = {"": OutgoingContent("I cannot read that."), "de": OutgoingContent("Das kann ich nicht lesen.")}

        def verdict() -> InboundDecision:
            return InboundDecision(skip="unreadable", unreadable=said, unreadable_since=shop.clock() - HOUR)

        async def polls(*names: str, person: Identity = ANA) -> str:
            for name in names:
                taken = await shop.take(message(name, person, "[poll]", shop.clock()), verdict=verdict())
            return taken.stored[0].conversation

        conversation = await polls("in-1", "in-2")
        assert await shop.lines(conversation) == [("[poll]", "skipped"), ("I cannot read that.", "queued"), ("[poll]", "skipped")]
        assert (await shop.found("in-1")).reason == "unreadable"
        assert (await shop.next(conversation)).part.purpose == "notice"
        shop.clock.forward(2 * HOUR)
        await shop.take(message("in-3", text="Guten Tag", at=shop.clock()), language="de")
        await polls("in-4")
        assert ("Das kann ich nicht lesen.", "queued") in await shop.lines(conversation)

        # Neither who wants silence nor who is answered by a person is told.
        await shop.take(message("in-5", KOFI, "stop", shop.clock()), verdict=STOP)
        silent = await polls("in-6", person=KOFI)
        assert await shop.lines(silent) == [("stop", "skipped"), ("[poll]", "skipped")]
        lee = Identity(user_id="US.8")
        handed = await shop.asked(lee, "in-7")
        await shop.store.hand_over(handed, Handoff("operator"), shop.clock())
        await polls("in-8", person=lee)
        assert (await shop.found("in-8")).reason == "human"
        assert await shop.lines(handed) == [("hello", "skipped"), ("[poll]", "skipped")]

    # the account

    async def test_news_of_an_account_is_kept_once_in_the_order_of_its_arrival(self, shop: StoreScenario) -> None:
        flagged = AccountEvent(ACCOUNT, "quality.FLAGGED", "flagged", 1_000, True, '{"time":1}', "1555", ("quality.UP",))
        unflagged = AccountEvent(ACCOUNT, "quality.UNFLAGGED", "not any more", 2_000, False, '{"time":2}', "1555")
        again = replace(flagged, at=3_000, raw='{"time":3}')
        other = replace(flagged, account="test:2")
        for event in (unflagged, flagged, again, flagged, replace(flagged, at=9_000), unflagged, other):
            await shop.change(event)
        found = await shop.store.account_events(ACCOUNT, 0)
        assert [(each.kind, each.at, each.serious, each.subject, each.ends) for each in found] == [
            ("quality.UNFLAGGED", 2_000, False, "1555", ()),
            ("quality.FLAGGED", 1_000, True, "1555", ("quality.UP",)),
            ("quality.FLAGGED", 3_000, True, "1555", ("quality.UP",)),
        ]
        assert [each.at for each in await shop.store.account_events(ACCOUNT, 2_000)] == [2_000, 3_000]
