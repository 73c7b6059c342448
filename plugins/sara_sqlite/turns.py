"""The end of a turn: nothing waits any more, or nothing of it will be answered."""

from __future__ import annotations

from sara import Instant
from sara_sqlite.rows import Connection, event, one, the

TAKEN_ALONG = "state = 'dead' AND coalesce(reason, '') NOT LIKE 'given_up%' AND coalesce(reason, '') NOT LIKE 'restored%'"
"""Dead messages that the next reply includes (not those that every responder rejected)."""


def skip_waiting(db: Connection, conversation: int, reason: str, by: str, now: Instant) -> None:
    """End the turn of a conversation: nothing of it will be answered, nor what a later message would have taken along."""
    for waits in ("state = 'waiting'", TAKEN_ALONG):
        rows = db.execute(f"SELECT id FROM messages WHERE conversation = ? AND {waits}", (conversation,)).fetchall()  # noqa: S608  # conditions are ours
        for row in rows:
            db.execute("UPDATE messages SET state = 'skipped', reason = ? WHERE id = ?", (reason, row["id"]))
            event(db, now, "skipped", reason, conversation=conversation, message=row["id"], actor=by)
    close_turn(db, conversation)


def defer(db: Connection, conversation: int, until: Instant, reason: str, now: Instant) -> None:
    """Put the waiting messages off until `until`, and note the reason with each, once while it stays the same."""
    end_deferral(db, conversation, now)
    db.execute("UPDATE conversations SET deferred_at = ?, deferred_until = ? WHERE id = ?", (now, until, conversation))
    waiting = db.execute(
        "SELECT m.id FROM messages m WHERE m.conversation = ? AND m.state = 'waiting' AND NOT EXISTS"
        " (SELECT 1 FROM events e WHERE e.message = m.id AND e.what = 'deferred' AND e.detail = ?)",
        (conversation, reason),
    ).fetchall()
    for row in waiting:
        event(db, now, "deferred", reason, conversation=conversation, message=row["id"])


def end_deferral(db: Connection, conversation: int, now: Instant) -> None:
    """Add the time for which the waiting messages were put off to each of them."""
    row = the(db, "SELECT deferred_at, deferred_until FROM conversations WHERE id = ?", conversation)
    if row["deferred_at"] is None:
        return
    db.execute(
        "UPDATE messages SET deferred_ms = deferred_ms + max(0, ? - max(?, coalesce(retried_at, at)))"
        " WHERE conversation = ? AND state = 'waiting'",
        (min(now, row["deferred_until"]), row["deferred_at"], conversation),
    )
    db.execute("UPDATE conversations SET deferred_at = NULL, deferred_until = NULL WHERE id = ?", (conversation,))


def close_turn(db: Connection, conversation: int) -> None:
    """Nothing waits any more: forget the turn's due, attempts and open call."""
    db.execute(
        "UPDATE conversations SET reply_due = NULL, waiting_since = NULL, attempt_open = 0, attempts = 0, attempts_first = NULL,"
        " reply_blocked = 0, discarded_replies = 0, error = NULL, deferred_at = NULL, deferred_until = NULL WHERE id = ?",
        (conversation,),
    )


def settle_turn(db: Connection, conversation: int, now: Instant) -> None:
    """After messages were settled: close the turn, or leave one for those that came in the meantime."""
    first = one(
        db, "SELECT created_at FROM messages WHERE conversation = ? AND state = 'waiting' ORDER BY id LIMIT 1", conversation
    )
    if first is None:
        close_turn(db, conversation)
        return
    db.execute(
        "UPDATE conversations SET attempt_open = 0, attempts = 0, attempts_first = NULL, discarded_replies = 0, error = NULL, waiting_since = ?,"
        " reply_due = coalesce(reply_due, ?) WHERE id = ?",
        (first["created_at"], now, conversation),
    )
