"""What all tests share."""

from __future__ import annotations

import functools
import gc
import logging
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio
import structlog
import typer.testing
from hypothesis import settings
from sara_simulators.openai import OpenAISimulator
from sara_simulators.whatsapp import WhatsAppSimulator

from tests.browser import Chromium, chromium_started
from tests.figures import figure, pytest_terminal_summary
from tests.patience import patience

__all__ = ["figure", "pytest_terminal_summary"]

# A test that hangs ends its process, whose stacks are printed. An exception would be caught inside the task that it strikes.
os.environ.setdefault("PYTEST_TIMEOUT", f"{patience(120):.0f}")

# The simulators' own deadline, for every `wait_for` without one.
WhatsAppSimulator.patience_s = OpenAISimulator.patience_s = patience(30)

# Failures are logged by the hundred; drawing each traceback in colour takes longer than the tests themselves.
PLAIN = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[*structlog.get_config()["processors"][:-1], PLAIN])

# What was collected stays to the end: the garbage collector needs not walk through it again and again, which takes a quarter of the
# time of small tests. A test that needs a collection asks for it.
gc.disable()


def pytest_collection_finish() -> None:
    """Leave what was collected to itself, and collect rarely from now on."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


# Each command line is built of the same app.
typer.testing._get_command = functools.cache(typer.testing._get_command)  # type: ignore[assignment]  # no public name

# The same examples each time; `HYPOTHESIS_PROFILE=wild` looks for new ones.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("wild", deadline=None, max_examples=1_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@pytest.fixture
def need() -> Callable[[str, str], str]:
    """The path of a program, or a skip that says what it is for. Where everything is to be installed (CI), a failure instead."""

    def find(program: str, purpose: str) -> str:
        path = shutil.which(program)
        if path is None:
            message = f"{program} is not installed; {purpose}"
            if os.environ.get("CI"):
                pytest.fail(message)
            pytest.skip(message)
        return path

    return find


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def one_chromium() -> AsyncIterator[Chromium]:
    async with chromium_started() as chromium:
        yield chromium


@pytest_asyncio.fixture(loop_scope="session")
async def chromium(one_chromium: Chromium) -> AsyncIterator[Chromium]:
    """The worker's browser, for tests in the session's loop; whatever it complains about fails the test."""
    one_chromium.complaints.clear()
    yield one_chromium
    await one_chromium.leave()
    assert one_chromium.complaints == []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests in a browser come first: beside each other, so that one worker runs them and starts one browser."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is None)


@pytest.fixture
def own_logging() -> Iterator[None]:
    """For what sets up logging: the other tests find theirs as it was."""
    root = logging.getLogger()
    handlers, level, configured = root.handlers, root.level, structlog.get_config()
    root.handlers = []
    yield
    root.handlers, root.level = handlers, level
    structlog.configure(**configured)
