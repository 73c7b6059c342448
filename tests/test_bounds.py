"""Plugin code cannot hold up its caller."""

from __future__ import annotations

import asyncio
import gc

import pytest

from sara.bounds import bounded
from tests.fakes import DEADLINE


async def test_what_ends_in_time_gives_its_result() -> None:
    async def quick() -> str:
        return "done"

    assert await bounded(quick(), 1_000) == "done"


async def test_what_fails_in_time_raises_its_own_error() -> None:
    async def broken() -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await bounded(broken(), 1_000)


async def test_what_takes_too_long_is_cancelled() -> None:
    cancelled = asyncio.Event()

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(TimeoutError):
        await bounded(slow(), 1)
    async with asyncio.timeout(DEADLINE):
        await cancelled.wait()


async def test_it_returns_on_time_even_from_a_call_that_swallows_its_cancellation() -> None:
    swallowed, let_go, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            swallowed.set()
            await let_go.wait()
        ended.set()

    async with asyncio.timeout(DEADLINE):
        with pytest.raises(TimeoutError):
            await bounded(stubborn(), 1)
        await swallowed.wait()
        assert not ended.is_set()
        let_go.set()
        await ended.wait()


async def test_a_late_error_is_nobodys_any_more() -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    failing = asyncio.Event()

    async def late() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            failing.set()
            raise LookupError("too late") from None

    with pytest.raises(TimeoutError):
        await bounded(late(), 1)
    await failing.wait()
    gc.collect()
    assert complaints == []


async def test_cancelling_the_caller_cancels_the_call() -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    caller = asyncio.create_task(bounded(slow(), 60_000))
    await started.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    async with asyncio.timeout(DEADLINE):
        await cancelled.wait()


async def test_a_calls_own_timeout_is_a_timeout() -> None:
    async def times_out() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await bounded(times_out(), 1_000)
