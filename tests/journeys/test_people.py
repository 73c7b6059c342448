"""One person is one conversation, whatever WhatsApp shows of them; two people never share one."""

from __future__ import annotations

from dataclasses import replace

from sara_simulators.whatsapp import ChatMessage, WhatsAppSimulator
from sara_simulators.whatsapp.state import new_wamid
from sara_simulators.whatsapp.webhooks import encode_body, inbound_webhook

from sara.domain.messages import StoredMessage

from .conftest import Town
from .test_window import ALMOST_A_DAY

NOX_ID = "DE.40000000000000000444"


def addresses(phone: WhatsAppSimulator) -> list[tuple[str | None, str | None]]:
    """Where each accepted message was sent: the number or the user id."""
    return [(send.to, send.recipient) for send in phone.accepted]


async def said(town: Town, count: int) -> list[StoredMessage]:
    """All messages, once so many answers were read."""
    await town.stored(count, direction="out", state="read")
    return await town.messages()


async def test_a_customer_whose_number_is_hidden_converses_and_stays_the_same_when_it_shows(town: Town) -> None:
    await town.start()
    await town.phone.say("nox", "can you help me without my number?")
    await said(town, 1)
    await town.phone.say("nox", "and again?")
    await said(town, 2)
    shown = replace(town.phone.customers["nox"], phone="15550004444")
    await town.phone.say(shown, "here is my number")
    messages = await said(town, 3)
    assert len({message.conversation for message in messages}) == len({message.contact for message in messages}) == 1
    assert addresses(town.phone) == [(None, NOX_ID), (None, NOX_ID), ("+15550004444", None)]
    # The AI reads all of it as one conversation.
    told = [message["content"] for message in town.ai.calls[-1].messages if message["role"] == "user"]
    assert told == ["can you help me without my number?", "and again?", "here is my number"]


async def test_a_customer_who_hides_the_number_stays_the_same(town: Town) -> None:
    await town.start()
    await town.phone.say("mei", "hello")
    await said(town, 1)
    await town.phone.say(replace(town.phone.customers["mei"], phone=None), "still me")
    messages = await said(town, 2)
    assert len({message.conversation for message in messages}) == 1


async def test_a_customer_from_before_user_ids_stays_the_same_with_one_and_then_without_a_number(town: Town) -> None:
    await town.start()
    lee = town.phone.add_customer("Lee", phone="15550006666", user_id="US.66600000000000000666")
    for n, seen in enumerate((replace(lee, user_id=None), lee, replace(lee, phone=None)), 1):
        await town.phone.say(seen, f"message {n}")
        await said(town, n)
    messages = await town.messages()
    assert len({message.conversation for message in messages}) == len({message.contact for message in messages}) == 1


async def test_a_card_with_somebody_elses_number_opens_nobodys_conversation(town: Town) -> None:
    await town.start()
    await town.phone.say("ana", "my secret")
    await said(town, 1)
    claimed = {"origin": "contact_request", "phones": [{"phone": "+15550001111", "wa_id": "15550001111", "type": "CELL"}]}
    await town.phone.say("nox", {"type": "contacts", "contacts": [claimed]})
    await said(town, 2)
    await town.phone.say("nox", "what did I tell you?")
    await said(town, 3)
    assert addresses(town.phone)[1:] == [(None, NOX_ID)] * 2
    by_nox = [message for call in town.ai.calls[1:] for message in call.messages]
    assert not [message for message in by_nox if "my secret" in str(message["content"])]


async def test_a_number_that_has_a_new_owner_does_not_hand_over_the_conversation(town: Town) -> None:
    await town.start()
    await town.phone.say("ana", "my secret")
    await said(town, 1)
    await town.phone.say(town.phone.add_customer("Newcomer", phone="15550001111", user_id="US.77700000000000000777"), "hi")
    messages = await said(town, 2)
    assert len({message.conversation for message in messages}) == 2
    assert not [message for message in town.ai.calls[1].messages if "my secret" in str(message["content"])]


async def test_somebody_who_changes_number_and_id_goes_on_in_the_same_conversation(town: Town) -> None:
    await town.start()
    ana = town.phone.customers["ana"]
    await town.phone.say(ana, "hello")
    await said(town, 1)
    moved = replace(ana, phone="15550001199", user_id="US.10000000000000000199")
    system = {
        "type": "user_changed_number",
        "body": "Ana moved",
        "wa_id": moved.phone,
        "user_id": moved.user_id,
        "previous_user_id": ana.user_id,
    }
    await town.phone.say(ana, {"type": "system", "system": system})
    await town.stored(2, direction="in")
    await town.phone.say(moved, "my new number")
    messages = await said(town, 2)
    assert len({message.conversation for message in messages}) == 1
    assert addresses(town.phone) == [("+15550001111", None), ("+15550001199", None)]
    # Whoever gets the old number next is somebody else.
    await town.phone.say(town.phone.add_customer("Next", phone=ana.phone, user_id="US.88800000000000000888"), "hi")
    assert len({message.conversation for message in await said(town, 3)}) == 2


async def test_what_was_parked_for_one_name_of_a_person_comes_when_they_write_under_another(town: Town) -> None:
    town.config["conversation"]["max_age"] = "30d"
    await town.start()
    lee = town.phone.add_customer("Lee", phone="15550006666", user_id="US.66600000000000000666")
    await town.phone.say(replace(lee, user_id=None), "by number")
    await said(town, 1)
    hidden, phone = replace(lee, phone=None), town.phone
    content = {"type": "text", "text": {"body": "late, by id"}}
    at = phone.settings.clock() - ALMOST_A_DAY
    bubble = ChatMessage(new_wamid("0", outbound=False), "lee", "customer", "text", content, "late, by id", at, "sent")
    assert await phone.post(encode_body(inbound_webhook(phone.settings, [(hidden, bubble)])))
    [parked] = await town.stored(1, state="parked")

    async def a_second_later() -> bool:  # the customer's times are whole seconds
        return phone.settings.clock() // 1_000 > parked.at // 1_000

    await town.until(a_second_later)
    await phone.say(lee, "both")
    answers = await town.answers(3)
    assert sorted(answers) == ["echo: both", "echo: by number", "echo: late, by id"]
    assert len({message.conversation for message in await town.messages()}) == 2


async def test_two_changes_of_number_told_in_reverse_leave_the_last_one(town: Town) -> None:
    await town.start()
    first = town.phone.customers["ana"]
    await town.phone.say(first, "hello")
    await said(town, 1)
    second = replace(first, phone="15550001199", user_id="US.10000000000000000199")
    third = replace(first, phone="15550001299", user_id="US.10000000000000000299")
    for n, (before, after) in enumerate(((second, third), (first, second)), 1):
        moved = {"type": "user_changed_number", "body": "moved", "wa_id": after.phone, "user_id": after.user_id}
        await town.phone.say(before, {"type": "system", "system": {**moved, "previous_user_id": before.user_id}})
        await town.stored(n + 1, direction="in")
    await town.phone.say(third, "it is me")
    await said(town, 2)
    assert town.phone.accepted[-1].to == f"+{third.phone}"
    asked = [message for message in await town.messages(direction="in") if message.kind == "text"]
    assert len({message.conversation for message in asked}) == 1
