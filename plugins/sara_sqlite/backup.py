"""A copy of the database while it is in use: one moment of it, checked, and there whole or not at all."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sara import Instant, SaraError
from sara.engines import StoreUnavailable
from sara.helpers import open_private
from sara_sqlite import copies, damage
from sara_sqlite.aside import CancelToken
from sara_sqlite.rows import event, one

PAGES = 64
"""Pages copied at a time; between two steps the disk and the interpreter are free for other work."""

SYNC_EVERY = 64
"""Steps after which the copy is synced, so that no commit has to wait until all of it is on the disk."""

COUNTED = ("messages", "conversations", "attempts")
UNFINISHED = ".sara-unfinished"


def save(source: Path, target: Path, now: Instant, stop: CancelToken, kept_in: Path | None = None) -> dict[str, int]:
    """Copy the database `source` to the new file `target`; return what it holds. `kept_in` is the file that it becomes a part
    of.

     Raises SaraError where `target` exists already, StoreUnavailable for what cannot be read, written or trusted.
    """
    if target.exists():
        raise SaraError(f"{target} exists already; a backup never replaces a file, give another name")
    try:
        with _unfinished(target) as copy:
            counted = copy_database(source, copy, stop)
            _seal(copy, counted, now, stop)
            sync(copy)
            _publish(copy, target)
            copies.note(source, kept_in or target, now)
            return {**counted, "bytes": target.stat().st_size}
    except sqlite3.Error as error:
        stop.check()
        raise StoreUnavailable(f"{target} could not be written: {error}; nothing was kept of it") from error
    except OSError as error:
        raise StoreUnavailable(f"{target} could not be written: {error.strerror}; nothing was kept of it") from error


def copy_database(source: Path, copy: Path, stop: CancelToken) -> dict[str, int]:
    """Copy one moment of a database, in use or not, over the empty file `copy`; return how much it holds."""
    with closing(reading(source)) as original, closing(sqlite3.connect(copy, isolation_level=None)) as written:
        written.execute("PRAGMA journal_mode = OFF")  # it counts only once it is complete
        written.execute("PRAGMA synchronous = OFF")
        # Without a transaction of ours each step would see what was written since, and the copy would restart endlessly.
        original.execute("BEGIN")
        counted = counts(original)
        steps = 0

        def progress(_status: int, _remaining: int, _total: int) -> None:
            nonlocal steps
            stop.check()
            steps += 1
            if steps % SYNC_EVERY == 0:
                sync(copy)

        original.backup(written, pages=PAGES, progress=progress)
        original.execute("ROLLBACK")
    return counted


def reading(path: Path) -> sqlite3.Connection:
    """Return a read-only connection."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, timeout=5
    )
    connection.row_factory = sqlite3.Row
    return connection


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how much a database holds."""
    return {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in COUNTED}  # noqa: S608


def check(connection: sqlite3.Connection, path: Path, stop: CancelToken) -> None:
    """Read and compare everything. Raises StoreUnavailable where something is wrong."""
    stop.watch(connection)
    stop.check()
    try:
        found = damage.findings(connection, "integrity_check")
    except sqlite3.DatabaseError as error:
        stop.check()
        found = [str(error)]
    if found:
        raise StoreUnavailable(f"{path} is damaged: {'; '.join(found)}")
    if one(connection, "PRAGMA foreign_key_check") is not None:
        raise StoreUnavailable(f"{path} is damaged: rows refer to rows that are not there")


def newest(connection: sqlite3.Connection) -> Instant | None:
    """Return when the last thing happened that a database knows of."""
    row = one(connection, "SELECT at FROM events ORDER BY id DESC LIMIT 1")
    return None if row is None else int(row["at"])


def sync(path: Path) -> None:
    """Have a file or a folder on the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _seal(copy: Path, counted: dict[str, int], now: Instant, stop: CancelToken) -> None:
    """Make the copy one file that needs no other, note in it when it was made, and make sure of it."""
    with closing(sqlite3.connect(copy, isolation_level=None, check_same_thread=False)) as sealed:
        sealed.row_factory = sqlite3.Row
        sealed.execute("PRAGMA synchronous = OFF")
        sealed.execute("PRAGMA journal_mode = DELETE")
        try:
            event(sealed, now, "backed_up")
        except sqlite3.DatabaseError as error:
            raise StoreUnavailable(f"the database is damaged: {error}; restore an earlier backup") from error
        try:
            check(sealed, copy, stop)
        except StoreUnavailable as error:
            raise StoreUnavailable(
                f"the copy was not kept, because it is damaged, and so is the database: {str(error).partition(': ')[2]}"
            ) from error
        if counts(sealed) != counted:
            raise StoreUnavailable("the copy was not kept: it does not hold what the database held")


def remove(path: Path) -> None:
    """Remove a copy, and what SQLite may have left beside it."""
    for suffix in ("-wal", "-shm", "-journal", ""):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """Provide an empty temporary file beside `target` that is not taken for a backup; gone afterwards. What killed processes
    left goes first."""
    for left in target.parent.glob(f".*{UNFINISHED}"):
        _remove_if_left(left)
    copy = target.with_name(f".{target.name}{UNFINISHED}")
    try:
        handle = open_private(copy, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    except FileExistsError as error:
        raise SaraError(f"another backup to {target} is under way") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield copy
    finally:
        remove(copy)
        os.close(handle)


def _remove_if_left(copy: Path) -> None:
    """Remove an unfinished copy whose process is gone: one that lives holds a lock on it."""
    with suppress(OSError):
        handle = open_private(copy, os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(copy)
        finally:
            os.close(handle)


def _publish(copy: Path, target: Path) -> None:
    """Give the finished copy its name. A link, unlike a rename, never replaces a file; but not every file system has links."""
    try:
        os.link(copy, target)
    except OSError as error:
        if target.exists():
            raise SaraError(f"{target} exists already; a backup never replaces a file") from error
        copy.rename(target)
    sync(target.parent)
