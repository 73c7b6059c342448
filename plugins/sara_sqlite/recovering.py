"""What a start makes of the life before it: cut-off sends are in doubt, and what kills the process again and again is found."""

from __future__ import annotations

import sqlite3

from sara import Instant
from sara.engines import JobKind, RecoveryReport
from sara_sqlite.rows import CONVERSATION, Connection, event, ident, one, refresh_delivery, the
from sara_sqlite.turns import settle_turn

LATELY = 600_000
"""Unclean ends count for ten minutes."""

SUSPECT, GUILTY = 2, 3
"""Unclean ends in a row that make a conversation suspect, and that convict one that was the only suspect at the last."""


def recover(db: Connection, owner: str, now: Instant) -> RecoveryReport:
    """Close the runs of every other owner, which the lock on the file proves dead."""
    unclean = db.execute(
        "UPDATE processes SET ended_at = ?, unclean = 1 WHERE owner <> ? AND ended_at IS NULL", (now, owner)
    ).rowcount
    db.execute("INSERT OR IGNORE INTO processes (owner, started_at) VALUES (?, ?)", (owner, now))
    busy = _busy(db, owner)
    quarantined = _judge(db, busy, now) if unclean else []
    doubtful = _doubt(db, owner, now)
    # A call to a responder that the process did not survive is over; its attempt stays counted, and what it may have cost.
    db.execute("UPDATE conversations SET attempt_open = 0, reserved = NULL WHERE attempt_open = 1")
    lately = the(db, "SELECT count(*) AS n FROM processes WHERE unclean = 1 AND ended_at > ?", now - LATELY)["n"]
    suspects = tuple((kind, ident(CONVERSATION, key)) for kind, key in busy if _crashes(db, key, now) >= SUSPECT)
    return RecoveryReport(doubtful, lately, suspects, tuple(ident(CONVERSATION, key) for key in quarantined))


def farewell(db: Connection, owner: str, now: Instant) -> None:
    """Record a clean end of this run."""
    db.execute("UPDATE processes SET ended_at = ? WHERE owner = ?", (now, owner))


def _busy(db: Connection, owner: str) -> list[tuple[JobKind, int]]:
    """Return the conversations that plugin code was working on when the previous run ended."""
    replying = db.execute("SELECT id FROM conversations WHERE attempt_open = 1").fetchall()
    sending = db.execute(
        "SELECT DISTINCT m.conversation AS id FROM attempts a JOIN messages m ON m.id = a.message"
        " WHERE a.state = 'sending' AND a.owner <> ?",
        (owner,),
    ).fetchall()
    return [("reply", row["id"]) for row in replying] + [("deliver", row["id"]) for row in sending]


def _judge(db: Connection, busy: list[tuple[JobKind, int]], now: Instant) -> list[int]:
    """Count the end against what was busy; quarantine a conversation that is certain to be the cause."""
    keys = {key for _, key in busy}
    for key in keys:
        db.execute(
            "UPDATE conversations SET crashes = CASE WHEN crashed_at > ? THEN crashes ELSE 0 END + 1, crashed_at = ? WHERE id = ?",
            (now - LATELY, now, key),
        )
    suspects = [key for key in keys if _crashes(db, key, now) >= SUSPECT]
    guilty = [key for key in suspects if _crashes(db, key, now) >= GUILTY]
    if len(suspects) != 1 or not guilty:
        return []
    _quarantine(db, guilty[0], now)
    return guilty


def _crashes(db: Connection, conversation: int, now: Instant) -> int:
    row = one(db, "SELECT crashes FROM conversations WHERE id = ? AND crashed_at > ?", conversation, now - LATELY)
    return 0 if row is None else int(row["crashes"])


def _quarantine(db: Connection, conversation: int, now: Instant) -> None:
    waiting = db.execute("SELECT id FROM messages WHERE conversation = ? AND state = 'waiting'", (conversation,)).fetchall()
    sending = db.execute("SELECT id FROM messages WHERE conversation = ? AND state = 'sending'", (conversation,)).fetchall()
    for row, state in [*((row, "quarantined") for row in waiting), *((row, "held") for row in sending)]:
        db.execute("UPDATE messages SET state = ?, reason = 'crashed_process' WHERE id = ?", (state, row["id"]))
        event(db, now, state, "crashed_process", conversation=conversation, message=row["id"])
    db.execute("UPDATE conversations SET crashes = 0, crashed_at = NULL WHERE id = ?", (conversation,))
    settle_turn(db, conversation, now)
    refresh_delivery(db, conversation, now)


def _doubt(db: Connection, owner: str, now: Instant) -> int:
    rows: list[sqlite3.Row] = db.execute(
        "SELECT a.id, a.message, m.conversation FROM attempts a JOIN messages m ON m.id = a.message"
        " WHERE a.state = 'sending' AND a.owner <> ?",
        (owner,),
    ).fetchall()
    for row in rows:
        db.execute(
            "UPDATE attempts SET state = 'in_doubt', settled_at = ?, error = 'the process ended' WHERE id = ?", (now, row["id"])
        )
        db.execute(
            "UPDATE messages SET state = 'in_doubt', not_before = ?, attempts = attempts + 1 WHERE id = ? AND state = 'sending'",
            (now, row["message"]),
        )
        event(
            db,
            now,
            "attempt_in_doubt",
            f"{row['id']}: the process ended",
            conversation=row["conversation"],
            message=row["message"],
        )
        refresh_delivery(db, row["conversation"], now)
    # No receipt could arrive since the previous run ended: earlier doubts, too, get their whole time for a receipt again.
    db.execute(
        "UPDATE attempts SET settled_at = ? WHERE state = 'in_doubt' AND message IN (SELECT id FROM messages WHERE state = 'in_doubt')",
        (now,),
    )
    return len(rows)
