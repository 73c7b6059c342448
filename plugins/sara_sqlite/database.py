"""One database file: who may open it, how it is written and read.

Writes of all callers are gathered and run by one task on one connection; callers only wait for their own result, so a
cancelled caller can neither leave a transaction open nor undo it. Reads have connections of their own.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
import structlog

from sara import StoreLocked, StoreLost, StoreUnavailable
from sara_sqlite.connection import Call, GroupConnection, ReadConnection
from sara_sqlite.migrate import check_known, migrate

T = TypeVar("T")
log = structlog.get_logger("sara_sqlite")

BUSY_TIMEOUT = 5_000
"""How long, in milliseconds, a write waits for another process before it is refused."""

GROUP = 256
"""At most so many calls share a commit, so that one slow group never keeps everybody waiting for long."""


class Gathering:
    """Runs the calls that wait for one connection, as many together as there are."""

    def __init__(self, connection: aiosqlite.Connection, inner: GroupConnection, on_lost: Callable[[], None]) -> None:
        self._connection = connection
        self._inner = inner
        self._on_lost = on_lost
        self._waiting: list[Call] = []
        self._work = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._run(), name="sqlite-gathering")

    async def call(self, run: Callable[[sqlite3.Connection], T]) -> T:
        """Run `run(connection)` within a transaction; return its result once that is committed."""
        if self._closing:
            raise StoreUnavailable("the database is closed")
        call = Call(run, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        self._work.set()
        result: T = await call.done
        return result

    async def close(self) -> None:
        """Finish what waits, then close the connection."""
        self._closing = True
        self._work.set()
        await self._task
        await self._connection.close()

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            while self._waiting:
                calls, self._waiting = self._waiting[:GROUP], self._waiting[GROUP:]
                self._inner.calls = calls
                await self._connection.commit()
                for call in calls:
                    _answer(call)
                if self._inner.lost:
                    self._on_lost()
            if self._closing:
                return
            self._work.clear()


def _answer(call: Call) -> None:
    if call.done.done():
        return
    if call.error is None:
        call.done.set_result(call.result)
    else:
        call.done.set_exception(call.error)


class Database:
    """A database file, open for one daemon. Shared by the store and the queue of one `plugin: sqlite`."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        self.lost = asyncio.Event()
        self._users = 0
        self._opening = asyncio.Lock()
        self._lock: int | None = None
        self._writer: Gathering | None = None
        self._reader: Gathering | None = None

    async def open(self) -> None:
        """Open the file for one more user of it; the first takes the lock and brings the schema up to date.

        Raises:
            StoreLocked: another process has the file open for writing.
            StoreUnavailable: the file cannot be opened, or is newer than this SARA.
        """
        async with self._opening:
            if self._users == 0:
                try:
                    await self._open()
                except BaseException:
                    await self._shut()
                    raise
            self._users += 1

    async def close(self) -> None:
        """Let go for one user; the last closes the file."""
        async with self._opening:
            self._users = max(0, self._users - 1)
            if self._users == 0:
                await self._shut()

    async def write(self, run: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function that changes something. Raises StoreUnavailable (nothing kept) or StoreLost (unknown)."""
        if self._writer is None:
            raise StoreUnavailable("the database is open for reading only" if self.read_only else "the database is not open")
        return await self._writer.call(run)

    async def read(self, run: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function that only looks, at one moment of the database."""
        if self._reader is None:
            raise StoreUnavailable("the database is not open")
        return await self._reader.call(run)

    async def _open(self) -> None:
        if self.read_only:
            if not self.path.exists():
                raise StoreUnavailable(f"there is no database at {self.path} yet; `sara run` creates it")
            self._reader = await self._connect(ReadConnection)
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"{self.path.parent} cannot be created: {error.strerror}") from error
        self._take_lock()
        self._writer = await self._connect(GroupConnection)
        self._reader = await self._connect(ReadConnection)

    async def _connect(self, factory: type[GroupConnection]) -> Gathering:
        made: list[GroupConnection] = []

        def connector(*_: Any) -> sqlite3.Connection:
            connection = _open_file(self.path, factory, self.read_only)
            made.append(connection)
            return connection

        proxy = aiosqlite.Connection(connector, iter_chunk_size=64)
        # aiosqlite's thread would otherwise keep a process alive whose loop has ended without closing.
        proxy._thread.daemon = True  # aiosqlite offers no option for it
        try:
            await proxy
        except BaseException as error:
            proxy._thread.join(5)  # it ends by itself; its last word must still find this loop
            if isinstance(error, sqlite3.Error | OSError):
                raise StoreUnavailable(f"{self.path} cannot be opened: {error}") from error
            raise
        return Gathering(proxy, made[0], self._on_lost)

    def _on_lost(self) -> None:
        if not self.lost.is_set():
            log.critical("database_lost", path=str(self.path))
            self.lost.set()

    def _take_lock(self) -> None:
        lock = self.path.with_name(self.path.name + ".lock")
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailable(f"{lock} cannot be created: {error.strerror}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(handle, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(handle)
            raise StoreLocked(
                f"{self.path} is in use by another SARA, process {owner}; stop that one, or give this one another `state:` folder"
            ) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._lock = handle

    async def _shut(self) -> None:
        # The reader first: the last connection to close cleans up the write-ahead log, and that must be the writer.
        for name in ("_reader", "_writer"):
            gathering: Gathering | None = getattr(self, name)
            setattr(self, name, None)
            if gathering is not None:
                await gathering.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _open_file(path: Path, factory: type[GroupConnection], read_only: bool) -> GroupConnection:
    looking = factory is ReadConnection
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw' if looking else 'rwc'}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        factory=factory,
        cached_statements=512,
    )
    try:
        connection.calls = []
        connection.row_factory = sqlite3.Row
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
        connection.execute("PRAGMA foreign_keys = ON")
        if looking:
            connection.execute("PRAGMA query_only = ON")
            check_known(connection, path)
            return connection
        os.chmod(path, 0o600)
        connection.execute("PRAGMA journal_mode = WAL")
        # A power cut must not take a message that was acknowledged: only FULL syncs the log at every commit.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


__all__ = ["Database", "StoreLost"]
