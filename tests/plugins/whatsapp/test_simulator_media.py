"""Files at the simulated provider: upload, look up, fetch with the token, delete, and how all that fails."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator

import aiohttp
import pytest
from sara_simulators.whatsapp import WhatsAppSimulator

from tests.plugins.whatsapp.provider import Client, Receiver, settled

PNG = b"\x89PNG\r\n\x1a\n not really"


@pytest.fixture
async def slow_clock() -> AsyncIterator[tuple[list[int], Client]]:
    """A provider whose clock stands where the list says."""
    now = [1_795_400_000_000]
    async with WhatsAppSimulator(clock=lambda: now[0]) as simulator, aiohttp.ClientSession() as session:
        yield now, Client(simulator, session)


async def test_a_file_that_was_uploaded_can_be_fetched_with_the_token(client: Client) -> None:
    id = await client.file("image/png", PNG)
    status, told = await client.get(f"/v26.0/{id}")
    assert (status, told["mime_type"], told["file_size"], told["id"]) == (200, "image/png", str(len(PNG)), id)
    assert told["sha256"] == hashlib.sha256(PNG).hexdigest()
    assert told["url"].startswith(client.simulator.url)
    assert await client.download(told["url"]) == (200, PNG)


@pytest.mark.parametrize("token", ["", "wrong"])
async def test_a_file_is_not_handed_out_without_the_token(client: Client, token: str) -> None:
    _, told = await client.get(f"/v26.0/{await client.file('image/png', PNG)}")
    assert (await client.download(told["url"], token))[0] == 401


async def test_an_address_that_was_made_up_leads_nowhere(client: Client) -> None:
    _, told = await client.get(f"/v26.0/{await client.file('image/png', PNG)}")
    assert (await client.download(told["url"].replace("hash=AR", "hash=AB")))[0] == 404
    assert (await client.download(f"{client.simulator.url}/whatsapp_business/attachments/"))[0] == 404


async def test_an_address_runs_out_after_five_minutes_and_there_is_a_new_one(slow_clock: tuple[list[int], Client]) -> None:
    now, client = slow_clock
    id = await client.file("image/png", PNG)
    _, told = await client.get(f"/v26.0/{id}")
    now[0] += 301_000
    assert (await client.download(told["url"]))[0] == 404
    _, told = await client.get(f"/v26.0/{id}")
    assert await client.download(told["url"]) == (200, PNG)


async def test_an_uploaded_file_lives_for_thirty_days_and_a_received_one_for_seven(slow_clock: tuple[list[int], Client]) -> None:
    now, client = slow_clock
    uploaded = await client.file("image/png", PNG)
    await client.simulator.say_picture("ana")
    received = client.simulator.media[-1].id
    now[0] += 8 * 86_400_000
    assert (await client.get(f"/v26.0/{uploaded}"))[0] == 200
    assert (await client.get(f"/v26.0/{received}"))[0] == 400
    now[0] += 23 * 86_400_000
    assert (await client.get(f"/v26.0/{uploaded}"))[0] == 400


async def test_a_file_can_be_deleted(client: Client) -> None:
    id = await client.file("image/png", PNG)
    assert await client.delete(f"/v26.0/{id}") == (200, {"success": True})
    status, answer = await client.get(f"/v26.0/{id}")
    assert (status, answer["error"]["code"], answer["error"]["error_subcode"]) == (400, 100, 33)
    assert (await client.delete(f"/v26.0/{id}"))[0] == 400


async def test_a_file_is_only_there_for_the_number_it_belongs_to(client: Client) -> None:
    id = await client.file("image/png", PNG)
    assert (await client.get(f"/v26.0/{id}?phone_number_id={client.simulator.settings.phone_number_id}"))[0] == 200
    assert (await client.get(f"/v26.0/{id}?phone_number_id=999"))[0] == 400


@pytest.mark.parametrize("mime", ["image/gif", "application/zip", "text/html", "application/octet-stream"])
async def test_a_file_of_another_type_is_refused(client: Client, mime: str) -> None:
    status, answer = await client.upload(b"x", mime)
    assert (status, answer["error"]["code"]) == (400, 100)
    assert mime in answer["error"]["message"]


async def test_the_type_beside_the_file_counts_where_the_file_has_none(client: Client) -> None:
    status, _ = await client.upload(b"x", "application/octet-stream", type="application/pdf")
    assert status == 200
    assert client.simulator.media[-1].mime == "application/pdf"


@pytest.mark.parametrize(
    ("mime", "most"),
    [("image/png", 5 << 20), ("audio/ogg; codecs=opus", 16 << 20), ("video/mp4", 16 << 20), ("image/webp", 500 << 10)],
)
async def test_a_file_that_is_too_large_is_refused(client: Client, mime: str, most: int) -> None:
    assert (await client.upload(bytes(most), mime))[0] == 200
    status, answer = await client.upload(bytes(most + 1), mime)
    assert (status, answer["error"]["code"]) == (400, 100)


@pytest.mark.parametrize("fields", [{"messaging_product": None}, {"messaging_product": "sms"}])
async def test_an_upload_names_the_product(client: Client, fields: dict[str, str | None]) -> None:
    status, answer = await client.upload(PNG, "image/png", **fields)
    assert (status, answer["error"]["code"]) == (400, 100)


async def test_an_upload_is_a_form_with_a_file(client: Client) -> None:
    assert (await client.post({"messaging_product": "whatsapp"}, "/media"))[0] == 400
    form = aiohttp.FormData({"messaging_product": "whatsapp", "file": "@/tmp/a.png"}, default_to_multipart=True)
    url = f"{client.simulator.url}{client.path}/media"
    async with client.session.post(url, data=form, headers=client.headers) as answer:
        assert answer.status == 400


async def test_an_upload_asks_for_the_token_and_the_right_number(client: Client) -> None:
    path, client.path = client.path, "/v26.0/999"
    assert (await client.upload(PNG, "image/png"))[0] == 400
    client.path, client.headers = path, {}
    assert (await client.upload(PNG, "image/png"))[0] == 401


async def test_uploads_can_be_refused(client: Client) -> None:
    client.simulator.faults.upload_refused.on(131053, times=1)
    status, answer = await client.upload(PNG, "image/png")
    assert (status, answer["error"]["code"]) == (400, 131053)
    assert (await client.upload(PNG, "image/png"))[0] == 200


async def test_a_download_can_fail_once_and_can_be_damaged(client: Client) -> None:
    _, told = await client.get(f"/v26.0/{await client.file('image/png', PNG)}")
    client.simulator.faults.media_gone.on(times=1)
    assert (await client.download(told["url"]))[0] == 404
    client.simulator.faults.media_damaged.on(times=1)
    status, data = await client.download(told["url"])
    assert status == 200
    assert data != PNG
    assert await client.download(told["url"]) == (200, PNG)


async def test_the_media_host_can_fall_silent(client: Client) -> None:
    _, told = await client.get(f"/v26.0/{await client.file('image/png', PNG)}")
    silent = client.simulator.faults.media_silent
    silent.on(times=1)
    waiting = asyncio.ensure_future(client.download(told["url"]))
    await client.simulator.wait_for(lambda _: silent.hits == 1)
    assert await client.download(told["url"]) == (200, PNG)
    assert not waiting.done()
    silent.off()
    assert await waiting == (200, PNG)


async def test_a_customers_picture_has_an_id_a_hash_and_an_address(
    simulator: WhatsAppSimulator, client: Client, hook: Receiver
) -> None:
    await simulator.say_picture("ana", PNG, mime="image/png", caption="What plant is this?")
    await settled(simulator)
    image = hook.messages[0]["image"]
    assert (image["mime_type"], image["caption"]) == ("image/png", "What plant is this?")
    assert image["sha256"] == b64encode(hashlib.sha256(PNG).digest()).decode()
    assert await client.download(image["url"]) == (200, PNG)
    _, told = await client.get(f"/v26.0/{image['id']}")
    assert await client.download(told["url"]) == (200, PNG)


async def test_the_address_can_be_missing_from_the_webhook(receiver: Receiver) -> None:
    async with WhatsAppSimulator(media_addresses=False, verify_token=receiver.verify_token) as simulator:
        await simulator.connect(receiver.url)
        await simulator.say_picture("ana")
        await settled(simulator)
    assert set(receiver.messages[0]["image"]) == {"id", "mime_type", "sha256"}
