"""The bundled queue sits the exam of all queues."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sara_sqlite.options import SqliteOptions
from sara_sqlite.queue import SqliteQueue

from sara import Context
from sara.engines import Queue
from sara.helpers import ProblemRegistry
from sara.testing import ManualClock, PersistentQueueContract


class TestSqliteQueue(PersistentQueueContract):
    @pytest.fixture
    async def queue(self, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Queue]:
        queue = SqliteQueue(SqliteOptions(), Context("queue", tmp_path, clock, ProblemRegistry(clock)))
        await queue.open()
        self.opened = [queue]
        self.path = tmp_path
        yield queue
        for each in self.opened:
            await each.close()

    async def reopened(self, queue: Queue, clock: ManualClock) -> Queue:
        await queue.close()
        again = SqliteQueue(SqliteOptions(), Context("queue", self.path, clock, ProblemRegistry(clock)))
        await again.open()
        self.opened = [again]
        return again
