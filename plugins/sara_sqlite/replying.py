"""What a reply job reads and writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sara import Contact as Customer
from sara import Instant, OutgoingContent, Usage
from sara.engines import Conflict, HistoryLimits, OneTimeNotice, OpenWork, ReplySideEffects, ReplyView, UsageReservation
from sara_sqlite import attachments, modes, parts, saying, spending, states, turns
from sara_sqlite.rows import (
    CONTACT,
    CONVERSATION,
    IN_HISTORY,
    LINES,
    MESSAGE,
    Connection,
    are_alike,
    count,
    event,
    head_of,
    ident,
    line,
    look_at_timers,
    number,
    one,
    open_work,
    refresh_delivery,
    survived,
    the,
)
from sara_sqlite.turns import settle_turn

CALLS_TOLD = 10
"""After so many calls those that fail alike are not told one by one."""


def view(db: Connection, conversation: str, limits: HistoryLimits) -> ReplyView | None:
    """All that the decision needs."""
    key = number(CONVERSATION, conversation)
    row = one(
        db,
        "SELECT c.*, h.id AS person, p.name, p.username, h.language, h.notes, h.opted_out FROM conversations c"
        " JOIN contacts p ON p.id = c.contact JOIN contacts h ON h.id = coalesce(p.linked, p.id) WHERE c.id = ?",
        key,
    )
    if row is None:
        return None
    waiting = db.execute(
        LINES + " WHERE m.conversation = ? AND m.state = 'waiting' ORDER BY m.id", (row["person"], key)
    ).fetchall()
    history = []
    if waiting:
        # A late message may stand before an answer; whatever was sent already is history, wherever it stands. What a customer
        # did after the waiting messages and needs no answer, such as a reaction, is not put before them: it is history next time.
        history = db.execute(
            LINES + f" WHERE m.conversation = ? AND m.id >= ? AND {IN_HISTORY} AND m.at >= ?"
            " AND NOT (m.state = 'skipped' AND m.id > ?) ORDER BY m.id DESC LIMIT ?",
            (row["person"], key, row["session_start"], limits.since, waiting[0]["id"], limits.messages),
        ).fetchall()
    files = attachments.of(db, (each["id"] for each in (*waiting, *history)))
    return ReplyView(
        conversation=conversation,
        account=row["account"],
        contact=Customer(ident(CONTACT, row["contact"]), row["name"], row["username"], row["language"], row["notes"]),
        opted_out=bool(row["opted_out"]),
        waiting=tuple(line(each, files.get(each["id"], ())) for each in waiting),
        history=tuple(line(each, files.get(each["id"], ())) for each in reversed(history)),
        due=row["reply_due"],
        attempts=row["attempts"],
        first_at=row["attempts_first"],
        delivery=_delivery(db, key),
        apologised=bool(row["apologised"]),
        mode=row["mode"],
        mode_until=row["mode_until"],
        recent=_recent(db, key, limits.counted),
        on_channel=spending.tallied(db, row["account"], waiting[-1]["created_at"]) if waiting and limits.counted else {},
        said={each["key"]: each["at"] for each in db.execute("SELECT key, at FROM notices_sent WHERE conversation = ?", (key,))},
        rethought=row["discarded_replies"],
        summary=row["summary"],
        deferred=None if row["deferred_at"] is None else (row["deferred_at"], row["deferred_until"]),
    )


def _recent(db: Connection, conversation: int, most: int) -> tuple[Instant, ...]:
    """Return when the last messages came that call for an answer; those above a limit do not count towards it."""
    rows = db.execute(
        "SELECT created_at FROM messages INDEXED BY messages_counted WHERE conversation = ? AND direction = 'in'"  # noqa: S608
        f" AND state IN {states.COUNTED} ORDER BY id DESC LIMIT ?",
        (conversation, most),
    )
    return tuple(row["created_at"] for row in rows)


def _delivery(db: Connection, conversation: int) -> Literal["clear", "in_doubt", "backing_off"]:
    first = one(
        db,
        "SELECT m.state, m.not_before, EXISTS (SELECT 1 FROM attempts a WHERE a.message = m.id) AS tried FROM messages m"  # noqa: S608
        f" WHERE m.conversation = ? AND m.state IN {states.UNSENT} ORDER BY m.id LIMIT 1",
        conversation,
    )
    if first is None:
        return "clear"
    if first["state"] == "in_doubt":
        return "in_doubt"
    return "backing_off" if first["state"] == "queued" and first["tried"] else "clear"


def begin(db: Connection, conversation: str, answers: Sequence[str], now: Instant, wanted: UsageReservation | None) -> int:
    """Count the call before it is made, and set aside what it may cost."""
    key = number(CONVERSATION, conversation)
    turns.end_deferral(db, key, now)
    spending.reserve(db, key, wanted)
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
    drafts: Sequence[OutgoingContent],
    usage: Usage | None,
    now: Instant,
    effects: ReplySideEffects,
) -> Sequence[OpenWork]:
    """Keep an answer and queue its parts, unless the turn has moved on."""
    key = number(CONVERSATION, conversation)
    row = the(db, "SELECT * FROM conversations WHERE id = ?", key)
    numbers = [number(MESSAGE, answer) for answer in answers]
    if row["attempt"] != attempt or not row["attempt_open"] or _still_waiting(db, key, numbers) < len(numbers):
        raise Conflict("the turn has moved on since the responder was asked")
    spending.settle(db, key, usage, effects.money)
    used = usage or Usage()
    reply = db.execute(
        "INSERT INTO replies (conversation, last_answered, attempt, input_tokens, output_tokens, model, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (key, max(numbers), attempt, used.input_tokens, used.output_tokens, used.model, now),
    ).lastrowid
    # The last words before a person takes over are no answer that could be overtaken by it.
    made = parts.add(db, row, drafts, "reply" if effects.hand_over is None else "notice", reply, now)
    for each in numbers:
        db.execute("UPDATE messages SET state = 'answered', reply = ? WHERE id = ?", (reply, each))
        event(db, now, "answered", "by " + ", ".join(made), conversation=key, message=each)
    for read, text in effects.transcripts.items():
        _read(db, key, number(MESSAGE, read), text, now)
    db.execute("UPDATE conversations SET apologised = 0 WHERE id = ?", (key,))
    survived(db, key)
    settle_turn(db, key, now)
    touched = modes.apply(db, key, effects.hand_over, now) if effects.hand_over is not None else [key]
    look_at_timers(db, key, effects.timer)
    refresh_delivery(db, key, now)
    return [open_work(db, each) for each in touched]


def rethink(
    db: Connection,
    conversation: str,
    attempt: int,
    answers: Sequence[str],
    most: int,
    usage: Usage | None,
    money: int,
    now: Instant,
) -> OpenWork | None:
    """Drop an answer that was made before the customer had said everything; None to keep it."""
    key = number(CONVERSATION, conversation)
    row = the(db, "SELECT * FROM conversations WHERE id = ?", key)
    if row["attempt"] != attempt or not row["attempt_open"]:
        raise Conflict("the turn has moved on since the responder was asked")
    waiting = the(db, "SELECT count(*) AS n FROM messages WHERE conversation = ? AND state = 'waiting'", key)
    if waiting["n"] <= len(answers) or row["discarded_replies"] >= most:
        return None
    spending.settle(db, key, usage, money)
    survived(db, key)
    db.execute(
        "UPDATE conversations SET attempt_open = 0, attempts = max(0, attempts - 1), discarded_replies = discarded_replies + 1,"
        " attempts_first = CASE WHEN attempts > 1 THEN attempts_first END, reply_due = coalesce(reply_due, ?) WHERE id = ?",
        (now, key),
    )
    for answer in answers:
        event(db, now, "reply_restarted", "more was written", conversation=key, message=number(MESSAGE, answer))
    return open_work(db, key)


def _read(db: Connection, conversation: int, message: int, text: str, now: Instant) -> None:
    """Store the responder's transcript of an inbound message as its text."""
    changed = db.execute(
        "UPDATE messages SET text = ? WHERE id = ? AND conversation = ? AND direction = 'in' AND withdrawn_at IS NULL",
        (text, message, conversation),
    ).rowcount
    if changed:
        event(db, now, "reading", f"{len(text)} characters", conversation=conversation, message=message)


def postpone(
    db: Connection, conversation: str, attempt: int | None, due: Instant, error: str | None, now: Instant, charged: bool
) -> OpenWork:
    """Look again at `due`; a failed call stays counted where it is charged."""
    key = number(CONVERSATION, conversation)
    row = the(db, "SELECT * FROM conversations WHERE id = ?", key)
    if row["reply_due"] is None:
        if row["attempt"] == attempt:
            spending.give_back(db, key)
        return open_work(db, key)
    if attempt is not None and row["attempt"] != attempt:
        raise Conflict("another call was made since")
    if attempt is not None:
        survived(db, key)
        spending.give_back(db, key)
        db.execute("UPDATE conversations SET attempt_open = 0, error = ? WHERE id = ?", (error, key))
        if not charged:
            db.execute(
                "UPDATE conversations SET attempts = max(0, attempts - 1),"
                " attempts_first = CASE WHEN attempts > 1 THEN attempts_first END WHERE id = ?",
                (key,),
            )
        _tell_failure(db, key, error or "", now, shorten=not charged or row["attempts"] > CALLS_TOLD)
    db.execute("UPDATE conversations SET reply_due = ? WHERE id = ?", (due, key))
    return open_work(db, key)


def _tell_failure(db: Connection, conversation: int, error: str, now: Instant, *, shorten: bool) -> None:
    """Tell each waiting message's history of a failed call. An outage takes hundreds of them: to `shorten` it, only the first
    and the latest of those that failed alike are kept. The newest event stays, so that no id is given twice."""
    for row in db.execute("SELECT id FROM messages WHERE conversation = ? AND state = 'waiting'", (conversation,)).fetchall():
        event(db, now, "asking_failed", error, conversation=conversation, message=row["id"])
        if not shorten:
            continue
        last = db.execute("SELECT * FROM events WHERE message = ? ORDER BY id DESC LIMIT 6", (row["id"],)).fetchall()
        failures = [each["what"] == "asking_failed" and are_alike(each["detail"], error) for each in last[::2]]
        if failures == [True] * 3 and [each["what"] for each in last[1::2]] == ["asked"] * 3:
            db.executemany("DELETE FROM events WHERE id = ?", [(each["id"],) for each in last[2:4]])


def end(
    db: Connection,
    conversation: str,
    answers: Sequence[str],
    state: Literal["skipped", "dead"],
    reason: str,
    now: Instant,
    notices: Sequence[OutgoingContent],
    said: OneTimeNotice | None,
) -> OpenWork:
    """End messages without an answer."""
    key = number(CONVERSATION, conversation)
    row = the(db, "SELECT * FROM conversations WHERE id = ?", key)
    ended = 0
    for each in (number(MESSAGE, answer) for answer in answers):
        changed = db.execute(
            "UPDATE messages SET state = ?, reason = ? WHERE id = ? AND conversation = ? AND state = 'waiting'",
            (state, reason, each, key),
        ).rowcount
        ended += changed
        if changed:
            event(db, now, state, reason, conversation=key, message=each)
    if state == "dead":
        spending.give_back(db, key)
    elif ended:
        count(db, f"skipped:{reason}", ended)
    # Since it was decided the person may have asked for silence, or an operator may have taken over.
    if (ended or not answers) and row["mode"] != "human" and not head_of(db, key)["opted_out"]:
        if notices and state == "dead":
            db.execute("UPDATE conversations SET apologised = 1 WHERE id = ?", (key,))
        parts.add(db, row, notices, "notice", None, now)
        saying.once(db, row, said, now)
    if (
        answers
        or row["reply_due"] is None
        or one(db, "SELECT 1 FROM messages WHERE conversation = ? AND state = 'waiting' LIMIT 1", key) is None
    ):
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
