"""The simulator keeps to what Meta's API does, on real loopback sockets."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sara_simulators.whatsapp import NotVerified, WhatsAppSimulator

from tests.patience import patience
from tests.plugins.whatsapp.provider import GAPS, TEXT, Client, Receiver, settled, shape
from tests.rows import each_row

SAMPLES = Path(__file__).parents[2] / "data" / "webhooks"


# ── settings ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_its_options_are_those_of_a_section_and_lead_to_it(simulator: WhatsAppSimulator) -> None:
    options = simulator.options()
    assert set(options) == {
        "phone_number_id",
        "business_account_id",
        "app_id",
        "app_secret",
        "access_token",
        "verify_token",
        "graph_url",
    }
    assert options["graph_url"] == simulator.url


def test_secrets_are_new_for_each_simulator_unless_they_are_given() -> None:
    first, second = WhatsAppSimulator().settings, WhatsAppSimulator(app_secret="mine").settings
    assert first.access_token != second.access_token
    assert second.app_secret == "mine"


async def test_it_listens_on_loopback_only() -> None:
    with pytest.raises(ValueError, match="loopback only"):
        await WhatsAppSimulator().start("0.0.0.0")


# ── who may ask, and where ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("authorization", ["", "Bearer wrong", "Basic abc", "Bearer"])
async def test_a_missing_or_wrong_token_is_refused_with_code_190(client: Client, authorization: str) -> None:
    status, answer = await client.post(TEXT, Authorization=authorization)
    assert (status, answer["error"]["code"], answer["error"]["type"]) == (401, 190, "OAuthException")
    assert answer["error"]["fbtrace_id"]
    assert not client.simulator.accepted


async def test_a_wrong_phone_number_id_is_refused_with_code_100_and_subcode_33(client: Client) -> None:
    client.path = "/v26.0/999"
    status, answer = await client.post(TEXT)
    assert (status, answer["error"]["code"], answer["error"]["error_subcode"]) == (400, 100, 33)


async def test_other_addresses_are_errors_in_the_same_shape(client: Client) -> None:
    status, answer = await client.get("/v26.0/oembed_post")
    assert status == 404
    assert set(answer["error"]) == {"message", "type", "code", "fbtrace_id"}


async def test_the_number_can_be_looked_at(client: Client) -> None:
    status, number = await client.get(client.path)
    assert status == 200
    assert number["quality_rating"] == "GREEN"
    assert number["verified_name"] == client.simulator.settings.verified_name
    assert await client.get(f"{client.path}?fields=display_phone_number") == (
        200,
        {"display_phone_number": "+15550009000", "id": client.simulator.settings.phone_number_id},
    )
    status, answer = await client.get(f"{client.path}?fields=shoe_size")
    assert (status, answer["error"]["code"]) == (400, 100)


async def test_names_other_than_loopback_are_turned_away(client: Client) -> None:
    for path in ("/", client.path):
        async with client.session.get(client.simulator.url + path, headers={"Host": "evil.example:80"}) as answer:
            assert answer.status == 403


# ── what may be sent ──────────────────────────────────────────────────────────────────────────────────────────────────────


def interactive(**changes: Any) -> dict[str, Any]:
    buttons = [{"type": "reply", "reply": {"id": "y", "title": "Yes"}}, {"type": "reply", "reply": {"id": "n", "title": "No"}}]
    return {"type": "button", "body": {"text": "Well?"}, "action": {"buttons": buttons}, **changes}


def listing(rows: int = 2, **changes: Any) -> dict[str, Any]:
    sections = [{"title": "All", "rows": [{"id": str(number), "title": f"Row {number}"} for number in range(rows)]}]
    return {"type": "list", "body": {"text": "Which?"}, "action": {"button": "Look", "sections": sections}, **changes}


GOOD: list[dict[str, Any]] = [
    {"text": {"body": "x" * 4096}},
    {"text": {"body": "hi", "preview_url": True}},
    {"to": "15550001111"},
    {"biz_opaque_callback_data": "x" * 512},
    {"context": {"message_id": "wamid.any"}},
    {"type": "image", "image": {"link": "https://example.org/a.png", "caption": "a cat"}},
    {"type": "audio", "audio": {"link": "https://example.org/a.ogg", "voice": True}},
    {"type": "document", "document": {"link": "https://example.org/a.pdf", "filename": "a.pdf"}},
    {"type": "location", "location": {"latitude": 52.5, "longitude": "13.4"}},
    {"type": "contacts", "contacts": [{"name": {"formatted_name": "Ana D", "first_name": "Ana"}}]},
    {"type": "template", "template": {"name": "hello_world", "language": {"code": "en_US"}}},
    {"type": "interactive", "interactive": interactive()},
    {"type": "interactive", "interactive": listing(10)},
    {
        "type": "interactive",
        "interactive": {
            "type": "cta_url",
            "body": {"text": "Look"},
            "action": {"name": "cta_url", "parameters": {"display_text": "Open", "url": "https://example.org"}},
        },
    },
]

BAD: list[tuple[str, dict[str, Any], int]] = [
    ("no product", {"messaging_product": None}, 100),
    ("another product", {"messaging_product": "sms"}, 100),
    ("unknown type", {"type": "hologram"}, 100),
    ("a type that only customers send", {"type": "order", "order": {}}, 131051),
    ("no object for the type", {"text": None}, 131008),
    ("empty text", {"text": {"body": " "}}, 100),
    ("no text", {"text": {}}, 100),
    ("text that is none", {"text": {"body": 5}}, 100),
    ("text too long", {"text": {"body": "x" * 4097}}, 100),
    ("text too long by emoji", {"text": {"body": "👋" * 2049}}, 100),
    ("unknown key in text", {"text": {"body": "x", "parse_mode": "html"}}, 100),
    ("nobody to send to", {"to": None}, 100),
    ("no number", {"to": "Ana"}, 131009),
    ("no user id", {"to": None, "recipient": "15550001111"}, 131009),
    ("the business itself", {"to": "+15550009000"}, 131021),
    ("a group", {"recipient_type": "group"}, 100),
    ("callback data too long", {"biz_opaque_callback_data": "x" * 513}, 100),
    ("callback data that is no text", {"biz_opaque_callback_data": 1}, 100),
    ("context without an id", {"context": {}}, 100),
    ("media twice", {"type": "image", "image": {"id": "1", "link": "https://example.org/a.png"}}, 131009),
    ("media of nothing", {"type": "image", "image": {}}, 131009),
    ("caption too long", {"type": "image", "image": {"id": "1", "caption": "x" * 1025}}, 100),
    ("caption on audio", {"type": "audio", "audio": {"id": "1", "caption": "x"}}, 100),
    ("nowhere", {"type": "location", "location": {"latitude": 1}}, 131008),
    ("off the globe", {"type": "location", "location": {"latitude": 91, "longitude": 0}}, 131009),
    ("a contact with one name", {"type": "contacts", "contacts": [{"name": {"formatted_name": "Ana"}}]}, 131008),
    ("reaction to nothing", {"type": "reaction", "reaction": {"message_id": "wamid.no", "emoji": "👍"}}, 131009),
    ("template without language", {"type": "template", "template": {"name": "hello"}}, 100),
    ("interactive without kind", {"type": "interactive", "interactive": {}}, 100),
    ("interactive body too long", {"type": "interactive", "interactive": interactive(body={"text": "x" * 1025})}, 100),
    ("footer too long", {"type": "interactive", "interactive": interactive(footer={"text": "x" * 61})}, 100),
    (
        "four buttons",
        {
            "type": "interactive",
            "interactive": interactive(action={"buttons": [{"reply": {"id": str(n), "title": str(n)}} for n in range(4)]}),
        },
        131009,
    ),
    (
        "the same button twice",
        {
            "type": "interactive",
            "interactive": interactive(action={"buttons": [{"reply": {"id": str(n), "title": "Yes"}} for n in range(2)]}),
        },
        131009,
    ),
    (
        "button title too long",
        {"type": "interactive", "interactive": interactive(action={"buttons": [{"reply": {"id": "1", "title": "x" * 21}}]})},
        100,
    ),
    ("eleven rows", {"type": "interactive", "interactive": listing(11)}, 131009),
    ("list with a picture", {"type": "interactive", "interactive": listing(header={"type": "image"})}, 131009),
]


@each_row("changes", GOOD)
async def test_a_message_within_the_limits_is_accepted(client: Client, changes: dict[str, Any]) -> None:
    assert (await client.send(**changes)).startswith("wamid.")


@each_row(("changes", "code"), [bad[1:] for bad in BAD])
async def test_a_message_that_meta_would_refuse_is_refused(client: Client, changes: dict[str, Any], code: int) -> None:
    assert await client.refused(**changes) == (400, code)
    assert not client.simulator.accepted


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b""])
async def test_a_body_that_is_no_json_object_is_refused(client: Client, body: bytes) -> None:
    status, answer = await client.post(body)
    assert (status, answer["error"]["code"]) == (400, 100)


async def test_a_body_of_another_content_type_is_refused(client: Client) -> None:
    status, answer = await client.post(TEXT, **{"Content-Type": "text/plain"})
    assert (status, answer["error"]["code"]) == (400, 100)


# ── what is answered ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_send_to_a_number_is_answered_with_its_whatsapp_id(client: Client) -> None:
    status, answer = await client.post({**TEXT, "biz_opaque_callback_data": "a-1"})
    assert status == 200
    sent = client.simulator.accepted[0]
    assert answer == {
        "messaging_product": "whatsapp",
        "contacts": [{"input": "+15550001111", "wa_id": "15550001111"}],
        "messages": [{"id": sent.wamid}],
    }
    assert (sent.to, sent.recipient, sent.customer) == ("+15550001111", None, "ana")
    assert (sent.text, sent.callback_data) == ("hello", "a-1")


async def test_a_send_to_a_user_id_is_answered_without_a_number(client: Client) -> None:
    nox = "DE.40000000000000000444"
    _, answer = await client.post({**TEXT, "to": "", "recipient": nox})
    assert answer["contacts"] == [{"input": nox, "user_id": nox}]
    assert client.simulator.accepted[0].customer == "nox"


async def test_the_number_wins_over_the_user_id(client: Client) -> None:
    await client.send(recipient="DE.40000000000000000444")
    assert client.simulator.accepted[0].customer == "ana"


async def test_a_user_id_given_as_a_number_is_accepted_and_lost(
    simulator: WhatsAppSimulator, client: Client, hook: Receiver
) -> None:
    lost = await client.send(to="DE.40000000000000000444")
    kept = await client.send()
    await settled(simulator)
    assert {status["id"] for status in hook.statuses} == {kept}
    assert [sent.wamid for sent in simulator.accepted] == [lost, kept]


async def test_whoever_is_written_to_exists(simulator: WhatsAppSimulator, client: Client) -> None:
    await client.send(to="+4930123456")
    assert simulator.chat("4930123456")[0].text == "hello"


# ── reading and typing ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_message_can_be_marked_as_read_with_all_before_it(simulator: WhatsAppSimulator, client: Client) -> None:
    ids = [await simulator.say("ana", text) for text in ("one", "two", "three")]
    mark = {"messaging_product": "whatsapp", "status": "read", "message_id": ids[1]}
    assert await client.post(mark) == (200, {"success": True})
    assert [bubble.state for bubble in simulator.chat("ana")] == ["read", "read", "sent"]
    assert [mark.message_id for mark in simulator.reads] == [ids[1]]
    assert simulator.typings == []


async def test_typing_can_be_shown(simulator: WhatsAppSimulator, client: Client) -> None:
    wamid = await simulator.say("nox", "hello?")
    body = {"messaging_product": "whatsapp", "status": "read", "message_id": wamid, "typing_indicator": {"type": "text"}}
    assert await client.post(body) == (200, {"success": True})
    assert [mark.message_id for mark in simulator.typings] == [wamid]


async def test_an_unknown_message_cannot_be_marked(client: Client) -> None:
    status, answer = await client.post({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.unknown"})
    assert (status, answer["error"]["code"]) == (400, 131009)


async def test_an_answer_reads_what_came_before(simulator: WhatsAppSimulator, client: Client) -> None:
    await simulator.say("ana", "anybody there?")
    await client.send()
    assert simulator.chat("ana")[0].state == "read"


async def test_a_reaction_stands_on_its_message(simulator: WhatsAppSimulator, client: Client, hook: Receiver) -> None:
    wamid = await simulator.say("ana", "thanks!")
    await client.send(type="reaction", text=None, reaction={"message_id": wamid, "emoji": "❤️"})
    await settled(simulator)
    assert simulator.message(wamid).reaction == "❤️"
    assert [status["status"] for status in hook.statuses] == ["sent"]


# ── webhooks ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_webhook_that_knows_the_token_is_verified(simulator: WhatsAppSimulator, hook: Receiver) -> None:
    await simulator.say("ana", "hi")
    await settled(simulator)
    assert [message["text"]["body"] for message in hook.messages] == ["hi"]


async def test_a_webhook_with_another_token_is_not_verified(simulator: WhatsAppSimulator, receiver: Receiver) -> None:
    receiver.verify_token = "another"
    with pytest.raises(NotVerified, match=r"answered 403.*same verify_token"):
        await simulator.connect(receiver.url)


async def test_a_webhook_that_does_not_give_the_challenge_back_is_not_verified(simulator: WhatsAppSimulator) -> None:
    with pytest.raises(NotVerified, match="instead of the challenge"):
        await simulator.connect(simulator.url + "/")


async def test_a_webhook_where_nobody_answers_is_not_verified(simulator: WhatsAppSimulator, unused_tcp_port: int) -> None:
    with pytest.raises(NotVerified, match="could not be verified"):
        await simulator.connect(f"http://127.0.0.1:{unused_tcp_port}/hook")


async def test_what_was_said_before_connecting_is_delivered_after(simulator: WhatsAppSimulator, receiver: Receiver) -> None:
    wamid = await simulator.say("mei", "early")
    await simulator.connect(receiver.url)
    await simulator.wait_for(lambda s: s.message(wamid).state == "delivered")
    assert receiver.messages[0]["id"] == wamid


async def test_webhooks_are_signed_over_the_bytes_in_metas_escaped_form(simulator: WhatsAppSimulator, hook: Receiver) -> None:
    await simulator.say("ana", "Grüße 👋 https://example.org/a")
    await settled(simulator)
    raw, signature = hook.raw[0]
    key = simulator.settings.app_secret.encode()
    assert signature == "sha256=" + hmac.new(key, raw, hashlib.sha256).hexdigest()
    assert b"Gr\\u00fc\\u00dfe \\ud83d\\udc4b https:\\/\\/example.org\\/a" in raw


@pytest.mark.parametrize(("customer", "sample"), [("ana", "01_text_basic"), ("nox", "03_text_bsuid_only")])
async def test_inbound_messages_have_metas_shape(
    simulator: WhatsAppSimulator, hook: Receiver, customer: str, sample: str
) -> None:
    await simulator.say(customer, "hi")
    await settled(simulator)
    assert shape(json.loads(hook.raw[0][0])) == shape(json.loads((SAMPLES / f"{sample}.json").read_text()))


@pytest.mark.parametrize(
    ("to", "state", "sample"),
    [
        ({}, "sent", "40_status_sent_priced"),
        ({"to": "+15550003333"}, "delivered", "41_status_delivered_billed"),
        ({"to": None, "recipient": "DE.40000000000000000444"}, "read", "42_status_read_only_bsuid"),
    ],
)
async def test_statuses_have_metas_shape(
    simulator: WhatsAppSimulator, client: Client, hook: Receiver, to: dict[str, Any], state: str, sample: str
) -> None:
    await client.send(**to, biz_opaque_callback_data="a-1")
    await settled(simulator)
    told = next(json.loads(raw) for raw, _ in hook.raw if f'"status":"{state}"'.encode() in raw)
    assert shape(told) == shape(json.loads((SAMPLES / f"{sample}.json").read_text()))


async def test_an_accepted_message_is_reported_sent_delivered_and_read_with_its_callback_data(
    simulator: WhatsAppSimulator, client: Client, hook: Receiver
) -> None:
    wamid = await client.send(biz_opaque_callback_data="a-1")
    await simulator.wait_for(lambda s: s.message(wamid).state == "read")
    assert [status["status"] for status in hook.statuses] == ["sent", "delivered", "read"]
    assert {(status["id"], status["biz_opaque_callback_data"]) for status in hook.statuses} == {(wamid, "a-1")}
    assert {status["recipient_user_id"] for status in hook.statuses} == {"US.10000000000000000111"}


async def test_without_callback_data_none_comes_back(simulator: WhatsAppSimulator, client: Client, hook: Receiver) -> None:
    await client.send()
    await settled(simulator)
    assert all("biz_opaque_callback_data" not in status for status in hook.statuses)


async def test_several_messages_can_come_in_one_webhook(simulator: WhatsAppSimulator, hook: Receiver) -> None:
    image = {"type": "image", "image": {"id": "7", "mime_type": "image/png", "sha256": "x"}}
    ids = await simulator.post_messages([("ana", "one"), ("kofi", "two"), ("ana", image)])
    await settled(simulator)
    assert len(hook.raw) == 1
    assert [message["id"] for message in hook.messages] == ids
    assert [contact["profile"]["name"] for contact in hook.values[0]["contacts"]] == ["Ana Duarte", "Kofi Mensah"]


async def test_any_body_can_be_posted_signed(simulator: WhatsAppSimulator, client: Client, hook: Receiver) -> None:
    delivery = await simulator.post(b"not json")
    assert (delivery.accepted, hook.raw[0][0]) == (True, b"not json")
    foreign = json.loads((SAMPLES / "01_text_basic.json").read_text())
    await simulator.post(foreign)
    wamid = foreign["entry"][0]["changes"][0]["value"]["messages"][0]["id"]
    assert (await client.post({"messaging_product": "whatsapp", "status": "read", "message_id": wamid}))[0] == 200


async def test_a_body_can_be_signed_with_another_secret(simulator: WhatsAppSimulator, hook: Receiver) -> None:
    await simulator.post({"a": 1}, secret="old")
    raw, signature = hook.raw[0]
    assert signature == "sha256=" + hmac.new(b"old", raw, hashlib.sha256).hexdigest()


async def test_a_webhook_is_posted_again_until_it_is_answered_200(simulator: WhatsAppSimulator, hook: Receiver) -> None:
    hook.answers = [503, 500, 302]
    wamid = await simulator.say("ana", "hi")
    await simulator.wait_for(lambda s: s.message(wamid).state == "delivered")
    assert simulator.deliveries[0].statuses == [503, 500, 302, 200]
    assert len(set(hook.raw)) == 1


async def test_a_webhook_is_given_up_after_the_last_gap(simulator: WhatsAppSimulator, hook: Receiver) -> None:
    hook.answers = [503] * 9
    wamid = await simulator.say("ana", "hi")
    await simulator.wait_for(lambda s: s.message(wamid).state == "failed")
    assert simulator.deliveries[0].abandoned
    assert len(hook.raw) == 1 + len(GAPS)


async def test_stopping_ends_what_is_still_to_be_delivered(receiver: Receiver) -> None:
    simulator = WhatsAppSimulator(retry_gaps=(3_600_000,), verify_token=receiver.verify_token)
    await simulator.start()
    await simulator.connect(receiver.url)
    receiver.answers = [503]
    await simulator.say("ana", "hi")
    await simulator.wait_for(lambda s: bool(s.deliveries and s.deliveries[0].statuses))
    async with asyncio.timeout(patience(5)):
        await simulator.stop()
    assert simulator.under_way == 0


# ── faults ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_send_can_be_refused_with_any_code_for_a_number_of_times(simulator: WhatsAppSimulator, client: Client) -> None:
    simulator.faults.error_code.on(131056, times=2)
    assert await client.refused() == (400, 131056)
    assert await client.refused() == (400, 131056)
    await client.send()
    simulator.faults.error_code.on(133004, times=1)
    assert await client.refused() == (503, 133004)


@pytest.mark.parametrize(("form", "status"), [("html", 502), ("json", 500)])
async def test_a_server_error_has_no_code_and_accepts_nothing(
    simulator: WhatsAppSimulator, client: Client, form: str, status: int
) -> None:
    simulator.faults.server_error.on(form, times=1)
    answered, body = await client.post(TEXT)
    assert answered == status
    assert "code" not in body.get("error", {})
    assert not simulator.accepted


async def test_a_server_error_can_come_after_accepting(simulator: WhatsAppSimulator, client: Client, hook: Receiver) -> None:
    simulator.faults.error_after_accept.on(times=1)
    assert (await client.post(TEXT))[0] == 502
    await settled(simulator)
    assert [status["id"] for status in hook.statuses] == [simulator.accepted[0].wamid] * 3


async def test_a_connection_can_be_dropped_after_accepting(simulator: WhatsAppSimulator, client: Client, hook: Receiver) -> None:
    simulator.faults.reset_after_accept.on(times=1)
    with pytest.raises(aiohttp.ClientError):
        await client.post({**TEXT, "biz_opaque_callback_data": "a-1"})
    await settled(simulator)
    assert [status["biz_opaque_callback_data"] for status in hook.statuses] == ["a-1"] * 3
    assert simulator.requests[-1].status == 0


async def test_a_connection_can_be_dropped_before_accepting(simulator: WhatsAppSimulator, client: Client) -> None:
    simulator.faults.reset_before.on(times=1)
    with pytest.raises(aiohttp.ClientError):
        await client.post(TEXT)
    assert not simulator.accepted


async def test_it_can_be_out_of_reach_for_a_while(simulator: WhatsAppSimulator, client: Client) -> None:
    await client.send()
    async with simulator.unreachable():
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.post(TEXT)
    await client.send()
    assert len(simulator.accepted) == 2


async def test_answers_can_be_slow_though_the_message_is_accepted(simulator: WhatsAppSimulator, client: Client) -> None:
    simulator.faults.slow.on(3_600_000, times=1)
    sending = asyncio.create_task(client.post(TEXT))
    await simulator.wait_for(lambda s: s.accepted)
    assert not sending.done()
    sending.cancel()
    await client.send()


async def test_an_expired_token_is_said_on_every_request(simulator: WhatsAppSimulator, client: Client) -> None:
    simulator.faults.token_expired.on()
    status, answer = await client.post(TEXT)
    assert (status, answer["error"]["code"], answer["error"]["error_subcode"]) == (401, 190, 463)
    assert (await client.get(client.path))[0] == 401
    simulator.faults.off()
    await client.send()


async def test_statuses_can_get_lost(simulator: WhatsAppSimulator, client: Client, hook: Receiver) -> None:
    simulator.faults.lose_statuses.on(times=2)
    wamid = await client.send()
    await settled(simulator)
    assert [status["status"] for status in hook.statuses] == ["read"]
    assert simulator.message(wamid).state == "read"


async def test_of_a_message_nothing_at_all_can_be_reported(simulator: WhatsAppSimulator, client: Client, hook: Receiver) -> None:
    simulator.faults.stay_silent.on(times=1)
    await client.send()
    wamid = await client.send()
    await settled(simulator)
    assert {status["id"] for status in hook.statuses} == {wamid}


async def test_statuses_can_come_in_reverse(simulator: WhatsAppSimulator, client: Client, hook: Receiver) -> None:
    simulator.faults.reverse_statuses.on()
    await client.send()
    await settled(simulator)
    assert [status["status"] for status in hook.statuses] == ["read", "delivered", "sent"]


async def test_webhooks_can_come_more_than_once(simulator: WhatsAppSimulator, hook: Receiver) -> None:
    simulator.faults.redeliver.on(3)
    await simulator.say("ana", "hi")
    await settled(simulator)
    assert len(hook.raw) == 3
    assert len(set(hook.raw)) == 1


async def test_an_accepted_message_can_fail_later(simulator: WhatsAppSimulator, client: Client, hook: Receiver) -> None:
    simulator.faults.failed_status.on(131047, times=1)
    wamid = await client.send(biz_opaque_callback_data="a-1")
    await simulator.wait_for(lambda s: s.message(wamid).state == "failed")
    assert shape(json.loads(hook.raw[0][0])) == shape(json.loads((SAMPLES / "44_status_failed_window.json").read_text()))
    assert hook.statuses[0]["errors"][0]["code"] == 131047


async def test_a_read_mark_uses_up_no_fault(simulator: WhatsAppSimulator, client: Client) -> None:
    wamid = await simulator.say("ana", "hi")
    simulator.faults.error_code.on(131000, times=1)
    simulator.faults.reset_before.on(times=1)
    assert (await client.post({"messaging_product": "whatsapp", "status": "read", "message_id": wamid}))[0] == 200
    assert simulator.faults.error_code.active
    assert simulator.faults.reset_before.active


def test_the_same_seed_gives_the_same_faults() -> None:
    def struck(seed: int) -> list[bool]:
        fault = WhatsAppSimulator(seed=seed).faults.server_error
        fault.on(chance=0.5)
        return [fault.strikes() for _ in range(40)]

    assert struck(1) == struck(1)
    assert struck(1) != struck(2)
    assert 5 < sum(struck(1)) < 35


def test_a_fault_says_what_it_cannot_be() -> None:
    faults = WhatsAppSimulator().faults
    with pytest.raises(ValueError, match="takes no value"):
        faults.reset_before.on(5)
    with pytest.raises(ValueError, match="html, json"):
        faults.server_error.on("xml")
    with pytest.raises(ValueError, match="between 0 and 1"):
        faults.slow.on(chance=2)


# ── the record ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_every_request_is_recorded_with_its_answer(simulator: WhatsAppSimulator, client: Client) -> None:
    await client.send()
    await client.refused(to=None)
    assert [(request.method, request.status) for request in simulator.requests] == [("POST", 200), ("POST", 400)]
    assert json.loads(simulator.requests[0].body) == TEXT


async def test_waiting_in_vain_says_how_things_stand(simulator: WhatsAppSimulator, client: Client) -> None:
    await client.send()
    with pytest.raises(TimeoutError, match=r"1 sends accepted, requests answered \[200\]"):
        await simulator.wait_for(lambda s: len(s.accepted) == 2, timeout=0.01)


async def test_an_unknown_customer_is_named_with_those_there_are(simulator: WhatsAppSimulator) -> None:
    with pytest.raises(KeyError, match=r"no customer 'zoe'; there are ana, kofi, mei, nox"):
        await simulator.say("zoe", "hi")


# ── the page's side ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_chat_that_no_open_page_shows_stays_unread_until_one_does(
    simulator: WhatsAppSimulator, client: Client, hook: Receiver
) -> None:
    async with client.session.ws_connect(f"{simulator.url}/phone/live") as page:
        assert (await page.receive_json())["kind"] == "snapshot"
        wamid = await client.send()
        await settled(simulator)
        assert simulator.message(wamid).state == "delivered"
        await page.send_json({"open": "ana"})
        await simulator.wait_for(lambda s: s.message(wamid).state == "read")
    assert [status["status"] for status in hook.statuses] == ["sent", "delivered", "read"]


async def test_customers_read_nothing_by_themselves_where_that_is_switched_off(receiver: Receiver) -> None:
    settings = {"sent_delay": 0, "delivered_delay": 0, "read_delay": 0, "verify_token": receiver.verify_token}
    async with WhatsAppSimulator(auto_read=False, **settings) as simulator, aiohttp.ClientSession() as session:
        await simulator.connect(receiver.url)
        wamid = await Client(simulator, session).send()
        await settled(simulator)
        assert simulator.message(wamid).state == "delivered"


async def test_the_page_can_say_something_and_switch_faults(simulator: WhatsAppSimulator, client: Client) -> None:
    async with client.session.post(f"{simulator.url}/phone/say", json={"customer": "kofi", "text": "hi"}) as answer:
        wamid = (await answer.json())["id"]
    assert simulator.message(wamid).text == "hi"
    fault = {"active": True, "value": 131000, "times": 2}
    async with client.session.put(f"{simulator.url}/phone/faults/error_code", json=fault) as answer:
        assert (await answer.json())["active"]
    assert await client.refused() == (500, 131000)


async def test_the_page_can_add_a_customer_whose_number_is_hidden(simulator: WhatsAppSimulator, client: Client) -> None:
    async with client.session.post(f"{simulator.url}/phone/customers", json={"name": "Zoe", "username": "zoe"}) as answer:
        added = simulator.customers[(await answer.json())["id"]]
    assert (added.name, added.phone, added.username) == ("Zoe", None, "zoe")
    assert added.user_id


@pytest.mark.parametrize("body", [{}, {"customer": "zoe", "text": "x"}, {"customer": "ana", "text": "  "}, [], {"name": "x"}])
async def test_the_page_is_told_what_it_did_wrong(simulator: WhatsAppSimulator, client: Client, body: Any) -> None:
    async with client.session.post(f"{simulator.url}/phone/say", json=body) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]


async def test_other_sites_cannot_act_through_the_browser(simulator: WhatsAppSimulator, client: Client) -> None:
    evil = {"Origin": "https://evil.example"}
    async with client.session.post(f"{simulator.url}/phone/say", json={"customer": "ana", "text": "x"}, headers=evil) as answer:
        assert answer.status == 403
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await client.session.ws_connect(f"{simulator.url}/phone/live", headers=evil)
    async with client.session.post(f"{simulator.url}/phone/say", data='{"customer":"ana","text":"x"}') as answer:
        assert answer.status == 400


async def test_the_page_loads_nothing_from_elsewhere(simulator: WhatsAppSimulator, client: Client) -> None:
    for name in (
        "",
        "phone/phone.css",
        "phone/phone.js",
        "phone/format.js",
        "phone/bubbles.css",
        "phone/bubbles.js",
        "phone/people.js",
        "phone/attach.js",
        "phone/sheets.js",
        "phone/send.js",
        "phone/pieces.js",
        "phone/drawers.js",
    ):
        async with client.session.get(f"{simulator.page}{name}") as answer:
            assert answer.status == 200
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';")
            text = (await answer.text()).replace("http://www.w3.org/2000/svg", "")
            assert "://" not in text.replace("}://${location.host}", "").replace("https?:\\/\\/", "")
