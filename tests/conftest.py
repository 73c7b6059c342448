"""What all tests share."""

from __future__ import annotations

import functools
import gc
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoints, entry_points

import pytest
import structlog
import typer.testing
from hypothesis import settings
from sara_openai.simulator import OpenAISimulator
from sara_whatsapp.simulator import WhatsAppSimulator

from sara import plugins
from tests.patience import patience

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


@functools.cache
def _offered(group: str, path: tuple[str, ...]) -> EntryPoints:
    return entry_points(group=group)


# Read once for each path of modules: each configuration asks what is installed, each command line is built of the same app.
plugins.entry_points = lambda *, group: _offered(group, tuple(sys.path))  # type: ignore[attr-defined,assignment]  # see above
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


FIGURE = "figure"


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Prints a figure at the end of the run, where workers' own output would be swallowed."""
    return lambda line: record_property(FIGURE, line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures."""
    reports = [each for kind in ("passed", "failed") for each in terminalreporter.stats.get(kind, ())]
    if lines := [line for each in reports for name, line in getattr(each, "user_properties", ()) if name == FIGURE]:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.write_line(str(line))


@pytest.fixture
def own_logging() -> Iterator[None]:
    """For what sets up logging: the other tests find theirs as it was."""
    root = logging.getLogger()
    handlers, level, configured = root.handlers, root.level, structlog.get_config()
    root.handlers = []
    yield
    root.handlers, root.level = handlers, level
    structlog.configure(**configured)
