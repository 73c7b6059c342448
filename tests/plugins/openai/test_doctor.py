from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sara_openai.responder import OpenAIResponder
from sara_simulators.openai import OpenAISimulator

Responders = Callable[..., OpenAIResponder]


async def states(responder: OpenAIResponder) -> dict[str, str]:
    return {finding.check: finding.state for finding in await responder.checks()}


async def test_all_is_well_when_server_key_model_and_instructions_are(responder_with: Responders) -> None:
    assert await states(responder_with(instructions="Be brief.")) == {"server": "good", "model": "good"}


async def test_the_checks_ask_for_one_short_answer(responder: OpenAIResponder, simulator: OpenAISimulator) -> None:
    await responder.checks()
    (call,) = simulator.calls
    assert call.tokens < 20
    assert call.tools == ()


async def test_servers_name_their_models_in_their_own_ways(responder_with: Responders, simulator: OpenAISimulator) -> None:
    for wanted, listed, state in (
        ("gemini-2.5-flash", ["models/gemini-2.5-flash"], "good"),
        ("models/gemini-2.5-flash", ["gemini-2.5-flash"], "good"),
        ("llama3.2", ["llama3.2:latest"], "good"),
        ("llama3.2:latest", ["llama3.2"], "good"),
        ("llama3.2:1b", ["llama3.2:latest"], "warning"),
        ("Qwen/Qwen3-8B", ["qwen/qwen3-8b"], "good"),
        ("gpt-5-mini", [], "good"),
        ("gpt-5-mini", ["/models/any.gguf"], "warning"),
    ):
        simulator.model, simulator.models = wanted, listed
        found = await states(responder_with(model=wanted, instructions="Be brief."))
        assert found == {"server": "good", "model": state}, (wanted, listed)


async def test_a_server_that_lists_no_models_is_judged_by_its_answer(
    responder_with: Responders, simulator: OpenAISimulator
) -> None:
    for status in (404, 405, 500, 501):
        simulator.models = status
        assert await states(responder_with(instructions="Be brief.")) == {"server": "good", "model": "good"}, status
    simulator.fault("status", status=503)
    assert await states(responder_with(instructions="Be brief.")) == {"answer": "bad"}
    simulator.fault("quota")
    assert await states(responder_with(instructions="Be brief.")) == {"quota": "bad"}


async def test_what_the_server_says_is_shown_without_the_key(responder_with: Responders, simulator: OpenAISimulator) -> None:
    simulator.fault("status", status=401, text="Incorrect API key provided: sk-simulated. Look at your dashboard.")
    (finding,) = await responder_with(instructions="Be brief.").checks()
    assert "Look at your dashboard" in finding.message
    assert "sk-simulated" not in finding.message


async def test_a_slow_model_names_the_option(responder_with: Responders, simulator: OpenAISimulator) -> None:
    responder = responder_with(instructions="Be brief.", timeout="500ms")
    await responder.open()
    simulator.fault("hang")
    (finding,) = await responder.checks()
    assert "`timeout`" in finding.remedy


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"api_key": "sk-wrong"}, {"credentials": "bad"}),
        ({"model": "gpt-0"}, {"model": "bad"}),
        ({"base_url": "http://127.0.0.1:1/v1"}, {"server": "bad"}),
        ({"base_url": "http://no-such-host.invalid/v1"}, {"server": "bad"}),
        ({"instructions": ""}, {"server": "good", "model": "good", "instructions": "warning"}),
    ],
)
async def test_what_is_wrong_is_found_and_comes_with_a_remedy(
    responder_with: Responders, options: dict[str, Any], found: dict[str, str]
) -> None:
    responder = responder_with(**{"instructions": "Be brief.", **options})
    assert await states(responder) == found
    assert all(finding.remedy for finding in await responder.checks() if finding.state != "good")


async def test_an_address_without_v1_is_told(responder_with: Responders, simulator: OpenAISimulator) -> None:
    responder = responder_with(base_url=str(simulator.base_url).removesuffix("/v1"), instructions="Be brief.")
    assert await states(responder) == {"model": "bad"}
