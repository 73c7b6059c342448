"""The simulated provider's answers and webhooks, held against Meta's own description of its API.

The description has one schema of a message for both directions, the one for sending, so messages of customers are held against
Meta's sample bodies instead (`test_simulator_customer_actions.py`); what stands around them is held against the schemas here.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from sara_simulators.whatsapp import WhatsAppSimulator

from tests.plugins.whatsapp.provider import TEXT, Client, Receiver, settled
from tests.plugins.whatsapp.schema import SEND, faults_of, faults_of_answer

UPLOAD = "/{Version}/{Phone-Number-ID}/media"
FILE = "/{Version}/{Media-ID}"
NUMBER = "/{Version}/{Phone-Number-ID}"
NOX = "DE.40000000000000000444"
HELLO = {"type": "template", "template": {"name": "hello_world", "language": {"code": "en_US"}}}


@pytest.mark.parametrize("changes", [{}, {"to": "", "recipient": NOX}, HELLO], ids=["number", "user id", "template"])
async def test_the_answer_to_a_send_is_as_meta_describes_it(client: Client, changes: dict[str, Any]) -> None:
    status, answer = await client.post(TEXT | changes)
    assert faults_of_answer("POST", SEND, status, answer) == []


async def test_the_answer_to_a_read_mark_is_as_meta_describes_it(simulator: WhatsAppSimulator, client: Client) -> None:
    wamid = await simulator.say("ana", "hi")
    _, answer = await client.post({"messaging_product": "whatsapp", "status": "read", "message_id": wamid})
    assert faults_of("SuccessResponse", answer) == []


@pytest.mark.parametrize(
    ("code", "status"), [(131047, 400), (131056, 400), (132001, 404), (190, 401), (130429, 429), (131000, 500), (2, 503)]
)
async def test_refusals_are_as_meta_describes_them(client: Client, code: int, status: int) -> None:
    client.simulator.faults.error_code.on(code)
    answered, answer = await client.post(TEXT)
    assert answered == status
    assert faults_of("GraphAPIError", answer) == []


async def test_the_answers_about_files_are_as_meta_describes_them(client: Client) -> None:
    status, uploaded = await client.upload(b"%PDF", "application/pdf")
    assert faults_of_answer("POST", UPLOAD, status, uploaded) == []
    status, looked = await client.get(f"/v26.0/{uploaded['id']}")
    assert faults_of_answer("GET", FILE, status, looked) == []
    status, deleted = await client.delete(f"/v26.0/{uploaded['id']}")
    assert faults_of_answer("DELETE", FILE, status, deleted) == []
    status, refused = await client.get(f"/v26.0/{uploaded['id']}")
    assert faults_of("GraphAPIError", refused) == []


async def test_the_answer_about_the_number_is_as_meta_describes_it(client: Client) -> None:
    status, answer = await client.get(client.path)
    assert faults_of_answer("GET", NUMBER, status, answer) == []


async def test_statuses_are_as_meta_describes_them(simulator: WhatsAppSimulator, client: Client, hook: Receiver) -> None:
    await client.send(biz_opaque_callback_data="a-1")
    await client.send(**HELLO)
    await settled(simulator)
    simulator.faults.failed_status.on(131026, times=1)
    await client.send()
    await settled(simulator)
    assert len(hook.values) == 7
    for value, (raw, _) in zip(hook.values, hook.raw, strict=True):
        assert faults_of("StatusMessageValue", value) == []
        body = json.loads(raw)
        assert (body["object"], faults_of("Metadata", value["metadata"])) == ("whatsapp_business_account", [])
    # A number that is hidden is left out of the status; the description is older than hidden numbers.
    hook.raw.clear()
    await client.send(to=None, recipient=NOX)
    await settled(simulator)
    for value in hook.values:
        assert faults_of("StatusMessageValue", value) == ["$.statuses[0]: 'recipient_id' is a required property"]


async def test_what_stands_around_a_customers_message_is_as_meta_describes_it(
    simulator: WhatsAppSimulator, client: Client, hook: Receiver
) -> None:
    rows = [{"id": "ten", "title": "Wed 10:00", "description": "Next free slot"}]
    asked = await client.send(
        type="interactive",
        text=None,
        interactive={
            "type": "list",
            "body": {"text": "When?"},
            "action": {"button": "Look", "sections": [{"title": "Wed", "rows": rows}]},
        },
    )
    await settled(simulator)
    hook.raw.clear()
    await simulator.press("ana", asked, "ten")
    await simulator.say("nox", "hi")
    await simulator.say_picture("mei")
    await settled(simulator)
    for value in hook.values:
        assert faults_of("Metadata", value["metadata"]) == []
        assert [faults_of("ContactProfile", contact) for contact in value["contacts"]] == [[]]
    [pressed] = [message for message in hook.messages if message["type"] == "interactive"]
    assert faults_of("InteractiveListReplyContent", pressed["interactive"]) == []
