"""What the simulated provider lets a business send, and when: files, templates, the 24-hour window, limits, and what it costs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from sara_simulators.whatsapp import WhatsAppSimulator

from tests.plugins.whatsapp.provider import TEXT, Client, Receiver, settled

NOW = 1_795_400_000_000
HOUR = 3_600_000
NOX = "DE.40000000000000000444"


@asynccontextmanager
async def provider(**settings: Any) -> AsyncIterator[Client]:
    quick = {"sent_delay": 0, "delivered_delay": 0, "read_delay": 0} | settings
    async with WhatsAppSimulator(**quick) as simulator, aiohttp.ClientSession() as session:
        yield Client(simulator, session)


def template(name: str = "order_ready", language: str = "en", *texts: str) -> dict[str, Any]:
    parts = [{"type": "body", "parameters": [{"type": "text", "text": text} for text in texts]}] if texts else []
    return {"type": "template", "text": None, "template": {"name": name, "language": {"code": language}, "components": parts}}


# ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "mime", "more"),
    [
        ("image", "image/jpeg", {"caption": "a cat"}),
        ("video", "video/mp4", {"caption": "a cat"}),
        ("audio", "audio/ogg; codecs=opus", {"voice": True}),
        ("audio", "audio/mpeg", {}),
        ("document", "application/pdf", {"caption": "a bill", "filename": "bill.pdf"}),
        ("sticker", "image/webp", {}),
    ],
)
async def test_an_uploaded_file_can_be_sent_and_arrives(
    simulator: WhatsAppSimulator, client: Client, hook: Receiver, kind: str, mime: str, more: dict[str, Any]
) -> None:
    id = await client.file(mime)
    wamid = await client.send(type=kind, text=None, **{kind: {"id": id, **more}})
    await settled(simulator)
    assert simulator.message(wamid).state == "read"
    assert simulator.message(wamid).content == {kind: {"id": id, **more}}


@pytest.mark.parametrize(
    ("kind", "mime", "size", "more"),
    [
        ("image", "image/webp", 10, {}),
        ("sticker", "image/png", 10, {}),
        ("audio", "audio/mpeg", 10, {"voice": True}),
        ("sticker", "image/webp", 101 << 10, {}),
    ],
)
async def test_a_file_that_is_not_of_the_kind_is_accepted_and_fails_later(
    simulator: WhatsAppSimulator, client: Client, hook: Receiver, kind: str, mime: str, size: int, more: dict[str, Any]
) -> None:
    wamid = await client.send(type=kind, text=None, **{kind: {"id": await client.file(mime, bytes(size)), **more}})
    await settled(simulator)
    assert simulator.message(wamid).state == "failed"
    assert [status["errors"][0]["code"] for status in hook.statuses] == [131053]


async def test_a_file_that_the_business_did_not_upload_is_refused(simulator: WhatsAppSimulator, client: Client) -> None:
    await simulator.say_picture("ana")
    for id in ("1", simulator.media[-1].id):
        assert await client.refused(type="image", text=None, image={"id": id}) == (400, 131009)


async def test_the_picture_above_buttons_must_have_been_uploaded(client: Client) -> None:
    def asked(id: str) -> dict[str, Any]:
        buttons = [{"type": "reply", "reply": {"id": "y", "title": "Yes"}}]
        header = {"type": "image", "image": {"id": id}}
        return {"type": "button", "header": header, "body": {"text": "This?"}, "action": {"buttons": buttons}}

    assert await client.refused(type="interactive", interactive=asked("1")) == (400, 131009)
    await client.send(type="interactive", interactive=asked(await client.file("image/png")))


# ── the window ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_business_may_write_freely_for_24_hours_after_each_message_of_the_customer() -> None:
    now = [NOW]
    async with provider(clock=lambda: now[0]) as client:
        await client.simulator.say("ana", "hi")
        now[0] += 24 * HOUR - 1
        await client.send()
        now[0] += 1
        assert await client.refused() == (400, 131047)
        await client.simulator.say("ana", "still there?")
        await client.send()


async def test_a_window_that_is_closed_lets_templates_through_and_opens_with_the_next_message(
    simulator: WhatsAppSimulator, client: Client
) -> None:
    wamid = await simulator.say("ana", "hi")
    simulator.close_window("ana")
    assert await client.refused() == (400, 131047)
    assert await client.refused(type="reaction", text=None, reaction={"message_id": wamid, "emoji": "👍"}) == (400, 131047)
    await client.send(**template("order_ready", "en", "Ana", "7"))
    await client.send(to="+15550002222")
    await simulator.react("ana", wamid, "👍")
    assert await client.refused() == (400, 131047)
    await simulator.say_voice("ana")
    await client.send()


async def test_a_window_that_is_closed_can_be_told_by_a_status(receiver: Receiver) -> None:
    async with provider(window_refusal="status", verify_token=receiver.verify_token) as client:
        await client.simulator.connect(receiver.url)
        client.simulator.close_window("ana")
        await client.send()
        await settled(client.simulator)
    assert [(status["status"], status["errors"][0]["code"]) for status in receiver.statuses] == [("failed", 131047)]


async def test_who_never_wrote_can_be_out_of_reach() -> None:
    async with provider(first_contact=False) as client:
        assert await client.refused() == (400, 131047)
        assert await client.refused(to="+4930123456") == (400, 131047)
        await client.send(**template("hello_world", "en_US"))
        await client.simulator.say("ana", "hi")
        await client.send()


async def test_a_body_posted_as_it_is_opens_the_window_of_its_writer(
    simulator: WhatsAppSimulator, client: Client, hook: Receiver
) -> None:
    simulator.close_window("ana")
    message = {"from": "15550001111", "id": "wamid.foreign", "type": "text", "text": {"body": "hi"}}
    await simulator.post({"entry": [{"changes": [{"value": {"messages": [message]}}]}]})
    await client.send()


async def test_the_window_of_everybody_can_be_closed_by_a_switch(simulator: WhatsAppSimulator, client: Client) -> None:
    simulator.faults.window_closed.on(times=1)
    assert await client.refused() == (400, 131047)
    await client.send()


# ── limits ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_customer_gets_45_messages_at_once_and_then_one_every_six_seconds() -> None:
    now = [NOW]
    async with provider(clock=lambda: now[0]) as client:
        client.simulator.faults.pair_limit.on()
        for _ in range(45):
            await client.send()
        assert await client.refused() == (400, 131056)
        await client.send(to="+15550002222")
        now[0] += 6_000
        await client.send()
        assert await client.refused() == (400, 131056)
        now[0] += 45 * 6_000
        for _ in range(45):
            await client.send()


async def test_a_number_sends_so_many_messages_a_second() -> None:
    now = [NOW]
    async with provider(clock=lambda: now[0]) as client:
        client.simulator.faults.throughput.on(3)
        for to in ("+15550001111", "+15550002222", "+15550003333"):
            await client.send(to=to)
        assert await client.refused() == (429, 130429)
        now[0] += 1_000
        await client.send()


async def test_limits_are_off_unless_they_are_switched_on(client: Client) -> None:
    for _ in range(60):
        await client.send()


# ── templates ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_template_arrives_as_the_text_it_stands_for(simulator: WhatsAppSimulator, client: Client) -> None:
    _, answer = await client.post(TEXT | template("order_ready", "en", "Ana", "No. 7"))
    assert answer["messages"][0]["message_status"] == "accepted"
    assert simulator.accepted[0].text == "Hello Ana, your order No. 7 is ready to be picked up."


@pytest.mark.parametrize(
    ("wanted", "status", "code"),
    [
        (template("no_such_template"), 404, 132001),
        (template("order_ready", "de", "a", "b"), 404, 132001),
        (template("hello_world", "en"), 404, 132001),
        (template("order_ready", "en", "only one"), 400, 132000),
        (template("order_ready"), 400, 132000),
        (template("hello_world", "en_US", "one too many"), 400, 132000),
    ],
)
async def test_a_template_must_exist_in_that_language_and_get_its_parameters(
    client: Client, wanted: dict[str, Any], status: int, code: int
) -> None:
    assert await client.refused(**wanted) == (status, code)


async def test_a_template_with_names_takes_its_parameters_by_name(simulator: WhatsAppSimulator, client: Client) -> None:
    simulator.approve("greeting", "en", "Hello {{name}}!")
    wanted = template("greeting", "en", "Ana")
    assert await client.refused(**wanted) == (400, 132012)
    wanted["template"]["components"][0]["parameters"][0]["parameter_name"] = "name"
    await client.send(**wanted)
    assert simulator.accepted[0].text == "Hello Ana!"


async def test_templates_can_be_approved_and_rejected_and_the_webhook_hears_of_it(
    simulator: WhatsAppSimulator, client: Client, hook: Receiver
) -> None:
    assert await client.refused(**template("reminder")) == (404, 132001)
    simulator.approve("reminder", body="Do not forget.")
    await client.send(**template("reminder"))
    for status, code in (("REJECTED", 132001), ("PAUSED", 132015), ("DISABLED", 132016)):
        simulator.reject("reminder", status=status)
        assert (await client.refused(**template("reminder")))[1] == code
    simulator.approve("reminder")
    await client.send(**template("reminder"))
    await settled(simulator)
    told = [json.loads(raw)["entry"][0]["changes"][0] for raw, _ in hook.raw if b"message_template_status_update" in raw]
    assert sorted(change["value"]["event"] for change in told) == ["APPROVED", "APPROVED", "DISABLED", "PAUSED", "REJECTED"]
    with pytest.raises(KeyError, match="no template"):
        simulator.reject("nothing")


async def test_a_template_that_is_handed_in_waits_for_approval(simulator: WhatsAppSimulator, client: Client) -> None:
    components = [
        {"type": "BODY", "text": "See you at {{1}}."},
        {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "OK"}]},
    ]
    handed_in = {"name": "visit", "language": "en", "category": "UTILITY", "components": components}
    path, client.path = client.path, f"/v26.0/{simulator.settings.business_account_id}"
    status, answer = await client.post(handed_in, "/message_templates")
    assert (status, answer["status"]) == (200, "PENDING")
    assert (await client.post(handed_in, "/message_templates"))[0] == 400
    assert (await client.post({"name": "x"}, "/message_templates"))[0] == 400
    _, listed = await client.get(f"{client.path}/message_templates?name=visit")
    assert [(node["name"], node["status"], node["components"]) for node in listed["data"]] == [("visit", "PENDING", components)]
    client.path = path
    assert (await client.refused(**template("visit", "en", "nine")))[1] == 132001
    simulator.approve("visit")
    await client.send(**template("visit", "en", "nine"))


async def test_a_template_for_signing_in_goes_to_numbers_only(simulator: WhatsAppSimulator, client: Client) -> None:
    simulator.approve("code", body="{{1}} is your code.", category="authentication")
    assert await client.refused(to=None, recipient=NOX, **template("code", "en", "1234")) == (400, 131062)
    await client.send(**template("code", "en", "1234"))


# ── costs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_service_messages_are_free_up_to_a_number_a_month_and_then_billed(receiver: Receiver) -> None:
    now = [NOW]
    async with provider(clock=lambda: now[0], free_messages=1, verify_token=receiver.verify_token) as client:
        await client.simulator.connect(receiver.url)

        async def pricing(**what: Any) -> list[dict[str, Any]]:
            wamid = await client.send(**what)
            await settled(client.simulator)
            return [status.get("pricing") for status in receiver.statuses if status["id"] == wamid]

        free = {"billable": False, "pricing_model": "PMP", "type": "free_customer_service", "category": "service"}
        billed = {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "service"}
        assert await pricing(**template("hello_world", "en_US")) == [billed | {"category": "utility"}] * 2 + [None]
        assert await pricing() == [free, free, None]
        assert await pricing() == [billed, billed, None]
        now[0] += 31 * 24 * HOUR
        assert await pricing() == [free, free, None]


# ── reactions ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_old_message_cannot_be_reacted_to() -> None:
    now = [NOW]
    async with provider(clock=lambda: now[0]) as client:
        wamid = await client.simulator.say("ana", "hi")
        now[0] += 31 * 24 * HOUR
        await client.simulator.say("ana", "hi again")
        assert await client.refused(type="reaction", text=None, reaction={"message_id": wamid, "emoji": "👍"}) == (400, 131009)
