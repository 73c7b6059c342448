"""The bundled store's own database code over one connection in memory, with a disk that fails by chance.

`GroupCommitWriter`, `GroupConnection` and everything above them are the real ones; only the thread is missing: where it would run a
group of calls, a moment passes and the group is run in between two callbacks.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

from sara_sqlite.connection import Call, GroupConnection
from sara_sqlite.database import Database, GroupCommitWriter
from sara_sqlite.keyed import PseudonymKey
from sara_sqlite.migrate import migrate

from sara.engines import CommitUnknown, StoreUnavailable

Fault = Literal["", "unavailable", "lost, not kept", "lost, kept", "crash before", "crash after"]

WATCH = """
CREATE TEMP TABLE watched (n INTEGER PRIMARY KEY, what TEXT, id TEXT, conversation INTEGER, before TEXT, after TEXT);
CREATE TEMP TRIGGER watch_arrival AFTER INSERT ON messages WHEN new.direction = 'in' BEGIN
    INSERT INTO watched (what, id, conversation, before, after) VALUES ('arrival', new.id, new.conversation, '', new.text); END;
CREATE TEMP TRIGGER watch_message AFTER UPDATE OF state ON messages WHEN old.state <> new.state BEGIN
    INSERT INTO watched (what, id, conversation, before, after)
    VALUES (old.direction, new.id, new.conversation, old.state, new.state); END;
CREATE TEMP TRIGGER watch_mark AFTER INSERT ON attempts BEGIN
    INSERT INTO watched (what, id, conversation, before, after) SELECT 'mark', new.id, conversation, purpose, text
    FROM messages WHERE id = new.message; END;
CREATE TEMP TRIGGER watch_attempt AFTER UPDATE OF state ON attempts WHEN old.state <> new.state BEGIN
    INSERT INTO watched (what, id, conversation, before, after) VALUES ('attempt', new.id, NULL, old.state, new.state); END;
"""
"""Everything that a state was, in the order in which it was committed."""


class Died(BaseException):
    """The process is gone; nothing that it would still do happens."""


@cache
def _schema() -> bytes:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, Path("memory"))
    image: bytes = connection.serialize()
    connection.close()
    return image


class Disk(GroupConnection):
    """What outlives every process. `fault` is asked before each commit."""

    fault: Callable[[], Fault] = staticmethod(lambda: "")  # type: ignore[assignment]
    die: Callable[[], None] = staticmethod(lambda: None)

    @classmethod
    def empty(cls) -> Disk:
        """A disk with the newest schema, and a watch on every change of a state."""
        disk: Disk = sqlite3.connect(":memory:", isolation_level=None, factory=cls, cached_statements=512)
        disk.deserialize(_schema())
        disk.row_factory = sqlite3.Row
        disk.calls = []
        disk.execute("PRAGMA foreign_keys = ON")
        disk.executescript(WATCH)
        PseudonymKey(Path("no key")).offer(disk)
        return disk

    def run(self, calls: list[Call], begin: str, lost: bool) -> bool:
        """Run a group of calls as the thread would; whether the connection is lost afterwards."""
        self.calls, self.begin, self.lost = calls, begin, lost
        self.commit()
        return self.lost

    def _commit(self, calls: Sequence[Call]) -> None:
        fault: Fault = self.fault() if self.begin == "BEGIN IMMEDIATE" else ""
        kept = fault in ("", "lost, kept", "crash after")
        self.execute("COMMIT" if kept else "ROLLBACK")
        if fault == "unavailable":
            raise StoreUnavailable("the disk is full")
        if fault.startswith("lost"):
            self.lost = True
            raise CommitUnknown("whether the last write was kept is unknown")
        if fault:
            self.die()
            raise Died

    def ask(self, sql: str, *args: object) -> list[sqlite3.Row]:
        """Look, from outside of every process."""
        return self.execute(sql, args).fetchall()


class _Thread:
    """What `GroupCommitWriter` takes for an aiosqlite connection: `commit` runs the calls that were just left for it."""

    def __init__(self, disk: Disk, begin: str, wait: Callable[[], float], dead: Callable[[], bool]) -> None:
        self._disk = disk
        self._begin = begin
        self._wait = wait
        self._dead = dead
        self.calls: list[Call] = []
        self.lost = False

    async def commit(self) -> None:
        calls, self.calls = self.calls, []
        await asyncio.sleep(self._wait())
        if self._dead():
            raise Died
        self.lost = self._disk.run(calls, self._begin, self.lost)
        # It is on the disk; whoever asked does not know yet.
        await asyncio.sleep(self._wait())

    async def close(self) -> None: ...


class DirectDatabase(Database):
    """The store's database, opened by one simulated process. No file, no lock, no thread."""

    def __init__(self, path: Path, disk: Disk, wait: Callable[[], float], dead: Callable[[], bool]) -> None:
        super().__init__(path)
        self._disk = disk
        self._wait = wait
        self._dead = dead

    async def _open(self) -> None:
        self._writer = self._gather("BEGIN IMMEDIATE")
        self._reader = self._gather("BEGIN")

    def _gather(self, begin: str) -> GroupCommitWriter:
        thread: Any = _Thread(self._disk, begin, self._wait, self._dead)
        return GroupCommitWriter(thread, thread, self._on_lost, self._on_damage)
