"""Hooks that raise and hooks that hang. `release` lets those go that hang in a thread."""

from __future__ import annotations

import asyncio
import threading

from sara import (JobEvent, DeliveryReceipt, StoredMessage, hookimpl)

release = threading.Event()


@hookimpl
def started() -> None:
    raise RuntimeError("it rains")


@hookimpl
def message_received(message: StoredMessage) -> None:
    raise KeyError(message.id)


@hookimpl
async def message_sent(message: StoredMessage) -> None:
    raise ValueError(message.text)


@hookimpl
async def delivery_changed(receipt: DeliveryReceipt) -> None:
    await asyncio.Event().wait()


@hookimpl
def job_finished(event: JobEvent) -> None:
    if event.what == "done":
        release.wait()
