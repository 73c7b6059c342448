"""The bundled queue: runs from memory, kept in the store's own database file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from sara import Context, Instant
from sara.engines import Entry, JobKind, JobRequest, ScheduledQueue
from sara_sqlite.database import Database
from sara_sqlite.keyed import key_in
from sara_sqlite.options import SqliteOptions


class SqliteQueue(ScheduledQueue):
    """Keeps the pending entries in the table `jobs`."""

    Options = SqliteOptions

    def __init__(self, options: SqliteOptions, context: Context) -> None:
        super().__init__(context.clock)
        path = options.file(context)
        self.database = context.once(
            ("database", path),
            lambda: Database(path, read_only=context.read_only, key=key_in(context), problems=context.problems),
        )

    async def open(self) -> None:
        await self.database.open()

    async def close(self) -> None:
        await self.database.close()

    async def _keep(self, entries: Sequence[Entry]) -> None:
        rows = [
            (each.wake.kind, each.wake.key, each.wake.lane, each.wake.due, each.wake.priority, each.stamp, each.failures)
            for each in entries
        ]
        await self.database.write(lambda db: _upsert(db, rows))

    async def _keep_again(self, entry: Entry, claimed: int) -> None:
        wake = entry.wake
        await self.database.write(
            lambda db: db.execute(
                "UPDATE jobs SET due = ?, failures = ? WHERE kind = ? AND key = ? AND stamp = ?",
                (wake.due, entry.failures, wake.kind, wake.key, claimed),
            )
        )

    async def _forget(self, job: tuple[JobKind, str], claimed: int | None) -> bool:
        return await self.database.write(
            lambda db: (
                db.execute(
                    "DELETE FROM jobs WHERE kind = ? AND key = ? AND (? IS NULL OR stamp = ?)", (*job, claimed, claimed)
                ).rowcount
                > 0
            )
        )

    async def _fetch(self, before: Instant, lane: str | None, limit: int) -> Sequence[Entry]:
        return await self.database.read(lambda db: _select(db, before, lane, limit))

    async def _kept(self) -> int:
        return await self.database.read(lambda db: int(db.execute("SELECT count(*) FROM jobs").fetchone()[0]))


def _upsert(db: sqlite3.Connection, rows: Sequence[tuple[object, ...]]) -> None:
    db.executemany(
        "INSERT INTO jobs (kind, key, lane, due, priority, stamp, failures) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (kind, key) DO UPDATE SET lane = excluded.lane, due = min(due, excluded.due),"
        " priority = max(priority, excluded.priority), stamp = max(stamp, excluded.stamp)",
        rows,
    )


def _select(db: sqlite3.Connection, before: Instant, lane: str | None, limit: int) -> list[Entry]:
    lanes = [lane] if lane is not None else [row["lane"] for row in db.execute("SELECT DISTINCT lane FROM jobs")]
    found = []
    for name in lanes:
        rows = db.execute(
            "SELECT * FROM jobs WHERE lane = ? AND due < ? ORDER BY priority DESC, due LIMIT ?", (name, before, limit)
        )
        found += [
            Entry(JobRequest(row["kind"], row["key"], row["due"], row["lane"], row["priority"]), row["stamp"], row["failures"])
            for row in rows
        ]
    return found
