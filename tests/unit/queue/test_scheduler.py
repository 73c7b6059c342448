"""The in-process scheduler, kept in memory: it sits the exam of all queues, and what only it promises is tested here."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable

import pytest

from sara.engines import CommitUnknown, Done, Job, JobEnd, JobRequest, Queue, Reschedule, StoreUnavailable
from sara.queue.scheduler import FAILURE_FIRST, FAILURE_LONGEST, WINDOW
from sara.testing import ManualClock, PersistentQueueContract
from sara.testing.queue import Running
from tests.fakes import DEADLINE, NOW, MemoryQueue, without_waiting


class TestScheduledQueue(PersistentQueueContract):
    @pytest.fixture
    def queue(self, clock: ManualClock) -> Queue:
        return MemoryQueue(clock)

    async def reopened(self, queue: Queue, clock: ManualClock) -> Queue:
        assert isinstance(queue, MemoryQueue)
        return MemoryQueue(clock, queue.kept)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def queue(clock: ManualClock) -> MemoryQueue:
    return MemoryQueue(clock)


@pytest.fixture
async def running(queue: MemoryQueue, clock: ManualClock) -> AsyncIterator[Running]:
    async with Running(queue, clock) as running:
        yield running


def wake(key: str, due: int = NOW, lane: str = "lane", priority: int = 0) -> JobRequest:
    return JobRequest("reply", key, due, lane, priority)


async def test_a_wake_that_could_not_be_kept_is_not_acted_upon(queue: MemoryQueue, running: Running) -> None:
    queue.fails = StoreUnavailable()
    with pytest.raises(StoreUnavailable):
        await queue.wake([wake("c1")])
    queue.fails = None
    await running.settled()
    assert running.keys() == []
    assert [event for event in running.seen.events if event.job.key == "c1"] == []


async def test_nobody_to_wake_is_nothing_to_keep(queue: MemoryQueue) -> None:
    queue.fails = StoreUnavailable()
    await queue.wake([])
    assert queue.kept == {}


async def test_a_job_whose_end_could_not_be_kept_runs_again_and_ends(queue: MemoryQueue, running: Running) -> None:
    async def end(job: Job) -> JobEnd:
        queue.fails = StoreUnavailable() if job.key == "c1" and len(running.keys()) == 1 else None
        return Done()

    running.seen.ends = end
    await queue.wake([wake("c1")])
    await running.seen.ran(1)
    async with asyncio.timeout(DEADLINE):
        while running.seen.running or not any(event.what == "done" for event in running.seen.events):
            await asyncio.wait([asyncio.ensure_future(queue.stats())])
    queue.fails = None
    await running.forward(10_000)
    await running.settled()
    assert running.keys() == ["c1", "c1"]
    assert ("reply", "c1") not in queue.kept


ENDS = {"is done": lambda: Done(), "wants to run again": lambda: Reschedule(NOW + 3_600_000), "fails": lambda: 1 / 0}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_a_job_whose_end_is_unknown_to_be_kept_stays_where_it_is_and_runs_again(
    queue: MemoryQueue, running: Running, end: Callable[[], JobEnd]
) -> None:
    """A lost store ends the process. Until then nothing is forgotten that the next start would not find either."""
    alarms: list[BaseException | None] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: alarms.append(what.get("exception")))

    still_kept: list[bool] = []

    async def once(job: Job) -> JobEnd:
        if job.key == "c1" and running.keys().count("c1") == 1:
            queue.fails = CommitUnknown()
            return end()
        still_kept.append(("reply", "c1") in queue.kept)
        queue.fails = None
        return Done()

    running.seen.ends = once
    await queue.wake([wake("c1")])
    await running.seen.ran(2)
    await running_idle(running)
    await queue.wake([wake("c2")])
    await running.settled()
    await running_idle(running)
    assert running.keys() == ["c1", "c1", "c2"], "at once, as it was claimed, and nobody else is held up"
    assert still_kept[0]
    assert list(queue.kept) == []
    gc.collect()
    assert [type(error) for error in alarms] == [CommitUnknown], "not in silence"


async def test_what_fails_unexpectedly_is_backed_off_without_end(
    queue: MemoryQueue, running: Running, clock: ManualClock
) -> None:
    async def end(job: Job) -> JobEnd:
        if job.kind == "reply":
            raise RuntimeError("a bug")
        return Done()

    running.seen.ends = end
    await queue.wake([wake("c1")])
    waits = []
    for failures in range(1, 13):
        await running.seen.ran(failures)
        await running_idle(running)
        entry = queue.kept["reply", "c1"]
        assert entry.failures == failures
        waits.append(entry.wake.due - clock())
        clock.forward(waits[-1])
        if failures < 12:
            await queue.wake([JobRequest("look", "clock", clock() + 10**10, "look")])
    assert waits[:4] == [FAILURE_FIRST, 2 * FAILURE_FIRST, 4 * FAILURE_FIRST, 8 * FAILURE_FIRST]
    assert waits[-2:] == [FAILURE_LONGEST] * 2


async def running_idle(running: Running) -> None:
    """Wait until the queue has kept how its jobs ended."""
    async with asyncio.timeout(DEADLINE):
        while (await running.queue.stats())["running"]:
            await asyncio.wait([asyncio.ensure_future(running.queue.stats())])


async def test_success_forgets_the_failures(queue: MemoryQueue, running: Running, clock: ManualClock) -> None:
    async def end(job: Job) -> JobEnd:
        if job.kind == "reply" and job.failures == 0 and len(running.keys()) == 1:
            raise RuntimeError("a bug")
        return Reschedule(clock() + 50_000) if job.kind == "reply" else Done()

    running.seen.ends = end
    await queue.wake([wake("c1")])
    await running.seen.ran(1)
    await running.forward(FAILURE_FIRST)
    await running.settled()
    assert [job.failures for job in running.seen.jobs if job.kind == "reply"] == [0, 1]
    assert queue.kept["reply", "c1"].failures == 0


async def test_far_off_entries_wait_where_they_are_kept_and_come_in_time(
    queue: MemoryQueue, running: Running, clock: ManualClock
) -> None:
    await queue.wake([wake("far", NOW + WINDOW + 100_000)])
    await running.forward(WINDOW)
    await running.settled()
    assert running.keys() == []
    await running.forward(100_000)
    await running.seen.ran(len(running.seen.jobs) + 1)
    assert running.keys() == ["far"]


async def test_a_job_that_was_dropped_while_it_ran_does_not_come_back(queue: MemoryQueue, running: Running) -> None:
    release = asyncio.Event()

    async def end(job: Job) -> JobEnd:
        if job.kind == "reply":
            await release.wait()
        return Done()

    running.seen.ends = end
    await queue.wake([wake("c1")])
    await running.seen.ran(1)
    await queue.wake([wake("c1")])
    assert await queue.drop("reply", "c1")
    release.set()
    await running.settled()
    assert running.keys() == ["c1"]
    assert ("reply", "c1") not in queue.kept


async def test_a_held_lane_costs_others_nothing(queue: MemoryQueue, running: Running) -> None:
    queue.hold("blocked")
    await queue.wake([*[wake(f"b{n}", lane="blocked", priority=9) for n in range(100)], wake("free")])
    await running.settled()
    assert running.keys() == ["free"]
    stats = await queue.stats()
    assert stats["lanes"]["blocked"] == {"running": 0, "due": 100, "held": True}


async def test_stopping_cancels_what_does_not_end_and_its_entry_stays(queue: MemoryQueue, clock: ManualClock) -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def handle(_: Job) -> JobEnd:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return Done()

    await queue.wake([wake("c1")])
    task = asyncio.create_task(queue.run(handle))
    async with asyncio.timeout(DEADLINE):
        await started.wait()
        await queue.stop(0)
        await task
    assert cancelled.is_set()
    assert list(queue.kept) == [("reply", "c1")]


def test_a_wall_clock_that_jumps_forward_is_noticed_within_seconds() -> None:
    async def main() -> float:
        clock = ManualClock(NOW)
        queue, loop = MemoryQueue(clock), asyncio.get_running_loop()
        async with Running(queue, clock) as running:
            await queue.wake([wake("c1", NOW + 3_600_000)])
            await running.settled()
            jumped = loop.time()
            clock.forward(3_600_000)
            await running.seen.ran(len(running.seen.jobs) + 1)
            assert running.keys() == ["c1"]
            return loop.time() - jumped

    assert without_waiting(main()) <= 5
