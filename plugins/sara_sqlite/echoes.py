"""What a person of the business said to a customer outside SARA."""

from __future__ import annotations

from sara import Instant, OperatorEcho
from sara.engines import Handoff
from sara_sqlite import corrections, modes, parts, people, turns
from sara_sqlite.remembering import recognised
from sara_sqlite.rows import Connection, event, one, refresh_delivery

ANSWERED = "answered_by_person"
"""The reason of what a person's words have answered."""

_TICK = 1_000
"""Providers stamp whole seconds."""

_NEAR = 100
"""What a person has not answered yet is among so many messages."""


def take(db: Connection, echo: OperatorEcho, over: Handoff | None, touched: dict[int, None], now: Instant) -> None:
    """Keep a person's words as history. What waited when they were said is answered; `over` is the hand-over that follows."""
    known = one(db, "SELECT 1 FROM messages WHERE account = ? AND external_id = ?", echo.account, echo.external_id)
    if known is not None or recognised(db, echo.account, echo.external_id) or not echo.person.is_identifiable:
        return
    contact = people.resolve(db, echo.account.partition(":")[0], echo.person, now)
    conversation = people.conversation_of(db, echo.account, contact, now)
    key = int(conversation["id"])
    touched[key] = None
    row = _keep(db, key, echo, now)
    # An edit of the business's own message begins no quiet window.
    if echo.corrects is not None:
        touched |= dict.fromkeys(corrections.note(db, row, echo.corrects, (0, 0), now))
    else:
        corrections.catch_up(db, row, echo.account, echo.external_id, (0, 0), now)
    if not echo.says:
        return
    _answer(db, key, echo.at, now)
    back = conversation["resumed_at"]
    if over is not None and (back is None or echo.at + _TICK > back):
        touched |= dict.fromkeys(modes.apply(db, key, over, now))
    _note_who_waits(db, key)
    refresh_delivery(db, key, now)


def _keep(db: Connection, conversation: int, echo: OperatorEcho, now: Instant) -> int:
    state, reason, told = ("sent", None, "a person answered") if echo.says else ("skipped", "recorded", echo.kind)
    row = (
        db.execute(
            "INSERT INTO messages (conversation, account, direction, external_id, kind, text, raw, state, reason, purpose, at,"
            " created_at) VALUES (?, ?, 'out', ?, ?, ?, ?, ?, ?, 'operator', ?, ?)",
            (conversation, echo.account, echo.external_id, echo.kind, echo.text, echo.raw, state, reason, echo.at, now),
        ).lastrowid
        or 0
    )
    event(db, now, "echo", f"{told} outside SARA", conversation=conversation, message=row, actor="operator")
    return row


def _answer(db: Connection, conversation: int, at: Instant, now: Instant) -> None:
    """Mark messages that were written before an operator's words as answered by them."""
    waiting = db.execute(
        "SELECT id FROM messages WHERE conversation = ? AND state = 'waiting' AND at <= ?", (conversation, at)
    ).fetchall()
    for each in waiting:
        db.execute("UPDATE messages SET state = 'skipped', reason = ? WHERE id = ?", (ANSWERED, each["id"]))
        event(db, now, "skipped", ANSWERED, conversation=conversation, message=each["id"], actor="operator")
    parts.cancel_unsaid(db, conversation, "('reply')", ANSWERED, now, before=at)
    if waiting:
        turns.settle_turn(db, conversation, now)


def _note_who_waits(db: Connection, conversation: int) -> None:
    """Set since when a customer waits for a person: from the oldest message that no person has answered yet."""
    db.execute(
        "UPDATE conversations SET person_since = (SELECT min(at) FROM ("
        " SELECT at FROM messages WHERE conversation = ?1 AND direction = 'in' AND (state = 'waiting'"
        " OR (state = 'skipped' AND reason IN (?2, ?3))) ORDER BY id DESC LIMIT ?4) WHERE at > ("
        " SELECT coalesce(max(at), 0) FROM (SELECT at FROM messages WHERE conversation = ?1 AND direction = 'out'"
        " AND purpose = 'operator' AND state <> 'skipped' AND about IS NULL ORDER BY id DESC LIMIT ?4)))"
        " WHERE id = ?1 AND mode = 'human'",
        (conversation, modes.PERSON, modes.TO_A_PERSON, _NEAR),
    )
