"""Cleaning what the file still holds of rows that are gone.

Deleting a row is not the end of it. The full-text index only notes that its words are gone, until its parts are merged. And where
SQLite moves rows between pages it leaves their former bytes in the space of a page that is not in use; `secure_delete` does not reach
those. VACUUM would, but it rewrites the whole file while everybody waits. So that space is overwritten here, page by page: only while
the write-ahead log is empty and nobody but this thread can write, so that what stands in the file is all there is, and only bytes
that belong to no row.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import AsyncGenerator
from functools import partial

from sara_sqlite.database import BUSY_TIMEOUT, Database
from sara_sqlite.rows import Connection

MERGED = 64
"""Pages of the index that one step merges."""

LOOKED_AT = 512
"""Pages of the file that one step looks at."""

INTERIOR = {2, 5}
LEAF = {10, 13}


class Cleaning:
    """Cleans up after those whose rows are gone, one small step at a time, so that nobody waits for it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._steps: AsyncGenerator[None, None] | None = None

    async def step(self) -> bool:
        """Take a step; false when all is clean. After an error it begins anew."""
        steps, self._steps = self._steps or self._clean(), None
        try:
            await anext(steps)
        except StopAsyncIteration:
            return False
        self._steps = steps
        return True

    async def _clean(self) -> AsyncGenerator[None, None]:
        gone = await self._database.read(_gone)
        if not gone:
            return
        pages, most = await self._database.write(_begin_merging)
        for _ in range(most):
            yield
            if not await self._database.write(lambda db: _merge(db, pages)):
                break
        start = 0
        while (looked := await self._database.alone(partial(self._blank, start=start))) != 0:
            start += looked or 0
            yield
        await self._database.write(lambda db: _done(db, gone))
        while not await self._database.alone(_emptied):
            yield

    def _blank(self, db: Connection, start: int) -> int | None:
        """Overwrite unused space in some pages; how many there were, None where somebody still reads older ones from the log."""
        if not _emptied(db):
            return None
        # A page kept in memory would bring its old bytes back when it is written next.
        db.execute("PRAGMA shrink_memory").fetchall()
        size = int(db.execute("PRAGMA page_size").fetchone()[0])
        handle = self._database.handle()
        usable = size - os.pread(handle, 21, 0)[20]
        found = os.pread(handle, LOOKED_AT * size, start * size)
        pages = len(found) // size
        for n in range(pages):
            first, end = unused(found[n * size : n * size + usable], 100 if start + n == 0 else 0)
            if found[n * size + first : n * size + end].strip(b"\0"):
                os.pwrite(handle, bytes(end - first), (start + n) * size + first)
        if pages:
            os.fsync(handle)
        return pages


def unused(page: bytes, header: int) -> tuple[int, int]:
    """Where the unallocated space of a page of a b-tree begins and ends; an empty range for every other page. Those begin with the
    high byte of a page's number, which is 0 in any file below 64 GB."""
    kind = page[header]
    if kind not in INTERIOR | LEAF:
        return 0, 0
    cells = int.from_bytes(page[header + 3 : header + 5], "big")
    content = int.from_bytes(page[header + 5 : header + 7], "big") or 65_536
    first = header + (12 if kind in INTERIOR else 8) + 2 * cells
    return (first, content) if first <= content <= len(page) else (0, 0)


def _emptied(db: Connection) -> bool:
    """Bring the write-ahead log into the file and empty it; false where a reader is in the way. Waits for nobody."""
    db.execute("PRAGMA busy_timeout = 0")
    try:
        busy, *_ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError:
        return False
    finally:
        db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
    return not busy


def _gone(db: Connection) -> list[int]:
    return [row["contact"] for row in db.execute("SELECT contact FROM erasing WHERE rows_gone = 1")]


def _done(db: Connection, gone: list[int]) -> None:
    db.execute("DELETE FROM erasing WHERE contact IN (SELECT value FROM json_each(?))", (json.dumps(gone),))


def _begin_merging(db: Connection) -> tuple[int, int]:
    """Have all parts of the index become one. A step's pages, and steps after which that is done, whatever is written meanwhile."""
    parts = int(db.execute("SELECT count(*) FROM messages_text_data").fetchone()[0])
    _merge(db, -MERGED)
    return MERGED, 8 + 2 * parts // MERGED


def _merge(db: Connection, pages: int) -> bool:
    before = db.total_changes
    db.execute("INSERT INTO messages_text (messages_text, rank) VALUES ('merge', ?)", (pages,))
    return db.total_changes - before >= 2
