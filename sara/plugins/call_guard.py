"""Calling plugin code so that it can neither hold up its caller nor end the process, nor pile up unseen."""

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
"""A call that has not ended so long after it was given up lingers."""

MAX_STUCK_CALLS_PER_PLUGIN = 3
"""With so many lingering calls a plugin is not called any more."""

MAX_STUCK_CALLS = 20
"""With so many lingering calls altogether the process has to start again."""

RESTART_AFTER: Milliseconds = 60_000
"""What customers wait for is left uncalled for at most this long; then the process has to start again."""


class PluginCallAborted(Exception):
    """The called code cancelled itself, tried to end the process, or raised what is no error."""


def told_of(error: BaseException) -> str:
    """What plugin code did, as a sentence goes on after its name. An error of its own is named by its type alone: its text may hold
    anything."""
    if isinstance(error, WrongType):
        return f"handed over a wrong value ({error})"
    if isinstance(error, PluginCallAborted):
        return str(error)
    return "took too long" if isinstance(error, TimeoutError) else f"raised {type(error).__name__}"


def guarded_call(function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Call plain plugin code. An error of its own passes; anything else that it raises becomes Misbehaved, except that a person who
    presses Ctrl-C meanwhile still interrupts."""
    with _interrupts() as pressed:
        try:
            return function(*args, **kwargs)
        except Exception:
            raise
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) and pressed:
                raise
            raise _misbehaved(error) from error


@contextlib.contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Tell a real Ctrl-C from a KeyboardInterrupt that code raises by itself. A daemon handles signals on its loop: none is raised
    there, so that nothing has to be told apart."""
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


def _misbehaved(error: BaseException) -> PluginCallAborted:
    if isinstance(error, SystemExit):
        return PluginCallAborted("tried to end the process (SystemExit)")
    if isinstance(error, asyncio.CancelledError):
        return PluginCallAborted("cancelled itself")
    return PluginCallAborted(f"raised {type(error).__name__}, which is no error")


class CallGuard:
    """Makes calls in somebody's name and knows the strays among them: calls that were given up and have not ended.

    A name is a section or a plugin, `responder:assistant`, `channel:whatsapp`, `plugin:tally`. One with too many strays is named
    as a problem, and is not to be called until they have ended. `start_again` is set once only a new process can help: when too
    many linger altogether, or when one that customers wait for has been left uncalled for too long.
    """

    def __init__(
        self, problems: ProblemReporter, *, linger_after: Milliseconds = STUCK_AFTER, patience: Milliseconds = RESTART_AFTER
    ) -> None:
        self._problems = problems
        self._linger_after = linger_after
        self._patience = patience
        self._lingering: dict[str, set[asyncio.Future[Any]]] = {}
        self._waiting: dict[str, asyncio.TimerHandle] = {}
        self.start_again = asyncio.Event()

    async def call(
        self, name: str, call: Coroutine[Any, Any, T] | asyncio.Future[T], within: Milliseconds, *, needed: bool = True
    ) -> T:
        """Await `call` for at most `within` milliseconds, in the name of `name`. Raises as `call_with_timeout` does.

        `needed` says that customers wait for such calls: then their absence, too, is a reason to start again.
        """
        return await call_with_timeout(call, within, lambda left: self._given_up(name, left, needed))

    def blocked(self, name: str) -> bool:
        """Whether so many calls linger that `name` is not to be called now."""
        return len(self._lingering.get(name, ())) >= MAX_STUCK_CALLS_PER_PLUGIN

    def counts(self) -> Mapping[str, int]:
        """How many calls linger now, by name; 0 where all have ended."""
        return {name: len(calls) for name, calls in sorted(self._lingering.items())}

    def _given_up(self, name: str, call: asyncio.Future[Any], needed: bool) -> None:
        asyncio.get_running_loop().call_later(self._linger_after / 1_000, self._look, name, call, needed)

    def _look(self, name: str, call: asyncio.Future[Any], needed: bool) -> None:
        if call.done():
            return
        self._lingering.setdefault(name, set()).add(call)
        call.add_done_callback(partial(self._ended, name, needed))
        log.warning("plugin_call_stuck", plugin=name, lingering=len(self._lingering[name]))
        self._judge(name, needed)
        if sum(self.counts().values()) >= MAX_STUCK_CALLS:
            self.start_again.set()

    def _ended(self, name: str, needed: bool, call: asyncio.Future[Any]) -> None:
        self._lingering[name].discard(call)
        log.info("plugin_call_finished_late", plugin=name, lingering=len(self._lingering[name]))
        self._judge(name, needed)

    def _judge(self, name: str, needed: bool) -> None:
        key = f"{name}:stuck_calls"
        if not self.blocked(name):
            self._problems.clear(key)
            if (waiting := self._waiting.pop(name, None)) is not None:
                waiting.cancel()
            return
        kind, _, short = name.partition(":")
        lingering = len(self._lingering[name])
        self._problems.report(
            key,
            f"{lingering} calls of the {kind} {short} are stuck: they ignore their cancellation; it is not called again until they end",
            "restart SARA to end them; update or replace the plugin, whose calls must end when they are cancelled",
            count=lingering,
        )
        if needed and name not in self._waiting:
            loop = asyncio.get_running_loop()
            self._waiting[name] = loop.call_later(self._patience / 1_000, self.start_again.set)


async def call_with_timeout(
    call: Coroutine[Any, Any, T] | asyncio.Future[T],
    within: Milliseconds | None,
    given_up: Callable[[asyncio.Future[T]], None] | None = None,
) -> T:
    """Await `call`, a coroutine or what `begin` returned, for at most `within` milliseconds; None for as long as it takes.

    Unlike a plain time-out this returns on time even if the call swallows its cancellation. `given_up` is told of a call that
    had not ended. Raises TimeoutError, PluginCallAborted, or what the call raised; CancelledError only if the caller itself was
    cancelled.
    """
    running = call if isinstance(call, asyncio.Future) else _start_task(call)
    try:
        done, _ = await asyncio.wait({running}, timeout=None if within is None else within / 1_000)
    except asyncio.CancelledError:
        _give_up(running, given_up)
        raise
    if not done:
        _give_up(running, given_up)
        raise TimeoutError(f"no end within {within} ms")
    if running.cancelled():
        raise PluginCallAborted("cancelled itself")
    return running.result()


async def bounded_method(method: Callable[..., Any], within: Milliseconds | None, *args: Any) -> Any:
    """Call a method that should be async and await it, as `call_with_timeout` does. Its result counts also where it is not async."""
    call = guarded_call(method, *args)
    return await call_with_timeout(call, within) if inspect.iscoroutine(call) or isinstance(call, asyncio.Future) else call


def _start_task(call: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    task = asyncio.ensure_future(_convert_system_exit(call))
    # One that is cancelled before its first step would leave a call behind that was never awaited.
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
        raise _misbehaved(error) from error


def _give_up(call: asyncio.Future[T], given_up: Callable[[asyncio.Future[T]], None] | None) -> None:
    # A thread cannot be cancelled: its future stays what tells of its end.
    if isinstance(call, asyncio.Task):
        call.cancel()
    call.add_done_callback(_forget)
    if given_up is not None:
        given_up(call)


def _forget(call: asyncio.Future[Any]) -> None:
    """Look at a late call's error, so that the loop does not report it as forgotten."""
    if not call.cancelled():
        call.exception()
