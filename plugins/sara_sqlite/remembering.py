"""Tombstones: hashes by which erased ids stay recognised, see `keyed`."""

from __future__ import annotations

import json
from collections.abc import Iterable

from sara import Instant, Milliseconds
from sara_sqlite.rows import Connection, one

RECOGNISED: Milliseconds = 30 * 86_400_000
"""How long what is gone is recognised when the provider delivers it again. Providers give up after days."""

_NAMED = (
    "SELECT account, external_id AS name FROM messages WHERE id IN (SELECT value FROM json_each(?))",
    "SELECT account, digest AS name FROM messages WHERE id IN (SELECT value FROM json_each(?))",
    "SELECT m.account, a.id AS name FROM attempts a JOIN messages m ON m.id = a.message WHERE a.message IN (SELECT value FROM json_each(?))",
    "SELECT m.account, a.external_id AS name FROM attempts a JOIN messages m ON m.id = a.message"
    " WHERE a.message IN (SELECT value FROM json_each(?))",
)
"""What the provider, or a receipt, may call these messages."""


def remember(db: Connection, messages: Iterable[int], now: Instant) -> None:
    """Have messages recognised, once they are gone, when the provider delivers them or receipts for them again."""
    chosen = json.dumps(list(messages))
    for named in _NAMED:
        db.execute(
            "INSERT OR IGNORE INTO tombstones (digest, at, until) SELECT keyed('message', account, name), ?, ?"  # noqa: S608
            f" FROM ({named}) WHERE name IS NOT NULL",
            (now, now + RECOGNISED, chosen),
        )


def recognised(db: Connection, account: str, name: str | None) -> bool:
    """Return whether a message with this id, or digest, was here and is gone."""
    return name is not None and (
        one(db, "SELECT 1 FROM tombstones WHERE digest = keyed('message', ?, ?)", account, name) is not None
    )


def remember_changes(db: Connection, contacts: Iterable[int], now: Instant) -> None:
    """Replace the applied changes of these contacts by tombstones."""
    chosen = json.dumps(list(contacts))
    db.execute(
        "INSERT OR IGNORE INTO tombstones (digest, at, until) SELECT keyed('change', digest), ?, ? FROM applied_changes"
        " WHERE contact IN (SELECT value FROM json_each(?))",
        (now, now + RECOGNISED, chosen),
    )
    db.execute("DELETE FROM applied_changes WHERE contact IN (SELECT value FROM json_each(?))", (chosen,))


def remember_silence(db: Connection, circle: list[int], now: Instant) -> bool:
    """Keep an opt-out beyond the erasure, as a hash of each id of the person; return False for a person who has not opted out,
    whose earlier tombstones are then deleted."""
    chosen = json.dumps(circle)
    ids = db.execute(
        "SELECT provider, scheme, value FROM aliases WHERE contact IN (SELECT value FROM json_each(?))", (chosen,)
    ).fetchall()
    for each in ids:
        db.execute("DELETE FROM tombstones WHERE digest = keyed('id', ?, ?, ?)", tuple(each))
    out = one(
        db,
        "SELECT coalesce(opted_out_at, ?) AS at FROM contacts WHERE opted_out = 1 AND id IN (SELECT value FROM json_each(?)) LIMIT 1",
        now,
        chosen,
    )
    if out is None:
        return False
    for each in ids:
        db.execute(
            "INSERT INTO tombstones (digest, at, person) VALUES (keyed('id', ?, ?, ?), ?, ?)", (*each, out["at"], circle[0])
        )
    return bool(ids)


def silenced(db: Connection, provider: str, scheme: str, value: str) -> Instant | None:
    """Return since when the erased person with this id is opted out; the contact takes the opt-out over from the tombstone."""
    row = one(db, "SELECT at, person FROM tombstones WHERE digest = keyed('id', ?, ?, ?)", provider, scheme, value)
    if row is None:
        return None
    db.execute("DELETE FROM tombstones WHERE person = ?", (row["person"],))
    return int(row["at"])
