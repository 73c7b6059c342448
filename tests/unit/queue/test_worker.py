"""Runs jobs for the queue, and finds the work that nobody was woken for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import pytest

from sara import JobEvent, SaraError
from sara.engines import Done, Job, JobEnd, JobRequest, OpenWork, Reschedule, StoreUnavailable
from sara.plugins.queue import JobHandler
from sara.queue.crash_isolation import LOOK, CrashIsolation
from sara.queue.worker import SWEEP_PAGE, Worker
from tests.fakes import ACCOUNT, DEADLINE, NOW, House, without_waiting


def worker_of(house: House, handlers: Mapping[str, JobHandler] | None = None, caution: CrashIsolation | None = None) -> Worker:
    return Worker(house.store, house.queue, house.notifier, handlers or {}, house.hooks, house.problems, house.clock, caution)


def work(conversation: str, due: int | None = NOW, account: str = ACCOUNT) -> OpenWork:
    return OpenWork(conversation, account, None, due)


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


# ── the sweep ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def swept(house: House, looks: int) -> Worker:
    """Sweep until the store was looked into so many times, as fast as time can be made to pass."""

    async def main() -> Worker:
        loop, enough = asyncio.get_running_loop(), asyncio.Event()
        began, look = loop.time(), house.store.open_work

        async def looking(after: str | None, limit: int, before: int | None = None) -> Sequence[OpenWork]:
            found = await look(after, limit, before)
            if len(house.store.called("open_work")) == looks:
                enough.set()
            return found

        house.store.open_work = looking  # type: ignore[method-assign]  # the same, and it sets the event
        house.clock = lambda: NOW + int((loop.time() - began) * 1_000)  # type: ignore[assignment]  # the loop's own time
        worker = worker_of(house)
        sweep = asyncio.create_task(worker.sweep())
        async with asyncio.timeout(3_600):  # of the loop's time, which passes at once
            await enough.wait()
        await worker.stop()
        await sweep
        return worker

    return without_waiting(main())


def test_at_the_start_everything_that_is_open_is_woken_whenever_it_is_due() -> None:
    house = House()
    house.store.pages = [[work("c1"), work("c2", NOW + 10**9), OpenWork("c3", ACCOUNT, NOW, None)]]
    worker = swept(house, 1)
    assert {(wake.kind, wake.key, wake.due) for wake in house.queue.woken} == {
        ("deliver", "c1", NOW),
        ("deliver", "c2", NOW + 10**9),
        ("reply", "c3", NOW),
    }
    assert worker.found_by_sweep == 0


def test_open_work_is_read_in_pages() -> None:
    house = House()
    first = [work(f"a{n:04}") for n in range(SWEEP_PAGE)]
    house.store.pages = [first, [work("b")]]
    swept(house, 2)
    assert [(after, limit, before) for after, limit, before in house.store.called("open_work")] == [
        (None, SWEEP_PAGE, None),
        (first[-1].conversation, SWEEP_PAGE, None),
    ]
    assert len(house.queue.woken) == SWEEP_PAGE + 1


def test_every_thirty_seconds_what_is_overdue_is_woken_and_counted() -> None:
    house = House()
    house.store.pages = [[], [work("c1", NOW - 1)], [work("c2", NOW - 1), work("c3", NOW - 1)]]
    worker = swept(house, 3)
    befores = [before for _, _, before in house.store.called("open_work")]
    assert befores[0] is None
    assert befores[1] == pytest.approx(NOW, abs=1_000)
    assert befores[2] == pytest.approx(NOW + 30_000, abs=1_000)
    assert [wake.key for wake in house.queue.woken] == ["c1", "c2", "c3"]
    assert worker.found_by_sweep == 3


def test_what_waits_for_a_held_lane_is_not_overdue() -> None:
    house = House()
    house.queue.hold("deliver:support")
    house.store.pages = [[], [work("c1", NOW - 1)]]
    worker = swept(house, 2)
    assert house.queue.woken == []
    assert worker.found_by_sweep == 0


def test_work_of_a_channel_that_is_gone_is_not_woken() -> None:
    house = House()
    house.store.pages = [[work("c1", account="test:9")], [work("c1", account="test:9")]]
    assert swept(house, 2).found_by_sweep == 0
    assert house.queue.woken == []


@pytest.mark.parametrize(("error", "problems"), [(StoreUnavailable(), {}), (SaraError("odd"), {"queue:sweep:failed": 1})])
def test_a_sweep_that_fails_is_followed_by_the_next(error: Exception, problems: dict[str, int]) -> None:
    house = House()
    house.store.fails["open_work"] = [error]
    house.store.pages = [[work("c1", NOW - 1)]]
    worker = worker_of(house)

    async def main() -> None:
        found = asyncio.Event()
        wake = house.queue.wake

        async def waking(wakes: object) -> None:
            await wake(wakes)  # type: ignore[arg-type]  # passed on as it comes
            found.set()

        house.queue.wake = waking  # type: ignore[method-assign]  # the same, and it sets the event
        sweep = asyncio.create_task(worker.sweep())
        async with asyncio.timeout(3_600):  # of the loop's time, which passes at once
            await found.wait()
        assert house.listed() == problems
        await worker.stop()
        await sweep

    without_waiting(main())
    assert [wake.key for wake in house.queue.woken] == ["c1"]


async def test_a_sweep_that_was_stopped_ends() -> None:
    worker = worker_of(House())
    await worker.stop()
    async with asyncio.timeout(DEADLINE):
        await worker.sweep()


def watched(house: House, *steps: int) -> list[tuple[int, int]]:
    """The clock steps like this, five seconds of real time apart; the arguments of every `clamp`, as milliseconds from now."""

    async def main() -> None:
        worker = worker_of(house)
        watching = asyncio.create_task(worker.watch_clock())
        for step in steps:
            await asyncio.wait([watching], timeout=1)
            house.clock.forward(5_000 + step)
            await asyncio.wait([watching], timeout=4)
        await worker.stop()
        await watching

    without_waiting(main())
    return [(latest - now, now - NOW) for latest, now in house.store.called("reset_future_dues")]


def test_dues_from_beyond_any_wait_are_mended_at_the_start() -> None:
    assert watched(House()) == [(600_000, 0)]


def test_a_clock_that_goes_back_while_running_lets_nobody_wait_for_it() -> None:
    assert watched(House(), 0, -3_600_000, 0)[1:] == [(60_000, 10_000 - 3_600_000)]


def test_a_clock_that_runs_on_or_jumps_ahead_changes_nothing() -> None:
    assert len(watched(House(), 0, 3_600_000, 0, 31_536_000_000)) == 1
