"""Long work on the database file, in a thread of its own that can be called off."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POKE = 0.05
"""Seconds between two tries to interrupt: one that comes before SQLite has begun interrupts nothing."""


class Cancelled(Exception):
    """The caller was cancelled and needs no result."""


class CancelToken:
    """Tells work in another thread to end, between its steps and within what SQLite does for it."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._connection: sqlite3.Connection | None = None

    def watch(self, connection: sqlite3.Connection) -> None:
        """Interrupt this connection too. It must have been made with `check_same_thread=False`."""
        self._connection = connection

    def check(self) -> None:
        """Raise CalledOff if the end was asked for."""
        if self._asked.is_set():
            raise Cancelled

    def ask(self) -> None:
        """Ask for the end, from any thread."""
        self._asked.set()
        if self._connection is not None:
            with contextlib.suppress(sqlite3.ProgrammingError):  # it is closed already
                self._connection.interrupt()


async def aside(work: Callable[[CancelToken], T]) -> T:
    """Return the result of `work`. When the caller is cancelled, `work` is cancelled and has ended before this returns."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()
    stop = CancelToken()

    def settle(result: T | None, error: BaseException | None) -> None:
        if error is None:
            done.set_result(result)  # type: ignore[arg-type]  # without an error there is a result
        else:
            done.set_exception(error)

    def run() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = work(stop)
        except BaseException as caught:
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop has closed meanwhile: no caller waits
            loop.call_soon_threadsafe(settle, result, error)

    # Not in the loop's pool, whose threads would keep a process from ending.
    threading.Thread(target=run, name="sqlite-aside", daemon=True).start()
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        while not done.done():
            stop.ask()
            await asyncio.wait([done], timeout=POKE)
        done.exception()
        raise
