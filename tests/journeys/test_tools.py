"""What the AI may do for a customer: a plugin's tool from a folder, called once, for this customer alone, also across a kill."""

from __future__ import annotations

import json
from pathlib import Path

from sara_simulators.openai import ToolCalls
from sara_simulators.openai.protocol import Call

from .conftest import Process, Town, exported
from .test_handing_over import at_rest

PLUGIN = """
from pathlib import Path
from sara import Options, Allow, Skip, Tool, hookimpl
import asyncio


class Booking(Options):
    people: int


class Book(Tool):
    name = "book_table"
    description = "Books a table for the customer."
    Arguments = Booking

    async def run(self, arguments, scope):
        with Path(__file__).with_name("booked.txt").open("a") as file:
            file.write(f"{scope.contact.name}: {arguments.people}\\n")
        if arguments.people == 13:
            await asyncio.sleep(60)
        return f"A table for {arguments.people} is booked."


def no_spam(view, policy, facts):
    spam = tuple(line.id for line in view.waiting if "lottery" in line.text)
    return Skip(spam, "spam") if spam else Allow()


@hookimpl
def register_tools():
    return [Book()]


@hookimpl
def register_gates():
    return [no_spam]
"""


def set_up(town: Town) -> Path:
    """A plugin with a tool and a gate; a model that books a table for as many as the customer says."""
    folder = town.folder / "plugins"
    folder.mkdir()
    (folder / "sara_tables.py").write_text(PLUGIN)
    town.config |= {"plugins": ["tables"]}
    town.config["conversation"] |= {"tools": ["book_table"]}

    def think(call: Call) -> str | ToolCalls:
        if call.results:
            return f"Done: {call.results[-1]}"
        people = "".join(filter(str.isdigit, call.asked[-1])) or "0"
        return ToolCalls([("book_table", {"people": int(people)})])

    town.ai.mode = think
    return folder / "booked.txt"


async def test_the_model_calls_a_plugins_tool_for_the_customer_it_talks_to(town: Town) -> None:
    booked = set_up(town)
    await town.start()
    await town.phone.say("ana", "a table for 4 please")
    assert await town.answers(1) == ["Done: A table for 4 is booked."]
    assert booked.read_text() == "Ana Duarte: 4\n"
    [tool] = town.ai.calls[0].body["tools"]
    assert tool["function"]["parameters"]["properties"] == {"people": {"title": "People", "type": "integer"}}
    [asked] = await town.messages(direction="in")
    assert town.daemon is not None
    told = [event.what for event in await town.daemon.store.timeline(asked.id)]
    assert told == ["received", "asked", "tool_called", "tool_done", "answered"]


async def test_a_call_that_was_made_is_not_made_again_when_the_answer_is_tried_anew(town: Town) -> None:
    booked = set_up(town)
    think = town.ai.mode
    failed = []

    def fails_once(call: Call) -> str | ToolCalls:
        if call.results and not failed:
            failed.append(call)
            return ""
        assert callable(think)
        said = think(call)
        assert isinstance(said, str | ToolCalls)
        return said

    town.ai.mode = fails_once
    await town.start()
    await town.phone.say("ana", "a table for 4 please")
    assert await town.answers(1) == ["Done: A table for 4 is booked."]
    assert failed
    assert booked.read_text() == "Ana Duarte: 4\n"


async def test_a_call_that_a_kill_cut_off_is_not_made_again_and_the_model_is_told_so(town: Town, process: Process) -> None:
    booked = set_up(town)
    town.config["responders"]["assistant"]["timeout"] = "20s"
    await process.start()
    await town.phone.say("ana", "a table for 13 please")

    async def begun() -> bool:
        return booked.exists()

    await town.until(begun)
    await at_rest(town)
    await process.kill()
    await process.start()
    [said] = await town.answers(1)
    assert "not done again" in said
    await at_rest(town)
    assert await process.end() == 0
    assert booked.read_text() == "Ana Duarte: 13\n"
    assert [each.state for each in await exported(town)] == ["answered", "read"]


async def test_wrong_arguments_run_nothing_and_are_told_to_the_model(town: Town) -> None:
    booked = set_up(town)

    def think(call: Call) -> str | ToolCalls:
        if len(call.results) == 2:
            return "Sorry, for how many?"
        wrong = {"people": "many", "customer": "kofi", "at": []} if not call.results else '{"people": '
        return ToolCalls([("book_table", wrong if isinstance(wrong, str) else json.dumps(wrong))])

    town.ai.mode = think
    await town.start()
    await town.phone.say("ana", "a table for many, on Kofi's name")
    assert await town.answers(1) == ["Sorry, for how many?"]
    assert not booked.exists()
    results = town.ai.calls[-1].results
    assert "people" in results[0]
    assert "nothing was done" in results[1]


async def test_a_plugins_gate_keeps_messages_from_being_answered_with_its_reason(town: Town) -> None:
    set_up(town)
    await town.start()
    await town.phone.say("ana", "you won the lottery")
    await town.phone.say("kofi", "a table for 2")
    assert await town.answers(1) == ["Done: A table for 2 is booked."]
    [spam] = await town.stored(1, direction="in", state="skipped")
    assert (spam.reason, spam.text) == ("spam", "you won the lottery")


async def test_a_tool_that_nobody_brings_is_a_problem_and_the_rest_runs(town: Town) -> None:
    town.config["conversation"]["tools"] = ["bok_table", "handoff"]
    daemon = await town.start()
    assert "channel:whatsapp:missing_tool:bok_table" in daemon.problems
    await town.phone.say("ana", "hello")
    assert await town.answers(1) == ["echo: hello"]
