"""What a reply job reads and writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from sara import Contact as Customer
from sara import Draft, HistoryLimits, Instant, OpenWork, ReplyView, Stale, Usage
from sara_sqlite import attachments, parts
from sara_sqlite.intake import settle_turn
from sara_sqlite.rows import (
    CONTACT,
    CONVERSATION,
    MESSAGE,
    Connection,
    event,
    ident,
    line,
    number,
    one,
    open_work,
    refresh_delivery,
    survived,
    the,
)

_SAID = "('answered', 'skipped', 'dead', 'queued', 'sending', 'accepted', 'sent', 'delivered', 'read', 'in_doubt', 'held')"

_LINES = """
    SELECT m.*, (
        SELECT q.text FROM messages q JOIN conversations c ON c.id = q.conversation JOIN contacts p ON p.id = c.contact
        WHERE q.account = m.account AND q.external_id = m.reply_to AND q.state <> 'quarantined' AND coalesce(p.linked, p.id) = ?
    ) AS quoted FROM messages m
"""
"""Messages and what they quote: only this person's own, whatever id is named."""


def view(db: Connection, conversation: str, limits: HistoryLimits) -> ReplyView | None:
    """All that the decision needs."""
    key = number(CONVERSATION, conversation)
    row = one(
        db,
        "SELECT c.*, coalesce(p.linked, p.id) AS person, p.name, p.username, p.language, p.opted_out FROM conversations c JOIN contacts p ON p.id = c.contact"
        " WHERE c.id = ?",
        key,
    )
    if row is None:
        return None
    waiting = db.execute(
        _LINES + " WHERE m.conversation = ? AND m.state = 'waiting' ORDER BY m.id", (row["person"], key)
    ).fetchall()
    history = []
    if waiting:
        # A late message may stand before an answer; whatever is said already is history, wherever it stands.
        history = db.execute(
            _LINES + f" WHERE m.conversation = ? AND m.state IN {_SAID} AND m.at >= ? ORDER BY m.id DESC LIMIT ?",
            (row["person"], key, limits.since, limits.messages),
        ).fetchall()
    files = attachments.of(db, (each["id"] for each in (*waiting, *history)))
    return ReplyView(
        conversation=conversation,
        account=row["account"],
        contact=Customer(ident(CONTACT, row["contact"]), row["name"], row["username"], row["language"]),
        opted_out=bool(row["opted_out"]),
        waiting=tuple(line(each, files.get(each["id"], ())) for each in waiting),
        history=tuple(line(each, files.get(each["id"], ())) for each in reversed(history)),
        due=row["reply_due"],
        attempts=row["attempts"],
        first_at=row["attempts_first"],
        delivery=_delivery(db, key),
        apologised=bool(row["apologised"]),
    )


def _delivery(db: Connection, conversation: int) -> Literal["clear", "in_doubt", "backing_off"]:
    first = one(
        db,
        "SELECT m.state, m.not_before, EXISTS (SELECT 1 FROM attempts a WHERE a.part = m.id) AS tried FROM messages m"
        " WHERE m.conversation = ? AND m.state IN ('queued', 'sending', 'in_doubt') ORDER BY m.id LIMIT 1",
        conversation,
    )
    if first is None:
        return "clear"
    if first["state"] == "in_doubt":
        return "in_doubt"
    return "backing_off" if first["state"] == "queued" and first["tried"] else "clear"


def begin(db: Connection, conversation: str, answers: Sequence[str], now: Instant) -> int:
    """Count the call before it is made."""
    key = number(CONVERSATION, conversation)
    db.execute(
        "UPDATE conversations SET attempt = attempt + 1, attempt_open = 1, attempts = attempts + 1,"
        " attempts_first = coalesce(attempts_first, ?) WHERE id = ?",
        (now, key),
    )
    row = the(db, "SELECT attempt, attempts FROM conversations WHERE id = ?", key)
    for answer in answers:
        event(db, now, "asked", f"call {row['attempts']}", conversation=key, message=number(MESSAGE, answer))
    return int(row["attempt"])


def save(
    db: Connection,
    conversation: str,
    attempt: int,
    answers: Sequence[str],
    drafts: Sequence[Draft],
    usage: Usage | None,
    now: Instant,
    readings: Mapping[str, str],
) -> OpenWork:
    """Keep an answer and queue its parts, unless the turn has moved on."""
    key = number(CONVERSATION, conversation)
    row = the(db, "SELECT * FROM conversations WHERE id = ?", key)
    numbers = [number(MESSAGE, answer) for answer in answers]
    if row["attempt"] != attempt or not row["attempt_open"] or _still_waiting(db, key, numbers) < len(numbers):
        raise Stale("the turn has moved on since the responder was asked")
    used = usage or Usage()
    reply = db.execute(
        "INSERT INTO replies (conversation, last_answered, attempt, input_tokens, output_tokens, model, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (key, max(numbers), attempt, used.input_tokens, used.output_tokens, used.model, now),
    ).lastrowid
    made = parts.add(db, row, drafts, "reply", reply, now)
    for each in numbers:
        db.execute("UPDATE messages SET state = 'answered', reply = ? WHERE id = ?", (reply, each))
        event(db, now, "answered", "by " + ", ".join(made), conversation=key, message=each)
    for read, text in readings.items():
        _read(db, key, number(MESSAGE, read), text, now)
    db.execute("UPDATE conversations SET apologised = 0 WHERE id = ?", (key,))
    survived(db, key)
    settle_turn(db, key, now)
    return refresh_delivery(db, key, now)


def _read(db: Connection, conversation: int, message: int, text: str, now: Instant) -> None:
    """The responder found words in what the customer sent: from now on they are its text."""
    changed = db.execute(
        "UPDATE messages SET text = ? WHERE id = ? AND conversation = ? AND direction = 'in'", (text, message, conversation)
    ).rowcount
    if changed:
        event(db, now, "reading", f"{len(text)} characters", conversation=conversation, message=message)


def postpone(db: Connection, conversation: str, attempt: int | None, due: Instant, error: str | None, now: Instant) -> OpenWork:
    """Look again at `due`; a failed call stays counted."""
    key = number(CONVERSATION, conversation)
    row = the(db, "SELECT * FROM conversations WHERE id = ?", key)
    if row["reply_due"] is None:
        return open_work(db, key)
    if attempt is not None and row["attempt"] != attempt:
        raise Stale("another call was made since")
    if attempt is not None:
        survived(db, key)
        db.execute("UPDATE conversations SET attempt_open = 0, error = ? WHERE id = ?", (error, key))
        for waiting in db.execute("SELECT id FROM messages WHERE conversation = ? AND state = 'waiting'", (key,)).fetchall():
            event(db, now, "asking_failed", error or "", conversation=key, message=waiting["id"])
    db.execute("UPDATE conversations SET reply_due = ? WHERE id = ?", (due, key))
    return open_work(db, key)


def end(
    db: Connection,
    conversation: str,
    answers: Sequence[str],
    state: Literal["skipped", "dead"],
    reason: str,
    now: Instant,
    notices: Sequence[Draft],
) -> OpenWork:
    """End messages without an answer."""
    key = number(CONVERSATION, conversation)
    row = the(db, "SELECT * FROM conversations WHERE id = ?", key)
    for each in (number(MESSAGE, answer) for answer in answers):
        changed = db.execute(
            "UPDATE messages SET state = ?, reason = ? WHERE id = ? AND conversation = ? AND state = 'waiting'",
            (state, reason, each, key),
        ).rowcount
        if changed:
            event(db, now, state, reason, conversation=key, message=each)
    if notices and state == "dead":
        db.execute("UPDATE conversations SET apologised = 1 WHERE id = ?", (key,))
    parts.add(db, row, notices, "notice", None, now)
    settle_turn(db, key, now)
    return refresh_delivery(db, key, now)


def _still_waiting(db: Connection, conversation: int, numbers: Sequence[int]) -> int:
    marks = ", ".join("?" * len(numbers))
    row = the(
        db,
        f"SELECT count(*) AS n FROM messages WHERE conversation = ? AND state = 'waiting' AND id IN ({marks})",  # noqa: S608
        conversation,
        *numbers,
    )
    return int(row["n"])
