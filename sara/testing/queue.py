"""What every queue promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from sara import Instant, JobEvent
from sara.engines import Done, Job, JobEnd, JobRequest, Queue, Reschedule
from sara.testing.clock import ManualClock

DEADLINE = 60.0


class Recorder:
    """A handler that writes down what it was given and answers as it is told."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.events: list[JobEvent] = []
        self.ends: Callable[[Job], Awaitable[JobEnd]] | None = None
        self.running = 0
        self.most_at_once = 0
        self._changed = asyncio.Condition()

    async def __call__(self, job: Job) -> JobEnd:
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        await self._record(job)
        try:
            return Done() if self.ends is None else await self.ends(job)
        finally:
            self.running -= 1

    async def _record(self, job: Job) -> None:
        async with self._changed:
            self.jobs.append(job)
            self._changed.notify_all()

    async def ran(self, count: int) -> list[Job]:
        """Wait until so many jobs were started."""
        async with asyncio.timeout(DEADLINE), self._changed:
            await self._changed.wait_for(lambda: len(self.jobs) >= count)
        return self.jobs

    def listen(self, event: JobEvent) -> None:
        """Take note of an event."""
        self.events.append(event)


class Running:
    """A queue that runs, with its recorder; `settled` waits until nothing is due any more."""

    def __init__(self, queue: Queue, clock: ManualClock) -> None:
        self.queue = queue
        self.clock = clock
        self.seen = Recorder()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Running:
        self._task = asyncio.create_task(self.queue.run(self.seen, self.seen.listen))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.queue.stop(1_000)
        assert self._task is not None
        await self._task

    async def forward(self, by: int) -> None:
        """Let time pass, and let the queue notice: a wake for a far time makes it look at the clock."""
        self.clock.forward(by)
        await self.queue.wake([wake("look", "clock", self.clock() + 10**10)])

    async def settled(self) -> None:
        """Wait until the queue has ended what it started: a last job of a lane of its own passes through."""
        done = len(self.seen.jobs) + 1
        await self.queue.wake([JobRequest("probe", f"probe-{done}", self.clock(), f"probe-{done}", priority=-100)])
        await self.seen.ran(done)
        async with asyncio.timeout(DEADLINE):
            while self.seen.running or not any(event.job.kind == "probe" and event.what == "done" for event in self.seen.events):
                await asyncio.wait([asyncio.ensure_future(self.queue.stats())])

    def keys(self, kind: str = "reply") -> list[str]:
        """Return the keys of the jobs of a kind that were started, in order."""
        return [job.key for job in self.seen.jobs if job.kind == kind]


def wake(kind: str, key: str, due: Instant, lane: str = "lane", priority: int = 0) -> JobRequest:
    """Return a job request, with the lane that most tests use."""
    return JobRequest(kind, key, due, lane, priority)


class QueueContract:
    """Subclass it and provide the `queue` fixture: a new, open queue that uses `clock`."""

    @pytest.fixture
    def clock(self) -> ManualClock:
        """Provide a manual clock."""
        return ManualClock()

    @pytest.fixture
    async def running(self, queue: Queue, clock: ManualClock) -> AsyncIterator[Running]:
        """Provide the running queue."""
        async with Running(queue, clock) as running:
            yield running

    async def test_a_due_job_runs(self, running: Running) -> None:
        await running.queue.wake([wake("reply", "c1", running.clock())])
        [job] = await running.seen.ran(1)
        assert (job.kind, job.key, job.lane) == ("reply", "c1", "lane")

    async def test_a_job_runs_at_its_time_and_not_before(self, running: Running) -> None:
        await running.queue.wake([wake("reply", "c1", running.clock() + 1_000)])
        await running.settled()
        assert running.keys() == []
        await running.forward(1_000)
        await running.settled()
        assert running.keys() == ["c1"]

    async def test_a_job_put_twice_runs_once(self, running: Running) -> None:
        due = running.clock() + 1_000
        await running.queue.wake([wake("reply", "c1", due), wake("reply", "c1", due)])
        await running.queue.wake([wake("reply", "c1", due)])
        await running.forward(1_000)
        await running.settled()
        assert running.keys() == ["c1"]

    async def test_the_earliest_due_counts(self, running: Running) -> None:
        now = running.clock()
        await running.queue.wake([wake("reply", "c1", now + 1_000)])
        await running.queue.wake([wake("reply", "c1", now + 50_000)])
        await running.queue.wake([wake("reply", "c2", now + 50_000)])
        await running.queue.wake([wake("reply", "c2", now + 1_000)])
        await running.forward(1_000)
        await running.settled()
        assert sorted(running.keys()) == ["c1", "c2"]

    async def test_a_job_put_again_while_it_runs_runs_once_more(self, running: Running) -> None:
        release = asyncio.Event()

        async def end(job: Job) -> JobEnd:
            if job.kind == "reply":
                await release.wait()
            return Done()

        running.seen.ends = end
        await running.queue.wake([wake("reply", "c1", running.clock())])
        await running.seen.ran(1)
        await running.queue.wake([wake("reply", "c1", running.clock())])
        await running.queue.wake([wake("reply", "c1", running.clock())])
        release.set()
        await running.seen.ran(2)
        await running.settled()
        assert running.keys() == ["c1", "c1"]

    async def test_a_job_never_runs_beside_itself(self, running: Running) -> None:
        at_once: list[int] = []

        async def end(job: Job) -> JobEnd:
            at_once.append(running.seen.running)
            if len(at_once) < 5:
                await running.queue.wake([wake(job.kind, job.key, running.clock())])
            return Done()

        running.seen.ends = end
        await running.queue.wake([wake("reply", "c1", running.clock())])
        await running.seen.ran(5)
        assert at_once[:5] == [1] * 5

    async def test_again_looks_again_at_its_time(self, running: Running) -> None:
        first = running.clock()

        async def end(job: Job) -> JobEnd:
            return Reschedule(first + 500) if running.clock() < first + 500 and job.kind == "reply" else Done()

        running.seen.ends = end
        await running.queue.wake([wake("reply", "c1", first)])
        await running.settled()
        assert running.keys() == ["c1"]
        await running.forward(500)
        await running.settled()
        assert running.keys() == ["c1", "c1"]

    async def test_a_wake_while_it_runs_beats_a_later_again(self, running: Running) -> None:
        release = asyncio.Event()

        async def end(job: Job) -> JobEnd:
            if job.kind == "reply" and len(running.keys()) == 1:
                await release.wait()
                return Reschedule(running.clock() + 60_000)
            return Done()

        running.seen.ends = end
        await running.queue.wake([wake("reply", "c1", running.clock())])
        await running.seen.ran(1)
        await running.queue.wake([wake("reply", "c1", running.clock())])
        release.set()
        await running.seen.ran(2)

    async def test_a_handler_that_raises_is_tried_again_later_and_harms_nobody(self, running: Running) -> None:
        async def end(job: Job) -> JobEnd:
            if job.key == "bad":
                raise ValueError("broken")
            return Done()

        running.seen.ends = end
        await running.queue.wake([wake("reply", "bad", running.clock()), wake("reply", "good", running.clock())])
        await running.settled()
        assert sorted(running.keys()) == ["bad", "good"]
        await running.forward(60_000)
        await running.settled()
        assert running.keys().count("bad") == 2
        failed = [event for event in running.seen.events if event.what == "failed"]
        assert [event.job.failures for event in failed] == [1, 2]

    async def test_a_higher_priority_runs_first(self, running: Running) -> None:
        running.queue.limit("lane", 1)
        running.queue.hold("lane")
        await running.queue.wake(
            [wake("reply", "low", running.clock() - 10, priority=-1), wake("reply", "high", running.clock())]
        )
        running.queue.release("lane")
        await running.seen.ran(2)
        assert running.keys() == ["high", "low"]

    async def test_a_lane_runs_no_more_at_once_than_its_limit(self, running: Running) -> None:
        running.queue.limit("lane", 3)
        release = asyncio.Event()

        async def end(job: Job) -> JobEnd:
            await release.wait()
            return Done()

        running.seen.ends = end
        await running.queue.wake([wake("reply", f"c{n}", running.clock()) for n in range(10)])
        await running.seen.ran(3)
        assert running.seen.running == 3
        release.set()
        await running.seen.ran(10)
        assert running.seen.most_at_once == 3

    async def test_a_held_lane_starts_nothing_and_others_go_on(self, running: Running) -> None:
        running.queue.hold("lane")
        await running.queue.wake([wake("reply", "held", running.clock()), wake("reply", "free", running.clock(), lane="other")])
        await running.settled()
        assert running.keys() == ["free"]
        assert running.queue.held("lane")
        running.queue.release("lane")
        await running.settled()
        assert running.keys() == ["free", "held"]

    async def test_a_hold_ends_by_itself(self, running: Running) -> None:
        running.queue.hold("lane", running.clock() + 1_000)
        await running.queue.wake([wake("reply", "c1", running.clock())])
        await running.settled()
        assert running.keys() == []
        await running.forward(1_000)
        await running.settled()
        assert running.keys() == ["c1"]

    async def test_after_a_hold_a_lane_starts_slowly(self, running: Running) -> None:
        release = asyncio.Event()

        async def end(job: Job) -> JobEnd:
            await release.wait()
            return Done()

        running.seen.ends = end
        running.queue.hold("lane")
        await running.queue.wake([wake("reply", f"c{n}", running.clock()) for n in range(10)])
        running.queue.release("lane")
        await running.seen.ran(1)
        assert running.seen.running == 1
        running.queue.record_success("lane")
        await running.seen.ran(2)
        assert running.seen.running == 2
        release.set()
        await running.seen.ran(10)

    async def test_beside_jobs_that_hang_others_start(self, running: Running) -> None:
        release = asyncio.Event()

        async def end(job: Job) -> JobEnd:
            await release.wait()
            return Done()

        running.seen.ends = end
        running.queue.hold("lane")
        await running.queue.wake([wake("reply", f"c{n}", running.clock()) for n in range(10)])
        running.queue.release("lane")
        await running.seen.ran(1)
        for hanging in (1, 2):
            running.queue.hangs("lane", 1)
            await running.seen.ran(hanging + 1)
            assert running.seen.running == hanging + 1
        running.queue.hold("lane", running.clock() + 5_000)
        running.queue.hangs("lane", 1)
        await running.forward(5_000)
        await running.seen.ran(4)
        assert running.seen.running == 4
        running.queue.hangs("lane", -3)
        running.queue.record_success("lane")
        await running.queue.wake([wake("look", "others", running.clock(), lane="other")])
        await running.seen.ran(5)
        assert len(running.keys("reply")) == 4, "what hung counts again"
        release.set()
        await running.seen.ran(11)

    async def test_what_was_under_way_when_a_lane_was_held_does_not_hurry_its_start(self, running: Running) -> None:
        release = asyncio.Event()

        async def end(job: Job) -> JobEnd:
            if job.kind == "reply":
                await release.wait()
            return Done()

        running.seen.ends = end
        running.queue.hold("lane")
        for _ in range(8):
            running.queue.record_success("lane")
        await running.queue.wake([wake("reply", f"c{n}", running.clock()) for n in range(10)])
        running.queue.release("lane")
        await running.seen.ran(1)
        await running.queue.wake([wake("look", "others", running.clock(), lane="other")])
        await running.seen.ran(2)
        assert running.keys() == ["c0"]
        release.set()

    async def test_what_is_hastened_runs_now_in_the_order_given(self, running: Running) -> None:
        later = running.clock() + 200_000
        await running.queue.wake([wake("reply", key, later) for key in ("a", "b", "c", "d")])
        running.queue.hasten([("reply", "c"), ("reply", "a"), ("reply", "unknown")])
        await running.settled()
        assert running.keys() == ["c", "a"]
        await running.forward(200_000)
        await running.settled()
        assert running.keys() == ["c", "a", "b", "d"]

    async def test_what_is_hastened_while_it_runs_runs_once_more_now(self, running: Running) -> None:
        ends: list[JobEnd] = [Reschedule(running.clock() + 200_000), Done()]

        async def end(job: Job) -> JobEnd:
            if job.kind != "reply":
                return Done()
            if len(ends) == 2:
                running.queue.hasten([("reply", "c1")])
            return ends.pop(0)

        running.seen.ends = end
        await running.queue.wake([wake("reply", "c1", running.clock())])
        await running.seen.ran(2)
        await running.settled()
        assert running.keys() == ["c1", "c1"]

    async def test_events_and_counters_tell_what_happened(self, running: Running) -> None:
        await running.queue.wake([wake("reply", "c1", running.clock())])
        await running.settled()
        told = [event.what for event in running.seen.events if event.job.kind == "reply"]
        assert told == ["woken", "started", "done"]
        stats = await running.queue.stats()
        assert stats["done"] >= 1
        assert stats["failed"] == 0

    async def test_pending_entries_are_listed_and_dropped(self, queue: Queue, clock: ManualClock) -> None:
        await queue.wake([wake("reply", "c1", clock() + 2_000), wake("deliver", "c2", clock() + 1_000)])
        listed = [(entry["kind"], entry["key"]) async for entry in queue.entries(10)]
        assert sorted(listed) == [("deliver", "c2"), ("reply", "c1")]
        assert await queue.drop("reply", "c1")
        assert not await queue.drop("reply", "c1")
        assert [entry["key"] async for entry in queue.entries(10)] == ["c2"]

    async def test_more_jobs_than_memory_holds_all_run(self, queue: Queue, clock: ManualClock) -> None:
        count = 5_000
        await queue.wake([wake("reply", f"c{n}", clock()) for n in range(count)])
        async with Running(queue, clock) as running:
            async with asyncio.timeout(60):
                while len(set(running.keys())) < count:
                    await running.seen.ran(len(running.seen.jobs) + 1)
            assert len(running.keys()) == count

    async def test_many_that_wait_for_later_keep_none_waiting_that_is_due(self, running: Running) -> None:
        later = running.clock() + 250_000
        await running.queue.wake([wake("reply", f"later-{n}", later) for n in range(3_000)])
        await running.queue.wake([wake("reply", "now", running.clock())])
        await running.settled()
        assert running.keys() == ["now"]

    async def test_a_short_hold_does_not_cut_a_longer_one(self, running: Running) -> None:
        running.queue.hold("lane", running.clock() + 60_000)
        running.queue.hold("lane", running.clock() + 1_000)
        await running.forward(1_000)
        await running.settled()
        assert running.queue.held("lane")

    async def test_a_job_that_is_cancelled_from_within_backs_off_like_any_failure(self, running: Running) -> None:
        async def end(job: Job) -> JobEnd:
            if job.kind == "reply":
                raise asyncio.CancelledError
            return Done()

        running.seen.ends = end
        await running.queue.wake([wake("reply", "c1", running.clock())])
        await running.settled()
        assert running.keys() == ["c1"]
        await running.forward(1_000)
        await running.settled()
        assert running.keys() == ["c1", "c1"]


class PersistentQueueContract(QueueContract):
    """What a queue promises besides, if its jobs are to outlive the process. Also provide `reopened`."""

    async def reopened(self, queue: Queue, clock: ManualClock) -> Queue:
        """Return the queue after its process was killed."""
        raise NotImplementedError

    async def test_a_killed_worker_loses_no_job(self, queue: Queue, clock: ManualClock) -> None:
        started = asyncio.Event()

        async def never(_: Job) -> JobEnd:
            started.set()
            await asyncio.Event().wait()
            return Done()

        await queue.wake([wake("reply", "under-way", clock()), wake("deliver", "later", clock() + 1_000)])
        task = asyncio.create_task(queue.run(never))
        async with asyncio.timeout(DEADLINE):
            await started.wait()
        task.cancel()
        again = await self.reopened(queue, clock)
        clock.forward(1_000)
        async with Running(again, clock) as running:
            await running.seen.ran(2)
            assert sorted(job.key for job in running.seen.jobs) == ["later", "under-way"]

    async def test_a_finished_job_stays_finished(self, queue: Queue, clock: ManualClock) -> None:
        async with Running(queue, clock) as running:
            await queue.wake([wake("reply", "c1", clock())])
            await running.settled()
        again = await self.reopened(queue, clock)
        assert [entry["key"] async for entry in again.entries(10) if entry["kind"] == "reply"] == []
