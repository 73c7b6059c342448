"""An event loop in which time is a number and chance decides what runs next.

Whenever nothing is ready the clock jumps to the next timer, so that an hour of waiting costs what happens in it. Among the
callbacks that are ready `chance` picks, so that a seed names one interleaving and other seeds are others. There are no files
and no threads: a callback that waits for either would wait for ever, and `Stuck` says so.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections import deque
from collections.abc import Coroutine
from typing import Any

MOST_CALLBACKS = 3_000_000
"""A run that needs more goes round in circles."""


class Stuck(Exception):
    """Nothing is ready and no timer is set, or the same moment never ends."""


class Numbered(asyncio.Task[Any]):
    """A task whose place in a set depends on when it was made, not on its address: sets of tasks keep their order."""

    made = 0

    def __init__(self, coro: Coroutine[Any, Any, Any], *, loop: asyncio.AbstractEventLoop, **more: Any) -> None:
        Numbered.made += 1
        self.number = Numbered.made
        super().__init__(coro, loop=loop, **more)

    def __hash__(self) -> int:
        return self.number


class _AnyOrder(deque[asyncio.Handle]):
    """What is ready. The next is any of them, not the first."""

    def __init__(self, chance: random.Random | None) -> None:
        super().__init__()
        self._chance = chance
        self.taken = 0

    def popleft(self) -> asyncio.Handle:
        self.taken += 1
        if self.taken > MOST_CALLBACKS:
            raise Stuck("the same things happen again and again")
        if self._chance is not None and len(self) > 1:
            self.rotate(-int(self._chance.random() * len(self)))
        return super().popleft()


class _Leap:
    """Stands where the loop waits for files: waiting is moving the clock."""

    def __init__(self) -> None:
        self.now = 0.0

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Stuck("everybody waits for somebody else")
        self.now += timeout
        return []

    def close(self) -> None: ...


class SimulatedLoop(asyncio.SelectorEventLoop):
    """`chance=None` keeps asyncio's own order."""

    def __init__(self, chance: random.Random | None) -> None:
        self._leap = _Leap()
        super().__init__(self._leap)  # type: ignore[arg-type]  # all that the loop asks of a selector
        self._ready = _AnyOrder(chance)
        Numbered.made = 0
        self.set_task_factory(_make_task)  # type: ignore[arg-type]  # a keyword with a default is asked for

    def time(self) -> float:
        return self._leap.now

    def _make_self_pipe(self) -> None: ...

    def _close_self_pipe(self) -> None: ...


def _make_task(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], context: contextvars.Context | None = None
) -> Numbered:
    task = Numbered(coro, loop=loop, context=context)
    belongs = (context or contextvars.copy_context()).get(BELONGS_TO)
    if belongs is not None:
        belongs[task] = None
    return task


BELONGS_TO: contextvars.ContextVar[dict[Numbered, None] | None] = contextvars.ContextVar("belongs_to", default=None)
"""The tasks of a simulated process: every task made by one of them is added, in order. They end together."""
