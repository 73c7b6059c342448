"""A connection on which many transactions share one thread hop and one commit.

aiosqlite runs every call on the connection in the connection's own thread, but has no call that runs a function of ours
there. `commit()` is such a call: on this subclass it runs everything that waits, each transaction in its own savepoint, and
commits once.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sara import SaraError
from sara.engines import CommitUnknown, StoreUnavailable

ROLLED_BACK = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
"""Result codes after which SQLite promises that nothing of the transaction was kept."""


@dataclass(slots=True, eq=False)
class Call:
    """One function to run within the next transaction, or `alone` between two of them, and what became of it."""

    run: Callable[[sqlite3.Connection], Any]
    done: asyncio.Future[Any]
    alone: bool = False
    result: Any = None
    error: Exception | None = None


class GroupConnection(sqlite3.Connection):
    """Runs the calls left in `calls` when it is told to commit."""

    calls: list[Call]
    begin = "BEGIN IMMEDIATE"
    lost = False

    def commit(self) -> None:
        calls = [call for call in self.calls if not call.alone]
        alone = [call for call in self.calls if call.alone]
        self.calls = []
        if calls:
            try:
                self._run_together(calls)
            except Exception as error:
                for call in calls:
                    call.error = call.error or as_store_error(error)
        for call in alone:
            try:
                call.result = call.run(self)
            except Exception as error:
                call.error = as_store_error(error)

    def _run_together(self, calls: Sequence[Call]) -> None:
        if self.lost:
            raise CommitUnknown("an earlier write could not be confirmed; start again")
        self.execute(self.begin)
        try:
            for call in calls:
                self._run_one(call)
        except BaseException:
            if self.in_transaction:
                self.execute("ROLLBACK")
            raise
        self._commit(calls)

    def _run_one(self, call: Call) -> None:
        self.execute("SAVEPOINT call")
        try:
            call.result = call.run(self)
        except Exception as error:
            if not self.in_transaction:
                raise
            self.execute("ROLLBACK TO call")
            call.error = as_store_error(error)
        self.execute("RELEASE call")

    def _commit(self, calls: Sequence[Call]) -> None:
        try:
            self.execute("COMMIT")
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
            if _nothing_kept(code):
                if self.in_transaction:  # SQLite itself rolls back after some of these
                    self.execute("ROLLBACK")
                raise
            self.lost = True
            name = getattr(error, "sqlite_errorname", "an error")
            raise CommitUnknown(f"whether the last write was kept is unknown ({name} at commit)") from error


class ReadConnection(GroupConnection):
    """The same for looking: the calls of a group see one moment of the database."""

    begin = "BEGIN"


def _nothing_kept(code: int) -> bool:
    return code & 0xFF in ROLLED_BACK or code == sqlite3.SQLITE_IOERR_WRITE


def as_store_error(error: Exception) -> Exception:
    """Return the error that the core understands: `StoreUnavailable` for what SQLite could not do now; any other error as it
    is."""
    if isinstance(error, SaraError) or not isinstance(error, sqlite3.Error):
        return error
    if isinstance(error, sqlite3.OperationalError | sqlite3.DatabaseError) and not isinstance(
        error, sqlite3.IntegrityError | sqlite3.ProgrammingError | sqlite3.InterfaceError | sqlite3.DataError
    ):
        name = getattr(error, "sqlite_errorname", "")
        wrapped = StoreUnavailable(f"the database could not do this now: {error} {name}".strip())
        wrapped.__cause__ = error
        return wrapped
    return error
