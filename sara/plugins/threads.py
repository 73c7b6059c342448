"""Run blocking functions in threads that do not keep the process from ending."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from collections.abc import Callable
from typing import Any

from sara.plugins.call_guard import T, _aborted, _start_task, guarded_call


def start_call(function: Callable[..., Any], **arguments: Any) -> asyncio.Future[Any]:
    """Start a call: of an async function as a task, of a plain one in a thread.

    The returned future is done when the call has really ended.
    """
    if inspect.iscoroutinefunction(function):
        return _start_task(guarded_call(function, **arguments))
    return _threaded(function, **arguments)


async def run_in_thread(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run a plain function in a thread of its own.

    The loop's pool is not used: a function that hangs would occupy one of its threads for ever, and keep the process from
    ending.
    """
    return await _threaded(function, *args, **kwargs)


def _threaded(function: Callable[..., T], *args: Any, **kwargs: Any) -> asyncio.Future[T]:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if ended.done():
            return
        if error is None:
            ended.set_result(result)  # type: ignore[arg-type]  # without an error there is a result
        else:
            ended.set_exception(error if isinstance(error, Exception) else _aborted(error))

    def run() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = function(*args, **kwargs)
        except BaseException as caught:
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop has closed: no task waits for the result
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name=getattr(function, "__name__", "call"), daemon=True).start()
    return ended
