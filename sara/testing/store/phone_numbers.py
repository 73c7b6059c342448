"""What every store promises about numbers: people write them in several ways, and a provider knows somebody by one of them."""

from __future__ import annotations

from sara import Identity, OperatorEcho, OutgoingContent
from sara.engines import AttemptResult, AttemptState, Handoff, OperatorNotification, OutboundState
from sara.testing.store.scenario import ACCOUNT, StoreScenario, message

# Each as somebody writes it, and as the provider knows it.
SPELLINGS = (
    ("5511912345678", "551112345678"),
    ("553112345678", "5531912345678"),
    ("5215512345678", "525512345678"),
    ("525512345678", "5215512345678"),
    ("541112345678", "5491112345678"),
    ("54111512345678", "5491112345678"),
)


def call(number: str) -> Handoff:
    """Tell somebody of the business, by their number as it stands in the file."""
    return Handoff(
        "customer",
        "help",
        tell=OperatorNotification(ACCOUNT, Identity(phone=number), OutgoingContent("{conversation} needs you")),
    )


class NumbersExam:
    """Part of `StoreContract`."""

    async def test_whoever_is_named_by_another_spelling_of_their_number_is_the_same_person(self, shop: StoreScenario) -> None:
        for n, (written, known) in enumerate(SPELLINGS):
            [first] = (await shop.take(message(f"op-{n}", Identity(user_id=f"BR.{n}", phone=known)))).stored
            asked = await shop.asked(Identity(user_id=f"US.{n}"), f"in-{n}")
            touched = [each.conversation for each in await shop.store.hand_over(asked, call(written), shop.clock())]
            assert touched == [asked, first.conversation], written
            assert (await shop.store.conversation(first.conversation)).address == known, "messages go where they came from"
            found = await shop.store.subject_data(written)
            assert found is not None
            assert found.conversations == (first.conversation,), written
            await shop.store.start_erasure(known, shop.clock())

    async def test_an_answer_from_the_phone_app_names_its_customer_by_any_spelling(self, shop: StoreScenario) -> None:
        for n, (written, known) in enumerate(SPELLINGS[:5]):
            conversation = await shop.asked(Identity(user_id=f"BR.{n}", phone=known), f"in-{n}")
            await shop.change(
                OperatorEcho(ACCOUNT, f"echo-{n}", Identity(phone=written), "text", "I will call you", shop.clock())
            )
            assert await shop.lines(conversation) == [("hello", "skipped"), ("I will call you", "sent")], written
            await shop.store.start_erasure(known, shop.clock())

    async def test_the_number_itself_comes_before_its_other_spellings(self, shop: StoreScenario) -> None:
        landline = await shop.asked(Identity(user_id="AR.1", phone="541112345678"), "in-1")
        mobile = await shop.asked(Identity(user_id="AR.2", phone="5491112345678"), "in-2")
        assert landline != mobile, "a provider means its own spelling"
        for number, conversation in (("541112345678", landline), ("5491112345678", mobile)):
            found = await shop.store.subject_data(number)
            assert found is not None
            assert found.conversations == (conversation,)
            echo = OperatorEcho(ACCOUNT, f"echo-{number}", Identity(phone=number), "text", "hi", shop.clock())
            await shop.change(echo)
            assert (await shop.lines(conversation))[-1] == ("hi", "sent")

    async def test_who_was_only_a_number_in_a_file_is_known_when_they_write_under_another_spelling(
        self, shop: StoreScenario
    ) -> None:
        asked = await shop.asked()
        [_, told] = [each.conversation for each in await shop.store.hand_over(asked, call("5511912345678"), shop.clock())]
        [wrote] = (await shop.take(message("op-1", Identity(user_id="BR.1", phone="551112345678", name="Bea")))).stored
        assert wrote.conversation == told
        assert (await shop.store.conversation(told)).address == "551112345678"
        again = await shop.store.hand_over(
            await shop.asked(Identity(user_id="US.5"), "in-5"), call("5511912345678"), shop.clock()
        )
        assert told in [each.conversation for each in again]

    async def test_the_number_that_a_message_went_to_is_learnt_from_the_answer_to_it(self, shop: StoreScenario) -> None:
        """Also where no rule is known for the country: the provider names it."""
        asked = await shop.asked()
        [_, told] = [each.conversation for each in await shop.store.hand_over(asked, call("99912345678"), shop.clock())]
        await shop.begin(told, "a1")
        outcome = AttemptResult(
            AttemptState.ACCEPTED, OutboundState.ACCEPTED, external_id="out-1", recipient=Identity(phone="9992345678")
        )
        await shop.store.record_attempt("a1", outcome, shop.clock())
        [wrote] = (await shop.take(message("op-1", Identity(user_id="XX.1", phone="9992345678")))).stored
        assert wrote.conversation == told
        again = await shop.store.hand_over(await shop.asked(Identity(user_id="US.5"), "in-5"), call("99912345678"), shop.clock())
        assert told in [each.conversation for each in again], "the number in the file finds them still"

    async def test_an_answer_joins_a_number_in_a_file_with_who_wrote_under_the_real_one(self, shop: StoreScenario) -> None:
        [wrote] = (await shop.take(message("op-1", Identity(user_id="XX.1", phone="9992345678")))).stored
        asked = await shop.asked()
        [_, told] = [each.conversation for each in await shop.store.hand_over(asked, call("99912345678"), shop.clock())]
        assert told != wrote.conversation
        await shop.begin(told, "a1")
        outcome = AttemptResult(
            AttemptState.ACCEPTED, OutboundState.ACCEPTED, external_id="out-1", recipient=Identity(phone="9992345678")
        )
        await shop.store.record_attempt("a1", outcome, shop.clock())
        found = await shop.store.subject_data("99912345678")
        assert found is not None
        assert set(found.conversations) == {told, wrote.conversation}

    async def test_an_answer_teaches_nothing_about_who_is_known_by_an_id(self, shop: StoreScenario) -> None:
        ana = Identity(user_id="US.1", phone="15550001111")
        conversation = await shop.answered("one", person=ana)
        kofi = await shop.asked(Identity(user_id="GH.2", phone="15550002222"), "in-9")
        await shop.begin(conversation, "a1")
        outcome = AttemptResult(
            AttemptState.ACCEPTED, OutboundState.ACCEPTED, external_id="out-1", recipient=Identity(phone="15550002222")
        )
        await shop.store.record_attempt("a1", outcome, shop.clock())
        assert (await shop.store.conversation(conversation)).address == "15550001111"
        found = await shop.store.subject_data("15550002222")
        assert found is not None
        assert found.conversations == (kofi,)

    async def test_a_number_is_found_however_it_is_written(self, shop: StoreScenario) -> None:
        conversation = await shop.asked(Identity(user_id="BR.1", phone="551112345678", name="Bia"), "in-1")
        await shop.asked(Identity(user_id="US.1", phone="15550001111", name="Ana"), "in-2")
        for written in (
            *("+55 (11) 91234-5678", "0055 11 91234 5678", "551112345678", "+55 11 1234-5678", "tel:+5511912345678"),
            *("٥٥١١١٢٣٤٥٦٧٨", "\u202a+55 11 91234-5678\u202c"),
        ):
            found = await shop.store.subject_data(written)
            assert found is not None, written
            assert found.conversations == (conversation,), written
            assert [each.id for each in await shop.store.conversations(9, written)] == [conversation], written
        for part in ("1234-5678", "011 1234-5678", "bia"):
            assert [each.id for each in await shop.store.conversations(9, part)] == [conversation], part
        for nobody in ("+55 11 99999-9999", "+49 170 1234567", "nobody"):
            assert await shop.store.subject_data(nobody) is None
            assert await shop.store.conversations(9, nobody) == []
