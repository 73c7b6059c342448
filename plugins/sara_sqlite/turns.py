"""The end of a turn: nothing waits any more, or nothing of it will be answered."""

from __future__ import annotations

from sara import Instant
from sara_sqlite.rows import Connection, event, one

TAKEN_ALONG = "state = 'dead' AND coalesce(reason, '') NOT LIKE 'given_up%' AND coalesce(reason, '') NOT LIKE 'restored%'"
"""What nobody could answer at the time, and a later message takes along; not what no responder wants."""


def skip_waiting(db: Connection, conversation: int, reason: str, by: str, now: Instant) -> None:
    """End the turn of a conversation: nothing of it will be answered, nor what a later message would have taken along."""
    for waits in ("state = 'waiting'", TAKEN_ALONG):
        rows = db.execute(f"SELECT id FROM messages WHERE conversation = ? AND {waits}", (conversation,)).fetchall()  # noqa: S608  # conditions are ours
        for row in rows:
            db.execute("UPDATE messages SET state = 'skipped', reason = ? WHERE id = ?", (reason, row["id"]))
            event(db, now, "skipped", reason, conversation=conversation, message=row["id"], actor=by)
    close_turn(db, conversation)


def close_turn(db: Connection, conversation: int) -> None:
    """Nothing waits any more: forget the turn's due, attempts and open call."""
    db.execute(
        "UPDATE conversations SET reply_due = NULL, waiting_since = NULL, attempt_open = 0, attempts = 0, attempts_first = NULL,"
        " reply_blocked = 0, rethought = 0, error = NULL WHERE id = ?",
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
        "UPDATE conversations SET attempt_open = 0, attempts = 0, attempts_first = NULL, rethought = 0, error = NULL, waiting_since = ?,"
        " reply_due = coalesce(reply_due, ?) WHERE id = ?",
        (first["created_at"], now, conversation),
    )
