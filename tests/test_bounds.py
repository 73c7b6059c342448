"""Plugin code cannot hold up its caller."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading

import pytest

from sara.bounds import Misbehaved, bounded, in_thread
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


async def test_a_call_that_ends_the_process_only_misbehaves() -> None:
    async def leaves() -> None:
        raise SystemExit(3)

    with pytest.raises(Misbehaved):
        await bounded(leaves(), 1_000)


async def test_a_call_that_cancels_itself_only_misbehaves() -> None:
    async def cancels() -> None:
        raise asyncio.CancelledError

    with pytest.raises(Misbehaved):
        await bounded(cancels(), 1_000)


# ── plain functions ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_plain_function_runs_beside_the_loop_and_gives_its_result() -> None:
    def where(one: int, *, two: int) -> tuple[bool, int]:
        return threading.current_thread() is threading.main_thread(), one + two

    assert await in_thread(where, 1, two=2) == (False, 3)


async def test_a_plain_function_raises_its_own_error() -> None:
    def broken() -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await in_thread(broken)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
async def test_a_plain_function_that_ends_the_process_only_misbehaves(error: BaseException) -> None:
    def leaves() -> None:
        raise error

    with pytest.raises(Misbehaved):
        await in_thread(leaves)


async def test_many_plain_functions_that_hang_keep_nobody_from_running() -> None:
    release = threading.Event()
    try:
        for _ in range(40):
            with pytest.raises(TimeoutError):
                await bounded(in_thread(release.wait), 1)
        async with asyncio.timeout(DEADLINE):
            assert await in_thread(lambda: "done") == "done"
    finally:
        release.set()


def test_a_plain_function_that_hangs_does_not_keep_the_process_from_ending() -> None:
    program = (
        "import asyncio, threading\n"
        "from sara.bounds import bounded, in_thread\n"
        "try:\n"
        "    asyncio.run(bounded(in_thread(threading.Event().wait), 1))\n"
        "except TimeoutError:\n"
        "    print('on time')\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert ended.stdout == "on time\n"
