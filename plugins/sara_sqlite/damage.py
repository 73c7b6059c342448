"""Noticing that a database file is damaged, and remembering it: what is known to be damaged is never served."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

from sara.engines import StoreUnavailable
from sara.helpers import open_private, read_private
from sara_sqlite.aside import CancelToken
from sara_sqlite.migrate import steps

CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
NAMED = 3
"""So many findings of a check are told; the first is what matters."""


def told_by(error: BaseException | None) -> str | None:
    """Return what an error, or its cause, says about damage to the file; None for any other error."""
    while error is not None:
        if isinstance(error, sqlite3.Error) and (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF in CODES:
            return str(error)
        if isinstance(error, UnicodeDecodeError):
            return "the names in its schema are no text"  # SQLite quotes them in its error, which Python then cannot read
        error = error.__cause__
    return None


def sentence(path: Path, what: str) -> str:
    """Return what is wrong and what to do about it."""
    return f"{path} is damaged ({what}); restore a backup with `sara restore FILE`, or salvage what can still be read with `sara export`"


def marker(path: Path) -> Path:
    """Return the path of the file that marks a database as damaged. A restore removes it."""
    return path.with_name(path.name + ".corrupt")


def remember(path: Path, what: str) -> None:
    """Write the marker, so that no later start serves the file."""
    handle = open_private(marker(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        os.write(handle, what.encode("utf-8", "replace") + b"\n")
        os.fsync(handle)
    finally:
        os.close(handle)


def check_remembered(path: Path) -> None:
    """Raise StoreUnavailable if the file is known to be damaged."""
    try:
        what = read_private(marker(path)).decode("utf-8", "replace").strip()
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreUnavailable(f"{marker(path)} cannot be read: {error.strerror}") from error
    raise StoreUnavailable(sentence(path, what) + f". If you have mended it yourself, remove {marker(path)}")


def check_emptied(path: Path, *, held_data: bool) -> None:
    """Raise StoreUnavailable for a file that lost its content: SQLite would take it for a new one, and throw away its log."""
    size = path.stat().st_size if path.exists() else None
    log = path.with_name(path.name + "-wal")
    if size:
        return
    if log.exists() and log.stat().st_size:
        raise StoreUnavailable(sentence(path, "it is empty or gone, but its write-ahead log is not"))
    if size == 0 and held_data:
        raise StoreUnavailable(sentence(path, "it is empty, but held data before"))


@cache
def tables() -> frozenset[str]:
    """Return the tables of the newest schema."""
    with closing(sqlite3.connect(":memory:")) as model:
        for sql in steps().values():
            model.executescript(sql)
        return frozenset(tables_in(model))


def tables_in(connection: sqlite3.Connection) -> set[str]:
    """Return the tables that a database has."""
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}


def glance(connection: sqlite3.Connection, path: Path) -> None:
    """Check cheaply: the schema, and the first page of each table. Raises StoreUnavailable, or SQLite's own error."""
    found = tables_in(connection)
    if missing := sorted(tables() - found):
        raise StoreUnavailable(sentence(path, f"there is no table {missing[0]}"))
    for table in sorted(found):
        connection.execute(f'SELECT * FROM "{table}" LIMIT 1').fetchone()  # noqa: S608  # names from the schema itself


def look_through(path: Path, stop: CancelToken) -> str | None:
    """Read the whole file; return what is wrong with it, if anything. On a connection of its own, while others read and write."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)) as connection:
        stop.watch(connection)
        stop.check()
        try:
            found = findings(connection, "quick_check")
        except (sqlite3.Error, UnicodeDecodeError) as error:
            stop.check()
            if (what := told_by(error)) is None:
                raise
            return what
        return "; ".join(found) or None


def findings(connection: sqlite3.Connection, check: str) -> list[str]:
    """Return what `PRAGMA quick_check` or `integrity_check` reports."""
    found = [str(row[0]).strip() for row in connection.execute(f"PRAGMA {check}({NAMED})")]
    return [] if found == ["ok"] else found
