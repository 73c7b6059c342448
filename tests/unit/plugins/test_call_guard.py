"""Plugin code cannot hold up its caller, and what it leaves behind is counted."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from sara.engines import Done, Reschedule
from sara.helpers import ProblemRegistry
from sara.pipeline.delivery import AttemptSource, DeliveryHandler
from sara.pipeline.reply import ReplyHandler
from sara.pipeline.services import Backoff
from sara.plugins.call_guard import (
    MAX_STUCK_CALLS,
    MAX_STUCK_CALLS_PER_PLUGIN,
    RESTART_AFTER,
    CallGuard,
    PluginCallAborted,
    call_with_timeout,
)
from sara.plugins.threads import run_in_thread, start_call
from sara.policy.settings import ConversationSettings, RetryPolicy
from sara.testing import ManualClock
from tests.fakes import DEADLINE, FakeResponder, House, delivery_view, job, line, reply_view, without_waiting
from tests.patience import patience


async def test_what_ends_in_time_gives_its_result() -> None:
    async def quick() -> str:
        return "done"

    assert await call_with_timeout(quick(), 1_000) == "done"


async def test_what_fails_in_time_raises_its_own_error() -> None:
    async def broken() -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await call_with_timeout(broken(), 1_000)


async def test_what_takes_too_long_is_cancelled() -> None:
    cancelled = asyncio.Event()

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(TimeoutError):
        await call_with_timeout(slow(), 1)
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
            await call_with_timeout(stubborn(), 1)
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
        await call_with_timeout(late(), 1)
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

    caller = asyncio.create_task(call_with_timeout(slow(), 60_000))
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
        await call_with_timeout(times_out(), 1_000)


async def test_a_call_that_ends_the_process_only_misbehaves() -> None:
    async def leaves() -> None:
        raise SystemExit(3)

    with pytest.raises(PluginCallAborted):
        await call_with_timeout(leaves(), 1_000)


async def test_a_call_that_cancels_itself_only_misbehaves() -> None:
    async def cancels() -> None:
        raise asyncio.CancelledError

    with pytest.raises(PluginCallAborted):
        await call_with_timeout(cancels(), 1_000)


# ── plain functions ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_plain_function_runs_beside_the_loop_and_gives_its_result() -> None:
    def where(one: int, *, two: int) -> tuple[bool, int]:
        return threading.current_thread() is threading.main_thread(), one + two

    assert await run_in_thread(where, 1, two=2) == (False, 3)


async def test_a_plain_function_raises_its_own_error() -> None:
    def broken() -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await run_in_thread(broken)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
async def test_a_plain_function_that_ends_the_process_only_misbehaves(error: BaseException) -> None:
    def leaves() -> None:
        raise error

    with pytest.raises(PluginCallAborted):
        await run_in_thread(leaves)


async def test_many_plain_functions_that_hang_keep_nobody_from_running() -> None:
    release = threading.Event()
    try:
        for _ in range(40):
            with pytest.raises(TimeoutError):
                await call_with_timeout(run_in_thread(release.wait), 1)
        async with asyncio.timeout(DEADLINE):
            assert await run_in_thread(lambda: "done") == "done"
    finally:
        release.set()


def test_a_plain_function_that_hangs_does_not_keep_the_process_from_ending() -> None:
    program = (
        "import asyncio, threading\n"
        "from sara.plugins.call_guard import call_with_timeout\n"
        "from sara.plugins.threads import run_in_thread\n"
        "try:\n"
        "    asyncio.run(call_with_timeout(run_in_thread(threading.Event().wait), 1))\n"
        "except TimeoutError:\n"
        "    print('on time')\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=patience(30), check=True)
    assert ended.stdout == "on time\n"


# ── call_guard ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Stubborn:
    """Calls that do not end when they are told to, but when `release` is set."""

    def __init__(self, call_guard: CallGuard) -> None:
        self.call_guard = call_guard
        self.release = asyncio.Event()

    async def call(self) -> None:
        while not self.release.is_set():
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                continue

    async def leave(self, name: str, count: int, *, needed: bool = True) -> None:
        """Leave so many lingering calls in the name of `name`."""
        for _ in range(count):
            with pytest.raises(TimeoutError):
                await self.call_guard.call(name, self.call(), 1_000, needed=needed)
        await pass_time(1.5)

    async def end(self) -> None:
        self.release.set()
        await pass_time(0.1)


@asynccontextmanager
async def stubborn(call_guard: CallGuard) -> AsyncIterator[Stubborn]:
    """Such calls; they end with the test, however it ends."""
    calls = Stubborn(call_guard)
    try:
        yield calls
    finally:
        await calls.end()


async def pass_time(seconds: float) -> None:
    """Let time pass on a loop that never waits."""
    await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=seconds)


async def until(what: Callable[[], bool]) -> None:
    """Wait for what a thread does."""
    async with asyncio.timeout(DEADLINE):
        while not what():
            await pass_time(0.002)


def strays_and_problems() -> tuple[CallGuard, ProblemRegistry]:
    problems = ProblemRegistry(ManualClock())
    return CallGuard(problems), problems


def test_a_call_that_ends_when_it_is_given_up_is_no_stray() -> None:
    async def main() -> None:
        call_guard, problems = strays_and_problems()
        for _ in range(MAX_STUCK_CALLS):
            with pytest.raises(TimeoutError):
                await call_guard.call("responder:assistant", asyncio.Event().wait(), 1_000)
        await pass_time(5)
        assert call_guard.count_stuck() == {}
        assert not call_guard.is_blocked("responder:assistant")
        assert len(problems) == 0

    without_waiting(main())


def test_a_call_may_take_a_second_to_end() -> None:
    async def main() -> None:
        call_guard, _ = strays_and_problems()

        async def tidies_up() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await pass_time(0.9)

        with pytest.raises(TimeoutError):
            await call_guard.call("responder:assistant", tidies_up(), 1_000)
        await pass_time(5)
        assert call_guard.count_stuck() == {}

    without_waiting(main())


def test_three_calls_that_do_not_end_block_their_own_name_until_they_end() -> None:
    async def main() -> None:
        call_guard, problems = strays_and_problems()
        async with stubborn(call_guard) as calls:
            await calls.leave("responder:assistant", MAX_STUCK_CALLS_PER_PLUGIN - 1)
            assert not call_guard.is_blocked("responder:assistant")
            assert len(problems) == 0
            await calls.leave("responder:assistant", 1)
            assert call_guard.is_blocked("responder:assistant")
            assert not call_guard.is_blocked("responder:second")
            assert call_guard.count_stuck() == {"responder:assistant": 3}
            [problem] = problems
            assert problem.key == "responder:assistant:stuck_calls"
            assert "the responder assistant" in problem.message
            assert "plugin" in problem.remedy
            await calls.end()
            assert not call_guard.is_blocked("responder:assistant")
            assert call_guard.count_stuck() == {"responder:assistant": 0}
            assert len(problems) == 0
            assert not call_guard.restart_needed.is_set()

    without_waiting(main())


def test_a_call_whose_caller_was_cancelled_is_counted_too() -> None:
    async def main() -> None:
        call_guard, _ = strays_and_problems()
        async with stubborn(call_guard) as calls:
            caller = asyncio.ensure_future(call_guard.call("channel:support", calls.call(), 60_000))
            await pass_time(0.1)
            caller.cancel()
            with pytest.raises(asyncio.CancelledError):
                await caller
            await pass_time(1.5)
            assert call_guard.count_stuck() == {"channel:support": 1}

    without_waiting(main())


def test_twenty_altogether_are_a_reason_to_start_again() -> None:
    async def main() -> None:
        call_guard, _ = strays_and_problems()
        async with stubborn(call_guard) as calls:
            for number in range(MAX_STUCK_CALLS - 1):
                await calls.leave(f"plugin:{number}", 1, needed=False)
            assert not call_guard.restart_needed.is_set()
            await calls.leave("plugin:last", 1, needed=False)
            assert call_guard.restart_needed.is_set()

    without_waiting(main())


@pytest.mark.parametrize(("needed", "ends", "again"), [(True, False, True), (False, False, False), (True, True, False)])
def test_who_is_needed_and_blocked_for_a_minute_is_a_reason_to_start_again(needed: bool, ends: bool, again: bool) -> None:
    async def main() -> None:
        call_guard, _ = strays_and_problems()
        async with stubborn(call_guard) as calls:
            await calls.leave("responder:assistant", MAX_STUCK_CALLS_PER_PLUGIN, needed=needed)
            await pass_time(RESTART_AFTER / 1_000 - 10)
            assert not call_guard.restart_needed.is_set()
            if ends:
                await calls.end()
            await pass_time(20)
            assert call_guard.restart_needed.is_set() is again

    without_waiting(main())


async def test_a_thread_that_does_not_end_is_counted_until_it_does() -> None:
    call_guard = CallGuard(ProblemRegistry(ManualClock()), stuck_after=1)
    release = threading.Event()
    try:
        for _ in range(MAX_STUCK_CALLS_PER_PLUGIN):
            with pytest.raises(TimeoutError):
                await call_guard.call("plugin:stuck", start_call(release.wait), 1)
        await until(lambda: call_guard.is_blocked("plugin:stuck"))
    finally:
        release.set()
    await until(lambda: call_guard.count_stuck() == {"plugin:stuck": 0})


async def test_a_thread_that_raises_after_it_was_given_up_is_nobodys_any_more() -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    call_guard = CallGuard(ProblemRegistry(ManualClock()), stuck_after=1)
    release = threading.Event()

    def late() -> None:
        release.wait()
        raise LookupError("too late")

    try:
        with pytest.raises(TimeoutError):
            await call_guard.call("plugin:stuck", start_call(late), 1)
        await until(lambda: call_guard.count_stuck() == {"plugin:stuck": 1})
    finally:
        release.set()
    await until(lambda: call_guard.count_stuck() == {"plugin:stuck": 0})
    gc.collect()
    assert complaints == []


# ── what becomes of whoever has too many ──────────────────────────────────────────────────────────────────────────────────


def replies_of(house: House) -> ReplyHandler:
    return ReplyHandler(
        house.store,
        house.routing,
        house.reporting,
        house.answering,
        house.manners,
        Backoff(RetryPolicy(), lambda: 0.0),
        house.clock,
    )


def outbox_of(house: House) -> DeliveryHandler:
    return DeliveryHandler(
        house.store,
        house.routing,
        house.reporting,
        Backoff(RetryPolicy(), lambda: 0.0),
        AttemptSource(lambda: "a1", "me"),
        house.call_guard,
        house.clock,
    )


def test_a_responders_own_calls_are_counted_and_then_its_fallback_answers_alone() -> None:
    async def main() -> None:
        first, second = FakeResponder(), FakeResponder("I can.")
        house = House({"assistant": first, "second": second}, ConversationSettings(responder="assistant", fallback=("second",)))
        house.store.replying = reply_view(line("in-1", "hello"))
        first.timeout = 5_000  # too short for another call beside one that hangs
        async with stubborn(house.call_guard) as calls:
            first.thinking = calls.call
            for _ in range(MAX_STUCK_CALLS_PER_PLUGIN + 2):
                assert await replies_of(house)(job("reply")) == Done()
                await pass_time(1.5)
            assert (len(first.turns), len(second.turns)) == (MAX_STUCK_CALLS_PER_PLUGIN, MAX_STUCK_CALLS_PER_PLUGIN + 2)
            assert set(house.listed()) == {"responder:assistant:stuck_calls"}
            await calls.end()
            assert await replies_of(house)(job("reply")) == Done()
            assert (len(first.turns), len(second.turns)) == (MAX_STUCK_CALLS_PER_PLUGIN + 1, MAX_STUCK_CALLS_PER_PLUGIN + 2)
            assert house.listed() == {}

    without_waiting(main())


def test_without_a_fallback_the_answer_comes_later_and_never_dies_of_used_up_attempts() -> None:
    async def main() -> None:
        responder = FakeResponder("Here I am.")
        house = House({"assistant": responder})
        house.store.replying = reply_view(line("in-1", "hello"))
        async with stubborn(house.call_guard) as calls:
            await calls.leave("responder:assistant", MAX_STUCK_CALLS_PER_PLUGIN)
            for _ in range(RetryPolicy().attempts + 2):
                end = await replies_of(house)(job("reply"))
                assert isinstance(end, Reschedule)
                house.clock.now = end.at
            assert responder.turns == []
            assert house.store.called("close_turn") == []
            await calls.end()
            assert await replies_of(house)(job("reply")) == Done()

    without_waiting(main())


def test_a_channel_with_too_many_is_held_before_anything_is_marked_as_sending() -> None:
    async def main() -> None:
        house = House()
        house.store.delivering = [delivery_view()]
        async with stubborn(house.call_guard) as calls:
            await calls.leave("channel:support", MAX_STUCK_CALLS_PER_PLUGIN)
            assert isinstance(await outbox_of(house)(job()), Reschedule)
            assert house.store.wrote() == []
            assert house.channel.sent == []
            assert house.queue.held("deliver:support")
            assert set(house.listed()) == {"channel:support:stuck_calls", "lane:deliver:support:blocked"}
            await calls.end()
            house.queue.release("deliver:support")
            assert await outbox_of(house)(job()) == Done()
            assert len(house.channel.sent) == 1
            assert house.listed() == {}

    without_waiting(main())


def test_a_channels_own_calls_are_counted() -> None:
    async def main() -> None:
        house = House()
        async with stubborn(house.call_guard) as calls:
            house.channel.sending = calls.call
            house.store.delivering = [delivery_view()]
            await outbox_of(house)(job())
            [(_, outcome, _)] = house.store.called("record_attempt")
            assert outcome.state == "in_doubt"
            await pass_time(1.5)
            assert house.call_guard.count_stuck() == {"channel:support": 1}

    without_waiting(main())


async def test_a_call_that_is_given_up_before_its_first_step_leaves_nothing_behind() -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    running = start_call(never)
    running.cancel()
    await asyncio.wait([running])
    del running
    gc.collect()  # what is left behind is said now, and an error here
