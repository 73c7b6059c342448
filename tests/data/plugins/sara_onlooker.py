"""Hears every hook, with functions that run on the loop."""

from __future__ import annotations

from collections.abc import Sequence
from queue import SimpleQueue

from sara import (JobEvent, DeliveryReceipt, StoredMessage, hookimpl)

heard: SimpleQueue[tuple[str, object]] = SimpleQueue()


@hookimpl
async def started() -> None:
    heard.put(("started", None))


@hookimpl
async def stopping() -> None:
    heard.put(("stopping", None))


@hookimpl
async def message_received(message: StoredMessage) -> None:
    heard.put(("message_received", message))


@hookimpl
async def reply_ready(conversation: str, answers: Sequence[str]) -> None:
    heard.put(("reply_ready", (conversation, answers)))


@hookimpl
async def message_sent(message: StoredMessage) -> None:
    heard.put(("message_sent", message))


@hookimpl
async def delivery_changed(message: StoredMessage, receipt: DeliveryReceipt) -> None:
    heard.put(("delivery_changed", (message, receipt)))


@hookimpl
async def job_finished(event: JobEvent) -> None:
    heard.put(("job_finished", event))
