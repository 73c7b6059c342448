"""One of each kind that raises when it is opened."""

from __future__ import annotations

from sara_sqlite.options import (SqliteOptions)
from sara_sqlite.queue import (SqliteQueue)
from sara_sqlite.store import (SqliteStore)

from sara import (SendResult, Channel, Context, Options, OutboundMessage, WebhookResult, Reply, Request, Responder, ToolCaller, Turn, hookimpl)
from sara.engines import (Queue, Store)


class NoOptions(Options):
    """There is nothing to choose."""


class BrokenChannel(Channel):
    Options = NoOptions
    account = "unopenable:1"

    def __init__(self, options: NoOptions, context: Context) -> None:
        """Nothing goes wrong here."""

    async def open(self) -> None:
        raise RuntimeError("it rains")

    def receive(self, request: Request) -> WebhookResult:
        return WebhookResult()

    async def send(self, part: OutboundMessage, attempt_id: str) -> SendResult:
        return SendResult(attempt_id)


class BrokenResponder(Responder):
    Options = NoOptions

    def __init__(self, options: NoOptions, context: Context) -> None:
        """Nothing goes wrong here."""

    async def open(self) -> None:
        raise RuntimeError("it rains")

    async def answer(self, turn: Turn, tools: ToolCaller | None = None) -> Reply:
        return Reply(())


class BrokenStore(SqliteStore):
    def __init__(self, options: SqliteOptions, context: Context) -> None:
        super().__init__(options, context)
        """Nothing goes wrong here."""

    async def open(self) -> None:
        raise RuntimeError("it rains")


class BrokenQueue(SqliteQueue):
    def __init__(self, options: SqliteOptions, context: Context) -> None:
        super().__init__(options, context)
        """Nothing goes wrong here."""

    async def open(self) -> None:
        raise RuntimeError("it rains")


@hookimpl
def register_channels() -> list[type[Channel]]:
    return [BrokenChannel]


@hookimpl
def register_responders() -> list[type[Responder]]:
    return [BrokenResponder]


@hookimpl
def register_stores() -> list[type[Store]]:
    return [BrokenStore]


@hookimpl
def register_queues() -> list[type[Queue]]:
    return [BrokenQueue]
