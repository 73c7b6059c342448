"""A channel and a responder that never come back from `open` or from `close`, as their section says."""

from __future__ import annotations

import asyncio

import structlog

from sara import (SendResult, Channel, Context, OutgoingContent, Options, OutboundMessage, WebhookResult, Reply, Request, Responder, ToolCaller, Turn, hookimpl)


log = structlog.get_logger("sara_hanging")


class HangingOptions(Options):
    at: str = "open"


async def hang(where: str, options: HangingOptions) -> None:
    if options.at == where:
        log.info("hangs", where=where)
        await asyncio.Event().wait()


class HangingChannel(Channel):
    Options = HangingOptions
    account = "hanging:1"

    def __init__(self, options: HangingOptions, context: Context) -> None:
        self.options = options

    async def open(self) -> None:
        await hang("open", self.options)

    async def close(self) -> None:
        await hang("close", self.options)

    def receive(self, request: Request) -> WebhookResult:
        return WebhookResult()

    async def send(self, part: OutboundMessage, attempt_id: str) -> SendResult:
        return SendResult(attempt_id)


class HangingResponder(Responder):
    Options = HangingOptions

    def __init__(self, options: HangingOptions, context: Context) -> None:
        self.options = options

    async def open(self) -> None:
        await hang("open", self.options)

    async def close(self) -> None:
        await hang("close", self.options)

    async def answer(self, turn: Turn, tools: ToolCaller | None = None) -> Reply:
        return Reply((OutgoingContent("hm"),))


@hookimpl
def register_channels() -> list[type[Channel]]:
    return [HangingChannel]


@hookimpl
def register_responders() -> list[type[Responder]]:
    return [HangingResponder]
