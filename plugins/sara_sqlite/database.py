"""One database file: who may open it, how it is written and read.

Writes of all callers are gathered and run by one task on one connection; callers only wait for their own result, so a
cancelled caller can neither leave a transaction open nor undo it. Reads have connections of their own.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
import structlog

from sara.engines import CommitUnknown, StoreUnavailable
from sara.helpers import ProblemReporter, open_private, refuse_link
from sara_sqlite import damage, keyed, restore
from sara_sqlite.aside import aside
from sara_sqlite.connection import Call, GroupConnection, ReadConnection
from sara_sqlite.keyed import PseudonymKey
from sara_sqlite.lock import Lock
from sara_sqlite.migrate import check_known, migrate
from sara_sqlite.wal import WalMonitor

T = TypeVar("T")
log = structlog.get_logger("sara_sqlite")

BUSY_TIMEOUT = 5_000
"""How long, in milliseconds, a write waits for another process before it is refused."""

GROUP = 256
"""At most so many calls share a commit, so that one slow group never keeps everybody waiting for long."""


class GroupCommitWriter:
    """Runs the calls that wait for one connection, as many together as there are."""

    def __init__(
        self,
        connection: aiosqlite.Connection,
        inner: GroupConnection,
        on_lost: Callable[[], None],
        on_damage: Callable[[str], None],
    ) -> None:
        self._connection = connection
        self._inner = inner
        self._on_lost = on_lost
        self._on_damage = on_damage
        self._waiting: list[Call] = []
        self._work = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._run(), name="sqlite-gathering")

    async def call(self, run: Callable[[sqlite3.Connection], T], *, alone: bool = False) -> T:
        """Run `run(connection)` within a transaction, or `alone` outside of any; return its result once that is committed."""
        if self._closing:
            raise StoreUnavailable("the database is closed")
        call = Call(run, asyncio.get_running_loop().create_future(), alone)
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
                    if (what := damage.told_by(call.error)) is not None:
                        self._on_damage(what)
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
    """A database file, open for one daemon. Shared by the store and the queue of one `plugin: sqlite`.

    `lost` is set once it must not be used any longer; `corrupt` then says what is damaged, if that is why.
    """

    def __init__(
        self, path: Path, *, read_only: bool = False, key: Path | None = None, problems: ProblemReporter | None = None
    ) -> None:
        self.path = path
        self._problems = problems
        self.read_only = read_only
        self.key = PseudonymKey(key or path.with_name(keyed.NAME))
        self.lost = asyncio.Event()
        self.corrupt: str | None = None
        self._users = 0
        self._opening = asyncio.Lock()
        self._lock: Lock | None = None
        self._check: asyncio.Task[None] | None = None
        self._wal: asyncio.Task[None] | None = None
        self._writer: GroupCommitWriter | None = None
        self._reader: GroupCommitWriter | None = None
        self._handle: int | None = None

    async def open(self) -> None:
        """Open the file for one more user of it; the first takes the lock and brings the schema up to date.

        Raises:
            StoreLocked: another process has the file open for writing.
            StoreUnavailable: the file cannot be opened, is damaged, or is newer than this SARA.
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
        """Run a function that changes something. Raises StoreUnavailable (nothing kept) or CommitUnknown (unknown)."""
        if self._writer is None:
            raise StoreUnavailable("the database is open for reading only" if self.read_only else "the database is not open")
        return await self._writer.call(run)

    async def alone(self, run: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function on the writing connection while no transaction is open there."""
        if self._writer is None:
            raise StoreUnavailable("the database is not open for writing")
        return await self._writer.call(run, alone=True)

    def handle(self) -> int:
        """Return the open file. Closing any handle of a file takes all locks of the process from it, SQLite's too: it stays
        open until those are not needed any more."""
        if self._handle is None:
            self._handle = open_private(self.path, os.O_RDWR)
        return self._handle

    async def read(self, run: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function that only looks, at one moment of the database."""
        if self._reader is None:
            raise StoreUnavailable("the database is not open")
        return await self._reader.call(run)

    async def _open(self) -> None:
        if self.read_only:
            if self.path.parent.is_dir() and restore.pending(self.path):
                raise StoreUnavailable(f"a restore of {self.path} is under way or was cut off; `sara run` ends it")
            if not self.path.exists():
                raise StoreUnavailable(f"there is no database at {self.path} yet; `sara run` creates it")
            self._reader = await self._connect(ReadConnection)
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"{self.path.parent} cannot be created: {error.strerror}") from error
        self._lock = Lock(self.path)
        restore.finish(self.path)
        damage.check_remembered(self.path)
        damage.check_emptied(self.path, held_data=self._lock.held_data)
        if self._lock.held_data and not self.path.exists():
            log.warning("database_recreated", path=str(self.path), former="gone")
        self.key.load()
        self._writer = await self._connect(GroupConnection)
        self._reader = await self._connect(ReadConnection)
        self._lock.remember_data()
        self._check = asyncio.create_task(self._look_through(), name="sqlite-check")
        if self._problems is not None:
            self._wal = asyncio.create_task(WalMonitor(self.path, self._problems, self.alone).run(), name="sqlite-wal")

    async def _connect(self, factory: type[GroupConnection]) -> GroupCommitWriter:
        made: list[GroupConnection] = []

        def connector(*_: Any) -> sqlite3.Connection:
            connection = _open_file(self.path, factory, self.read_only)
            self.key.offer(connection)
            made.append(connection)
            return connection

        proxy = aiosqlite.Connection(connector, iter_chunk_size=64)
        # aiosqlite's thread would otherwise keep a process alive whose loop has ended without closing.
        proxy._thread.daemon = True  # aiosqlite offers no option for it
        try:
            await proxy
        except BaseException as error:
            proxy._thread.join(5)  # it ends by itself; its last word must still find this loop
            if isinstance(error, sqlite3.Error | OSError | UnicodeDecodeError):
                what = damage.told_by(error)
                raise StoreUnavailable(
                    f"{self.path} cannot be opened: {error}" if what is None else damage.sentence(self.path, what)
                ) from error
            raise
        return GroupCommitWriter(proxy, made[0], self._on_lost, self._on_damage)

    async def _look_through(self) -> None:
        """Look for damage that a cheap look at the start cannot find, while everything else goes on."""
        try:
            what = await aside(lambda stop: damage.look_through(self.path, stop))
        except (sqlite3.Error, OSError) as error:
            log.warning("database_check_failed", path=str(self.path), error=str(error))
            return
        if what is not None:
            self._on_damage(what)

    def _on_lost(self) -> None:
        if not self.lost.is_set():
            log.critical("database_lost", path=str(self.path))
            self.lost.set()

    def _on_damage(self, what: str) -> None:
        """Damage is remembered before the daemon ends, so that the next start does not serve it either."""
        if self.corrupt is not None or self.read_only:
            return
        self.corrupt = damage.sentence(self.path, what)
        try:
            damage.remember(self.path, what)
        except OSError as error:
            log.error("corruption_marker_failed", path=str(self.path), error=error.strerror)
        self.lost.set()
        log.critical("database_corrupted", error=self.corrupt)

    async def _shut(self) -> None:
        for task in (self._check, self._wal):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        self._check = self._wal = None
        # The reader first: the last connection to close cleans up the write-ahead log, and that must be the writer.
        for name in ("_reader", "_writer"):
            gathering: GroupCommitWriter | None = getattr(self, name)
            setattr(self, name, None)
            if gathering is not None:
                await gathering.close()
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def _open_file(path: Path, factory: type[GroupConnection], read_only: bool) -> GroupConnection:
    looking = factory is ReadConnection
    try:
        for beside in ("", "-wal", "-shm", "-journal"):
            refuse_link(path.with_name(path.name + beside))
    except OSError as error:
        raise StoreUnavailable(f"{error.filename} cannot be opened: {error.strerror}") from error
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
        _close_to_others(path)
        connection.execute("PRAGMA auto_vacuum = NONE")  # whatever this SQLite was built for: `cleaning` knows its pages
        connection.execute("PRAGMA journal_mode = WAL")
        # A power cut must not take a message that was acknowledged: only FULL syncs the log at every commit.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        # What is deleted is overwritten: those who ask to be forgotten must not be found in free space.
        connection.execute("PRAGMA secure_delete = ON")
        migrate(connection, path)
        # What a failed sync left behind may be readable and yet not on the disk: nothing is served before it is.
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        damage.glance(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _close_to_others(path: Path) -> None:
    """Restrict the database file to its owner. A handle that can only name the file: closing any other would take the locks
    of the process from it."""
    handle = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.chmod(f"/proc/self/fd/{handle}", 0o600)
    finally:
        os.close(handle)


__all__ = ["CommitUnknown", "Database"]
