"""What every store promises about edits and deletions of earlier messages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sara import Correction, Identity, InboundMessage, Instant, OperatorEcho, OutgoingContent, Usage
from sara.engines import AttemptResult, AttemptState, Conflict, InboundDecision, OutboundState, ReplySideEffects
from sara.testing.store.attachments import PHOTO, with_files
from sara.testing.store.scenario import ACCOUNT, ANA, KOFI, QUIET, StoreScenario, message

PLACEHOLDER = "[deleted message]"
SECRET = "4111 1111"
RECORDED = InboundDecision(skip="recorded")
HOUR = 3_600_000


def edit(external_id: str, target: str, text: str, at: Instant, person: Identity = ANA) -> InboundMessage:
    """Return an edit of an earlier message."""
    now = Correction(target, text, "text", {"text": {"body": text}})
    return InboundMessage(ACCOUNT, external_id, person, "edit", f"[edited:] {text}", at, False, raw=f'"{text}"', corrects=now)


def deletion(external_id: str, target: str, at: Instant, person: Identity = ANA) -> InboundMessage:
    """Return a deletion of an earlier message."""
    gone = Correction(target, PLACEHOLDER, withdrawn=True)
    return InboundMessage(ACCOUNT, external_id, person, "revoke", "[deleted]", at, False, raw="{}", corrects=gone)


def secret(external_id: str, at: Instant) -> InboundMessage:
    """Return a message that its author will want back."""
    return replace(message(external_id, text=SECRET, at=at), content={"text": {"body": SECRET}}, raw=f'"{SECRET}"')


async def corrected(shop: StoreScenario, event: InboundMessage) -> None:
    """Store a correction."""
    await shop.take(event, verdict=RECORDED)


async def texts(shop: StoreScenario, conversation: str) -> tuple[list[str], list[str]]:
    """Return what waits for an answer, and what is shown as history."""
    view = await shop.reading(conversation)
    return [line.text for line in view.waiting], [line.text for line in view.history]


async def everything(shop: StoreScenario, conversation: str) -> str:
    """All words that a store still gives out about a conversation."""
    view = await shop.reading(conversation)
    summary, older = await shop.store.unsummarised_messages(conversation, 0, 100)
    kept = await shop.store.messages(conversation, None, 1_000)
    found = await shop.store.search(SECRET, 10)
    person = await shop.store.subject_data("US.1")
    return repr((view, summary, older, kept, found, person, await shop.store.attachments(conversation, None, 100)))


class CorrectionsExam:
    """Part of `StoreContract`."""

    # edits

    async def test_an_edit_in_the_quiet_window_is_what_is_read_and_begins_the_window_again(self, shop: StoreScenario) -> None:
        conversation = await shop.asked(text="Two pizzas please")
        at = shop.clock.forward(QUIET // 2)
        await corrected(shop, edit("e-1", "in-1", "Three pizzas please", at))
        assert await texts(shop, conversation) == (["Three pizzas please"], [])
        assert await shop.due(conversation) == (at + QUIET, None)
        [line] = (await shop.reading(conversation)).waiting
        assert line.content == {"text": {"body": "Three pizzas please"}}
        await shop.answer(conversation, "Three it is.")
        await shop.asked(ANA, "in-2", "thanks")
        assert await texts(shop, conversation) == (["thanks"], ["Three pizzas please", "Three it is."])

    async def test_the_last_edit_counts_in_whatever_order_they_arrive(self, shop: StoreScenario) -> None:
        start = shop.clock()
        orders = (("one", "two", "three"), ("three", "one", "two"), ("two", "three", "one"), ("three", "two", "one"))
        for number, order in enumerate(orders):
            person = Identity(user_id=f"US.9{number}")
            target, written = f"in-{number}", {"one": start + 1_000, "two": start + 2_000, "three": start + 3_000}
            for early in (False, True):
                name = f"{target}-{early}"
                events = [edit(f"e-{name}-{said}", name, said, written[said], person) for said in order]
                original = message(name, person, "zero", start)
                arrivals = [*events, original] if early else [original, *events]
                for each in arrivals:
                    await shop.take(each, verdict=None if each is original else RECORDED)
                stored = await shop.found(name)
                assert stored.text == "three", (order, early)
            kept = [each.text for each in await shop.store.messages(stored.conversation, None, 100) if each.kind == "edit"]
            assert set(kept) == {"[edited:] three"}

    async def test_an_edit_while_the_answer_is_being_made_drops_it_and_asks_again(self, shop: StoreScenario) -> None:
        conversation = await shop.asked(text="Two pizzas please")
        attempt, ids = await shop.call(conversation)
        await corrected(shop, edit("e-1", "in-1", "Three pizzas please", shop.clock.forward(1_000)))
        with pytest.raises(Conflict):
            await shop.store.save_reply(conversation, attempt, ids, [OutgoingContent("Two it is.")], Usage(1, 1), shop.clock())
        view = await shop.reading(conversation)
        assert ([line.text for line in view.waiting], view.attempts, view.first_at) == (["Three pizzas please"], 0, None)
        await shop.answer(conversation, "Three it is.")

    async def test_edits_cannot_keep_an_answer_from_ever_being_sent(self, shop: StoreScenario) -> None:
        conversation = await shop.asked(text="0")
        dropped = 0
        for n in range(1, 10):
            attempt, ids = await shop.call(conversation)
            await corrected(shop, edit(f"e-{n}", "in-1", str(n), shop.clock.forward(1_000)))
            try:
                await shop.store.save_reply(conversation, attempt, ids, [OutgoingContent("an answer")], None, shop.clock())
            except Conflict:
                dropped += 1
            else:
                break
        assert 0 < dropped < 5
        assert await shop.state("in-1") == "answered"

    async def test_an_edit_after_the_answer_is_read_with_the_next_message(self, shop: StoreScenario) -> None:
        conversation = await shop.asked(text="Two pizzas please")
        await shop.answer(conversation, "Two it is.")
        await corrected(shop, edit("e-1", "in-1", "Three pizzas please", shop.clock.forward(1_000)))
        assert await shop.due(conversation) == (None, shop.clock() - 1_000)
        await shop.asked(ANA, "in-2", "did you see?")
        waiting, history = await texts(shop, conversation)
        assert waiting == ["did you see?"]
        assert history == ["Three pizzas please", "Two it is.", "[edited:] Three pizzas please"]

    async def test_what_was_edited_away_is_not_kept(self, shop: StoreScenario) -> None:
        conversation = (await shop.take(secret("in-1", shop.clock()))).stored[0].conversation
        await shop.answer(conversation, "Thank you.")
        await corrected(shop, edit("e-1", "in-1", SECRET + " really", shop.clock() + 1))
        await corrected(shop, edit("e-2", "in-1", "never mind", shop.clock() + 2))
        await shop.asked(ANA, "in-2")
        assert SECRET not in await everything(shop, conversation)

    # deletions

    async def test_a_message_deleted_in_the_quiet_window_is_not_answered(self, shop: StoreScenario) -> None:
        conversation = (await shop.take(secret("in-1", shop.clock()))).stored[0].conversation
        await corrected(shop, deletion("d-1", "in-1", shop.clock()))
        assert await shop.due(conversation) == (None, None)
        gone = await shop.found("in-1")
        assert (gone.state, gone.reason, gone.text) == ("skipped", "withdrawn", PLACEHOLDER)
        await shop.asked(ANA, "in-2", "hello")
        assert await texts(shop, conversation) == (["hello"], [])
        assert SECRET not in await everything(shop, conversation)
        assert "withdrawn" in await shop.told("m1")

    async def test_the_rest_of_the_turn_is_answered_without_it(self, shop: StoreScenario) -> None:
        conversation = await shop.asked(text="Are you open?")
        await shop.take(secret("in-2", shop.clock()))
        attempt, ids = await shop.call(conversation)
        await corrected(shop, deletion("d-1", "in-2", shop.clock()))
        with pytest.raises(Conflict):
            await shop.store.save_reply(
                conversation, attempt, ids, [OutgoingContent(f"Your card is {SECRET}")], None, shop.clock()
            )
        assert (await shop.due(conversation))[0] is not None
        assert await texts(shop, conversation) == (["Are you open?"], [])
        await shop.answer(conversation, "We are.")

    async def test_an_answer_to_nothing_but_deleted_words_is_not_sent(self, shop: StoreScenario) -> None:
        rows: list[tuple[str, Identity, bool, str]] = [
            ("all of it", ANA, False, "cancelled"),
            ("half of it", KOFI, False, "queued"),
            ("too late", Identity(user_id="US.77"), True, "accepted"),
        ]
        for name, person, was_sent, state in rows:
            conversation = await shop.asked(person, f"{name}-1", SECRET)
            await shop.asked(person, f"{name}-2", "and something else")
            await shop.answer(conversation, "an answer")
            part = (await shop.store.messages(conversation, None, 10))[-1].id
            if was_sent:
                await shop.send(conversation, f"attempt {name}", f"out {name}")
            gone = [f"{name}-1"] if name == "half of it" else [f"{name}-1", f"{name}-2"]
            for each in gone:
                await corrected(shop, deletion(f"d-{each}", each, shop.clock(), person))
            assert await shop.state(part) == state, name

    async def test_deleted_words_reach_nobody_any_more(self, shop: StoreScenario) -> None:
        conversation = (await shop.take(secret("in-1", shop.clock()))).stored[0].conversation
        await shop.answer(conversation, "Please never send that.")
        await shop.send(conversation, "a1", "out-1")
        await corrected(shop, edit("e-1", "in-1", f"it is {SECRET}", shop.clock() + 1))
        await shop.store.save_summary(conversation, f"They sent {SECRET}", "m2", None, 0, (), shop.clock())
        await corrected(shop, deletion("d-1", "in-1", shop.clock() + 2))
        await shop.take(replace(message("in-2", text="this one", at=shop.clock()), reply_to="in-1"))
        assert SECRET not in await everything(shop, conversation)
        waiting, history = await texts(shop, conversation)
        assert (waiting, history[:2]) == (["this one"], [PLACEHOLDER, "Please never send that."])
        [line] = (await shop.reading(conversation)).waiting
        assert line.quoted == PLACEHOLDER
        assert [each.withdrawn for each in (await shop.reading(conversation)).history[:2]] == [True, False]
        # What a model heard in it comes too late.
        attempt, ids = await shop.call(conversation)
        await shop.store.save_reply(
            conversation, attempt, ids, [OutgoingContent("x")], None, shop.clock(), ReplySideEffects(transcripts={"m1": SECRET})
        )
        assert SECRET not in await everything(shop, conversation)

    async def test_a_file_of_a_deleted_message_is_not_kept_when_its_download_ends(self, shop: StoreScenario) -> None:
        [stored] = (await shop.take(replace(with_files("in-1", PHOTO), at=shop.clock()))).stored
        [(_, photo)] = await shop.store.attachments(stored.conversation, None, 10)
        assert await shop.store.download(photo.id) is not None
        await corrected(shop, deletion("d-1", "in-1", shop.clock()))
        assert await shop.store.download(photo.id) is None
        assert await shop.store.downloads(ACCOUNT, 10) == []
        await shop.store.postpone_download(photo.id, shop.clock() + 1, "the line broke", shop.clock())
        with pytest.raises(Conflict):
            await shop.store.keep_attachment(photo.id, "x7f3", "bb" * 32, 12, None, shop.clock())
        assert await shop.store.named_files(["x7f3"]) in ([], set())

    async def test_deleted_words_never_come_back_in_whatever_order_they_arrive(self, shop: StoreScenario) -> None:
        at = shop.clock()
        events: dict[str, InboundMessage] = {
            "original": secret("in-1", at),
            "edit": edit("e-1", "in-1", f"it is {SECRET}", at + 2_000),
            "deletion": deletion("d-1", "in-1", at + 1_000),
        }
        orders: list[tuple[str, ...]] = [
            ("deletion", "original", "edit"),
            ("deletion", "edit", "original"),
            ("edit", "deletion", "original"),
            ("original", "deletion", "edit"),
            ("original", "edit", "deletion"),
            # The original never arrives.
            ("deletion", "edit"),
            ("edit", "deletion"),
        ]
        for order in orders:
            person = replace(ANA, user_id=f"US.{'-'.join(order)}", phone=None)
            name = "-".join(order)
            for each in order:
                event = replace(events[each], external_id=f"{each}-{name}", person=person)
                if event.corrects is not None:
                    event = replace(event, corrects=replace(event.corrects, target=f"original-{name}"))
                taken = await shop.take(event, verdict=None if each == "original" else RECORDED)
                # Delivered again it changes nothing.
                await shop.take(event, verdict=None if each == "original" else RECORDED)
            conversation = taken.stored[0].conversation
            assert await shop.due(conversation) == (None, None), order
            assert SECRET not in await everything(shop, conversation), order

    async def test_a_tool_that_was_called_is_not_called_again_for_the_rest_of_the_turn(self, shop: StoreScenario) -> None:
        conversation = (await shop.take(secret("in-1", shop.clock()))).stored[0].conversation
        await shop.asked(ANA, "in-2", "and a taxi")
        attempt, _ = await shop.call(conversation)
        record, is_new = await shop.store.begin_tool(conversation, attempt, "taxi", "{}", 1, shop.clock())
        await shop.store.end_tool(record.id, "ordered", shop.clock())
        await corrected(shop, deletion("d-1", "in-1", shop.clock()))
        attempt, _ = await shop.call(conversation)
        again, is_new_again = await shop.store.begin_tool(conversation, attempt, "taxi", "{}", 1, shop.clock())
        assert (is_new, is_new_again, again.result) == (True, False, "ordered")
        # What was called with nothing but deleted words is not kept.
        await shop.store.begin_tool(conversation, attempt, "note", SECRET, 1, shop.clock())
        await corrected(shop, deletion("d-2", "in-2", shop.clock()))
        assert SECRET not in await everything(shop, conversation)

    async def test_a_deleted_message_takes_its_files_along(self, shop: StoreScenario) -> None:
        taken = await shop.take(replace(with_files("in-1", PHOTO, PHOTO), at=shop.clock()))
        conversation = taken.stored[0].conversation
        first, second = (file for _, file in await shop.store.attachments(conversation, None, 10))
        await shop.answer(conversation, "A nice picture.")
        await shop.store.keep_attachment(first.id, "kept", "00" * 32, 3, None, shop.clock())
        await corrected(shop, deletion("d-1", "in-1", shop.clock()))
        assert list(await shop.store.old_files(shop.clock() - HOUR, 10)) == ["kept"]
        found = {file.id: file for _, file in await shop.store.attachments(conversation, None, 10)}
        assert {file.name for file in found.values()} == {None}
        assert found[second.id].error == "withdrawn"
        await shop.asked(ANA, "in-2")
        [shown, *_] = (await shop.reading(conversation)).history
        assert (shown.text, shown.attachments) == (PLACEHOLDER, ())

    async def test_nobody_changes_what_somebody_else_said(self, shop: StoreScenario) -> None:
        ana, kofi = await shop.answered("one"), await shop.asked(KOFI, "in-2", "mine")
        await shop.send(ana, "a1", "out-1")
        for event in (
            edit("e-1", "in-2", "forged", shop.clock()),
            deletion("d-1", "in-2", shop.clock()),
            edit("e-2", "out-1", "forged", shop.clock()),
            deletion("d-2", "out-1", shop.clock()),
            deletion("d-3", "nothing", shop.clock()),
        ):
            await corrected(shop, event)
        assert await texts(shop, kofi) == (["mine"], [])
        assert [each.text for each in await shop.store.messages(ana, None, 2)] == ["hello", "one"]
        assert (await shop.due(kofi))[0] is not None

    async def test_what_a_person_deletes_or_edits_outside_sara_is_read_so(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("Your code is 77.")
        await shop.send(conversation, "a1", "out-1")
        gone = Correction("out-1", PLACEHOLDER, withdrawn=True)
        better = Correction("echo-1", "Call me at 5", "text")
        for echo in (
            OperatorEcho(ACCOUNT, "echo-1", ANA, "text", "Call me at 4", shop.clock()),
            OperatorEcho(ACCOUNT, "echo-2", ANA, "revoke", "[deleted]", shop.clock(), says=False, corrects=gone),
            OperatorEcho(ACCOUNT, "echo-3", ANA, "edit", "[edited:] Call me at 5", shop.clock(), says=False, corrects=better),
        ):
            await shop.change(echo)
        await shop.asked(ANA, "in-2")
        _, history = await texts(shop, conversation)
        assert history[:3] == ["hello", PLACEHOLDER, "Call me at 5"]

    async def test_a_deletion_does_not_stop_what_is_being_sent(self, shop: StoreScenario) -> None:
        conversation = (await shop.take(secret("in-1", shop.clock()))).stored[0].conversation
        await shop.answer(conversation, "one", "two")
        part = await shop.begin(conversation, "a1")
        await corrected(shop, deletion("d-1", "in-1", shop.clock()))
        await shop.store.record_attempt(
            "a1", AttemptResult(AttemptState.ACCEPTED, OutboundState.ACCEPTED, external_id="out-1"), shop.clock()
        )
        assert await shop.state(part) == "accepted"
        assert await shop.states(conversation) == ["answered", "accepted", "queued", "skipped"]
