"""The two ends around a simulator: a webhook that takes what it posts, and a client that asks it."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
from aiohttp import web
from sara_simulators.whatsapp import WhatsAppSimulator

GAPS = (0, 1, 1)
TEXT = {"messaging_product": "whatsapp", "to": "+15550001111", "type": "text", "text": {"body": "hello"}}


class Receiver:
    """A webhook that keeps what it gets and answers as it is told to; 200 when nothing is left to be told."""

    def __init__(self, verify_token: str) -> None:
        self.verify_token = verify_token
        self.answers: list[int] = []
        self.raw: list[tuple[bytes, str]] = []
        self.url = ""

    async def verify(self, request: web.Request) -> web.Response:
        if request.query.get("hub.verify_token") != self.verify_token or request.query["hub.mode"] != "subscribe":
            return web.Response(status=403)
        return web.Response(text=request.query["hub.challenge"])

    async def take(self, request: web.Request) -> web.Response:
        self.raw.append((await request.read(), request.headers["X-Hub-Signature-256"]))
        return web.Response(status=self.answers.pop(0) if self.answers else 200)

    @property
    def values(self) -> list[dict[str, Any]]:
        return [json.loads(raw)["entry"][0]["changes"][0]["value"] for raw, _ in self.raw]

    @property
    def statuses(self) -> list[dict[str, Any]]:
        return [status for value in self.values for status in value.get("statuses", [])]

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [message for value in self.values for message in value.get("messages", [])]


class Client:
    """Speaks to the simulator as a channel would."""

    def __init__(self, simulator: WhatsAppSimulator, session: aiohttp.ClientSession) -> None:
        self.simulator = simulator
        self.session = session
        self.headers = {"Authorization": f"Bearer {simulator.settings.access_token}"}
        self.path = f"/v26.0/{simulator.settings.phone_number_id}"

    async def post(self, body: Any, path: str = "/messages", **headers: str) -> tuple[int, dict[str, Any]]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {**self.headers, "Content-Type": "application/json", **headers}
        async with self.session.post(self.simulator.url + self.path + path, data=data, headers=sent) as answer:
            return answer.status, await answer.json(content_type=None) if answer.content_type == "application/json" else {}

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.session.get(self.simulator.url + path, headers=self.headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def upload(self, data: bytes, mime: str, name: str = "file", **fields: str | None) -> tuple[int, dict[str, Any]]:
        """Post a file; the status and what was answered."""
        form = aiohttp.FormData()
        for key, value in {"messaging_product": "whatsapp", "type": mime, **fields}.items():
            if value is not None:
                form.add_field(key, value)
        form.add_field("file", data, filename=name, content_type=mime)
        async with self.session.post(f"{self.simulator.url}{self.path}/media", data=form, headers=self.headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def file(self, mime: str, data: bytes = b"something") -> str:
        """Upload a file; its id."""
        status, answer = await self.upload(data, mime)
        assert status == 200, answer
        return str(answer["id"])

    async def download(self, url: str, token: str | None = None) -> tuple[int, bytes]:
        """Fetch a file's address with the access token, or with another; an empty one sends none."""
        headers = self.headers if token is None else {"Authorization": f"Bearer {token}"} if token else {}
        async with self.session.get(url, headers=headers) as answer:
            return answer.status, await answer.read()

    async def delete(self, path: str) -> tuple[int, Any]:
        async with self.session.delete(self.simulator.url + path, headers=self.headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def send(self, **changes: Any) -> str:
        status, answer = await self.post({key: value for key, value in {**TEXT, **changes}.items() if value is not None})
        assert status == 200, answer
        return str(answer["messages"][0]["id"])

    async def refused(self, **changes: Any) -> tuple[int, int]:
        status, answer = await self.post({key: value for key, value in {**TEXT, **changes}.items() if value is not None})
        return status, answer["error"]["code"]


async def settled(simulator: WhatsAppSimulator) -> None:
    """Wait until everything that was said and sent has been told."""
    await simulator.wait_for(lambda s: s.under_way == 0)


def shape(value: Any) -> Any:
    """The keys and types of a JSON value."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return [shape(item) for item in value] if isinstance(value, list) else type(value)
