"""Hears every hook, with plain functions."""

from __future__ import annotations

from collections.abc import Sequence
from queue import SimpleQueue

from sara import (JobEvent, DeliveryReceipt, StoredMessage, hookimpl)

heard: SimpleQueue[tuple[str, object]] = SimpleQueue()


@hookimpl
def started() -> None:
    heard.put(("started", None))


@hookimpl
def stopping() -> None:
    heard.put(("stopping", None))


@hookimpl
def message_received(message: StoredMessage) -> None:
    heard.put(("message_received", message))


@hookimpl
def reply_ready(conversation: str, answers: Sequence[str]) -> None:
    heard.put(("reply_ready", (conversation, answers)))


@hookimpl
def message_sent(message: StoredMessage) -> None:
    heard.put(("message_sent", message))


@hookimpl
def delivery_changed(message: StoredMessage, receipt: DeliveryReceipt) -> None:
    heard.put(("delivery_changed", (message, receipt)))


@hookimpl
def job_finished(event: JobEvent) -> None:
    heard.put(("job_finished", event))
