"""Calls of tools: written down before they are made, so that none is made twice."""

from __future__ import annotations

from sara import Instant
from sara.engines import Conflict, NotFound, ToolRecord
from sara_sqlite.rows import CONVERSATION, Connection, event, number, one, the


def begin(
    db: Connection, conversation: str, attempt: int, name: str, arguments: str, occurrence: int, now: Instant
) -> tuple[ToolRecord, bool]:
    """Write down a call; return whether it is new."""
    key = number(CONVERSATION, conversation)
    row = the(db, "SELECT attempt, attempt_open FROM conversations WHERE id = ?", key)
    turn = one(db, "SELECT min(id) AS first FROM messages WHERE conversation = ? AND state = 'waiting'", key)
    if row["attempt"] != attempt or not row["attempt_open"] or turn is None or turn["first"] is None:
        raise Conflict("the turn has moved on since the responder was asked")
    same = (key, turn["first"], name, arguments, occurrence)
    # An older message may have joined the turn since: what was called for any that still waits was called for this turn.
    known = one(
        db,
        "SELECT id, result FROM tool_calls WHERE conversation = ? AND turn IN (SELECT id FROM messages WHERE conversation = ?"
        " AND state = 'waiting') AND name = ? AND arguments = ? AND occurrence = ? ORDER BY id LIMIT 1",
        key,
        *(key, name, arguments, occurrence),
    )
    if known is not None:
        return ToolRecord(known["id"], known["result"]), False
    made = db.execute(
        "INSERT INTO tool_calls (conversation, turn, name, arguments, occurrence, started_at) VALUES (?, ?, ?, ?, ?, ?)",
        (*same, now),
    ).lastrowid
    event(db, now, "tool_called", name, conversation=key, message=turn["first"], actor="assistant")
    return ToolRecord(int(made or 0), None), True


def end(db: Connection, record: int, result: str, now: Instant) -> None:
    """Keep what a call brought."""
    row = one(db, "SELECT conversation, turn, name FROM tool_calls WHERE id = ?", record)
    if row is None:
        raise NotFound("the conversation was forgotten")
    db.execute("UPDATE tool_calls SET result = ?, ended_at = ? WHERE id = ?", (result, now, record))
    event(db, now, "tool_done", row["name"], conversation=row["conversation"], message=row["turn"], actor="assistant")
