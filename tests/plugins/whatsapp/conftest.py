"""A channel whose clock stands still, and requests as Meta signs them."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from sara_simulators.whatsapp import WhatsAppSimulator
from sara_whatsapp.channel import WhatsAppChannel
from sara_whatsapp.options import WhatsAppOptions

from sara import Context, Request, WebhookResult
from sara.helpers import ProblemRegistry
from tests.plugins.whatsapp.provider import GAPS, Client, Receiver

SECRET = "invented-app-secret-0001"
NOW = 1_795_400_000_000


def whatsapp_options(**changes: Any) -> WhatsAppOptions:
    return WhatsAppOptions.model_validate(
        {
            "phone_number_id": "109000000000555",
            "business_account_id": "104000000000777",
            "app_secret": SECRET,
            "access_token": "EAAinventedtoken",
            "verify_token": "invented verify token",
        }
        | changes
    )


def signature(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def signed(body: bytes, secret: str = SECRET) -> Request:
    return Request("POST", "/webhook/messages", headers={"x-hub-signature-256": signature(body, secret)}, body=body)


@pytest.fixture
def make_channel(tmp_path: Path) -> Callable[..., WhatsAppChannel]:
    def make(**changes: Any) -> WhatsAppChannel:
        context = Context(name="whatsapp", state=tmp_path, clock=lambda: NOW, problems=ProblemRegistry(lambda: NOW))
        return WhatsAppChannel(whatsapp_options(**changes), context)

    return make


@pytest.fixture
def channel(make_channel: Callable[..., WhatsAppChannel]) -> WhatsAppChannel:
    return make_channel()


@pytest.fixture
def post(channel: WhatsAppChannel) -> Callable[[Any], WebhookResult]:
    """Hand the channel a signed body, given as bytes or as what is to be made JSON."""

    def receive(body: Any) -> WebhookResult:
        return channel.receive(signed(body if isinstance(body, bytes) else json.dumps(body).encode()))

    return receive


@pytest.fixture
def sign() -> Callable[..., Request]:
    return signed


@pytest.fixture
async def simulator() -> AsyncIterator[WhatsAppSimulator]:
    """A provider without delays."""
    async with WhatsAppSimulator(sent_delay=0, delivered_delay=0, read_delay=0, retry_gaps=GAPS, seed=7) as quick:
        yield quick


@pytest.fixture
async def receiver(simulator: WhatsAppSimulator) -> AsyncIterator[Receiver]:
    """A webhook, not yet known to the provider."""
    receiver = Receiver(simulator.settings.verify_token)
    app = web.Application()
    app.add_routes([web.get("/hook", receiver.verify), web.post("/hook", receiver.take)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield receiver
    await runner.cleanup()


@pytest.fixture
async def hook(simulator: WhatsAppSimulator, receiver: Receiver) -> Receiver:
    """A webhook that the provider posts to."""
    await simulator.connect(receiver.url)
    return receiver


@pytest.fixture
async def client(simulator: WhatsAppSimulator) -> AsyncIterator[Client]:
    """Speaks to the provider as a channel would."""
    async with aiohttp.ClientSession() as session:
        yield Client(simulator, session)
