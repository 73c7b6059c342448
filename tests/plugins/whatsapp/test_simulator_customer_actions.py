"""Everything that a customer can do with a phone arrives at the webhook as Meta writes it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sara_simulators.whatsapp import WhatsAppSimulator

from tests.plugins.whatsapp.provider import Client, Receiver, settled, shape

SAMPLES = Path(__file__).parents[2] / "data" / "webhooks"
MEI = "+15550003333"
Deed = Callable[[WhatsAppSimulator], Awaitable[Any]]


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))


def buttons(*titles: str) -> dict[str, Any]:
    offered = [{"type": "reply", "reply": {"id": f"id-{title}", "title": title}} for title in titles]
    return {"type": "button", "body": {"text": "Which?"}, "action": {"buttons": offered}}


def slots() -> dict[str, Any]:
    rows = [{"id": "ten", "title": "Wed 10:00", "description": "Next free slot"}, {"id": "eleven", "title": "Wed 11:00"}]
    return {"type": "list", "body": {"text": "When?"}, "action": {"button": "Look", "sections": [{"title": "Wed", "rows": rows}]}}


@pytest.mark.parametrize(
    ("name", "deed"),
    [
        ("10_image_caption_url", lambda s: s.say_picture("ana", mime="image/jpeg", caption="What plant is this?")),
        ("12_audio_voice", lambda s: s.say_voice("ana")),
        ("14_video_caption", lambda s: s.say_video("mei", caption="Noise starts at 0:12")),
        ("15_document_pdf", lambda s: s.say_document("ana", name="Rechnung März.pdf", caption="Invoice")),
        ("19_contacts_phone_shared", lambda s: s.say_number("nox")),
        ("26_system_number_changed", lambda s: s.change_number("ana")),
        ("27_system_bsuid_changed", lambda s: s.change_number("nox")),
    ],
)
async def test_it_has_metas_shape(simulator: WhatsAppSimulator, hook: Receiver, name: str, deed: Deed) -> None:
    await deed(simulator)
    await settled(simulator)
    assert shape(json.loads(hook.raw[0][0])) == shape(sample(name))


async def test_files_of_every_kind_can_be_sent(simulator: WhatsAppSimulator, hook: Receiver) -> None:
    await simulator.say_sticker("kofi")
    await simulator.say_audio("kofi", b"ID3")
    await settled(simulator)
    sticker, audio = hook.messages
    assert (sticker["sticker"]["mime_type"], sticker["sticker"]["animated"]) == ("image/webp", False)
    assert (audio["audio"]["mime_type"], audio["audio"]["voice"]) == ("audio/mpeg", False)


async def test_a_place_has_a_name_only_if_it_was_given_one(simulator: WhatsAppSimulator, hook: Receiver) -> None:
    await simulator.say_location("ana", 52.5, 13.4, "Sample Square", "Sample Square 1")
    await simulator.say_location("ana", -33, -70.5)
    await settled(simulator)
    assert [message["location"] for message in sorted(hook.messages, key=lambda message: -message["location"]["latitude"])] == [
        {"latitude": 52.5, "longitude": 13.4, "name": "Sample Square", "address": "Sample Square 1"},
        {"latitude": -33, "longitude": -70.5},
    ]


async def test_a_card_that_was_shared_by_hand_says_so(simulator: WhatsAppSimulator, hook: Receiver) -> None:
    await simulator.say_contact("ana", "Invented Person", ["+1 555-000-8888"])
    await settled(simulator)
    [card] = hook.messages[0]["contacts"]
    assert card["origin"] == "other"
    assert card["name"] == {"formatted_name": "Invented Person", "first_name": "Invented", "last_name": "Person"}
    assert card["phones"] == [{"phone": "+1 555-000-8888", "wa_id": "15550008888", "type": "CELL"}]
    assert "FN:Invented Person" in card["vcard"]


async def test_a_button_is_pressed_by_its_title_or_id(simulator: WhatsAppSimulator, client: Client, hook: Receiver) -> None:
    asked = await client.send(type="interactive", interactive=buttons("Confirm", "Cancel"))
    await simulator.press("ana", asked, "Confirm")
    await settled(simulator)
    await simulator.press("ana", asked, "id-Cancel")
    await settled(simulator)
    first, second = hook.messages
    assert shape(first) == shape(sample("20_interactive_button_reply")["entry"][0]["changes"][0]["value"]["messages"][0])
    assert first["interactive"]["button_reply"] == {"id": "id-Confirm", "title": "Confirm"}
    assert second["interactive"]["button_reply"]["title"] == "Cancel"
    assert first["context"] == {"from": "15550009000", "id": asked}
    with pytest.raises(KeyError, match="no 'Maybe' to press; there are Confirm, Cancel"):
        await simulator.press("ana", asked, "Maybe")


async def test_a_row_of_a_list_is_chosen(simulator: WhatsAppSimulator, client: Client, hook: Receiver) -> None:
    asked = await client.send(to=None, recipient="DE.40000000000000000444", type="interactive", interactive=slots())
    await simulator.press("nox", asked, "Wed 10:00")
    await settled(simulator)
    assert shape(hook.messages[0]) == shape(sample("21_interactive_list_reply")["entry"][0]["changes"][0]["value"]["messages"][0])
    expected = {"id": "ten", "title": "Wed 10:00", "description": "Next free slot"}
    assert hook.messages[0]["interactive"]["list_reply"] == expected


async def test_a_quick_reply_of_a_template_brings_its_payload_back(
    simulator: WhatsAppSimulator, client: Client, hook: Receiver
) -> None:
    payload = {"type": "button", "sub_type": "quick_reply", "index": "0", "parameters": [{"type": "payload", "payload": "ok-77"}]}
    wanted = {"name": "answer_waiting", "language": {"code": "en"}, "components": [payload]}
    asked = await client.send(to=MEI, type="template", text=None, template=wanted)
    await simulator.press("mei", asked, "Yes, please")
    await settled(simulator)
    assert shape(hook.messages[0]) == shape(
        sample("23_button_template_quick_reply")["entry"][0]["changes"][0]["value"]["messages"][0]
    )
    assert hook.messages[0]["button"] == {"payload": "ok-77", "text": "Yes, please"}
    await simulator.press("mei", asked, "No")
    await settled(simulator)
    assert hook.messages[1]["button"] == {"payload": "No", "text": "No"}


async def test_a_reaction_stands_on_its_message_until_it_is_taken_back(
    simulator: WhatsAppSimulator, client: Client, hook: Receiver
) -> None:
    wamid = await client.send()
    await simulator.react("ana", wamid, "👍")
    await settled(simulator)
    assert simulator.message(wamid).own_reaction == "👍"
    await simulator.react("ana", wamid, None)
    await settled(simulator)
    assert simulator.message(wamid).own_reaction is None
    assert [message["reaction"] for message in hook.messages] == [{"message_id": wamid, "emoji": "👍"}, {"message_id": wamid}]
    assert [bubble.id for bubble in simulator.chat("ana")] == [wamid]


async def test_a_quote_names_who_wrote_what_is_quoted(simulator: WhatsAppSimulator, client: Client, hook: Receiver) -> None:
    theirs = await client.send()
    own = await simulator.say("ana", "That one please", theirs)
    await settled(simulator)
    await simulator.say("ana", "I mean this", own)
    await settled(simulator)
    assert [message["context"] for message in hook.messages] == [
        {"from": "15550009000", "id": theirs},
        {"from": "15550001111", "id": own},
    ]


async def test_a_message_can_be_forwarded_a_few_times_or_often(simulator: WhatsAppSimulator, hook: Receiver) -> None:
    await simulator.say("ana", "FYI", forwarded=True)
    await settled(simulator)
    await simulator.say_picture("ana", forwarded="often")
    await settled(simulator)
    assert [message["context"] for message in hook.messages] == [{"forwarded": True}, {"frequently_forwarded": True}]


async def test_who_changed_their_number_writes_with_the_new_one(simulator: WhatsAppSimulator, hook: Receiver) -> None:
    old = simulator.customers["ana"]
    await simulator.change_number("ana", "15550001199")
    await settled(simulator)
    await simulator.say("ana", "It is still me.")
    await settled(simulator)
    told, said = hook.messages
    new = simulator.customers["ana"]
    assert (told["from"], told["system"]["wa_id"]) == (old.phone, "15550001199")
    assert (told["system"]["previous_user_id"], told["system"]["user_id"]) == (old.user_id, new.user_id)
    assert "contacts" not in hook.values[0]
    assert (said["from"], said["from_user_id"]) == ("15550001199", new.user_id)


async def test_a_hidden_number_can_be_shown_and_hidden_again(simulator: WhatsAppSimulator, hook: Receiver) -> None:
    shown = simulator.show_number("nox", "15550004444")
    await simulator.say("nox", "one")
    await settled(simulator)
    simulator.hide_number("nox")
    await simulator.say("nox", "two")
    await settled(simulator)
    assert shown == replace(simulator.customers["nox"], phone="15550004444")
    assert [message.get("from") for message in hook.messages] == ["15550004444", None]


def sample_messages() -> list[tuple[str, dict[str, Any]]]:
    """Every message of a customer in Meta's sample bodies, without what the simulator gives it itself."""
    own = {"from", "from_user_id", "from_parent_user_id", "id", "timestamp", "context"}
    found = []
    for file in sorted(SAMPLES.glob("*.json")):
        for entry in json.loads(file.read_text(encoding="utf-8"))["entry"]:
            for change in entry.get("changes", ()):
                for message in change["value"].get("messages", ()) if change["field"] == "messages" else ():
                    found.append((file.stem, {key: value for key, value in message.items() if key not in own}))
    return found


async def test_whatever_stands_in_a_sample_can_be_said_as_it_is(
    simulator: WhatsAppSimulator, client: Client, hook: Receiver
) -> None:
    shown = 0
    for name, message in sample_messages():
        hook.raw.clear()
        await simulator.say("ana", message)
        await settled(simulator)
        [said] = hook.messages
        assert {key: said[key] for key in message} == message, name
        shown += message["type"] != "reaction"
        async with client.session.get(f"{simulator.url}/phone/state") as answer:
            assert len((await answer.json())["bubbles"]) == shown, name


# ── from the page ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def page_says(client: Client, path: str, status: int = 200, data: bytes | None = None, **body: Any) -> Any:
    sent: dict[str, Any] = {"json": body} if data is None else {"data": data, "params": body}
    async with client.session.post(f"{client.simulator.url}/phone/{path}", **sent) as answer:
        assert answer.status == status
        return await answer.json()


async def test_the_page_can_send_everything(simulator: WhatsAppSimulator, client: Client, hook: Receiver) -> None:
    asked = await client.send(type="interactive", interactive=buttons("Yes", "No"))
    place = {"latitude": 1, "longitude": 2, "name": "Here"}
    for said in (
        {"press": "Yes", "reply_to": asked},
        {"reaction": "👍", "reply_to": asked},
        {"forward": True, "reply_to": asked},
        {"number": True},
        {"location": place},
        {"contact": {"name": "Invented Person", "phone": "+1 555 000 8888"}},
        {"text": "this one", "reply_to": asked},
    ):
        await page_says(client, "say", customer="ana", **said)
        await settled(simulator)
    kinds = [message["type"] for message in hook.messages]
    assert kinds == ["interactive", "reaction", "text", "contacts", "location", "contacts", "text"]
    assert hook.messages[2]["context"] == {"forwarded": True}
    assert hook.messages[4]["location"] == place
    assert hook.messages[6]["context"]["id"] == asked


async def test_the_page_can_send_files_and_show_them(simulator: WhatsAppSimulator, client: Client, hook: Receiver) -> None:
    await page_says(client, "file", data=b"\x89PNG", customer="ana", kind="image", caption="look")
    await page_says(client, "file", data=b"", customer="ana", kind="audio", sample="1", voice="1")
    await page_says(client, "file", data=b"<script>", customer="ana", kind="document", name="a.html")
    await settled(simulator)
    by_kind = {message["type"]: message for message in hook.messages}
    assert by_kind["image"]["image"]["caption"] == "look"
    assert by_kind["audio"]["audio"]["voice"] is True
    assert by_kind["document"]["document"]["filename"] == "a.html"
    shown = simulator.chat("ana")[1].view()["shown"]["file"]
    async with client.session.get(simulator.url + shown["src"]) as answer:
        assert (answer.content_type, (await answer.read())[:4]) == ("audio/ogg", b"OggS")
    async with client.session.get(simulator.url + simulator.chat("ana")[2].view()["shown"]["file"]["src"]) as answer:
        assert answer.content_type == "application/octet-stream"
        assert answer.headers["Content-Disposition"] == "attachment"
        assert "sandbox" in answer.headers["Content-Security-Policy"]


async def test_files_of_the_business_can_be_forwarded_back(simulator: WhatsAppSimulator, client: Client, hook: Receiver) -> None:
    wamid = await client.send(type="image", text=None, image={"id": await client.file("image/png"), "caption": "a cat"})
    await settled(simulator)
    await page_says(client, "say", customer="ana", forward=True, reply_to=wamid)
    await settled(simulator)
    [message] = hook.messages
    assert (message["type"], message["image"]["caption"], message["context"]) == ("image", "a cat", {"forwarded": True})
    assert await client.download(message["image"]["url"]) == (200, b"something")


async def test_the_page_can_change_who_a_customer_is(simulator: WhatsAppSimulator, client: Client) -> None:
    async def do(what: str, status: int = 200, customer: str = "ana", **more: str) -> None:
        url = f"{simulator.url}/phone/customers/{customer}"
        async with client.session.put(url, json={"do": what, **more}) as answer:
            assert answer.status == status

    await simulator.say("ana", "hi")
    await do("close_window")
    assert await client.refused() == (400, 131047)
    await do("hide_number")
    assert simulator.customers["ana"].phone is None
    await do("show_number")
    await do("change_number", phone="+1 555 000 1199")
    assert simulator.customers["ana"].phone == "15550001199"
    await do("change_number", 400, phone="+1 555 000 2222")
    await do("fly", 400)
    await do("close_window", 400, "zoe")


@pytest.mark.parametrize(
    "body",
    [
        {"press": "Yes", "reply_to": "wamid.no"},
        {"press": "Yes"},
        {"location": {"latitude": 91, "longitude": 0}},
        {"location": {"latitude": "x"}},
        {"contact": {"name": " "}},
    ],
)
async def test_the_page_is_told_what_cannot_be_sent(client: Client, body: dict[str, Any]) -> None:
    assert (await page_says(client, "say", 400, customer="ana", **body))["error"]


@pytest.mark.parametrize("query", [{"customer": "zoe", "kind": "image"}, {"customer": "ana", "kind": "film"}])
async def test_the_page_is_told_which_files_cannot_be_sent(client: Client, query: dict[str, str]) -> None:
    assert (await page_says(client, "file", 400, data=b"x", **query))["error"]
