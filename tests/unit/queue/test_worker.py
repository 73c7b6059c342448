"""Running jobs for the queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest

from sara import JobEvent
from sara.engines import Done, Job, JobEnd, JobRequest, Reschedule
from sara.plugins.queue import JobHandler
from sara.queue.crash_isolation import LOOK, CrashIsolation
from sara.queue.worker import Worker
from tests.fakes import DEADLINE, NOW, House


def worker_of(house: House, handlers: Mapping[str, JobHandler] | None = None, caution: CrashIsolation | None = None) -> Worker:
    isolation = caution or CrashIsolation((), 0)
    return Worker(house.queue, handlers or {}, house.hooks, house.problems, house.clock, isolation)


async def run_until(worker: Worker, event: asyncio.Event) -> None:
    """Run the worker until something happened, then let it end."""
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(DEADLINE):
        await event.wait()
        await worker.stop()
        await running


# ── jobs ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_each_kind_of_job_goes_to_its_room() -> None:
    house, seen, both = House(), [], asyncio.Event()

    def room(name: str) -> JobHandler:
        async def handle(job: Job) -> JobEnd:
            seen.append((name, job.key))
            if len(seen) == 2:
                both.set()
            return Done()

        return handle

    await house.queue.wake([JobRequest("reply", "c1", NOW, "r"), JobRequest("deliver", "c2", NOW, "d")])
    await run_until(worker_of(house, {"reply": room("replies"), "deliver": room("outbox")}), both)
    assert sorted(seen) == [("outbox", "c2"), ("replies", "c1")]


async def test_a_job_of_an_unknown_kind_fails_stays_and_is_a_problem() -> None:
    house, failed = House(), asyncio.Event()
    house.problems.report = _telling(house, failed)  # type: ignore[method-assign]  # the same, and it sets the event
    await house.queue.wake([JobRequest("dance", "c1", NOW, "d")])
    await run_until(worker_of(house), failed)
    assert house.listed() == {"queue:dance:job_failed": 1}
    assert ("dance", "c1") in house.queue.kept


async def test_a_job_that_fails_unexpectedly_is_a_problem_and_hurts_no_other() -> None:
    house, failed, other = House(), asyncio.Event(), asyncio.Event()
    house.problems.report = _telling(house, failed)  # type: ignore[method-assign]  # the same, and it sets the event

    async def handle(job: Job) -> JobEnd:
        if job.key == "bad":
            raise RuntimeError("a bug")
        await failed.wait()
        other.set()
        return Done()

    await house.queue.wake([JobRequest("reply", "bad", NOW, "r"), JobRequest("reply", "good", NOW, "r")])
    await run_until(worker_of(house, {"reply": handle}), other)
    assert house.listed() == {"queue:reply:job_failed": 1}
    assert list(house.queue.kept) == [("reply", "bad")]


async def test_what_an_error_says_is_not_listed_for_it_may_quote_a_customer() -> None:
    house, failed = House(), asyncio.Event()
    house.problems.report = _telling(house, failed)  # type: ignore[method-assign]  # the same, and it sets the event

    async def handle(_: Job) -> JobEnd:
        raise ValueError("cannot read: my number is 15550001111")

    await house.queue.wake([JobRequest("reply", "c1", NOW, "r")])
    await run_until(worker_of(house, {"reply": handle}), failed)
    [problem] = house.problems
    assert "ValueError" in problem.message
    assert "15550001111" not in problem.message


async def test_a_job_that_works_again_is_no_problem_any_more() -> None:
    house, failed, worked = House(), asyncio.Event(), asyncio.Event()
    house.problems.report = _telling(house, failed)  # type: ignore[method-assign]  # the same, and it sets the event

    async def handle(job: Job) -> JobEnd:
        if job.failures == 0:
            raise RuntimeError("a bug")
        worked.set()
        return Done()

    await house.queue.wake([JobRequest("reply", "c1", NOW, "r")])
    worker = worker_of(house, {"reply": handle})
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(DEADLINE):
        await failed.wait()
        house.clock.forward(60_000)
        await house.queue.wake([JobRequest("look", "clock", house.clock() + 10**10, "look")])
        await worked.wait()
        await worker.stop()
        await running
    assert "queue:reply:job_failed" not in house.problems


async def test_while_another_still_fails_the_problem_stays() -> None:
    house, failed, worked = House(), asyncio.Event(), asyncio.Event()

    async def handle(job: Job) -> JobEnd:
        if not job.failures:
            raise RuntimeError("a bug")
        if job.key == "broken":
            await asyncio.Event().wait()
        worked.set()
        return Done()

    report = house.problems.report

    def told(key: str, message: str, remedy: str = "") -> None:
        report(key, message, remedy)
        if house.listed()[key] == 2:
            failed.set()

    house.problems.report = told  # type: ignore[method-assign, assignment]  # the same, and it sets the event
    await house.queue.wake([JobRequest("reply", "mended", NOW, "r"), JobRequest("reply", "broken", NOW, "r")])
    worker = worker_of(house, {"reply": handle})
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(DEADLINE):
        await failed.wait()
        house.clock.forward(60_000)
        await house.queue.wake([JobRequest("look", "clock", house.clock() + 10**10, "look")])
        await worked.wait()
        await worker.stop(grace=0)
        await running
    assert "queue:reply:job_failed" in house.problems


@pytest.mark.parametrize(("end", "what"), [(Done(), "done"), (Reschedule(NOW + 10**9), "again")])
async def test_plugins_are_told_how_a_job_ended(end: JobEnd, what: str) -> None:
    house, ran = House(), asyncio.Event()
    listener = house.listens()

    async def handle(_: Job) -> JobEnd:
        ran.set()
        return end

    await house.queue.wake([JobRequest("reply", "c1", NOW, "r")])
    await run_until(worker_of(house, {"reply": handle}), ran)
    await house.hooks.wait_idle()
    assert listener.told == [("job_finished", (what, "c1"))]


async def test_stopping_lets_a_running_job_end_and_starts_no_other() -> None:
    house, started, release, keys = House(), asyncio.Event(), asyncio.Event(), []

    async def handle(job: Job) -> JobEnd:
        keys.append(job.key)
        started.set()
        await release.wait()
        return Done()

    house.queue.limit("r", 1)
    await house.queue.wake([JobRequest("reply", "c1", NOW, "r"), JobRequest("reply", "c2", NOW, "r")])
    worker = worker_of(house, {"reply": handle})
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(DEADLINE):
        await started.wait()
        stopping = asyncio.create_task(worker.stop())
        release.set()
        await stopping
        await running
    assert keys == ["c1"]
    assert list(house.queue.kept) == [("reply", "c2")]


async def test_of_two_suspects_one_waits_until_the_other_has_come_back_and_nobody_else_does() -> None:
    house, waited, back, rest, ran = House(), asyncio.Event(), asyncio.Event(), asyncio.Event(), list[str]()
    release = asyncio.Event()

    async def handle(job: Job) -> JobEnd:
        ran.append(job.key)
        if job.key == "first":
            await release.wait()
        if job.key == "second":
            rest.set()
        return Done()

    def listen(event: JobEvent) -> None:
        if event.what == "again" and event.job.key == "second":
            waited.set()
        if event.what == "done" and event.job.key == "first":
            back.set()

    caution = CrashIsolation([("reply", "first"), ("reply", "second")], NOW)
    worker = worker_of(house, {"reply": handle}, caution)
    worker._listen = listen  # type: ignore[method-assign]  # to see what the queue is told
    await house.queue.wake([JobRequest("reply", key, NOW, "r") for key in ("first", "second", "bystander")])
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(DEADLINE):
        await waited.wait()
        assert sorted(ran) == ["bystander", "first"]
        release.set()
        await back.wait()
        house.clock.forward(LOOK)
        await house.queue.wake([JobRequest("look", "clock", house.clock() + 10**10, "look")])
        await rest.wait()
        await worker.stop()
        await running
    assert sorted(ran) == ["bystander", "first", "second"]


def _telling(house: House, event: asyncio.Event) -> Callable[..., None]:
    report = house.problems.report

    def told(key: str, message: str, remedy: str = "") -> None:
        report(key, message, remedy)
        event.set()

    return told
