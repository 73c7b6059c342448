"""What every store promises about people of the business who are told of customers, and about what customers wait for them."""

from __future__ import annotations

from dataclasses import replace

from sara import Identity, InboundMessage, OutgoingContent
from sara.engines import Handoff, InboundBatch, LocalizedContent, OperatorNotification
from sara.testing.store.scenario import ACCOUNT, ANA, STOP, WISH, StoreScenario, arrival, message

BOSS = Identity(user_id="DE.7", phone="4917012345", name="Rita")
CALL = OperatorNotification(
    ACCOUNT,
    Identity(phone="4917012345"),
    OutgoingContent("{name} ({number}, {conversation}) needs you: {reason}\n{words}\n{other}"),
    {"name": "Ana {number}", "reason": "{words}"},
)
NOTICE: LocalizedContent = {"": OutgoingContent("This reaches nobody."), "de": OutgoingContent("Das erreicht niemanden.")}
HOUR = 3_600_000


class OperatorsExam:
    """Part of `StoreContract`."""

    async def test_an_operator_is_told_who_it_is_and_what_they_said_last(self, shop: StoreScenario) -> None:
        """Values are put in once: braces that a customer typed stay what they are."""
        hidden, named = Identity(user_id="US.1"), Identity(user_id="US.1", username="ana")
        long = "x" * 300
        rows = [
            (ANA, ["one", "two", "three", "hel\n\nlo {number}"], "+15550001111", "> two\n> three\n> hel lo {number}"),
            (named, ["hi"], "@ana", "> hi"),
            (hidden, [""], "US.1", "> [text]"),
            (replace(ANA, name=None), [long], "+15550001111", f"> {long[:199]}…"),
        ]
        for n, (person, texts, number, words) in enumerate(rows):
            for at, text in enumerate(texts):
                [stored] = (await shop.take(message(f"in-{n}-{at}", person, text))).stored
            asked = stored.conversation
            work = await shop.store.hand_over(asked, Handoff("customer", tell=CALL), shop.clock())
            [told] = [each.conversation for each in work if each.conversation != asked]
            text = (await shop.next(told)).part.text
            assert text == f"Ana {{number}} ({number}, {asked}) needs you: {{words}}\n{words}\n{{other}}", n
            for who in ("15550001111", "US.1", "4917012345"):
                if await shop.store.subject_data(who) is not None:
                    await shop.store.start_erasure(who, shop.clock())

    async def test_what_an_operator_writes_asks_no_responder(self, shop: StoreScenario) -> None:
        """By any of their names and whatever they say; only their own silence is theirs to ask for."""
        spelt = Identity(phone="551112345678")
        rows = [
            ("by number", Identity(phone="4917012345"), BOSS, None, "skipped", "operator", 0),
            ("by another spelling", Identity(phone="5511912345678"), spelt, None, "skipped", "operator", 0),
            ("by id", Identity(user_id="DE.7"), BOSS, None, "skipped", "operator", 0),
            ("asks for a person", Identity(phone="4917012345"), BOSS, WISH, "skipped", "operator", 0),
            ("asks for silence", Identity(phone="4917012345"), BOSS, STOP, "skipped", "opt_out", 0),
            ("somebody else", Identity(phone="4917099999"), ANA, None, "waiting", None, 1),
        ]
        for n, (name, operator, writes, verdict, state, reason, due) in enumerate(rows):
            intake = InboundBatch(
                ACCOUNT, (arrival(message(f"in-{n}", writes), verdict),), operators=(operator,), operator_notice=NOTICE
            )
            taken = await shop.store.accept(intake, shop.clock())
            [stored] = taken.stored
            assert (stored.state, stored.reason) == (state, reason), name
            assert sum(each.reply_due is not None for each in taken.work) == due, name
            assert (await shop.reading(stored.conversation)).mode == "bot", name
            said = [text for text, _ in await shop.lines(stored.conversation)]
            assert ("This reaches nobody." in said) is (reason == "operator"), name
            await shop.store.start_erasure(stored.contact, shop.clock())

    async def test_an_operators_answer_to_a_call_asks_no_responder_by_whatever_name_it_comes(self, shop: StoreScenario) -> None:
        """The quotation alone tells, also where the file names nobody any more."""
        asked = await shop.asked()
        [_, told] = await shop.store.hand_over(asked, Handoff("customer", tell=CALL), shop.clock())
        await shop.send(told.conversation, "a1", "call-1")
        for n, quoted in enumerate(("call-1", None)):
            said = InboundMessage(
                ACCOUNT, f"op-{n}", Identity(user_id="DE.9"), "text", "ok", shop.clock(), reply_to=quoted, raw="{}"
            )
            [stored] = (
                await shop.store.accept(InboundBatch(ACCOUNT, (arrival(said),), operator_notice=NOTICE), shop.clock())
            ).stored
            assert (stored.state, stored.reason) == (("skipped", "operator") if quoted else ("waiting", None))

    async def test_an_operator_is_told_once_an_hour_that_nobody_gets_it(self, shop: StoreScenario) -> None:
        async def write(n: int) -> list[str]:
            written = arrival(message(f"in-{n}", BOSS))
            intake = InboundBatch(ACCOUNT, (replace(written, language="de"),), operators=(BOSS,), operator_notice=NOTICE)
            [stored] = (await shop.store.accept(intake, shop.clock())).stored
            return [text for text, _ in await shop.lines(stored.conversation) if text != "hello"]

        for n, (passes, told) in enumerate(((0, 1), (HOUR, 1), (1, 2), (HOUR + 1, 3))):
            shop.clock.forward(passes)
            assert await write(n) == ["Das erreicht niemanden."] * told

    async def test_the_list_tells_who_waits_for_a_person_from_whom_one_answered(self, shop: StoreScenario) -> None:
        conversation = await shop.asked(text="help")
        listed = await shop.store.conversation(conversation)
        assert (listed.mode, listed.person_since, listed.phone) == ("bot", None, "15550001111")
        assert (listed.last_direction, listed.last_kind, listed.last_text) == ("in", "text", "help")
        start = shop.clock()
        await shop.store.hand_over(conversation, Handoff("customer"), start)
        assert (await shop.store.conversation(conversation)).person_since == start
        [waits] = await shop.store.unhealthy(start, HOUR, 0, 10)
        assert (waits.reason, waits.since, waits.phone) == ("waiting_for_person", start, "15550001111")
        work = await shop.store.enqueue_messages(
            conversation, [OutgoingContent("I am here."), OutgoingContent("Rita")], "operator", "operator", start
        )
        assert [(await shop.found(part)).text for part in work.parts] == ["I am here.", "Rita"]
        listed = await shop.store.conversation(conversation)
        assert (listed.mode, listed.person_since) == ("human", None)
        assert (listed.last_direction, listed.last_text) == ("out", "Rita")
        shop.clock.forward(60_000)
        await shop.take(message("in-2", text="thanks", at=shop.clock()))
        assert (await shop.store.conversation(conversation)).person_since == shop.clock()
        await shop.store.hand_back(conversation, "operator", shop.clock(), {})
        assert (await shop.store.conversation(conversation)).person_since is None

    async def test_a_note_is_added_below_the_former_or_takes_their_place(self, shop: StoreScenario) -> None:
        conversation = await shop.asked()
        rows = (
            ("likes tea", True, "likes tea"),
            ("no nuts", True, "likes tea\nno nuts"),
            ("moved", False, "moved"),
            ("", False, ""),
        )
        for text, append, notes in rows:
            await shop.store.note(conversation, text, "operator", shop.clock(), append=append)
            assert (await shop.store.conversation(conversation)).notes == notes
