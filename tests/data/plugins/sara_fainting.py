"""One of each kind that faints: its call ends in a CancelledError although nobody cancelled it, as a library's may."""

from __future__ import annotations

import asyncio

from sara import (SendResult, Channel, Context, InboundMessage, Options, OutboundMessage, Identity, WebhookResult, Reply, Request, Responder, ToolCaller, Turn, hookimpl)


class NoOptions(Options):
    """There is nothing to choose."""


class FaintingResponder(Responder):
    """Faints whenever it is asked."""

    Options = NoOptions

    def __init__(self, options: NoOptions, context: Context) -> None:
        self.asked = 0

    async def answer(self, turn: Turn, tools: ToolCaller | None = None) -> Reply:
        self.asked += 1
        raise asyncio.CancelledError


class FaintingChannel(Channel):
    """Faints whenever it is to send."""

    Options = NoOptions
    account = "fainting:1"
    webhook = "/faint"
    on_doubt = "hold"
    doubt_timeout = 100

    def __init__(self, options: NoOptions, context: Context) -> None:
        self._clock = context.clock

    def receive(self, request: Request) -> WebhookResult:
        text = request.body.decode()
        message = InboundMessage(self.account, text, Identity(user_id="ana"), "text", text, self._clock())
        return WebhookResult(verified=True, messages=(message,))

    async def send(self, part: OutboundMessage, attempt_id: str) -> SendResult:
        raise asyncio.CancelledError


@hookimpl
def register_channels() -> list[type[Channel]]:
    return [FaintingChannel]


@hookimpl
def register_responders() -> list[type[Responder]]:
    return [FaintingResponder]
