from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sara_openai.responder import OpenAIResponder
from sara_openai.simulator import OpenAISimulator

Responders = Callable[..., OpenAIResponder]


async def states(responder: OpenAIResponder) -> dict[str, str]:
    return {finding.check: finding.state for finding in await responder.checks()}


async def test_all_is_well_when_server_key_model_and_instructions_are(responder_with: Responders) -> None:
    assert await states(responder_with(instructions="Be brief.")) == {"server": "good", "model": "good"}


async def test_the_checks_ask_for_no_answer(responder: OpenAIResponder, simulator: OpenAISimulator) -> None:
    await responder.checks()
    assert simulator.calls == []


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"api_key": "sk-wrong"}, {"credentials": "bad"}),
        ({"model": "gpt-0"}, {"server": "good", "model": "bad"}),
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
