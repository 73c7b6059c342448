"""Simulations are silent."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
import structlog

from tests.simulation.world import quiet


@pytest.fixture(scope="module", autouse=True)
def silent() -> Iterator[None]:
    """No log, and no pauses to look for garbage: a world is one big cycle."""
    before = structlog.get_config()
    quiet()
    gc.disable()
    yield
    gc.enable()
    structlog.configure(**before)
