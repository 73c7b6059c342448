"""Outbound parts: queueing and cancelling them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from sara import Instant, OutgoingContent
from sara_sqlite import states
from sara_sqlite.rows import MESSAGE, Connection, event, ident, number, one, to_json

BY_CONSENT = "('reply', 'template', 'notice')"
"""What a customer says to end the silence or to ask for it also ends what was still to be said with these purposes."""

WINDOW_CLOSED = "window_closed"
"""The reason of parts that wait until the customer opens the reply window. The outbox gives it."""

LEFT = f"state IN {states.MAY_HAVE_LEFT_OR_HELD}"
"""Parts that may have left us."""

# Worded as the partial indexes are, so that these are used.
_UNSAID = (
    f"state IN {states.UNSENT} AND state = 'queued'",
    f"state = 'parked' AND reason IN ('{WINDOW_CLOSED}', 'paused', 'scheduled')",
)


def add(
    db: Connection,
    conversation: sqlite3.Row,
    drafts: Iterable[OutgoingContent],
    purpose: str,
    reply: int | None,
    now: Instant,
    by: str = "sara",
) -> list[str]:
    """Queue messages behind the unsent ones of the conversation; return their ids."""
    made = []
    for draft in drafts:
        row = (
            db.execute(
                "INSERT INTO messages (conversation, account, direction, kind, text, content, state, purpose, reply, reply_to, at,"
                " created_at, not_before) VALUES (?, ?, 'out', ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?)",
                (
                    conversation["id"],
                    conversation["account"],
                    draft.kind,
                    draft.text,
                    to_json(draft.content),
                    purpose,
                    reply,
                    _quoted(db, conversation["id"], draft.reply_to),
                    now,
                    now,
                    now,
                ),
            ).lastrowid
            or 0
        )
        event(db, now, "queued", purpose, conversation=conversation["id"], message=row, actor=by)
        made.append(ident(MESSAGE, row))
    return made


def cancel(db: Connection, where: str, args: tuple[object, ...], reason: str, now: Instant) -> int:
    """Cancel parts; return how many."""
    rows = db.execute(f"SELECT id, conversation FROM messages WHERE {where}", args).fetchall()  # noqa: S608  # conditions are ours
    for row in rows:
        db.execute("UPDATE messages SET state = 'cancelled', reason = ? WHERE id = ?", (reason, row["id"]))
        event(db, now, "cancelled", reason, conversation=row["conversation"], message=row["id"])
    return len(rows)


def cancel_unsaid(
    db: Connection, conversation: int, purposes: str, reason: str, now: Instant, before: Instant | None = None
) -> None:
    """Cancel what would be sent by itself, now or once the reply window opens; with `before`, only what is not younger."""
    for unsaid in _UNSAID:
        where = f"conversation = ? AND {unsaid} AND purpose IN {purposes} AND (? IS NULL OR created_at <= ?)"
        cancel(db, where, (conversation, before, before), reason, now)


def fail(db: Connection, part: sqlite3.Row, error: str, now: Instant, actor: str = "sara", reason: str = "refused") -> None:
    """End a part for good; the rest of its reply would make no sense without it."""
    db.execute("UPDATE messages SET state = 'failed', reason = ?, error = ? WHERE id = ?", (reason, error, part["id"]))
    event(db, now, "failed", error, conversation=part["conversation"], message=part["id"], actor=actor)
    if part["reply"] is None:
        return
    cancel(db, f"reply = ? AND state IN {states.NOT_LEFT} AND id > ?", (part["reply"], part["id"]), "earlier_part_failed", now)


def overtaken(db: Connection, part: sqlite3.Row, by: str = LEFT) -> bool:
    """Return whether something that was to be said after a part has left before it. A template takes no turn."""
    row = one(
        db,
        "SELECT 1 FROM messages WHERE conversation = ? AND id > ? AND direction = 'out'"  # noqa: S608  # the condition is ours
        f" AND purpose <> 'template' AND created_at >= ? AND {by} LIMIT 1",
        part["conversation"],
        part["id"],
        part["created_at"],
    )
    return row is not None


def _quoted(db: Connection, conversation: int, message: str | None) -> str | None:
    """Return the provider's id of a message of the same conversation."""
    if message is None:
        return None
    row = one(db, "SELECT external_id FROM messages WHERE id = ? AND conversation = ?", number(MESSAGE, message), conversation)
    return None if row is None else row["external_id"]
