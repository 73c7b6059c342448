"""The journeys' town, and a rig that can kill it at any system call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.rig import Strace
from tests.journeys.conftest import ai, phone, town
from tests.patience import patience

HERE = Path(__file__).parent
__all__ = ["ai", "phone", "town"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is tried here takes its time, most of all in full."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(patience(300)))


@pytest.fixture
def strace(need: Callable[[str, str], str]) -> Strace:
    """System calls that fail, wait or kill."""
    return Strace(need("strace", "it makes system calls fail"))
