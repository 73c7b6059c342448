"""Repeat a request beside one that hangs, so that the return of a silent server is noticed within seconds.

A server may never answer requests that it accepted while it hung; its return shows only in the answer to a later one. The first call
keeps its whole time-out, so that a slow model can still answer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import structlog

from sara.domain.errors import Conflict, RetryLater

log = structlog.get_logger("sara.pipeline.hedged_calls")
T = TypeVar("T")

AGAIN_AFTER = 7.0
"""Seconds between two calls to a silent responder."""

SILENT_AFTER = 8.0
"""Seconds without any answer before a responder can count as silent."""

TIMES_USUAL = 3
"""A responder counts as silent after this multiple of its usual answer time without a sign of life."""

ANSWERS_KEPT = 20
"""Number of the latest answers from which the usual answer time is derived."""

MOST_BESIDE = 3
"""Maximum number of repeated calls of a responder at once; the next replaces the oldest."""

MOMENT = 1.0
"""Seconds after a server's return in which earlier calls may still be answered before they are repeated."""

STEP = 0.25
"""Seconds in which the number of repeated questions doubles."""

FORGOTTEN_AFTER = 60.0
"""Seconds without a call after which it is unknown whether a responder is silent."""


@dataclass(slots=True)
class _Responder:
    """The known behaviour of one responder. Times are the loop's."""

    silent_since: float | None = None
    begun: float = float("-inf")
    back_at: float = float("-inf")
    usual: deque[float] = field(default_factory=lambda: deque(maxlen=ANSWERS_KEPT))
    beside: deque[asyncio.Task[Any]] = field(default_factory=deque)
    questions: dict[_Question[Any], None] = field(default_factory=dict)

    @property
    def patience(self) -> float:
        """Return how long the responder may be silent. One of ten answers may take longer than is usual."""
        usual = sorted(self.usual)[-(-9 * len(self.usual) // 10) - 1] if self.usual else 0.0
        return max(SILENT_AFTER, TIMES_USUAL * usual)

    def begins(self, now: float) -> None:
        """Record that a call begins."""
        if self.silent_since is None or now - self.begun > FORGOTTEN_AFTER:
            self.silent_since = now
        self.begun = now

    def heard(self, begun: float, now: float) -> None:
        """Record that the responder answered a call that had begun then. Earlier questions are asked again, in order, slowly at first."""
        was_silent = self.silent_since is not None and now - self.silent_since >= self.patience
        waiting = [question for question in self.questions if question.is_open]
        self.silent_since = now if waiting else None
        if was_silent or begun >= self.back_at:  # what hung as well tells nothing about what is usual
            self.usual.append(now - begun)
        if not was_silent:
            return
        self.back_at = now
        behind = [question for question in waiting if question.asked_at < begun]
        loop = asyncio.get_running_loop()
        for number, question in enumerate(behind):
            loop.call_later(MOMENT + STEP * number.bit_length() + number / 1_000, question.ask_again)

    def failed(self, begun: float, now: float) -> None:
        """Record that a call failed. A call that failed soon counts as answered."""
        if now - begun < self.patience:
            self.silent_since = now if any(question.is_open for question in self.questions) else None


class HedgedCalls:
    """Asks responders; each is known by its name."""

    def __init__(self) -> None:
        self._responders: dict[str, _Responder] = {}

    async def ask(
        self,
        name: str,
        call: Callable[[Callable[[], None]], Coroutine[Any, Any, T]],
        begins: Callable[[], None],
        may_repeat: Callable[[], bool],
    ) -> T:
        """Make a call, and where the responder is silent, others beside it; return what the first brings that ends.

        `call` is given what it has to call before it does anything that must not be done twice: from then on it is the only one, and
        any other raises Conflict there. `begins` is told of each call, `may_repeat` asked before each but the first. Raises what a call
        raised that tells about the question, else what the first of them raised.
        """
        responder = self._responders.setdefault(name, _Responder())
        question = _Question(name, responder, call, begins, may_repeat)
        responder.questions[question] = None
        try:
            return await question.answer()
        finally:
            question.close()
            del responder.questions[question]


class _Question(Generic[T]):
    """One question, and the calls that were made of it."""

    def __init__(
        self,
        name: str,
        responder: _Responder,
        call: Callable[[Callable[[], None]], Coroutine[Any, Any, T]],
        begins: Callable[[], None],
        may_repeat: Callable[[], bool],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._name = name
        self._responder = responder
        self._call = call
        self._begins = begins
        self._may_repeat = may_repeat
        self._calls: dict[asyncio.Task[T], float] = {}
        self._only: asyncio.Task[T] | None = None
        self._again = self._loop.create_future()
        self._errors: list[BaseException] = []
        self.asked_at = 0.0
        self.is_open = True

    async def answer(self) -> T:
        """Until one of the calls has ended, or none is left."""
        first = self._begin()
        while self._calls:
            now = self._loop.time()
            at = self._next(first, now)
            if at is not None and at <= now:
                self._begin_beside()
                continue
            within = None if at is None else at - now
            await asyncio.wait({*self._calls, self._again}, timeout=within, return_when=asyncio.FIRST_COMPLETED)
            for call in [each for each in self._calls if each.done()]:
                begun = self._calls.pop(call)
                if call.cancelled():
                    continue
                if (error := call.exception()) is None:
                    self._heard(call, begun)
                    return call.result()
                self._note(call, begun, error)
            if first not in self._calls and self._only is None and self._loop.time() >= self.asked_at + AGAIN_AFTER:
                break
            if self._again.done():
                self._again = self._loop.create_future()
                if self.is_open and first in self._calls and self._may_repeat():
                    self._begin()
        raise self._errors[0]

    def ask_again(self) -> None:
        """Repeat a question: the responder has answered one that was asked later."""
        if not self._again.done():
            self._again.set_result(None)

    def close(self) -> None:
        """Give up all calls that are under way."""
        self.is_open = False
        for call in self._calls:
            call.cancel()

    def _begin(self) -> asyncio.Task[T]:
        self.asked_at = self._loop.time()
        self._responder.begins(self.asked_at)
        self._begins()
        call: asyncio.Task[T] = self._loop.create_task(self._call(lambda: self._claim(call)))
        call.add_done_callback(_look_at)
        self._calls[call] = self.asked_at
        return call

    def _begin_beside(self) -> None:
        beside = self._responder.beside
        for call in [each for each in beside if each.done()]:
            beside.remove(call)
        if len(beside) >= MOST_BESIDE:
            beside.popleft().cancel()
        log.info("request_hedged", responder=self._name, calls=len(self._calls) + 1)
        beside.append(self._begin())

    def _next(self, first: asyncio.Task[T], now: float) -> float | None:
        """Return when to look again: to make another call where the responder is silent by then; without the first, to end."""
        if first not in self._calls:
            return None if self._only is not None else max(self.asked_at + AGAIN_AFTER, now + 0.001)
        since = self._responder.silent_since
        if not self.is_open or since is None:
            return None
        at = max(since + self._responder.patience, self._responder.begun + AGAIN_AFTER)
        return at if at > now or self._may_repeat() else now + AGAIN_AFTER

    def _claim(self, call: asyncio.Task[T]) -> None:
        if self._only is call:
            return
        if not self.is_open or call not in self._calls:
            raise Conflict("another call of the same question was answered before")
        self._only, self.is_open = call, False
        for other in self._calls:
            if other is not call:
                other.cancel()
        self._responder.heard(self._calls[call], self._loop.time())

    def _heard(self, call: asyncio.Task[T], begun: float) -> None:
        if call is not self._only:
            self.is_open = False
            self._responder.heard(begun, self._loop.time())

    def _note(self, call: asyncio.Task[T], begun: float, error: BaseException) -> None:
        """Raise an error that concerns the question; one that concerns the other end leaves the other calls their chance."""
        away = isinstance(error, TimeoutError) or (
            isinstance(error, RetryLater) and error.scope == "responder" and not error.until_mended
        )
        if not away:
            self._heard(call, begun)
            raise error
        self._responder.failed(begun, self._loop.time())
        self._errors.append(error)


def _look_at(call: asyncio.Task[Any]) -> None:
    """Look at a call's error, so that the loop does not report it as forgotten."""
    if not call.cancelled():
        call.exception()
