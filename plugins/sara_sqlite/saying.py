"""What is said out of turn: SARA's own texts, an operator's words, parts with a time of their own."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from sara import Instant, OutgoingContent
from sara.engines import OneTimeNotice, OpenWork, Purpose
from sara_sqlite import parts
from sara_sqlite.rows import CONVERSATION, MESSAGE, Connection, event, look_at_timers, number, one, refresh_delivery, the

SCHEDULED = "scheduled"
"""The reason of parts whose time has not come."""


def once(db: Connection, conversation: sqlite3.Row, said: OneTimeNotice | None, now: Instant) -> bool:
    """Say one of SARA's own texts unless it was said already; return whether it was said now."""
    if said is None:
        return False
    last = one(db, "SELECT at FROM notices_sent WHERE conversation = ? AND key = ?", conversation["id"], said.key)
    if last is not None and last["at"] >= said.since:
        return False
    db.execute(
        "INSERT INTO notices_sent (conversation, key, at) VALUES (?, ?, ?) ON CONFLICT (conversation, key) DO UPDATE SET at = excluded.at",
        (conversation["id"], said.key, now),
    )
    parts.add(db, conversation, said.drafts, "notice", None, now)
    return True


def say(
    db: Connection,
    conversation: str,
    drafts: Sequence[OutgoingContent],
    purpose: Purpose,
    by: str,
    now: Instant,
    at: Instant | None,
) -> OpenWork:
    """Queue what answers nothing, or put it aside until its time."""
    key = number(CONVERSATION, conversation)
    row = the(db, "SELECT * FROM conversations WHERE id = ?", key)
    made = parts.add(db, row, drafts, purpose, None, now, by)
    if at is not None and at > now:
        for part in made:
            db.execute(
                "UPDATE messages SET state = 'parked', reason = ?, not_before = ? WHERE id = ?",
                (SCHEDULED, at, number(MESSAGE, part)),
            )
        look_at_timers(db, key, at)
    elif purpose == "operator":
        db.execute("UPDATE conversations SET person_since = NULL WHERE id = ?", (key,))
    return replace(refresh_delivery(db, key, now), parts=tuple(made))


def release(db: Connection, conversation: str, now: Instant) -> OpenWork:
    """Queue the parts whose time has come."""
    key = number(CONVERSATION, conversation)
    rows = db.execute(
        "SELECT id, purpose FROM messages INDEXED BY messages_parked WHERE conversation = ? AND state = 'parked' AND reason = ?"
        " AND not_before <= ? ORDER BY id",
        (key, SCHEDULED, now),
    ).fetchall()
    for row in rows:
        # It is said now: what was said since it was written down has not overtaken it, and its age counts from here.
        db.execute(
            "UPDATE messages SET state = 'queued', reason = NULL, at = ?, created_at = ? WHERE id = ?", (now, now, row["id"])
        )
        if row["purpose"] == "operator":
            db.execute("UPDATE conversations SET person_since = NULL WHERE id = ?", (key,))
        event(db, now, "due", "its time has come", conversation=key, message=row["id"])
    return refresh_delivery(db, key, now)
