"""Servers that take a request and say nothing: nobody waits for their time-outs."""

from __future__ import annotations

import pytest
from sara_simulators.whatsapp.records import Customer

from sara.pipeline import hedged_calls
from sara.queue import circuit_breaker
from tests.journeys.conftest import DEADLINE, Town


async def test_an_ai_that_hangs_is_asked_again_and_the_answer_is_stored_and_sent_once(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SILENT_AFTER", "AGAIN_AFTER", "MOMENT"):
        monkeypatch.setattr(hedged_calls, name, 0.2)
    town.config["responders"]["assistant"]["timeout"] = "10m"
    town.ai.fault("hang", times=3)
    await town.start()
    await town.phone.say("ana", "one")
    await town.phone.say("kofi", "two")
    assert sorted(await town.answers(2)) == ["echo: one", "echo: two"]
    await town.stored(2, direction="in", state="answered")
    assert len(await town.stored(2, direction="out", state="read")) == 2
    assert len(town.phone.accepted) == 2


async def test_while_a_send_hangs_others_are_tried_beside_it_and_nothing_is_sent_twice(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit_breaker, "OPEN_INTERVAL", 400)
    monkeypatch.setattr(circuit_breaker, "PAUSE", 100)
    town.config["channels"]["whatsapp"]["doubt_timeout"] = "10m"
    town.phone.faults.server_error.on(times=5)
    await town.start()
    for n in range(5):
        await town.phone.say(Customer(f"early{n}", f"Early {n}", f"1555010{n:04d}"), "hello")
    await town.stored(5, direction="out", state="in_doubt")
    town.phone.faults.stay_silent.on(times=1)
    town.phone.faults.slow.on(25_000, times=1)
    await town.phone.say("ana", "one")
    await town.phone.wait_for(lambda phone: len(phone.accepted) == 1, timeout=DEADLINE)
    await town.phone.say("kofi", "two")
    await town.phone.wait_for(lambda phone: len(phone.accepted) == 2, timeout=DEADLINE)
    [two] = await town.stored(1, direction="out", state="read")
    assert two.text == "echo: two"
    assert [each.text for each in await town.messages(direction="out", state="sending")] == ["echo: one"], "it still hangs"
    assert len(town.phone.accepted) == 2
