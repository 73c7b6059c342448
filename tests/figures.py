"""Figures that a test prints at the end of the run, where workers' own output would be swallowed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

FIGURE = "figure"


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Prints a figure at the end of the run."""
    return lambda line: record_property(FIGURE, line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures."""
    reports = [each for kind in ("passed", "failed") for each in terminalreporter.stats.get(kind, ())]
    if lines := [line for each in reports for name, line in getattr(each, "user_properties", ()) if name == FIGURE]:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.write_line(str(line))
