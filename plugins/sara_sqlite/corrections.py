"""Edits and deletions: a message is read as its author left it, and what was taken back is not kept.

An edit or a deletion is stored as a message of its own that names the one it changes. So either may arrive first, and both go when
their person is erased or their time is over.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict

from sara import Correction, Instant, Milliseconds
from sara.engines import GIVEN_UP, InboundState
from sara_sqlite import parts, states, turns
from sara_sqlite.rows import APPLIED, WITHDRAWN, Connection, event, head_of, look_at_timers, one, refresh_delivery, the, to_json

MOST_DROPPED = 2
"""An answer in the making is dropped for an edit so often; the next one is sent, and the edit is read with the next message."""

_OPEN = (InboundState.WAITING, *GIVEN_UP)

_OF_PERSON = (
    "SELECT m.* FROM messages m JOIN conversations c ON c.id = m.conversation JOIN contacts p ON p.id = c.contact"
    " WHERE m.account = ? AND m.direction = ? AND coalesce(p.linked, p.id) = ?"
)


def note(
    db: Connection, event_id: int, correction: Correction, debounce: tuple[Milliseconds, Milliseconds], now: Instant
) -> list[int]:
    """Keep what an event that was just stored corrects, and apply it; the conversations that it touched."""
    db.execute(
        "UPDATE messages SET corrects = ?, correction = ? WHERE id = ?",
        (correction.target, to_json(asdict(correction)), event_id),
    )
    row = the(db, "SELECT * FROM messages WHERE id = ?", event_id)
    latest = _latest(db, row, correction.target)
    message = one(db, _OF_PERSON + " AND m.external_id = ?", *_whose(db, row), correction.target)
    return [] if message is None or latest is None else _apply(db, message, *latest, debounce, now)


def catch_up(
    db: Connection, message: int, account: str, external_id: str | None, debounce: tuple[Milliseconds, Milliseconds], now: Instant
) -> list[int]:
    """Apply to a message that was just stored what its author had corrected before it arrived; the conversations that it
    touched."""
    early = external_id and one(db, "SELECT 1 FROM messages WHERE account = ? AND corrects = ? LIMIT 1", account, external_id)
    if not early:
        return []
    row = the(db, "SELECT * FROM messages WHERE id = ?", message)
    latest = _latest(db, row, row["external_id"])
    return [] if latest is None else _apply(db, row, *latest, debounce, now)


def _latest(db: Connection, row: sqlite3.Row, target: str) -> tuple[sqlite3.Row, Correction] | None:
    """Return the event that says how a message is to be read: its deletion, or the edit that was made last. The others say the
    same from now on. `row` is any message of the author."""
    events = db.execute(_OF_PERSON + " AND m.corrects = ? ORDER BY m.at, m.id", (*_whose(db, row), target)).fetchall()
    known = [(each, Correction(**json.loads(each["correction"]))) for each in events if each["correction"] is not None]
    if not known:
        return None
    latest = next((each for each in known if each[1].withdrawn), known[-1])
    for each in events:
        if each["id"] != latest[0]["id"]:
            _overwrite(db, each["id"], latest[0])
    return latest


def _apply(
    db: Connection,
    message: sqlite3.Row,
    latest: sqlite3.Row,
    correction: Correction,
    debounce: tuple[Milliseconds, Milliseconds],
    now: Instant,
) -> list[int]:
    """Bring a message into the form in which its author left it; the conversations that it touched."""
    if message["withdrawn_at"] is not None:
        db.execute("UPDATE messages SET reason = ? WHERE id = ?", (APPLIED, latest["id"]))
        return []
    if correction.withdrawn:
        _withdraw(db, message, latest, correction, now)
    else:
        _edit(db, message, latest, correction, debounce, now)
    _forget_summary(db, message, now)
    return [int(message["conversation"])]


def _whose(db: Connection, row: sqlite3.Row) -> tuple[str, str, int]:
    """Return account, direction and person: a correction applies only to messages of its own author."""
    return row["account"], row["direction"], head_of(db, row["conversation"])["id"]


def _overwrite(db: Connection, event_id: int, by: sqlite3.Row) -> None:
    """Make earlier edits say the same as the latest one."""
    db.execute(
        "UPDATE messages SET text = ?, content = ?, raw = ?, correction = NULL, reason = ? WHERE id = ?",
        (by["text"], by["content"], by["raw"], APPLIED, event_id),
    )


def _withdraw(db: Connection, message: sqlite3.Row, by: sqlite3.Row, correction: Correction, now: Instant) -> None:
    db.execute(
        "UPDATE messages SET text = ?, content = '{}', raw = '', withdrawn_at = ? WHERE id = ?",
        (correction.text, now, message["id"]),
    )
    db.execute("UPDATE messages SET reason = ? WHERE id = ?", (APPLIED, by["id"]))
    # What is here of its files is removed as if it were old; what is not here is not fetched any more.
    db.execute("UPDATE attachments SET name = NULL, url = NULL, at = 0 WHERE message = ?", (message["id"],))
    db.execute("UPDATE attachments SET error = ?, due = NULL WHERE message = ? AND file IS NULL", (WITHDRAWN, message["id"]))
    _tell(db, message, WITHDRAWN, now)
    if message["direction"] == "out":
        return
    if message["state"] in _OPEN:
        db.execute("UPDATE messages SET state = 'skipped', reason = ? WHERE id = ?", (WITHDRAWN, message["id"]))
        _tell(db, message, "skipped", now, WITHDRAWN)
    if message["state"] == "waiting":
        _hand_tool_calls_on(db, message)
        turns.settle_turn(db, message["conversation"], now)
    elif message["state"] == "answered":
        _take_answer_back(db, message, now)
    # What was called with its words is not kept either.
    db.execute("DELETE FROM tool_calls WHERE turn = ?", (message["id"],))


def _hand_tool_calls_on(db: Connection, message: sqlite3.Row) -> None:
    """Keep the tool calls of the turn from being made again for the rest of it."""
    db.execute(
        "UPDATE OR IGNORE tool_calls SET turn = (SELECT min(id) FROM messages WHERE conversation = ?1 AND state = 'waiting')"
        " WHERE turn = ?2 AND EXISTS (SELECT 1 FROM messages WHERE conversation = ?1 AND state = 'waiting')",
        (message["conversation"], message["id"]),
    )


def _take_answer_back(db: Connection, message: sqlite3.Row, now: Instant) -> None:
    """Cancel a reply to nothing but withdrawn words, unless some of it was sent."""
    reply = message["reply"]
    if one(db, "SELECT 1 FROM messages WHERE reply = ? AND direction = 'in' AND withdrawn_at IS NULL LIMIT 1", reply) is not None:
        return
    if one(db, f"SELECT 1 FROM messages WHERE reply = ? AND direction = 'out' AND {parts.LEFT} LIMIT 1", reply) is None:  # noqa: S608  # the condition is ours
        parts.cancel(db, f"reply = ? AND direction = 'out' AND state IN {states.NOT_LEFT}", (reply,), WITHDRAWN, now)
        refresh_delivery(db, message["conversation"], now)


def _edit(
    db: Connection,
    message: sqlite3.Row,
    by: sqlite3.Row,
    correction: Correction,
    debounce: tuple[Milliseconds, Milliseconds],
    now: Instant,
) -> None:
    content = to_json(correction.content)
    if (message["text"], message["content"]) == (correction.text, content):
        return
    db.execute(
        "UPDATE messages SET text = ?, kind = ?, content = ?, raw = ? WHERE id = ?",
        (correction.text, correction.kind or message["kind"], content, by["raw"], message["id"]),
    )
    _tell(db, message, "edited", now)
    if message["direction"] == "in" and message["state"] in _OPEN:
        # The responder reads the message as it is now. Only behind an answer the edit is shown as well.
        db.execute("UPDATE messages SET reason = ? WHERE id = ?", (APPLIED, by["id"]))
    if message["state"] == "waiting":
        _ask_again(db, message["conversation"], debounce, now)


def _ask_again(db: Connection, conversation: int, debounce: tuple[Milliseconds, Milliseconds], now: Instant) -> None:
    """Restart the quiet window after a correction, and discard a running reply to the former words."""
    row = the(db, "SELECT * FROM conversations WHERE id = ?", conversation)
    if row["attempt_open"] and row["discarded_replies"] >= MOST_DROPPED:
        return
    if row["attempt_open"]:
        db.execute(
            "UPDATE conversations SET attempt_open = 0, attempts = max(0, attempts - 1), discarded_replies = discarded_replies + 1,"
            " attempts_first = CASE WHEN attempts > 1 THEN attempts_first END WHERE id = ?",
            (conversation,),
        )
    due = min(now + debounce[0], (now if row["waiting_since"] is None else row["waiting_since"]) + debounce[1])
    if row["reply_due"] is not None:
        db.execute("UPDATE conversations SET reply_due = max(reply_due, ?) WHERE id = ?", (due, conversation))


def _forget_summary(db: Connection, message: sqlite3.Row, now: Instant) -> None:
    """Discard a summary that may hold withdrawn words, so that it is made again."""
    forgotten = db.execute(
        "UPDATE conversations SET summary = '', summary_to = 0 WHERE id = ? AND summary_to >= ?",
        (message["conversation"], message["id"]),
    ).rowcount
    if forgotten:
        look_at_timers(db, message["conversation"], now)


def _tell(db: Connection, message: sqlite3.Row, what: str, now: Instant, detail: str = "by its author") -> None:
    actor = "customer" if message["direction"] == "in" else "operator"
    event(db, now, what, detail, conversation=message["conversation"], message=message["id"], actor=actor)
