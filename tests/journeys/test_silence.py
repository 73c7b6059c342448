"""What time does to a conversation: following up, closing, reopening, scheduled words, summaries; with a clock that is set."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sara_simulators.whatsapp import WhatsAppSimulator

from sara.cli.context import read
from sara.i18n.catalog import MessageCatalog
from sara.runtime.clock import Environment, wall_clock
from sara.runtime.daemon import Daemon

from .conftest import Town
from .test_handing_over import act, at_rest, said_to

TEXTS = MessageCatalog()
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


class Ahead:
    """A clock that goes ahead of the real one by as much as a test wants."""

    def __init__(self) -> None:
        self.by = 0

    def __call__(self) -> int:
        return wall_clock() + self.by


@pytest.fixture
def ahead() -> Ahead:
    return Ahead()


@pytest.fixture
async def phone(ahead: Ahead) -> AsyncIterator[WhatsAppSimulator]:
    """The provider's other end in the same time as the daemon."""
    async with WhatsAppSimulator(
        sent_delay=0, delivered_delay=0, read_delay=0, retry_gaps=(50,) * 100, seed=1, clock=ahead
    ) as simulator:
        yield simulator


async def start(town: Town, ahead: Ahead) -> Daemon:
    town.write()
    loaded, plugins = read(town.file)
    assert loaded.config is not None, [finding.render() for finding in loaded.errors]
    town.daemon = Daemon(loaded, plugins, Environment(clock=ahead))
    await town.daemon.start()
    await town.connect()
    return town.daemon


@pytest.mark.parametrize(
    ("hello", "language"), [("Bom dia, vocês abrem no domingo?", "pt"), ("Guten Morgen, haben Sie am Sonntag offen?", "de")]
)
async def test_a_customer_who_falls_silent_is_asked_once_more_in_their_language_also_across_a_restart(
    town: Town, ahead: Ahead, hello: str, language: str
) -> None:
    town.config["conversation"]["follow_up"] = {"after": "2h"}
    await start(town, ahead)
    await town.phone.say("ana", hello)
    await town.answers(1)
    await at_rest(town)
    await town.stop()
    ahead.by += 3 * HOUR
    await start(town, ahead)
    assert (await town.answers(2))[1] == TEXTS.render("follow_up", language)
    ahead.by += 3 * HOUR
    await town.phone.say("kofi", "hi")
    await town.answers(3)
    assert len(said_to(town.phone, "ana")) == 2


async def test_nobody_is_followed_up_outside_the_window_or_after_stop(town: Town, ahead: Ahead) -> None:
    town.config["conversation"]["follow_up"] = {"after": "2h", "text": "Still there?"}
    await start(town, ahead)
    await town.phone.say("ana", "hello")
    await town.phone.say("kofi", "hello")
    await town.answers(2)
    await town.phone.say("kofi", "stop")
    await town.answers(3)
    await at_rest(town)
    await town.stop()
    ahead.by += 25 * HOUR
    daemon = await start(town, ahead)

    async def looked() -> bool:
        return not [each async for each in daemon.queue.entries(10) if each["kind"] == "timer"]

    await town.until(looked)
    assert len(town.phone.accepted) == 3


async def test_a_conversation_that_was_closed_begins_a_new_chapter_and_what_was_said_before_is_still_there(
    town: Town, ahead: Ahead
) -> None:
    town.config["conversation"]["session_timeout"] = "1d"
    daemon = await start(town, ahead)
    await town.phone.say("ana", "my name is Ana and I like rye")
    await town.answers(1)
    await town.phone.say("ana", "what do I like?")
    await town.answers(2)
    assert "rye" in str(town.ai.calls[-1].messages)
    await at_rest(town)
    ahead.by += 2 * DAY

    async def closed() -> bool:
        view = await daemon.store.timer_view("c1", 1)
        return view is not None and view.closed

    await town.until(closed)
    await town.stop()
    await start(town, ahead)
    await town.phone.say("ana", "what do I like?")
    await town.answers(3)
    assert "rye" not in str(town.ai.calls[-1].messages)
    assert any("rye" in each.text for each in await town.messages())


async def test_words_with_a_time_wait_for_it_across_a_restart_and_keep_nobody_waiting(town: Town, ahead: Ahead) -> None:
    await start(town, ahead)
    await town.phone.say("ana", "hello")
    await town.answers(1)
    await act(town, "c1", "send", text="See you soon!", at=ahead() + 2 * HOUR)
    await town.phone.say("ana", "and now?")
    assert await town.answers(2) == ["echo: hello", "echo: and now?"]
    await at_rest(town)
    await town.stop()
    ahead.by += 3 * HOUR
    await start(town, ahead)
    assert (await town.answers(3))[2] == "See you soon!"


async def test_older_turns_are_summed_up_and_the_summary_is_read_on(town: Town, ahead: Ahead) -> None:
    town.config["conversation"]["history"] = {"messages": 4, "summarise": True}
    daemon = await start(town, ahead)
    for n in range(1, 6):
        await town.phone.say("ana", f"I need {n} loaves of rye")
        await town.answers(n)
        await at_rest(town)

    async def summed_up() -> bool:
        view = await daemon.store.reply_view("c1", daemon.components.pipeline.reply._limits)  # as the reply job looks
        return view is not None and bool(view.summary)

    await town.until(summed_up)
    await town.stop()
    await start(town, ahead)
    await town.phone.say("ana", "how many was that?")
    await town.answers(6)
    asked = [call for call in town.ai.calls if not call.is_summary_request][-1]
    assert "The customer wrote" in asked.system
    assert "I need 1 loaves" not in str(asked.messages[1:])


@pytest.mark.parametrize("too_old", ["store", "apologise", "answer"])
async def test_what_waited_too_long_is_kept_apologised_for_or_answered(town: Town, ahead: Ahead, too_old: str) -> None:
    town.config["conversation"] |= {"max_age": "1h", "too_old": too_old}
    town.config["retry"]["reply"] |= {"max_duration": "30d"}
    town.ai.fault("status", status=503, times=None)
    await start(town, ahead)
    await town.phone.say("ana", "Buenos días, ¿abren el domingo?")
    await town.ai.wait_for(lambda calls: len(calls) > 0)
    await at_rest(town)
    await town.stop()
    ahead.by += 2 * HOUR
    town.ai.clear_faults()
    await start(town, ahead)
    await town.phone.say("kofi", "hi")
    expected = {"store": [], "apologise": [TEXTS.render("late", "es")], "answer": ["echo: Buenos días, ¿abren el domingo?"]}[
        too_old
    ]
    await town.answers(1 + len(expected))
    await town.stored(1, direction="in", state="answered" if too_old == "answer" else "skipped")
    assert said_to(town.phone, "ana") == expected


async def test_the_time_the_channel_the_name_and_the_notes_are_in_the_instructions(town: Town, ahead: Ahead) -> None:
    town.config["responders"]["assistant"] |= {
        "instructions": "Channel {channel}. It is {date}. You talk to {name}. Notes: {notes}",
        "timezone": "Europe/Berlin",
    }
    await start(town, ahead)
    await town.phone.say("ana", "hello")
    await town.answers(1)
    await act(town, "c1", "note", text="Allergic to nuts")
    await town.phone.say("ana", "what may I eat?")
    await town.answers(2)
    assert "Channel whatsapp." in town.ai.calls[1].system
    assert "You talk to `customer_name`." in town.ai.calls[1].system
    assert '{"customer_name": "Ana Duarte"}' in town.ai.calls[1].system
    assert "Allergic to nuts" in town.ai.calls[1].system


async def test_the_same_conversation_by_the_other_api(town: Town, ahead: Ahead) -> None:
    town.config["responders"]["assistant"]["api"] = "responses"
    await start(town, ahead)
    await town.phone.say("ana", "hello")
    await town.answers(1)
    await town.phone.say("ana", "again")
    assert await town.answers(2) == ["echo: hello", "echo: again"]
    assert {call.api for call in town.ai.calls} == {"responses"}
    assert "hello" in str(town.ai.calls[1].messages)
