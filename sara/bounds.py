"""Calling plugin code so that it can neither hold up its caller nor end the process."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from sara.model import Millis

T = TypeVar("T")


class Misbehaved(Exception):
    """The called code cancelled itself, or tried to end the process."""


async def bounded(call: Coroutine[Any, Any, T], within: Millis) -> T:
    """Await `call` for at most `within` milliseconds.

    Unlike a plain time-out this returns on time even if the call swallows its cancellation. Raises TimeoutError, Misbehaved,
    or what the call raised; CancelledError only if the caller itself was cancelled.
    """
    task = asyncio.ensure_future(_tamed(call))
    try:
        done, _ = await asyncio.wait({task}, timeout=within / 1_000)
    except asyncio.CancelledError:
        task.cancel()
        task.add_done_callback(_forget)
        raise
    if not done:
        task.cancel()
        task.add_done_callback(_forget)
        raise TimeoutError(f"no end within {within} ms")
    if task.cancelled():
        raise Misbehaved("the call cancelled itself")
    return task.result()


async def in_thread(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run a plain function in a thread of its own.

    Not in the loop's pool: a function that hangs would take a place there for ever, and keep the process from ending.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if ended.done():
            return
        if error is None:
            ended.set_result(result)  # type: ignore[arg-type]  # without an error there is a result
        else:
            ended.set_exception(error if isinstance(error, Exception) else Misbehaved(type(error).__name__))

    def run() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = function(*args, **kwargs)
        except BaseException as caught:
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop has closed meanwhile: nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name=getattr(function, "__name__", "call"), daemon=True).start()
    return await ended


async def _tamed(call: Coroutine[Any, Any, T]) -> T:
    try:
        return await call
    except SystemExit as error:
        raise Misbehaved("the call tried to end the process") from error


def _forget(task: asyncio.Task[Any]) -> None:
    """Look at a late task's error, so that the loop does not report it as forgotten."""
    if not task.cancelled():
        task.exception()
