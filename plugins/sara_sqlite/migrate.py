"""Brings a database file to the newest schema, one numbered step at a time, with a copy made before."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

import structlog

from sara.engines import StoreUnavailable
from sara.helpers import open_private

log = structlog.get_logger("sara_sqlite")


@cache
def steps() -> Mapping[int, str]:
    """Return the numbered steps that this version knows: number → SQL."""
    found = {}
    for entry in files("sara_sqlite").joinpath("migrations").iterdir():
        number, _, _ = entry.name.partition("_")
        if entry.name.endswith(".sql"):
            found[int(number)] = entry.read_text(encoding="utf-8")
    return dict(sorted(found.items()))


def check_known(connection: sqlite3.Connection, path: Path) -> int:
    """Return the schema version of a file that is only read. Raises StoreUnavailable for one that holds nothing, or is too new
    or old."""
    current = check_not_newer(connection, path)
    if current == 0:
        raise StoreUnavailable(f"{path} holds nothing yet; `sara run` fills it")
    if current < max(steps()):
        raise StoreUnavailable(f"{path} is of an older SARA (schema {current}); `sara run` brings it up to date")
    return current


def check_not_newer(connection: sqlite3.Connection, path: Path) -> int:
    """Return the schema version of a file. Raises StoreUnavailable for one that a newer SARA has written."""
    current: int = connection.execute("PRAGMA user_version").fetchone()[0]
    newest = max(steps())
    if current > newest:
        raise StoreUnavailable(
            f"{path} was written by a newer SARA (schema {current}, this one knows {newest}); upgrade SARA, or restore a backup"
        )
    return current


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Apply the steps that `connection` lacks. A file that already holds data is copied to `<name>.before-<number>` first.

    Raises StoreUnavailable for a file that a newer SARA has written.
    """
    current = check_not_newer(connection, path)
    if 0 < current < max(steps()):
        _copy(connection, path.with_name(f"{path.name}.before-{current + 1}"))
    bring_up(connection)


def bring_up(connection: sqlite3.Connection) -> None:
    """Apply the steps that `connection` lacks, without a copy."""
    current: int = connection.execute("PRAGMA user_version").fetchone()[0]
    for number, sql in steps().items():
        if number > current:
            connection.executescript(f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA user_version = {number};\nCOMMIT;")
            log.info("database_migrated", schema=number)


def _copy(connection: sqlite3.Connection, target: Path) -> None:
    target.unlink(missing_ok=True)
    os.close(open_private(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    copy = sqlite3.connect(target)
    try:
        connection.backup(copy)
    finally:
        copy.close()
    log.info("database_copied", copy=str(target))
