"""A store in a file, and the shop that its exam tells stories of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sara_sqlite.options import SqliteOptions
from sara_sqlite.store import SqliteStore

from sara import Context
from sara.helpers import ProblemRegistry
from sara.testing import ManualClock
from sara.testing.store.scenario import StoreScenario


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def make(tmp_path: Path, clock: ManualClock) -> Callable[[], SqliteStore]:
    """Another store on the same file."""
    return lambda: SqliteStore(SqliteOptions(), Context("store", tmp_path, clock, ProblemRegistry(clock)))


@pytest.fixture
async def store(make: Callable[[], SqliteStore]) -> AsyncIterator[SqliteStore]:
    store = make()
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def shop(store: SqliteStore, clock: ManualClock) -> StoreScenario:
    return StoreScenario(store, clock)
