"""The faults of the AI's simulator as switches: each does what it says to a real question, and counts."""

from __future__ import annotations

import aiohttp
import pytest
from sara_simulators.openai import OpenAISimulator


async def ask(session: aiohttp.ClientSession, simulator: OpenAISimulator) -> int:
    """Ask once; the status, 0 where no whole answer came."""
    body = {"model": simulator.model, "messages": [{"role": "user", "content": "Are you open?"}]}
    try:
        async with session.post(
            f"{simulator.base_url}/chat/completions", json=body, headers={"Authorization": f"Bearer {simulator.api_key}"}
        ) as answer:
            await answer.read()
            return answer.status
    except (aiohttp.ClientError, TimeoutError):
        return 0


async def test_each_switch_strikes_as_often_as_it_is_told_and_then_not() -> None:
    statuses = {
        "ai_away": 0,
        "ai_slow": 200,
        "ai_silent": 0,
        "ai_busy": 429,
        "ai_broken": 500,
        "ai_key": 401,
        "ai_credit": 429,
        "ai_cut": 0,
        "ai_page": 200,
        "ai_declines": 200,
    }
    simulator = OpenAISimulator()
    await simulator.start()
    try:
        switches = {switch.name: switch for switch in simulator.switches()}
        assert switches.keys() == statuses.keys()
        for name, status in statuses.items():
            switch, changes = switches[name], 0

            def changed() -> None:
                nonlocal changes
                changes += 1

            switch.changed = changed
            switch.on(0 if name == "ai_slow" else None, times=1)
            patience = 0.2 if name == "ai_silent" else None  # the only one that ends by nothing but our own patience
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=patience)) as session:
                assert await ask(session, simulator) == status, name
            state = switch.state()
            assert (state["active"], state["hits"], changes) == (False, 1, 2), name
            async with aiohttp.ClientSession() as session:
                assert await ask(session, simulator) == 200, name
            assert switch.state()["hits"] == 1
    finally:
        await simulator.stop()


def test_what_makes_no_sense_is_refused() -> None:
    switches = {switch.name: switch for switch in OpenAISimulator().switches()}
    rows = [("ai_busy", {"value": 3}), ("ai_slow", {"value": -1}), ("ai_slow", {"value": True}), ("ai_slow", {"value": "x"})]
    rows += [("ai_busy", {"times": 0}), ("ai_busy", {"chance": 2})]
    for name, words in rows:
        with pytest.raises(ValueError, match=r"takes|must"):
            switches[name].on(**words)
        assert not switches[name].active, (name, words)


def test_a_chance_of_none_never_strikes() -> None:
    [switch] = [switch for switch in OpenAISimulator().switches() if switch.name == "ai_busy"]
    switch.on(chance=0.0)
    assert [switch.take() for _ in range(20)] == [None] * 20
    switch.on(chance=1.0)
    assert switch.take() is not None
