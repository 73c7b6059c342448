"""kill -9 at every system call that changes a file or lets something out, on the whole way of a message.

| killed at | the mechanism that must hold |
|---|---|
| the first start: lock, schema, token | migrations in one transaction; a token that appears whole |
| storing the message, sending the 200 | the 200 waits for the commit; the provider delivers again, and ids tell what is known |
| asking the AI, storing its answer | the answer is stored before anything is sent, and then never asked for again |
| storing the mark of a send, sending, storing the outcome | no request without its mark; who dies in between leaves a doubt, not a gap |
| storing receipts | they are acknowledged once stored; one that names the attempt ends the doubt, and nothing is sent twice |
| draining, the checkpoint, the end | the write-ahead log is copied before it goes |

A call is struck as it begins, so that what it would have done is missing. A traced run tells which calls there are. With
`SARA_FAULTS=full` every one is struck; otherwise a few that are evenly spread (`tests/effort.py`).
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.rig import (
    DATABASE,
    OTHERS,
    SENDING,
    WRITING,
    Died,
    Fork,
    Point,
    Strace,
    at_each,
    built,
    check_end,
    check_wreck,
    first_writes,
    killing,
    points,
    read_through,
)
from tests.journeys.conftest import DEADLINE, Town


async def killed(fork: Fork) -> bool:
    """How it ended: struck, or well."""
    code = await fork.ended()
    assert code in (0, -signal.SIGKILL), fork.output()
    return code != 0


async def recovered(town: Town) -> None:
    """Start again: what was under way arrives, and so does what is said now."""
    answered, asked = check_wreck(town), len(town.ai.calls)
    fork = await Fork.serving(town)
    # What is delivered again after what was said later comes after it; that order is the provider's, not ours.
    await fork.alive(town.phone.wait_for(lambda phone: all(each.state != "sent" for each in phone.chat("ana")), DEADLINE))
    await town.phone.say("ana", "again")
    await town.phone.say("kofi", "me too")
    await fork.alive(read_through(town))
    assert await fork.end() == 0
    once_more = [call for call in town.ai.calls[asked:] if "hello" in call.asked]
    assert len(once_more) <= (0 if answered else 1), "an answer that was stored is not asked for again"
    await check_end(town)


@pytest.fixture
async def lived_in(tmp_path: Path) -> Path:
    """The state of a daemon that has run before and ended well."""
    folder = tmp_path / "before"
    folder.mkdir()
    async with built(folder) as town:
        fork = await Fork.serving(town)
        await town.phone.say("kofi", "earlier")
        await fork.alive(read_through(town))
        assert await fork.end() == 0
    return folder / "state"


@pytest.mark.parametrize(
    ("calls", "names"),
    [(WRITING, DATABASE), (WRITING, OTHERS), (SENDING, None)],
    ids=["writing the database", "writing other files", "sending"],
)
async def test_a_message_survives_a_kill_anywhere_on_its_way(
    strace: Strace, tmp_path: Path, lived_in: Path, calls: str, names: Sequence[str] | None
) -> None:
    async def trip(point: Point | None, trace: Path = Path(os.devnull)) -> bool:
        folder = tmp_path / ("trace" if point is None else "-".join(map(str, point)))
        shutil.copytree(lived_in, folder / "state")
        paths = None if names is None else [folder / "state" / name for name in names]
        options = ("-e", f"trace={calls}") if point is None else killing(point)
        async with built(folder) as town:
            fork = await Fork.serving(town)
            async with strace.beside(fork.pid, *options, paths=paths, trace=trace):
                with suppress(Died):
                    await town.phone.say("ana", "hello")
                    await fork.alive(read_through(town))
                    await fork.end()
                struck = await killed(fork)
            await (recovered(town) if struck else check_end(town))
        shutil.rmtree(folder)
        return struck

    assert not await trip(None, tmp_path / "calls")
    found = points(tmp_path / "calls")
    await at_each(found, trip, short=6 if names == DATABASE else 3, telling=first_writes(found))


@pytest.mark.parametrize("names", [DATABASE, OTHERS], ids=["writing the database", "writing other files"])
async def test_a_kill_anywhere_in_the_first_start_leaves_a_state_that_serves(
    strace: Strace, tmp_path: Path, names: Sequence[str]
) -> None:
    async def trip(point: Point | None, trace: Path = Path(os.devnull)) -> bool:
        folder = tmp_path / ("trace" if point is None else "-".join(map(str, point)))
        folder.mkdir()
        options = ("-e", f"trace={WRITING}") if point is None else killing(point)
        async with built(folder) as town:
            fork = await Fork.made(town)
            async with strace.beside(fork.pid, *options, paths=[folder / "state" / name for name in names], trace=trace):
                fork.go()
                with suppress(Died):
                    await fork.connect()
                    await fork.end(signal.SIGKILL)
                await fork.ended()
            struck = not fork.has_served
            await town.phone.say("ana", "hello")
            fork = await Fork.serving(town)
            await fork.alive(read_through(town))
            assert len((folder / "state" / "admin-token").read_text(encoding="ascii").strip()) >= 32
            assert await fork.end() == 0
            await check_end(town)
        shutil.rmtree(folder)
        return struck

    assert not await trip(None, tmp_path / "calls")
    await at_each(points(tmp_path / "calls"), trip, short=2)
