"""Which files besides the database hold its data: the backups that were made, and copies that upgrades and restores left.

Backups are noted in a small file beside the database, and not in it: whoever makes one only reads, whether a daemon runs or not.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import structlog

from sara import Instant
from sara.helpers import open_private, read_private
from sara_sqlite.lock import owned_like

log = structlog.get_logger("sara_sqlite")

LEFT_BY = (".before-*", ".replaced-*")
"""What an upgrade and a restore call the copies that they leave."""

BESIDE = ("-wal", "-shm", "-journal")


def note(database: Path, backup: Path, now: Instant) -> None:
    """Write down that a backup was made. It is none the worse if that fails."""
    notes = _notes(database)
    line = json.dumps({"path": str(backup.absolute()), "at": now}, ensure_ascii=False) + "\n"
    try:
        handle = open_private(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            os.write(handle, line.encode("utf-8", "surrogateescape"))
            owned_like(handle, database)
        finally:
            os.close(handle)
    except OSError as error:
        log.warning("backup_registration_failed", file=str(notes), error=error.strerror)


def copies(database: Path, folder: Path, since: Instant) -> Mapping[str, Instant]:
    """Return the files that are still there and may hold what came since `since`: those noted, those left beside the database,
    and all in `folder`; with the time until which each knows what happened."""
    found: dict[str, Instant] = {}
    for pattern in LEFT_BY:
        found |= dict(map(_aged, database.parent.glob(database.name + pattern)))
    if folder.is_dir():
        found |= dict(map(_aged, folder.iterdir()))
    found |= dict(_noted(database))
    return {
        path: at
        for path, at in sorted(found.items(), key=lambda each: each[1])
        if at >= since and not path.endswith(BESIDE) and os.path.isfile(path)
    }


def _aged(path: Path) -> tuple[str, Instant]:
    try:
        return str(path.absolute()), path.stat().st_mtime_ns // 1_000_000
    except OSError:
        return str(path.absolute()), 0


def _noted(database: Path) -> Iterator[tuple[str, Instant]]:
    try:
        lines = read_private(_notes(database)).decode("utf-8", "surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            told = json.loads(line)
            yield str(told["path"]), int(told["at"])
        except (ValueError, KeyError, TypeError):
            continue  # a line that a full disk cut off


def _notes(database: Path) -> Path:
    return database.with_name(database.name + ".backups")
