"""The files that messages bring: what is known of them, and where they lie once they were fetched."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PurePath

from sara import Attachment, InboundMessage, Instant
from sara.engines import Download, NotFound
from sara_sqlite.rows import ATTACHMENT, CONVERSATION, ERASED, Connection, event, ident, number, one

EXPIRED = "expired"


# A file with the conversation of its message; none of a deleted message, and none of a person who is being erased.
_WHOSE = (
    "SELECT a.*, m.conversation FROM attachments a JOIN messages m ON m.id = a.message AND m.withdrawn_at IS NULL"
    " JOIN conversations c ON c.id = m.conversation AND c.account <> ?"
)


def add(db: Connection, message: int, inbound: InboundMessage, now: Instant) -> None:
    """Keep what a new message says of its files, all of them due to be fetched."""
    db.executemany(
        "INSERT INTO attachments (message, account, due, position, at, kind, mime, reference, name, voice, url, sha256, size)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                message,
                inbound.account,
                now,
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
    """Return the files of these messages, in one query."""
    found: dict[int, tuple[Attachment, ...]] = {}
    for row in db.execute(
        "SELECT * FROM attachments WHERE message IN (SELECT value FROM json_each(?)) ORDER BY message, position",
        (json.dumps(list(messages)),),
    ):
        found[row["message"]] = (*found.get(row["message"], ()), attachment(row))
    return found


def keep(db: Connection, attachment: str, file: str | None, sha256: str, size: int, error: str | None, now: Instant) -> None:
    """Note how fetching a file ended. What its sender said of it stays where nothing better is known."""
    row = one(db, f"{_WHOSE} WHERE a.id = ?", ERASED, number(ATTACHMENT, attachment))
    if row is None:
        raise NotFound("there is no such file, its message was deleted, or its sender is being erased")
    db.execute(
        "UPDATE attachments SET file = ?, error = ?, sha256 = ?, size = ?, kept_at = ?, due = NULL WHERE id = ?",
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


def downloads(db: Connection, account: str, limit: int) -> Sequence[Download]:
    """Return the files that are still to be fetched, the soonest due first."""
    rows = db.execute(
        f"{_WHOSE} WHERE a.account = ? AND a.due IS NOT NULL ORDER BY a.due LIMIT ?", (ERASED, account, limit)
    ).fetchall()
    return [_download(row) for row in rows]


def download(db: Connection, attachment: str) -> Download | None:
    """One file, fetched or not."""
    row = one(db, f"{_WHOSE} WHERE a.id = ?", ERASED, number(ATTACHMENT, attachment))
    return None if row is None else _download(row)


def postpone(db: Connection, attachment: str, due: Instant, reason: str, now: Instant) -> None:
    """Try again later. Only the first failure is written into the history: there may be hundreds."""
    row = one(db, f"{_WHOSE} WHERE a.id = ? AND a.due IS NOT NULL", ERASED, number(ATTACHMENT, attachment))
    if row is None:
        return
    db.execute("UPDATE attachments SET due = ?, tries = tries + 1 WHERE id = ?", (due, row["id"]))
    if row["tries"] == 0:
        event(db, now, "fetch_delayed", reason, conversation=row["conversation"], message=row["message"])


def named(db: Connection, names: Sequence[str]) -> Collection[str]:
    """Return which of these names belong to a row."""
    rows = db.execute(
        "SELECT DISTINCT file FROM attachments WHERE file IN (SELECT value FROM json_each(?))", (json.dumps(names),)
    )
    return {row["file"] for row in rows}


def file_of(db: Connection, sha256: str) -> str | None:
    """Return a stored file with these contents."""
    row = one(db, "SELECT file FROM attachments WHERE sha256 = ? AND file IS NOT NULL LIMIT 1", sha256.lower())
    return None if row is None else str(row["file"])


def old(db: Connection, before: Instant, limit: int) -> Sequence[str]:
    """Return the names of files that no younger message uses."""
    rows = db.execute(
        "SELECT DISTINCT file FROM (SELECT file FROM attachments a WHERE file IS NOT NULL AND at < ?"
        " AND NOT EXISTS (SELECT 1 FROM attachments y WHERE y.file = a.file AND y.at >= ?) ORDER BY at, id LIMIT ?)",
        (before, before, limit),
    ).fetchall()
    return [row["file"] for row in rows]


def forget(db: Connection, names: Sequence[str], now: Instant) -> None:
    """Record that these files were deleted."""
    db.executemany(
        "UPDATE attachments SET file = NULL, error = ?, kept_at = ? WHERE file = ?", ((EXPIRED, now, name) for name in names)
    )


def _download(row: sqlite3.Row) -> Download:
    return Download(
        attachment(row), ident(CONVERSATION, row["conversation"]), row["account"], row["at"], row["due"], row["tries"]
    )


def attachment(row: sqlite3.Row) -> Attachment:
    """Return a row of `attachments` as a domain value."""
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
