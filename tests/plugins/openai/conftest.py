from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from sara_openai.options import OpenAIOptions
from sara_openai.responder import OpenAIResponder
from sara_simulators.openai import OpenAISimulator

from sara import Contact, Context, HistoryMessage, Turn
from sara.helpers import ProblemRegistry

NOW = 1_800_000_000_000


@pytest.fixture
async def simulator() -> AsyncIterator[OpenAISimulator]:
    simulator = OpenAISimulator(mode="echo")
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
def problems() -> ProblemRegistry:
    return ProblemRegistry(lambda: NOW)


@pytest.fixture
def api() -> str:
    """By which API the responders ask; a module whose promises hold for both gives this fixture both as parameters."""
    return "completions"


@pytest.fixture
async def responder_with(
    simulator: OpenAISimulator, problems: ProblemRegistry, tmp_path: Path, api: str
) -> AsyncIterator[Callable[..., OpenAIResponder]]:
    """Makes responders that talk to the simulator, save where an option says otherwise."""
    async with AsyncExitStack() as stack:

        def make(**options: Any) -> OpenAIResponder:
            context = Context(name="assistant", state=tmp_path, clock=lambda: NOW, problems=problems)
            responder = OpenAIResponder(OpenAIOptions(**{**simulator.options(), "api": api, **options}), context)
            stack.push_async_callback(responder.close)
            return responder

        yield make


@pytest.fixture
def responder(responder_with: Callable[..., OpenAIResponder]) -> OpenAIResponder:
    return responder_with()


@pytest.fixture
def turn() -> Callable[..., Turn]:
    """Makes a turn of the customer's messages, after a history of `role: text` pairs."""

    def make(*messages: str, history: tuple[tuple[Any, str], ...] = ()) -> Turn:
        said = tuple(HistoryMessage(id=f"h{index}", role=role, text=text, at=NOW) for index, (role, text) in enumerate(history))
        asked = tuple(HistoryMessage(id=f"m{index}", role="customer", text=text, at=NOW) for index, text in enumerate(messages))
        return Turn(
            "c1", "whatsapp:1", Contact("p1"), asked or (HistoryMessage("m0", "customer", "Are you open?", NOW),), said, NOW
        )

    return make
