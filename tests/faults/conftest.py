"""The journeys' town, and a rig that can kill it at any system call."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.rig import Strace
from tests.journeys.conftest import ai, phone, town

__all__ = ["ai", "phone", "town"]


@pytest.fixture
def strace(need: Callable[[str, str], str]) -> Strace:
    """System calls that fail, wait or kill."""
    return Strace(need("strace", "it makes system calls fail"))
