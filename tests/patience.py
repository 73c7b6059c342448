"""Deadlines of tests, scaled by how fast this machine runs Python right now.

A deadline is there so that a hang names its test; it says nothing about the product. The speed is measured once per session, in the
process that starts it, and handed to the workers in the environment.
"""

from __future__ import annotations

import os
import time

VARIABLE = "SARA_TEST_SLOWNESS"
"""Environment variable that carries the measured factor; set it by hand to try out a slow machine's deadlines."""

REFERENCE_S = 0.1
"""Wall-clock time of `_work` on the idle machine for which the figures in the tests were chosen."""

MARGIN = 3.0
"""The tests' own workers and daemons compete with each other, and other programs may start after the measurement."""


def _work() -> None:
    table: dict[int, str] = {}
    for number in range(600_000):
        table[number % 1_000] = str(number)


def measure() -> float:
    """Return how many times slower than the reference this machine is; never less than 1."""
    start = time.perf_counter()
    _work()
    _work()
    return max(1.0, (time.perf_counter() - start) / (2 * REFERENCE_S))


def slowness() -> float:
    """Return the session's factor, measured at the first call."""
    if VARIABLE not in os.environ:
        os.environ[VARIABLE] = f"{measure():.2f}"
    return float(os.environ[VARIABLE])


def patience(seconds: float) -> float:
    """Return a deadline in seconds for what takes at most `seconds` on an idle machine."""
    return seconds * MARGIN * slowness()
