"""Background tasks: named, supervised, and repeated at an interval."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from sara.domain.errors import SaraError, StoreUnavailable
from sara.plugins.store import Store
from sara.queue.sleep import sleep
from sara.runtime import systemd

log = structlog.get_logger("sara.runtime.background")


@dataclass(frozen=True, slots=True)
class BackgroundTask:
    """Work that runs beside the jobs for as long as the daemon serves."""

    name: str
    run: Callable[[], Coroutine[Any, Any, None]]


async def periodic(
    work: Callable[[], Awaitable[object]], every_s: float, stopping: asyncio.Event, *, is_delayed: bool = False
) -> None:
    """Repeat `work` every `every_s` seconds until `stopping`; the first time at once unless `is_delayed`.

    An error of the store or the disk is logged, and the next turn tries again. Any other error ends the task.
    """
    if is_delayed:
        await _wait(stopping, every_s)
    while not stopping.is_set():
        try:
            await work()
        except (SaraError, OSError) as error:
            task = asyncio.current_task()
            log.warning("background_turn_failed", task=task and task.get_name(), error=type(error).__name__)
        await _wait(stopping, every_s)


async def _wait(stopping: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopping.wait()


class BackgroundTasks:
    """The running tasks. None of them may break while the daemon serves: `on_broken` is called for one that does."""

    def __init__(self, on_broken: Callable[[], None]) -> None:
        self._on_broken = on_broken
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, task: BackgroundTask) -> None:
        """Run a task until `cancel`."""
        running = asyncio.create_task(task.run(), name=task.name)
        running.add_done_callback(self._finished)
        self._tasks[task.name] = running

    def is_running(self, name: str) -> bool:
        """Return whether a task of that name was started and has not ended."""
        return name in self._tasks and not self._tasks[name].done()

    async def cancel(self) -> None:
        """Cancel all tasks and wait for their ends."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _finished(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is None:
            return
        log.critical("background_task_failed", task=task.get_name(), error=repr(task.exception()))
        self._on_broken()


async def feed_watchdog(is_working: Callable[[], bool], store: Store, interval_s: float) -> None:
    """Tell systemd that the loop, the worker and the database answer. systemd restarts a daemon that does not report."""
    while True:
        if is_working() and await _answers(store, interval_s):
            systemd.notify("WATCHDOG=1")
        await sleep(interval_s)  # until it is cancelled: jobs that drain may need the watchdog's patience, too


async def _answers(store: Store, within_s: float) -> bool:
    """Return whether the store answers in time. A store that cannot write now does answer: a restart would not help it."""
    try:
        async with asyncio.timeout(within_s):
            await store.ping()
    except StoreUnavailable:
        return True
    except (TimeoutError, SaraError) as error:
        log.warning("watchdog_feed_failed", error=type(error).__name__)
        return False
    return True
