"""Growth of the write-ahead log: a program that reads the database for long keeps SQLite from emptying it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from sara import SaraError
from sara.helpers import ProblemReporter

log = structlog.get_logger("sara_sqlite")

LIMIT = 128 * 1024 * 1024
"""Bytes of the log from which on its growth is looked into; SQLite by itself keeps at most 64 MiB of it after a busy time."""

INTERVAL_S = 30.0

Checkpoint = Callable[[Callable[[sqlite3.Connection], tuple[int, int]]], Awaitable[tuple[int, int]]]


class WalMonitor:
    """Report a problem while the log is large and cannot be emptied."""

    def __init__(self, path: Path, problems: ProblemReporter, checkpoint: Checkpoint) -> None:
        self._path = path
        self._log = path.with_name(path.name + "-wal")
        self._problems = problems
        self._checkpoint = checkpoint

    async def run(self) -> None:
        """Look every 30 seconds, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(INTERVAL_S)

    async def look(self) -> None:
        """Look once: only a log that a checkpoint cannot carry over in full is blocked, and not just busy."""
        try:
            size = self._log.stat().st_size
        except OSError:
            size = 0
        if size > LIMIT:
            try:
                pages, carried_over = await self._checkpoint(_checkpoint)
            except SaraError as error:
                log.warning("wal_check_failed", error=str(error))
                return
            if carried_over < pages:
                self._report(size)
                return
        self._problems.clear("store:wal:too_large")

    def _report(self, size: int) -> None:
        self._problems.report(
            "store:wal:too_large",
            f"the write-ahead log of the database has grown to {size // 1_048_576} MB: another program reads the database all the time",
            f"end that program (find it with `fuser -v {self._path}`; a long backup or export counts, too); until then"
            " the log grows with every message and fills the disk",
            count=1,
        )


def _checkpoint(db: sqlite3.Connection) -> tuple[int, int]:
    """Return how many pages the log has, and how many of them stand in the database by now, without waiting for other
    connections."""
    _, pages, carried_over = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(pages), int(carried_over)
