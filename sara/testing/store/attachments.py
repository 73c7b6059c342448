"""What every store promises about files, quotes and what was found in a message."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath

import pytest

from sara import Attachment, HistoryMessage, Identity, InboundMessage, OutgoingContent
from sara.engines import InboundDecision, NotFound, ReplySideEffects
from sara.testing.store.scenario import ACCOUNT, ANA, KOFI, STOP, WISH, StoreScenario, message

PHOTO = Attachment("image", "image/jpeg", "ref-1", "holiday.jpg", url="https://files.example/1", sha256="AA" * 32, size=7)
VOICE = Attachment("audio", "audio/ogg", "ref-2", voice=True)
DAY = 86_400_000


def with_files(external_id: str, *files: Attachment, person: Identity = ANA, at: int = 0) -> InboundMessage:
    """Return a message that brings files."""
    return replace(message(external_id, person, at=at), kind="image", attachments=files)


def quoting(external_id: str, quoted: str, person: Identity = ANA) -> InboundMessage:
    """Return a message that quotes another by the provider's id."""
    return replace(message(external_id, person, text="this one"), reply_to=quoted)


class FilesExam:
    """Part of `StoreContract`."""

    # files

    async def waiting(self, shop: StoreScenario, conversation: str, n: int = 0) -> HistoryMessage:
        """Return a message that waits for its answer."""
        return (await shop.reading(conversation)).waiting[n]

    async def test_a_message_is_kept_with_its_files_in_their_order(self, shop: StoreScenario) -> None:
        [stored] = (await shop.take(with_files("in-1", PHOTO, VOICE))).stored
        line = await self.waiting(shop, stored.conversation)
        assert len({each.id for each in line.attachments}) == 2
        assert all(each.id for each in line.attachments)
        assert [replace(each, id="") for each in line.attachments] == [replace(PHOTO, sha256="aa" * 32), VOICE]

    async def test_a_message_met_again_brings_its_files_once(self, shop: StoreScenario) -> None:
        [stored] = (await shop.take(with_files("in-1", PHOTO))).stored
        await shop.take(with_files("in-1", PHOTO, VOICE))
        assert len((await self.waiting(shop, stored.conversation)).attachments) == 1

    async def test_each_line_has_its_own_files_in_what_waits_and_in_the_history(self, shop: StoreScenario) -> None:
        [stored] = (await shop.take(with_files("in-1", PHOTO))).stored
        await shop.answer(stored.conversation, "nice")
        await shop.take(message("in-2"), with_files("in-3", VOICE, VOICE, at=1), with_files("in-4", PHOTO, person=KOFI))
        view = await shop.reading(stored.conversation)
        assert [[each.kind for each in line.attachments] for line in view.history] == [["image"], []]
        assert [[each.kind for each in line.attachments] for line in view.waiting] == [[], ["audio", "audio"]]

    async def test_a_file_that_was_fetched_has_its_place_and_is_found_by_its_contents(self, shop: StoreScenario) -> None:
        [stored] = (await shop.take(with_files("in-1", PHOTO, VOICE))).stored
        photo, _ = (await self.waiting(shop, stored.conversation)).attachments
        assert await shop.store.attachment_file("BB" * 32) is None
        for _ in range(2):
            await shop.store.keep_attachment(photo.id, "x7f3", "BB" * 32, 12, None, shop.clock())
        kept, voice = (await self.waiting(shop, stored.conversation)).attachments
        assert (kept.path, kept.sha256, kept.size, kept.error) == (PurePath("x7f3"), "bb" * 32, 12, None)
        assert (voice.path, voice.error) == (None, None)
        assert await shop.store.attachment_file("bb" * 32) == "x7f3"
        assert await shop.store.attachment_file("aa" * 32) is None
        assert "fetched" in await shop.told(stored.id)

    async def test_a_file_that_cannot_be_had_says_why(self, shop: StoreScenario) -> None:
        [stored] = (await shop.take(with_files("in-1", PHOTO))).stored
        [photo] = (await self.waiting(shop, stored.conversation)).attachments
        await shop.store.keep_attachment(photo.id, None, "", 0, "larger than 25 MB", shop.clock())
        [refused] = (await self.waiting(shop, stored.conversation)).attachments
        assert refused == replace(photo, error="larger than 25 MB")
        assert await shop.store.attachment_file("aa" * 32) is None
        assert "not_fetched" in await shop.told(stored.id)

    async def test_nothing_is_kept_of_a_file_that_nobody_sent(self, shop: StoreScenario) -> None:
        with pytest.raises(NotFound):
            await shop.store.keep_attachment("a999", "x", "cc" * 32, 1, None, shop.clock())

    async def test_old_files_expire_in_steps_and_one_that_is_still_used_stays(self, shop: StoreScenario) -> None:
        now = shop.clock()
        for n, (age, file) in enumerate([(9, "old"), (8, "shared"), (8, "older-twin"), (8, "older-twin"), (1, "shared")]):
            [stored] = (await shop.take(with_files(f"in-{n}", PHOTO, at=now - age * DAY))).stored
            [photo] = (await self.waiting(shop, stored.conversation, n)).attachments
            await shop.store.keep_attachment(photo.id, file, f"{n % 3:064}", 1, None, now)
        for name in ("old", "older-twin"):
            assert await shop.store.old_files(now - 7 * DAY, 1) == [name]
            assert await shop.store.old_files(now - 7 * DAY, 1) == [name], "nothing is forgotten before it is gone"
            await shop.store.forget_files([name], now)
        assert await shop.store.old_files(now - 7 * DAY, 1) == []
        lines = (await shop.reading(stored.conversation)).waiting
        shared = PurePath("shared")
        assert [line.attachments[0].path for line in lines] == [None, shared, None, None, shared]
        assert [line.attachments[0].error for line in lines] == ["expired", None, "expired", "expired", None]

    # downloads

    async def due(self, shop: StoreScenario, limit: int = 10) -> list[str]:
        """Return the references of what is still to be fetched, the soonest due first."""
        return [each.attachment.reference for each in await shop.store.downloads(ACCOUNT, limit)]

    async def test_every_file_is_due_from_its_arrival_whoever_answers(self, shop: StoreScenario) -> None:
        [stored] = (await shop.take(with_files("in-1", PHOTO, VOICE, at=77))).stored
        for n, verdict in enumerate((InboundDecision(skip="recorded"), WISH, STOP, None)):
            shop.clock.forward(1_000)
            await shop.take(with_files(f"in-{n + 2}", replace(PHOTO, reference=f"ref-{n + 3}")), verdict=verdict)
        assert await self.due(shop) == [f"ref-{n}" for n in range(1, 7)]
        assert await self.due(shop, 1) == ["ref-1"]
        first = (await shop.store.downloads(ACCOUNT, 1))[0]
        assert (first.conversation, first.account, first.at, first.tries) == (stored.conversation, ACCOUNT, 77, 0)
        assert first.due == shop.clock() - 4_000
        assert await shop.store.downloads("test:2", 10) == []

    async def test_a_failed_download_is_due_later_and_says_so_once(self, shop: StoreScenario) -> None:
        [stored] = (await shop.take(with_files("in-1", PHOTO, VOICE))).stored
        photo = (await shop.store.downloads(ACCOUNT, 1))[0].attachment
        for tries, wait in ((1, 9_000), (2, 5_000)):
            await shop.store.postpone_download(photo.id, shop.clock() + wait, "busy", shop.clock())
            found = await shop.store.download(photo.id)
            assert found is not None
            assert (found.due, found.tries, found.attachment.state) == (shop.clock() + wait, tries, "pending")
        assert await self.due(shop) == ["ref-2", "ref-1"]
        assert (await shop.told(stored.id)).count("fetch_delayed") == 1

    async def test_what_is_settled_is_not_due_any_more(self, shop: StoreScenario) -> None:
        await shop.take(with_files("in-1", PHOTO, VOICE))
        photo, voice = [each.attachment for each in await shop.store.downloads(ACCOUNT, 10)]
        await shop.store.keep_attachment(photo.id, "x7", "bb" * 32, 12, None, shop.clock())
        await shop.store.keep_attachment(voice.id, None, "", 0, "gone", shop.clock())
        assert await self.due(shop) == []
        await shop.store.postpone_download(voice.id, shop.clock(), "busy", shop.clock())
        assert await self.due(shop) == []
        for each, state in ((photo, "fetched"), (voice, "failed")):
            found = await shop.store.download(each.id)
            assert found is not None
            assert (found.due, found.attachment.state) == (None, state)
        assert await shop.store.download("a999") is None

    async def test_files_that_a_row_names_are_known(self, shop: StoreScenario) -> None:
        await shop.take(with_files("in-1", PHOTO, VOICE))
        for each, file in zip(await shop.store.downloads(ACCOUNT, 10), ("x7", "x8"), strict=True):
            await shop.store.keep_attachment(each.attachment.id, file, "bb" * 32, 12, None, shop.clock())
        await shop.store.forget_files(["x8"], shop.clock())
        assert set(await shop.store.named_files(["x7", "x8", "x9"])) == {"x7"}
        assert set(await shop.store.named_files([])) == set()

    async def test_nothing_is_fetched_for_somebody_who_is_being_erased(self, shop: StoreScenario) -> None:
        await shop.take(with_files("in-1", PHOTO), with_files("in-2", VOICE, person=KOFI))
        photo = (await shop.store.downloads(ACCOUNT, 1))[0].attachment
        await shop.store.start_erasure("US.1", shop.clock())
        for erased in (False, True):
            assert await self.due(shop) == ["ref-2"]
            assert await shop.store.download(photo.id) is None
            await shop.store.postpone_download(photo.id, shop.clock(), "busy", shop.clock())
            with pytest.raises(NotFound):
                await shop.store.keep_attachment(photo.id, "x7", "bb" * 32, 12, None, shop.clock())
            while not erased and await shop.store.continue_erasure(10):
                pass

    # quotes

    async def test_a_line_says_what_it_quotes(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("red or blue?")
        await shop.send(conversation, "a1", "out-1")
        await shop.take(quoting("in-2", "out-1"), quoting("in-3", "in-1"), quoting("in-4", "never-seen"), message("in-5"))
        view = await shop.reading(conversation)
        assert [line.quoted for line in view.waiting] == ["red or blue?", "hello", None, None]
        assert [line.quoted_by for line in view.waiting] == ["assistant", "customer", None, None]
        await shop.answer(conversation, "fine")
        await shop.take(message("in-6"))
        assert [line.quoted for line in (await shop.reading(conversation)).history][2:4] == ["red or blue?", "hello"]

    async def test_nobody_quotes_what_somebody_else_said(self, shop: StoreScenario) -> None:
        await shop.take(message("in-1", KOFI, text="a secret"))
        [stored] = (await shop.take(quoting("in-2", "in-1"))).stored
        assert (await self.waiting(shop, stored.conversation)).quoted is None

    async def test_two_conversations_of_one_person_may_quote_each_other(self, shop: StoreScenario) -> None:
        await shop.asked(Identity(phone="15550009999"), "in-1")
        await shop.take(message("in-2", Identity(user_id="US.9"), text="hidden"))
        both = Identity(user_id="US.9", phone="15550009999")
        [stored] = (await shop.take(quoting("in-3", "in-2", both))).stored
        assert (await self.waiting(shop, stored.conversation, 1)).quoted == "hidden"

    async def test_a_part_may_quote_a_message_of_its_conversation(self, shop: StoreScenario) -> None:
        other = (await shop.reading(await shop.asked(KOFI, "in-9"))).waiting[0].id
        conversation = await shop.asked(ANA, "in-1")
        line = await self.waiting(shop, conversation)
        attempt = await shop.store.begin_reply(conversation, [line.id], shop.clock())
        drafts = [
            OutgoingContent("a", reply_to=line.id),
            OutgoingContent("b", reply_to=other),
            OutgoingContent("c", reply_to="nonsense"),
            OutgoingContent("d"),
        ]
        await shop.store.save_reply(conversation, attempt, [line.id], drafts, None, shop.clock())
        quotes = []
        for n in range(4):
            quotes.append((await shop.next(conversation)).part.reply_to)
            await shop.send(conversation, f"a{n}", f"out-{n}")
        assert quotes == ["in-1", None, None, None]

    async def test_a_part_quotes_nothing_where_the_provider_gave_no_id(self, shop: StoreScenario) -> None:
        [stored] = (await shop.take(message(None))).stored
        attempt = await shop.store.begin_reply(stored.conversation, [stored.id], shop.clock())
        draft = OutgoingContent("a", reply_to=stored.id)
        await shop.store.save_reply(stored.conversation, attempt, [stored.id], [draft], None, shop.clock())
        assert (await shop.next(stored.conversation)).part.reply_to is None

    # readings

    async def test_what_a_responder_found_in_a_message_becomes_its_text(self, shop: StoreScenario) -> None:
        foreign = (await shop.reading(await shop.asked(KOFI, "in-9", "mine"))).waiting[0].id
        conversation = await shop.asked(ANA, "in-1", "(a voice message)")
        line = await self.waiting(shop, conversation)
        attempt = await shop.store.begin_reply(conversation, [line.id], shop.clock())
        readings = {line.id: "two tickets, please", foreign: "stolen", "nonsense": "?"}
        await shop.store.save_reply(
            conversation,
            attempt,
            [line.id],
            [OutgoingContent("sure")],
            None,
            shop.clock(),
            ReplySideEffects(transcripts=readings),
        )
        assert (await shop.found("in-1")).text == "two tickets, please"
        assert (await shop.found("in-9")).text == "mine"
        assert await shop.told(line.id) == ["received", "asked", "answered", "reading"]
        assert "reading" not in await shop.told(foreign)

    async def test_a_reading_never_changes_what_was_said_to_the_customer(self, shop: StoreScenario) -> None:
        conversation = await shop.answered("one")
        part = await shop.send(conversation, "a1", "out-1")
        await shop.take(message("in-2"))
        line = await self.waiting(shop, conversation)
        attempt = await shop.store.begin_reply(conversation, [line.id], shop.clock())
        await shop.store.save_reply(
            conversation, attempt, [line.id], [], None, shop.clock(), ReplySideEffects(transcripts={part: "something else"})
        )
        assert (await shop.found(part)).text == "one"
