"""Cleaning what the file still holds of rows that are gone.

Deleting a row is not the end of it. The full-text index only notes that its words are gone, until its parts are merged. And where
SQLite moves rows between pages it leaves their former bytes in the space of a page that is not in use; `secure_delete` does not reach
those. VACUUM would, but it rewrites the whole file while all calls wait. So that space is overwritten here, page by page: only while
the write-ahead log is empty and no connection can write, so that the file is complete, and only bytes that belong to no row.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from functools import partial

from sara.engines import StoreUnavailable
from sara_sqlite.database import BUSY_TIMEOUT, Database
from sara_sqlite.rows import Connection

MERGED = 64
"""Pages of the index that one step merges."""

LOOKED_AT = 512
"""Pages of the file that one step looks at."""

INTERIOR = {2, 5}
LEAF = {10, 13}


class Cleaning:
    """Cleans up after those whose rows are gone, one small step at a time, so that no call waits for it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._steps: AsyncGenerator[None, None] | None = None

    async def step(self) -> bool:
        """Take a step; false when all is clean. After an error it starts over."""
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
        for _ in range(await self._database.write(_begin_merging)):
            yield
            if not await self._database.write(lambda db: _merge(db, MERGED)):
                break
        start = 0
        while (looked := await self._database.alone(partial(self._blank, start=start))) != 0:
            start += looked or 0
            yield
        await self._database.write(lambda db: _done(db, gone))
        while not await self._database.alone(_emptied):
            yield

    def _blank(self, db: Connection, start: int) -> int | None:
        """Overwrite unused space in some pages; return how many there were, None while another connection reads or writes."""
        if not _emptied(db):
            return None
        # A page kept in memory would bring its old bytes back when it is written next.
        db.execute("PRAGMA shrink_memory").fetchall()
        with _nobody_writes(db) as alone:
            return self._blank_pages(start) if alone and self._all_in_file() else None

    def _all_in_file(self) -> bool:
        path = self._database.path
        log = path.with_name(path.name + "-wal")
        return not log.exists() or log.stat().st_size == 0

    def _blank_pages(self, start: int) -> int:
        handle = self._database.handle()
        size, usable = _sizes(os.pread(handle, 100, 0))
        found = os.pread(handle, LOOKED_AT * size, start * size)
        pages = len(found) // size
        for n in range(pages):
            first, end = unused(found[n * size : n * size + usable], 100 if start + n == 0 else 0)
            if found[n * size + first : n * size + end].strip(b"\0"):
                os.pwrite(handle, bytes(end - first), (start + n) * size + first)
        if pages == 0:
            os.fsync(handle)
        return pages


def _sizes(header: bytes) -> tuple[int, int]:
    """Return a page's size, and how much of it SQLite uses. Raises StoreUnavailable for a file with pages of a kind that is
    not known here."""
    if header[52:56] != bytes(4):
        raise StoreUnavailable(
            "the database was made with auto_vacuum; `sara backup` and `sara restore` do not change that, VACUUM does"
        )
    size = int.from_bytes(header[16:18], "big")
    size = 65_536 if size == 1 else size
    return size, size - header[20]


def unused(page: bytes, header: int) -> tuple[int, int]:
    """Return where the unallocated space of a page of a b-tree begins and ends; an empty range for every other page. Those
    begin with the high byte of a page's number, which is 0 in any file below 64 GB."""
    kind = page[header]
    if kind not in INTERIOR | LEAF:
        return 0, 0
    cells = int.from_bytes(page[header + 3 : header + 5], "big")
    content = int.from_bytes(page[header + 5 : header + 7], "big") or 65_536
    first = header + (12 if kind in INTERIOR else 8) + 2 * cells
    return (first, content) if first <= content <= len(page) else (0, 0)


def _emptied(db: Connection) -> bool:
    """Bring the write-ahead log into the file and empty it; false where a reader is in the way."""
    with _waiting_for_nobody(db):
        try:
            busy, *_ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError:
            return False
    return not busy


@contextmanager
def _waiting_for_nobody(db: Connection) -> Iterator[None]:
    db.execute("PRAGMA busy_timeout = 0")
    try:
        yield
    finally:
        db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")


@contextmanager
def _nobody_writes(db: Connection) -> Iterator[bool]:
    """While within, no other process can write either, unless it does already: then false."""
    with _waiting_for_nobody(db):
        try:
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            yield False
            return
    try:
        yield True
    finally:
        db.execute("ROLLBACK")


def _gone(db: Connection) -> list[int]:
    return [row["contact"] for row in db.execute("SELECT contact FROM erasures WHERE rows_gone = 1")]


def _done(db: Connection, gone: list[int]) -> None:
    db.execute("DELETE FROM erasures WHERE contact IN (SELECT value FROM json_each(?))", (json.dumps(gone),))


def _begin_merging(db: Connection) -> int:
    """Have all parts of the index become one; after how many steps that is done, whatever is written meanwhile."""
    parts = int(db.execute("SELECT count(*) FROM messages_text_data").fetchone()[0])
    _merge(db, -MERGED)  # a negative number begins with all that there is
    return 8 + 2 * parts // MERGED


def _merge(db: Connection, pages: int) -> bool:
    """Merge some pages; return whether there was anything to merge, as SQLite's manual says how to tell."""
    before = db.total_changes
    db.execute("INSERT INTO messages_text (messages_text, rank) VALUES ('merge', ?)", (pages,))
    return db.total_changes - before >= 2
