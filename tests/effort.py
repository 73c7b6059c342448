"""How much the suites of faults try: each promise once or a few times, or with `SARA_FAULTS=full` (`make faults`) all of it.

This is the one place that decides. `SARA_FAULT_OFFSET` shifts which of many points a short run tries; counted up from run to run,
short runs come to try them all.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

FULL = os.environ.get("SARA_FAULTS") == "full"
"""Everything is tried."""

OFFSET = int(os.environ.get("SARA_FAULT_OFFSET", "0"))
"""By so many points the choice of a short run is shifted."""


def chosen(*, short: T, full: T) -> T:
    """Return the size for this run."""
    return full if FULL else short


def spread(points: Sequence[T], short: int) -> list[T]:
    """Return all points in full, otherwise `short` of them, evenly spread and with both ends where nothing is shifted."""
    if FULL or short >= len(points):
        return list(points)
    last, gaps = len(points) - 1, max(1, short - 1)
    return [points[(OFFSET + number * last // gaps) % len(points)] for number in range(short)]


def some_of(values: Sequence[T], count: int, turn: int) -> list[T]:
    """Return `count` neighbours among `values`, or all of them in full. The `turn` says where to begin, so that turns that follow
    each other try all values between them."""
    if FULL:
        return list(values)
    return [values[(turn * count + number) % len(values)] for number in range(count)]
