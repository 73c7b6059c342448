"""kill -9 between what the store has committed and the wake that follows, with a queue that has nothing written down.

Only the sweep at the next start knows of it.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.rig import Fork, built, check_end, check_wreck, read_through
from tests.journeys.conftest import DEADLINE, Town

STUCK = """
import asyncio
from collections.abc import Sequence

import structlog

from sara import Context, Options, hookimpl
from sara.engines import Entry, JobRequest, ScheduledQueue


class StuckOptions(Options):
    at: str = ""


class StuckQueue(ScheduledQueue):
    Options = StuckOptions

    def __init__(self, options: StuckOptions, context: Context) -> None:
        super().__init__(context.clock)
        self._at = options.at

    async def wake(self, wakes: Sequence[JobRequest]) -> None:
        if self._at in {wake.kind for wake in wakes}:
            structlog.get_logger("stuck").info("stuck_before_a_wake", kind=self._at)
            await asyncio.Event().wait()
        await super().wake(wakes)

    async def _keep(self, entries: Sequence[Entry]) -> None: ...

    async def _keep_again(self, entry: Entry, claimed: int) -> None: ...

    async def _forget(self, job: tuple[str, str], claimed: int | None) -> bool:
        return True

    async def _fetch(self, before: int, lane: str | None, limit: int) -> Sequence[Entry]:
        return ()

    async def _kept(self) -> int:
        return 0


@hookimpl
def register_queues():
    return [StuckQueue]
"""
"""A queue in memory, in which the wakes of a kind never come to pass."""


async def killed_before_a_wake(town: Town, kind: str) -> None:
    """A message is acknowledged, and the process dies while the first wake of this kind is due."""
    folder = town.folder / "plugins"
    folder.mkdir()
    (folder / "sara_stuck.py").write_text(STUCK, encoding="ascii")
    town.config["queue"] = {"plugin": "stuck", "at": kind}
    fork = await Fork.serving(town)
    await town.phone.say("ana", "hello")
    await fork.logged("stuck_before_a_wake")
    await town.phone.wait_for(lambda phone: [each.state != "sent" for each in phone.chat("ana")] == [True], DEADLINE)
    assert await fork.end(signal.SIGKILL) == -signal.SIGKILL
    town.config["queue"] = {"plugin": "stuck"}


@pytest.mark.parametrize(("kind", "answer_stored"), [("reply", False), ("deliver", True)])
async def test_work_that_was_committed_but_never_woken_is_found_by_the_next_start(
    tmp_path: Path, kind: str, answer_stored: bool
) -> None:
    async with built(tmp_path) as town:
        await killed_before_a_wake(town, kind)
        assert check_wreck(town) is answer_stored
        assert (len(town.ai.calls), town.phone.accepted) == (int(answer_stored), [])
        fork = await Fork.serving(town)
        await fork.alive(read_through(town))
        assert len(town.ai.calls) == 1, "an answer that was stored is not asked for again"
        assert await fork.end() == 0
        await check_end(town)
