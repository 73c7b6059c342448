"""What all tests share."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator

import pytest
import structlog
from hypothesis import settings

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


@pytest.fixture
def own_logging() -> Iterator[None]:
    """For what sets up logging: the other tests find theirs as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    root.handlers = []
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
