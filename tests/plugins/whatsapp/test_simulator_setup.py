"""The simulated provider's set-up: who may ask about it, in which shape it answers, and what follows from a change."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from sara_simulators.whatsapp import WhatsAppSimulator

from tests.plugins.whatsapp.provider import TEXT, Client, Receiver
from tests.plugins.whatsapp.schema import faults_of, faults_of_answer

NUMBER = "/{Version}/{Phone-Number-ID}"
NUMBERS = "/{Version}/{WABA-ID}/phone_numbers"
APPS = "/{Version}/{WABA-ID}/subscribed_apps"


@pytest.fixture
def account(simulator: WhatsAppSimulator) -> str:
    return f"/v26.0/{simulator.settings.business_account_id}"


@pytest.fixture
def app(simulator: WhatsAppSimulator) -> str:
    return f"/v26.0/{simulator.settings.app_id}/subscriptions"


async def as_app(client: Client, method: str, path: str, body: Any = None, **query: str) -> tuple[int, Any]:
    settings = client.simulator.settings
    headers = {"Authorization": f"Bearer {settings.app_id}|{settings.app_secret}"}
    url = client.simulator.url + path
    async with client.session.request(method, url, json=body, params=query, headers=headers) as answer:
        return answer.status, await answer.json()


def callback(url: str, token: str, fields: str = "messages") -> dict[str, str]:
    return {"object": "whatsapp_business_account", "callback_url": url, "verify_token": token, "fields": fields}


# ── shapes ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_answers_about_the_account_and_the_number_are_as_meta_describes_them(client: Client, account: str) -> None:
    status, numbers = await client.get(f"{account}/phone_numbers")
    assert faults_of_answer("GET", NUMBERS, status, numbers) == []
    status, apps = await client.get(f"{account}/subscribed_apps")
    assert faults_of_answer("GET", APPS, status, apps) == []
    async with client.session.post(f"{client.simulator.url}{account}/subscribed_apps", headers=client.headers) as answer:
        assert faults_of_answer("POST", APPS, answer.status, await answer.json()) == []
    status, number = await client.get(
        client.path + "?fields=id,quality_rating,code_verification_status,name_status,verified_name"
    )
    assert faults_of_answer("GET", NUMBER, status, number) == []


async def test_refusals_are_as_meta_describes_them(client: Client, account: str, app: str) -> None:
    client.simulator.setup.manages = False
    answers = [
        await client.get(f"{account}/subscribed_apps"),
        await client.get(app),
        await client.get("/v26.0/1/subscribed_apps"),
    ]
    answers.append(await as_app(client, "POST", app, {}))
    assert [status for status, _ in answers] == [403, 401, 400, 400]
    for _, answer in answers:
        assert faults_of("GraphAPIError", answer) == []


async def test_an_unknown_field_makes_the_whole_answer_an_error(client: Client) -> None:
    status, answer = await client.get(client.path + "?fields=id,nonesuch")
    assert (status, answer["error"]["code"]) == (400, 100)


async def test_a_token_is_inspected_by_the_app_alone(simulator: WhatsAppSimulator, client: Client) -> None:
    token = simulator.settings.access_token
    status, _ = await client.get(f"/v26.0/debug_token?input_token={token}")
    assert status == 401
    _, answer = await as_app(client, "GET", "/v26.0/debug_token", input_token=token)
    assert answer["data"] | {"is_valid": True, "type": "SYSTEM_USER", "expires_at": 0} == answer["data"]
    _, answer = await as_app(client, "GET", "/v26.0/debug_token", input_token="EAAother")
    assert (answer["data"]["is_valid"], answer["data"]["error"]["code"]) == (False, 190)
    assert (await as_app(client, "GET", "/v26.0/debug_token"))[0] == 400


# ── what follows ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_callback_is_verified_and_then_delivered_to(
    simulator: WhatsAppSimulator, client: Client, receiver: Receiver, app: str
) -> None:
    await simulator.say("ana", "hello")
    assert await as_app(client, "POST", app, callback(receiver.url, receiver.verify_token)) == (200, {"success": True})
    await simulator.wait_for(lambda _: receiver.messages)
    assert receiver.messages[0]["text"]["body"] == "hello"
    _, answer = await as_app(client, "GET", app)
    [subscription] = answer["data"]
    assert subscription["callback_url"] == receiver.url
    assert subscription["fields"] == [{"name": "messages", "version": "v26.0"}]


@pytest.mark.parametrize("token", ["", "another"])
async def test_a_callback_that_does_not_know_the_token_is_refused(
    client: Client, receiver: Receiver, app: str, token: str
) -> None:
    status, answer = await as_app(client, "POST", app, callback(receiver.url, token))
    assert status == 400
    assert answer["error"]["code"] == (2200 if token else 100)
    assert client.simulator.setup.callback is None


async def test_a_callback_on_another_machine_is_not_even_tried(client: Client, app: str) -> None:
    status, answer = await as_app(client, "POST", app, callback("https://example.org/hook", "t"))
    assert (status, answer["error"]["code"]) == (400, 2200)
    assert "this machine" in answer["error"]["message"]


async def test_an_unknown_field_is_refused(client: Client, receiver: Receiver, app: str) -> None:
    status, answer = await as_app(client, "POST", app, callback(receiver.url, receiver.verify_token, "messages,nonesuch"))
    assert (status, answer["error"]["code"]) == (400, 100)


async def test_without_a_subscription_nothing_is_delivered_until_there_is_one(
    simulator: WhatsAppSimulator, client: Client, hook: Receiver, account: str
) -> None:
    simulator.setup.unsubscribe()
    await simulator.say("ana", "hello")
    assert (await client.get(f"{account}/subscribed_apps"))[1] == {"data": []}
    assert hook.raw == []
    async with client.session.post(f"{simulator.url}{account}/subscribed_apps", headers=client.headers) as answer:
        assert answer.status == 200
    await simulator.wait_for(lambda _: hook.messages)


async def test_an_override_takes_the_messages_and_is_shown(
    simulator: WhatsAppSimulator, client: Client, receiver: Receiver, account: str
) -> None:
    simulator.setup.point_elsewhere("https://example.org/hook")
    simulator.setup.override(receiver.url, of_account=True)
    await simulator.say("ana", "hello")
    await simulator.wait_for(lambda _: receiver.messages)
    _, answer = await client.get(client.path + "?fields=webhook_configuration")
    assert answer["webhook_configuration"] == {
        "whatsapp_business_account": receiver.url,
        "application": "https://example.org/hook",
    }
    _, answer = await client.get(f"{account}/subscribed_apps")
    assert answer["data"][0]["override_callback_uri"] == receiver.url


async def test_a_number_that_is_not_registered_cannot_send(simulator: WhatsAppSimulator, client: Client) -> None:
    simulator.setup.registered = False
    assert (await client.post(TEXT))[1]["error"]["code"] == 133010
    _, answer = await client.get(client.path + "?fields=health_status")
    assert answer["health_status"]["can_send_message"] == "BLOCKED"


async def test_asking_without_a_token_is_refused(client: Client, account: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{client.simulator.url}{account}/phone_numbers") as answer:
        assert answer.status == 401
