"""One file, one writer, shared commits."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sara_sqlite import migrate
from sara_sqlite.connection import GroupConnection
from sara_sqlite.database import Database

from sara.engines import CommitUnknown, StoreLocked, StoreUnavailable
from tests.patience import patience


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "sara.db")
    await database.open()
    await database.write(lambda db: db.execute("CREATE TABLE notes (text TEXT UNIQUE)"))
    yield database
    await database.close()


def note(text: str) -> Any:
    return lambda db: db.execute("INSERT INTO notes VALUES (?)", (text,))


async def notes(database: Database) -> list[str]:
    return await database.read(lambda db: [row[0] for row in db.execute("SELECT text FROM notes ORDER BY rowid")])


async def test_writers_that_wait_together_share_one_commit(database: Database) -> None:
    commits: list[str] = []
    await database.write(lambda db: db.set_trace_callback(commits.append))
    await asyncio.gather(*(database.write(note(str(n))) for n in range(100)))
    assert commits.count("COMMIT") == 2  # that of the call that began to listen, and one for the hundred
    assert len(await notes(database)) == 100


async def test_one_that_fails_takes_nothing_of_its_own_and_nobody_else_with_it(database: Database) -> None:
    def half(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO notes VALUES ('half')")
        raise ValueError("broken")

    results = await asyncio.gather(
        database.write(note("one")),
        database.write(half),
        database.write(note("one")),
        database.write(note("two")),
        return_exceptions=True,
    )
    assert [type(result).__name__ for result in results] == ["Cursor", "ValueError", "IntegrityError", "Cursor"]
    assert await notes(database) == ["one", "two"]


async def test_a_cancelled_caller_neither_undoes_its_write_nor_leaves_a_transaction_open(database: Database) -> None:
    task = asyncio.create_task(database.write(note("asked for")))
    await asyncio.wait([asyncio.ensure_future(database.read(lambda _: None))])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await database.write(note("next"))
    assert await notes(database) == ["asked for", "next"]


async def test_readers_see_only_what_is_committed(database: Database) -> None:
    seen: list[int] = []

    def write_slowly(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO notes VALUES ('new')")
        reading = sqlite3.connect(database.path)
        seen.append(reading.execute("SELECT count(*) FROM notes").fetchone()[0])
        reading.close()

    await database.write(write_slowly)
    assert seen == [0]
    assert await notes(database) == ["new"]


async def test_the_log_is_synced_at_every_commit(database: Database) -> None:
    modes = await database.write(
        lambda db: (db.execute("PRAGMA journal_mode").fetchone()[0], db.execute("PRAGMA synchronous").fetchone()[0])
    )
    assert modes == ("wal", 2)


async def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(StoreUnavailable):
        await database.read(note("no"))
    assert await notes(database) == []


async def test_a_full_disk_keeps_nothing_and_the_next_write_works_again(database: Database) -> None:
    def limit(pages: int) -> Any:
        return lambda db: db.execute(f"PRAGMA max_page_count = {pages}")

    used = await database.read(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
    await database.write(limit(used))
    results = await asyncio.gather(*(database.write(note(f"{n}" * 5_000)) for n in range(5)), return_exceptions=True)
    assert all(isinstance(result, StoreUnavailable) for result in results[1:])
    await database.write(limit(used + 1_000))
    await database.write(note("again"))
    assert "again" in await notes(database)


async def test_a_busy_database_is_unavailable_and_recovers(database: Database) -> None:
    await database.write(lambda db: db.execute("PRAGMA busy_timeout = 10"))
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable):
        await database.write(note("one"))
    other.execute("ROLLBACK")
    other.close()
    await database.write(note("one"))
    assert await notes(database) == ["one"]


async def test_an_unknown_commit_ends_all_writing(database: Database) -> None:
    assert database._writer is not None
    inner = database._writer._inner

    class Broken(sqlite3.OperationalError):
        sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
        sqlite_errorname = "SQLITE_IOERR_FSYNC"

    real = type(inner).execute

    def execute(connection: Any, sql: str, *args: Any) -> Any:
        if sql == "COMMIT" and connection is inner:
            raise Broken("disk I/O error")
        return real(connection, sql, *args)

    type(inner).execute = execute  # type: ignore[method-assign]  # a disk that fails at the commit
    try:
        with pytest.raises(CommitUnknown):
            await database.write(note("one"))
    finally:
        type(inner).execute = real  # type: ignore[method-assign]
    assert database.lost.is_set()
    with pytest.raises(CommitUnknown):
        await database.write(note("two"))


@pytest.fixture
def cut_off(tmp_path: Path) -> Path:
    """A database whose last commit stands in its log alone, as a process leaves it that was killed."""
    path = tmp_path / "sara.db"
    code = (
        "import asyncio, os, sys\nfrom pathlib import Path\nfrom sara_sqlite.database import Database\n"
        "async def main():\n"
        "    database = Database(Path(sys.argv[1]))\n"
        "    await database.open()\n"
        "    await database.close()\n"
        "    await database.open()\n"
        "    await database.write(lambda db: db.execute(\"INSERT INTO counters VALUES ('kept', 1)\"))\n"
        "    os._exit(0)\n"
        "asyncio.run(main())"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    assert not counted(path)
    return path


def counted(path: Path) -> list[tuple[int]]:
    """What the file holds by itself, without its log."""
    alone = shutil.copy(path, path.with_name("alone.db"))
    with closing(sqlite3.connect(alone)) as connection:
        return connection.execute("SELECT value FROM counters WHERE name = 'kept'").fetchall()


async def test_what_a_dead_process_left_in_the_log_is_in_the_file_before_anything_is_served(cut_off: Path) -> None:
    database = Database(cut_off)
    await database.open()
    assert counted(cut_off) == [(1,)]
    await database.close()


async def test_where_the_log_cannot_be_brought_into_the_file_nothing_is_served(
    cut_off: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def execute(connection: GroupConnection, sql: str, *given: Any) -> sqlite3.Cursor:
        if "wal_checkpoint" in sql:
            raise sqlite3.OperationalError("disk I/O error")
        return sqlite3.Connection.execute(connection, sql, *given)

    monkeypatch.setattr(GroupConnection, "execute", execute)
    with pytest.raises(StoreUnavailable, match="disk I/O error"):
        await Database(cut_off).open()


async def test_a_second_process_is_refused_with_the_name_of_the_first(database: Database) -> None:
    program = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom sara_sqlite.database import Database\n"
        "asyncio.run(Database(Path(sys.argv[1])).open())"
    )
    other = subprocess.run(  # noqa: ASYNC221  # nothing else runs in this test
        [sys.executable, "-c", program, str(database.path)], capture_output=True, text=True, check=False, timeout=patience(60)
    )
    assert "StoreLocked" in other.stderr
    assert f"process {os.getpid()}" in other.stderr
    with pytest.raises(StoreLocked, match=str(os.getpid())):
        await Database(database.path).open()


async def test_looking_needs_no_lock(database: Database) -> None:
    await database.write(note("one"))
    looking = Database(database.path, read_only=True)
    await looking.open()
    assert await notes(looking) == ["one"]
    with pytest.raises(StoreUnavailable):
        await looking.write(note("two"))
    await looking.close()


async def test_looking_where_there_is_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="no database"):
        await Database(tmp_path / "none.db", read_only=True).open()
    assert not (tmp_path / "none.db").exists()


async def test_a_new_schema_is_reached_step_by_step_with_a_copy_of_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sara.db"
    first = Database(path)
    await first.open()
    await first.write(lambda db: db.execute("INSERT INTO counters VALUES ('kept', 7)"))
    await first.close()
    known = migrate.steps()
    newest = max(known)
    more = {newest + 1: "CREATE TABLE a (x);", newest + 2: "CREATE TABLE b (y);"}
    monkeypatch.setattr(migrate, "steps", lambda: known | more)
    second = Database(path)
    await second.open()
    assert await second.read(lambda db: db.execute("PRAGMA user_version").fetchone()[0]) == newest + 2
    assert await second.read(lambda db: db.execute("SELECT value FROM counters").fetchone()[0]) == 7
    await second.close()
    copy = sqlite3.connect(tmp_path / f"sara.db.before-{newest + 1}")
    assert copy.execute("PRAGMA user_version").fetchone()[0] == newest
    assert copy.execute("SELECT value FROM counters").fetchone()[0] == 7
    copy.close()


async def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sara.db"
    first = Database(path)
    await first.open()
    await first.close()
    known = migrate.steps()
    newest = max(known)
    monkeypatch.setattr(migrate, "steps", lambda: known | {newest + 1: "CREATE TABLE a (x); CREATE TABLE a (x);"})
    with pytest.raises(StoreUnavailable):
        await Database(path).open()
    monkeypatch.undo()
    again = Database(path)
    await again.open()
    assert await again.read(lambda db: db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'a'").fetchone()[0]) == 0
    await again.close()


async def test_a_file_of_a_newer_sara_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "sara.db"
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 999")
    newer.close()
    with pytest.raises(StoreUnavailable, match="newer"):
        await Database(path).open()


async def test_a_file_that_is_no_database_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "sara.db"
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreUnavailable, match=r"sara\.db"):
        await Database(path).open()
