"""Calling plugin code so that it cannot hold up its caller."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from sara.model import Millis

T = TypeVar("T")


async def bounded(call: Coroutine[Any, Any, T], within: Millis) -> T:
    """Await `call` for at most `within` milliseconds.

    Unlike a plain time-out this returns on time even if the call swallows its cancellation. Raises TimeoutError.
    """
    task = asyncio.ensure_future(call)
    try:
        done, _ = await asyncio.wait({task}, timeout=within / 1_000)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not done:
        task.cancel()
        task.add_done_callback(_forget)
        raise TimeoutError(f"no end within {within} ms")
    return task.result()


def _forget(task: asyncio.Task[Any]) -> None:
    """Look at a late task's error, so that the loop does not report it as forgotten."""
    if not task.cancelled():
        task.exception()
