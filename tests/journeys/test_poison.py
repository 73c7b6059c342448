"""A message that kills the process, and a plugin that blocks the loop: only the guilty one is set aside."""

from __future__ import annotations

from .conftest import Process, Town, exported

POISONED = """
import os
import time

from sara import Context, Draft, Options, Reply, Responder, Turn, hookimpl


class Poisoned(Responder):
    Options = Options

    def __init__(self, options: Options, context: Context) -> None:
        pass

    async def answer(self, turn: Turn) -> Reply:
        text = turn.messages[-1].text
        if text == "die":
            os._exit(9)
        if text == "block":
            time.sleep(3600)
        return Reply((Draft(f"ok: {text}"),))


@hookimpl
def register_responders():
    return [Poisoned]
"""


def poison(town: Town) -> None:
    folder = town.folder / "plugins"
    folder.mkdir()
    (folder / "sara_poisoned.py").write_text(POISONED, encoding="utf-8")
    town.config["responders"] = {"assistant": {"plugin": "poisoned"}}


async def test_a_message_that_kills_the_process_is_set_aside_after_three_times_and_everybody_else_is_answered(
    town: Town, process: Process
) -> None:
    poison(town)
    await process.start()
    await town.phone.say("ana", "die")
    for life in range(1, 4):
        assert await process.ended() == 9
        await town.phone.say("kofi", f"hello {life}")
        await process.launch()
        if life < 3:
            continue
    await town.phone.connect(await process.served() + "/webhook/messages")
    await town.answers(1)
    await town.phone.say("mei", "and me?")
    await town.phone.wait_for(lambda phone: any(send.text == "ok: and me?" for send in phone.accepted), timeout=20)
    await town.phone.wait_for(lambda phone: not phone.under_way, timeout=20)
    assert await process.end() == 0
    stored = await exported(town)
    assert [(message.text, message.reason) for message in stored if message.state == "quarantined"] == [
        ("die", "crashed_process")
    ]
    assert {message.state for message in stored if message.direction == "in" and message.text != "die"} == {"answered"}


async def test_a_plugin_that_blocks_the_loop_is_named_and_the_process_ends_to_be_started_again(
    town: Town, process: Process
) -> None:
    poison(town)
    await process.start()
    await town.phone.say("ana", "block")
    assert await process.ended() == 1
    log = "".join(process.output)
    assert "sara_poisoned.py" in log
    assert "Timeout" in log
