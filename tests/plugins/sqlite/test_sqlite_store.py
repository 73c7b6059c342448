"""The bundled store sits the exam of all stores."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sara_sqlite.options import SqliteOptions
from sara_sqlite.store import SqliteStore

from sara import Context
from sara.engines import Store
from sara.helpers import ProblemRegistry
from sara.testing import ManualClock, StoreContract


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a store that was opened once and never used. To make it anew takes longer than most parts of the exam."""
    folder = tmp_path_factory.mktemp("filled")

    async def make() -> None:
        store = store_in(folder, ManualClock())
        await store.open()
        await store.close()

    asyncio.run(make())
    return folder / "sara.db"


def store_in(folder: Path, clock: ManualClock) -> SqliteStore:
    return SqliteStore(SqliteOptions(), Context("store", folder, clock, ProblemRegistry(clock)))


class TestSqliteStore(StoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path, filled: Path, clock: ManualClock) -> AsyncIterator[Store]:
        shutil.copy(filled, tmp_path)
        store = store_in(tmp_path, clock)
        await store.open()
        yield store
        await store.close()
