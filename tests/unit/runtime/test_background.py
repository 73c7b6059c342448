"""Background tasks are repeated, named and supervised."""

from __future__ import annotations

import asyncio

import pytest

from sara.domain.errors import SaraError
from sara.runtime.background import BackgroundTask, BackgroundTasks, periodic
from tests.fakes import DEADLINE, without_waiting


class TestPeriodic:
    def test_work_is_repeated_until_it_has_to_stop(self) -> None:
        async def main() -> int:
            stopping, times = asyncio.Event(), []

            async def work() -> None:
                times.append(asyncio.get_running_loop().time())
                if len(times) == 3:
                    stopping.set()

            began = asyncio.get_running_loop().time()
            await periodic(work, 60, stopping)
            assert [round(time - began) for time in times] == [0, 60, 120]
            return len(times)

        assert without_waiting(main()) == 3

    def test_delayed_work_waits_once_before_it_begins(self) -> None:
        async def main() -> float:
            stopping, loop = asyncio.Event(), asyncio.get_running_loop()

            async def work() -> None:
                stopping.set()

            began = loop.time()
            await periodic(work, 60, stopping, is_delayed=True)
            return loop.time() - began

        assert without_waiting(main()) == pytest.approx(60, abs=1)

    def test_an_error_of_store_or_disk_is_followed_by_the_next_turn(self) -> None:
        async def main() -> int:
            stopping, errors = asyncio.Event(), [SaraError("away"), OSError("full")]

            async def work() -> None:
                if errors:
                    raise errors.pop()
                stopping.set()

            await periodic(work, 60, stopping)
            return len(errors)

        assert without_waiting(main()) == 0

    async def test_any_other_error_ends_it(self) -> None:
        async def work() -> None:
            raise ValueError("a bug")

        with pytest.raises(ValueError, match="a bug"):
            await periodic(work, 60, asyncio.Event())

    async def test_nothing_is_done_when_it_has_to_stop_already(self) -> None:
        stopping = asyncio.Event()
        stopping.set()

        async def work() -> None:
            raise AssertionError

        await periodic(work, 60, stopping)


class TestBackgroundTasks:
    async def test_a_task_that_breaks_is_reported(self) -> None:
        broken = asyncio.Event()

        async def work() -> None:
            raise ValueError("a bug")

        tasks = BackgroundTasks(broken.set)
        tasks.start(BackgroundTask("work", work))
        async with asyncio.timeout(DEADLINE):
            await broken.wait()
        assert not tasks.is_running("work")

    async def test_a_cancelled_task_is_no_failure(self) -> None:
        broken = asyncio.Event()
        tasks = BackgroundTasks(broken.set)
        tasks.start(BackgroundTask("work", asyncio.Event().wait))  # type: ignore[arg-type]  # its result is ignored
        assert tasks.is_running("work")
        await tasks.cancel()
        assert not tasks.is_running("work")
        assert not broken.is_set()
