"""How much of a large table a test tries: some of it in `make test`, all of it in `make faults`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

FULL = os.environ.get("SARA_FAULTS") == "full"
"""Whether everything is tried."""


def extent(usual: int, full: int) -> int:
    """Return how many, or how large."""
    return full if FULL else usual


def some_of(values: Sequence[T], count: int, turn: int) -> list[T]:
    """Return `count` neighbours among `values`, or all of them in full. The `turn` says where to begin, so that turns that follow
    each other try all values between them."""
    if FULL:
        return list(values)
    return [values[(turn * count + number) % len(values)] for number in range(count)]
