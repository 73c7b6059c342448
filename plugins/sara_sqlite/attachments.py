"""The files that messages bring: what is known of them, and where they lie once they were fetched."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath

from sara import Attachment, InboundMessage, Instant
from sara_sqlite.rows import ATTACHMENT, Connection, event, ident, number, one, the

EXPIRED = "expired"


def add(db: Connection, message: int, inbound: InboundMessage) -> None:
    """Keep what a new message says of its files."""
    db.executemany(
        "INSERT INTO attachments (message, position, at, kind, mime, reference, name, voice, url, sha256, size)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                message,
                position,
                inbound.at,
                each.kind,
                each.mime,
                each.reference,
                each.name,
                int(each.voice),
                each.url,
                each.sha256 and each.sha256.lower(),
                each.size,
            )
            for position, each in enumerate(inbound.attachments)
        ),
    )


def of(db: Connection, messages: Iterable[int]) -> Mapping[int, tuple[Attachment, ...]]:
    """The files of these messages, in one query."""
    found: dict[int, tuple[Attachment, ...]] = {}
    for row in db.execute(
        "SELECT * FROM attachments WHERE message IN (SELECT value FROM json_each(?)) ORDER BY message, position",
        (json.dumps(list(messages)),),
    ):
        found[row["message"]] = (*found.get(row["message"], ()), attachment(row))
    return found


def keep(db: Connection, attachment: str, file: str | None, sha256: str, size: int, error: str | None, now: Instant) -> None:
    """Note how fetching a file ended. What its sender said of it stays where nothing better is known."""
    row = the(
        db,
        "SELECT a.*, m.conversation FROM attachments a JOIN messages m ON m.id = a.message WHERE a.id = ?",
        number(ATTACHMENT, attachment),
    )
    db.execute(
        "UPDATE attachments SET file = ?, error = ?, sha256 = ?, size = ?, kept_at = ? WHERE id = ?",
        (
            file,
            error,
            sha256.lower() if file is not None else row["sha256"],
            size if file is not None else row["size"],
            now,
            row["id"],
        ),
    )
    what, detail = ("fetched", f"{row['kind']}, {size} bytes") if file is not None else ("not_fetched", error or "")
    event(db, now, what, detail, conversation=row["conversation"], message=row["message"])


def file_of(db: Connection, sha256: str) -> str | None:
    """A kept file with these contents."""
    row = one(db, "SELECT file FROM attachments WHERE sha256 = ? AND file IS NOT NULL LIMIT 1", sha256.lower())
    return None if row is None else str(row["file"])


def old(db: Connection, before: Instant, limit: int) -> Sequence[str]:
    """The names of files that no message uses which is younger."""
    rows = db.execute(
        "SELECT DISTINCT file FROM (SELECT file FROM attachments a WHERE file IS NOT NULL AND at < ?"
        " AND NOT EXISTS (SELECT 1 FROM attachments y WHERE y.file = a.file AND y.at >= ?) ORDER BY at, id LIMIT ?)",
        (before, before, limit),
    ).fetchall()
    return [row["file"] for row in rows]


def forget(db: Connection, names: Sequence[str], now: Instant) -> None:
    """These files are gone."""
    db.executemany(
        "UPDATE attachments SET file = NULL, error = ?, kept_at = ? WHERE file = ?", ((EXPIRED, now, name) for name in names)
    )


def attachment(row: sqlite3.Row) -> Attachment:
    """A row of `attachments` as the model has it."""
    return Attachment(
        kind=row["kind"],
        mime=row["mime"],
        reference=row["reference"],
        name=row["name"],
        voice=bool(row["voice"]),
        url=row["url"],
        sha256=row["sha256"],
        size=row["size"],
        id=ident(ATTACHMENT, row["id"]),
        path=None if row["file"] is None else PurePath(row["file"]),
        error=row["error"],
    )
