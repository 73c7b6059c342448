"""Keeping nothing longer than it is wanted: settled messages of a certain age, and those of whom nothing else is left."""

from __future__ import annotations

import json

from sara import Instant
from sara_sqlite import people, states
from sara_sqlite.deleting import delete
from sara_sqlite.receipts import EARLY_KEPT
from sara_sqlite.remembering import RECOGNISED, remember
from sara_sqlite.rows import Connection, one, the

OPEN = states.OPEN
"""What still waits for its answer, its way out or a person's decision is kept, however old it is."""

_AGED = {"events": "conversation IS NULL AND message IS NULL AND at < ?", "unparsed_payloads": "at < ?"}
"""Tables with rows that belong to no conversation."""


def expire(db: Connection, before: Instant | None, limit: int, now: Instant) -> int:
    """Do one step; return how many messages it deleted."""
    db.execute("DELETE FROM tombstones WHERE until < ?", (now,))
    db.execute("DELETE FROM applied_changes WHERE at < ?", (now - RECOGNISED,))
    db.execute("DELETE FROM early_receipts WHERE kept_at < ?", (now - EARLY_KEPT,))
    db.execute("DELETE FROM account_events WHERE at < ?", (now - RECOGNISED,))
    if before is None:
        return 0
    for table, where in _AGED.items():
        db.execute(f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE {where} LIMIT ?)", (before, limit))  # noqa: S608
    rows = db.execute(
        "SELECT id, conversation, reply, created_at FROM messages m INDEXED BY messages_age WHERE created_at < ?"  # noqa: S608
        f" AND state NOT IN {OPEN} AND NOT EXISTS (SELECT 1 FROM attachments a WHERE a.message = m.id AND a.file IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM attachments y WHERE y.file = a.file AND y.at >= ?)) ORDER BY created_at LIMIT ?",
        (before, before, limit),
    ).fetchall()
    remember(db, [row["id"] for row in rows if row["created_at"] > now - RECOGNISED], now)
    delete(db, "messages", [row["id"] for row in rows])
    for reply in {row["reply"] for row in rows} - {None}:
        if one(db, "SELECT 1 FROM messages WHERE reply = ? LIMIT 1", reply) is None:
            delete(db, "replies", [reply])
    for conversation in {row["conversation"] for row in rows}:
        _shorten(db, conversation, [row["id"] for row in rows if row["conversation"] == conversation])
        _leave(db, conversation)
    return len(rows)


def _shorten(db: Connection, conversation: int, gone: list[int]) -> None:
    """Delete what was only about deleted messages: the summary and the arguments of tool calls."""
    db.execute(
        "UPDATE conversations SET summary = '' WHERE id = ? AND summary_to <= ? AND summary <> ''", (conversation, max(gone))
    )
    db.execute(
        "DELETE FROM tool_calls WHERE conversation = ? AND turn IN (SELECT value FROM json_each(?))",
        (conversation, json.dumps(gone)),
    )


def _leave(db: Connection, conversation: int) -> None:
    """Delete a conversation without messages, and its contact if nothing else of them is left and they asked for nothing."""
    row = the(db, "SELECT contact, mode, reply_due, deliver_due, timer_due FROM conversations WHERE id = ?", conversation)
    if row["mode"] != "bot" or any(row[due] is not None for due in ("reply_due", "deliver_due", "timer_due")):
        return
    for held in ("conversation", "about"):
        if one(db, f"SELECT 1 FROM messages WHERE {held} = ? LIMIT 1", conversation) is not None:  # noqa: S608  # two names of ours
            return
    delete(db, "conversations", [conversation])
    circle = sorted(people.circle(db, row["contact"]), reverse=True)
    kept = one(
        db,
        "SELECT 1 FROM contacts p WHERE id IN (SELECT value FROM json_each(?)) AND (opted_out = 1 OR marketing = 0"
        " OR EXISTS (SELECT 1 FROM conversations c WHERE c.contact = p.id)) LIMIT 1",
        json.dumps(circle),
    )
    if kept is None:
        # The younger first: they hang on the oldest.
        for contact in circle:
            delete(db, "contacts", [contact])
