"""SIGTERM: what is under way ends, nothing new begins, and the process is gone within 30 s whatever hangs in it."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

from .conftest import Process, Town, exported

SHELF = Path(__file__).parents[1] / "data" / "plugins"
LONG = "\n\n" + ", ".join(f"and so on to {number}" for number in range(250))
"""Makes an answer one of two parts; words that only repeated themselves would be cut off as a model's runaway."""


async def test_once_it_is_told_to_stop_no_further_part_is_sent_until_the_next_start(town: Town, process: Process) -> None:
    town.ai.mode = lambda call: "echo: " + " | ".join(call.asked) + LONG
    town.phone.faults.slow.on(1_500, times=1)
    await process.start()
    await town.phone.say("ana", "hello")
    await town.phone.wait_for(lambda phone: phone.accepted)
    assert await process.end() == 0
    assert len(town.phone.accepted) == 1
    parts = [message for message in await exported(town) if message.direction == "out"]
    assert parts[0].state not in ("sending", "in_doubt"), "the send that was under way was let end"
    assert parts[1].state == "queued"
    await process.start()
    first, second = await town.answers(2)
    assert first.startswith("echo: hello")
    assert second.startswith("and so on")
    assert not any('"unclean_stop_recovered"' in line for line in process.output), "the end before was a clean one"


async def test_a_clean_end_is_no_crash(town: Town, process: Process) -> None:
    await process.start()
    assert await process.end() == 0
    await process.start()
    assert not any('"unclean_stop_recovered"' in line for line in process.output)
    await process.kill()
    await process.start()
    assert any('"unclean_stop_recovered"' in line for line in process.output)


async def thinks_for_long(town: Town, process: Process) -> None:
    """Ana has written, and the AI takes an hour: what ends before has not waited for it."""
    town.config["responders"]["assistant"]["timeout"] = "2h"
    town.ai.delay_ms = 3_600_000
    await process.start()
    await town.phone.say("ana", "hello")
    await town.ai.wait_for(lambda calls: calls)


async def test_a_second_signal_ends_it_at_once(town: Town, process: Process) -> None:
    await thinks_for_long(town, process)
    assert process.process is not None
    process.process.send_signal(signal.SIGTERM)
    await process.logged('"shutdown_started"')
    assert await process.end() == 130
    assert not any('"daemon_stopped"' in line for line in process.output), "the first signal's way to the end was not cut short"


async def test_it_is_gone_within_thirty_seconds_although_the_ai_and_a_plugin_hang(town: Town, process: Process) -> None:
    (town.folder / "plugins").mkdir()
    shutil.copy(SHELF / "sara_hanging.py", town.folder / "plugins")
    town.config["channels"]["second"] = {"plugin": "hanging", "at": "close"}
    await thinks_for_long(town, process)
    assert await process.end() == 0
    assert [message.state for message in await exported(town)] == ["waiting"]
    town.config["channels"].pop("second")
    town.ai.delay_ms = 0
    await process.start()
    assert not any('"unclean_stop_recovered"' in line for line in process.output), "the end before was a clean one"
    assert await town.answers(1) == ["echo: hello"]
