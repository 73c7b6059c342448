"""Another program that reads the database for long makes the log grow: that is said, and unsaid."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sara_sqlite import wal
from sara_sqlite.database import Database
from sara_sqlite.wal import WalMonitor

from sara.helpers import ProblemRegistry
from sara.testing import ManualClock

READER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN")
db.execute("SELECT count(*) FROM notes").fetchone()
print("reading", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def problems() -> ProblemRegistry:
    return ProblemRegistry(ManualClock())


@pytest.fixture
async def database(tmp_path: Path, problems: ProblemRegistry, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    monkeypatch.setattr(wal, "LIMIT", 1_000_000)
    database = Database(tmp_path / "sara.db", problems=problems)
    await database.open()
    await database.write(lambda db: db.execute("CREATE TABLE notes (text TEXT)"))
    yield database
    await database.close()


async def write_much(database: Database) -> None:
    """Some megabytes, in many transactions: SQLite carries the log over every four megabytes, where it can."""
    for _ in range(100):
        await database.write(lambda db: db.execute("INSERT INTO notes VALUES (?)", ("x" * 100_000,)))


async def test_a_foreign_reader_that_lets_the_log_grow_is_a_problem_until_it_has_ended(
    database: Database, problems: ProblemRegistry
) -> None:
    monitor = WalMonitor(database.path, problems, database.alone)
    await write_much(database)
    await monitor.look()
    assert not list(problems), "a log that is only large is no problem"
    reader = subprocess.Popen(  # noqa: ASYNC220  # it is waited for by its first line
        [sys.executable, "-c", READER, str(database.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert reader.stdin is not None
    assert reader.stdout is not None
    try:
        assert reader.stdout.readline() == "reading\n"
        await write_much(database)
        await monitor.look()
        [problem] = problems
        assert problem.key == "store:wal:too_large"
        assert "has grown to" in problem.message
        assert str(database.path) in problem.remedy
        await monitor.look()
        assert [each.count for each in problems] == [1]
    finally:
        reader.communicate("end\n")
    await monitor.look()
    assert not list(problems), "nobody holds it any more, also before the next message"
    await write_much(database)
    await monitor.look()
    assert not list(problems)


async def test_the_daemon_looks_by_itself(database: Database, problems: ProblemRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Path] = []

    async def look(monitor: WalMonitor) -> None:
        looked.append(monitor._path)

    monkeypatch.setattr(WalMonitor, "look", look)
    other = Database(database.path.with_name("other.db"), problems=problems)
    await other.open()
    await other.read(lambda db: db.execute("SELECT 1").fetchall())
    await other.close()
    assert looked == [other.path]
