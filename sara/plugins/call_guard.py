"""Run plugin code with a time limit, keep it from ending the process, and track calls that ignore cancellation.

This module knows nothing of what a call returns: `sara.plugins.guarded` checks the values of channels and responders.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import signal
import threading

# `signal.getsignal` takes each handler for a number first and has it printed in full, which costs more than most plugin code.
from _signal import getsignal as _handler_of  # type: ignore[import-not-found]  # the standard library's own, without a stub
from collections.abc import Callable, Coroutine, Iterator, Mapping
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from sara.domain.errors import WrongType
from sara.domain.time import Milliseconds

if TYPE_CHECKING:
    from sara.domain.problems import ProblemReporter


log = structlog.get_logger("sara.plugins.call_guard")
T = TypeVar("T")

STUCK_AFTER: Milliseconds = 1_000
"""A call that has not ended this long after its cancellation is stuck."""

MAX_STUCK_CALLS_PER_PLUGIN = 3
"""A plugin with this many stuck calls is not called."""

MAX_STUCK_CALLS = 20
"""With this many stuck calls in all, the process has to restart."""

RESTART_AFTER: Milliseconds = 60_000
"""Restart the process if a required plugin stays blocked this long."""


class PluginCallAborted(Exception):
    """The called code cancelled itself, tried to end the process, or raised what is no error."""


def describe_failure(error: BaseException) -> str:
    """Return the predicate of a sentence about a plugin whose code raised `error`.

    An exception of the plugin is named by its type alone: its text may contain message text or secrets."""
    if isinstance(error, WrongType):
        return f"handed over a wrong value ({error})"
    if isinstance(error, PluginCallAborted):
        return str(error)
    return "took too long" if isinstance(error, TimeoutError) else f"raised {type(error).__name__}"


def guarded_call(function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Call a synchronous plugin function; turn BaseExceptions that are no Exception into PluginCallAborted.

    A real Ctrl-C still interrupts."""
    with _interrupts() as pressed:
        try:
            return function(*args, **kwargs)
        except Exception:
            raise
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) and pressed:
                raise
            raise _aborted(error) from error


@contextlib.contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Record a real Ctrl-C, to tell it from a KeyboardInterrupt that the code raises.

    Does nothing in a daemon, which handles signals on its loop: no KeyboardInterrupt is raised there by a signal."""
    pressed: list[int] = []
    if threading.current_thread() is not threading.main_thread() or _handler_of(signal.SIGINT) is not signal.default_int_handler:
        yield pressed
        return

    def press(number: int, frame: FrameType | None) -> None:
        pressed.append(number)
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, press)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _aborted(error: BaseException) -> PluginCallAborted:
    if isinstance(error, SystemExit):
        return PluginCallAborted("tried to end the process (SystemExit)")
    if isinstance(error, asyncio.CancelledError):
        return PluginCallAborted("cancelled itself")
    return PluginCallAborted(f"raised {type(error).__name__}, which is no error")


class CallGuard:
    """Calls on behalf of a section or plugin with a time limit, and a count of the stuck ones among them.

    Names are `responder:assistant`, `channel:whatsapp`, `plugin:tally`. A name with `MAX_STUCK_CALLS_PER_PLUGIN` stuck calls is
    blocked and reported as a problem until calls end. `restart_needed` is set once only a new process can help: with
    `MAX_STUCK_CALLS` in all, or when a required name was blocked for `RESTART_AFTER`.
    """

    def __init__(
        self, problems: ProblemReporter, *, stuck_after: Milliseconds = STUCK_AFTER, restart_after: Milliseconds = RESTART_AFTER
    ) -> None:
        self._problems = problems
        self._stuck_after_ms = stuck_after
        self._restart_after_ms = restart_after
        self._stuck: dict[str, set[asyncio.Future[Any]]] = {}
        self._restart_timers: dict[str, asyncio.TimerHandle] = {}
        self.restart_needed = asyncio.Event()

    async def call(
        self, name: str, call: Coroutine[Any, Any, T] | asyncio.Future[T], within: Milliseconds, *, needed: bool = True
    ) -> T:
        """Await `call` for at most `within` milliseconds on behalf of `name`. Raises as `call_with_timeout` does.

        With `needed`, customers wait for such calls: a block that lasts requires a restart.
        """
        return await call_with_timeout(call, within, lambda left: self._schedule_check(name, left, needed))

    def is_blocked(self, name: str) -> bool:
        """Return whether `name` has so many stuck calls that it must not be called now."""
        return len(self._stuck.get(name, ())) >= MAX_STUCK_CALLS_PER_PLUGIN

    def count_stuck(self) -> Mapping[str, int]:
        """Return the number of stuck calls by name; 0 where all have ended."""
        return {name: len(calls) for name, calls in sorted(self._stuck.items())}

    def _schedule_check(self, name: str, call: asyncio.Future[Any], needed: bool) -> None:
        asyncio.get_running_loop().call_later(self._stuck_after_ms / 1_000, self._check, name, call, needed)

    def _check(self, name: str, call: asyncio.Future[Any], needed: bool) -> None:
        if call.done():
            return
        self._stuck.setdefault(name, set()).add(call)
        call.add_done_callback(partial(self._ended, name, needed))
        log.warning("plugin_call_stuck", plugin=name, lingering=len(self._stuck[name]))
        self._update_problem(name, needed)
        if sum(self.count_stuck().values()) >= MAX_STUCK_CALLS:
            self.restart_needed.set()

    def _ended(self, name: str, needed: bool, call: asyncio.Future[Any]) -> None:
        self._stuck[name].discard(call)
        log.info("plugin_call_finished_late", plugin=name, lingering=len(self._stuck[name]))
        self._update_problem(name, needed)

    def _update_problem(self, name: str, needed: bool) -> None:
        key = f"{name}:stuck_calls"
        if not self.is_blocked(name):
            self._problems.clear(key)
            if (waiting := self._restart_timers.pop(name, None)) is not None:
                waiting.cancel()
            return
        kind, _, short = name.partition(":")
        stuck = len(self._stuck[name])
        self._problems.report(
            key,
            f"{stuck} calls of the {kind} {short} are stuck: they ignore their cancellation; it is not called again until they end",
            "restart SARA to end them; update or replace the plugin, whose calls must end when they are cancelled",
            count=stuck,
        )
        if needed and name not in self._restart_timers:
            loop = asyncio.get_running_loop()
            self._restart_timers[name] = loop.call_later(self._restart_after_ms / 1_000, self.restart_needed.set)


async def call_with_timeout(
    call: Coroutine[Any, Any, T] | asyncio.Future[T],
    within: Milliseconds | None,
    given_up: Callable[[asyncio.Future[T]], None] | None = None,
) -> T:
    """Await `call`, a coroutine or the future of `start_call`, for at most `within` milliseconds; None for no limit.

    Unlike a plain time-out this returns on time even if the call swallows its cancellation; `given_up` is then called with it. Raises TimeoutError, PluginCallAborted, or what the call raised; CancelledError only if the caller was cancelled.
    """
    running = call if isinstance(call, asyncio.Future) else _start_task(call)
    try:
        done, _ = await asyncio.wait({running}, timeout=None if within is None else within / 1_000)
    except asyncio.CancelledError:
        _abandon(running, given_up)
        raise
    if not done:
        _abandon(running, given_up)
        raise TimeoutError(f"no end within {within} ms")
    if running.cancelled():
        raise PluginCallAborted("cancelled itself")
    return running.result()


async def call_method(method: Callable[..., Any], within: Milliseconds | None, *args: Any) -> Any:
    """Call a method that should be async and await it as `call_with_timeout` does; accept the result of a plain one too."""
    call = guarded_call(method, *args)
    return await call_with_timeout(call, within) if inspect.iscoroutine(call) or isinstance(call, asyncio.Future) else call


def _start_task(call: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    task = asyncio.ensure_future(_convert_system_exit(call))
    # A task that is cancelled before its first step would leave a coroutine that was never awaited.
    task.add_done_callback(lambda _: call.close())
    return task


async def _convert_system_exit(call: Coroutine[Any, Any, T]) -> T:
    try:
        return await call
    except (Exception, asyncio.CancelledError):
        raise
    except BaseException as error:
        if isinstance(error, GeneratorExit) and (error.__traceback__ is None or error.__traceback__.tb_next is None):
            raise  # it is this coroutine that is being closed
        raise _aborted(error) from error


def _abandon(call: asyncio.Future[T], given_up: Callable[[asyncio.Future[T]], None] | None) -> None:
    # A thread cannot be cancelled: its future still reports its end.
    if isinstance(call, asyncio.Task):
        call.cancel()
    call.add_done_callback(_retrieve_exception)
    if given_up is not None:
        given_up(call)


def _retrieve_exception(call: asyncio.Future[Any]) -> None:
    """Retrieve the exception of a late call, so that the loop does not report it as never retrieved."""
    if not call.cancelled():
        call.exception()
