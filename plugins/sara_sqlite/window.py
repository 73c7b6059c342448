"""The reply window: when the customer last opened it, what waits for that, and the template that asks them to write again."""

from __future__ import annotations

import sqlite3

from sara import InboundMessage, Instant, Milliseconds, OutgoingContent
from sara_sqlite import parts, people, states
from sara_sqlite.rows import MESSAGE, Connection, event, number, one, refresh_delivery, the

WAITS_FOR: Milliseconds = 7 * 86_400_000
"""An older message stays parked: its reply is out of date."""


def note(db: Connection, conversation: sqlite3.Row, message: InboundMessage, *, silent: bool, now: Instant) -> list[int]:
    """Open the reply window for a new message. If that is later than any before it, parked messages are queued again, in its
    old place, unless the person wants silence. The window is the person's, whichever of their conversations they write in:
    returned are the others."""
    if not message.opens_window or not _is_later(conversation, message.at):
        db.execute(
            "UPDATE conversations SET last_at = max(coalesce(last_at, 0), ?) WHERE id = ?", (message.at, conversation["id"])
        )
        return []
    others = [each for each in people.beside(db, conversation["id"]) if _is_later(each, message.at)]
    for each, written in ((conversation, message.at), *((each, 0) for each in others)):
        db.execute(
            "UPDATE conversations SET last_at = max(coalesce(last_at, 0), ?), customer_at = ?, window_closed = 0, reopen_message = NULL"
            " WHERE id = ?",
            (written, message.at, each["id"]),
        )
        _bring_back(db, each, silent=silent, now=now)
    return [int(each["id"]) for each in others]


def _is_later(conversation: sqlite3.Row, at: Instant) -> bool:
    return conversation["customer_at"] is None or at > int(conversation["customer_at"])


def _bring_back(db: Connection, conversation: sqlite3.Row, *, silent: bool, now: Instant) -> None:
    changed = conversation["reopen_message"] is not None
    if changed:
        parts.cancel(db, "id = ? AND state = 'queued'", (conversation["reopen_message"],), "window_open", now)
    if conversation["window_closed"]:
        changed = _drop_overtaken(db, conversation["id"], now) or changed
    if not silent:
        changed = _unpark(db, conversation["id"], now) or changed
    if changed:
        refresh_delivery(db, conversation["id"], now)


def _drop_overtaken(db: Connection, conversation: int, now: Instant) -> bool:
    """Fail or park what the closed window had put back, so that it does not come after newer messages."""
    rows = db.execute(
        f"SELECT * FROM messages WHERE conversation = ? AND state IN {states.UNSENT} AND state = 'queued'"  # noqa: S608
        " AND requeued > 0 ORDER BY id",
        (conversation,),
    ).fetchall()
    return sum(_is_out_of_turn(db, row, now) for row in rows) > 0


def _unpark(db: Connection, conversation: int, now: Instant) -> bool:
    rows = db.execute(
        "SELECT * FROM messages INDEXED BY messages_parked WHERE conversation = ? AND state = 'parked' AND reason = ?"
        " AND created_at >= ? ORDER BY id",
        (conversation, parts.WINDOW_CLOSED, now - WAITS_FOR),
    ).fetchall()
    for row in rows:
        if _is_out_of_turn(db, row, now):
            continue
        db.execute(
            "UPDATE messages SET state = 'queued', reason = NULL, not_before = ?, attempts = 0, attempts_first = NULL,"
            " requeued = 0 WHERE id = ?",
            (now, row["id"]),
        )
        event(db, now, "unparked", "the customer wrote again", conversation=conversation, message=row["id"])
    return bool(rows)


def _is_out_of_turn(db: Connection, part: sqlite3.Row, now: Instant) -> bool:
    """Return whether what came after a part, or before it in the same answer, keeps it from being said: then it has failed."""
    if one(db, "SELECT 1 FROM messages WHERE id = ? AND state = 'cancelled'", part["id"]) is not None:
        return True
    if parts.overtaken(db, part):
        parts.fail(db, part, "what was to be said after it was said before it", now, reason="overtaken")
        return True
    return False


def invite(db: Connection, conversation: int, template: OutgoingContent, now: Instant) -> None:
    """Queue a template that asks the customer to write, once until they do."""
    row = the(db, "SELECT id, account, reopen_message FROM conversations WHERE id = ?", conversation)
    if row["reopen_message"] is None:
        [made] = parts.add(db, row, [template], "template", None, now)
        db.execute("UPDATE conversations SET reopen_message = ? WHERE id = ?", (number(MESSAGE, made), conversation))


def close(db: Connection, conversation: int, at: Instant) -> bool:
    """Record that the provider said at `at` that the window is closed; return False where the customer has opened it since."""
    closed = db.execute(
        "UPDATE conversations SET window_closed = 1 WHERE id = ? AND (customer_at IS NULL OR customer_at < ?)", (conversation, at)
    ).rowcount
    return bool(closed)
