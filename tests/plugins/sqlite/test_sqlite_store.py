"""The bundled store sits the exam of all stores."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sara_sqlite.options import SqliteOptions
from sara_sqlite.store import SqliteStore

from sara import Context, Problems, Store
from sara.testing import HandClock, StoreContract


class TestSqliteStore(StoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path, clock: HandClock) -> AsyncIterator[Store]:
        store = SqliteStore(SqliteOptions(), Context("store", tmp_path, clock, Problems(clock)))
        await store.open()
        yield store
        await store.close()
