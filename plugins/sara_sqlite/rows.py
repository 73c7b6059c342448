"""Ids and rows ↔ the model's values, and the two small writes that everything else shares."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping
from typing import Any

from sara import Attachment, HistoryMessage, Identity, Instant, StoredMessage
from sara.engines import NotFound, OpenWork, Role
from sara_sqlite import states

Connection = sqlite3.Connection

# Ids carry a letter, so that a conversation is not taken for a message or a contact for a phone number.
CONTACT, CONVERSATION, MESSAGE, ATTACHMENT = "p", "c", "m", "a"

ERASED = "erased"
"""The account of a conversation that is being erased: no channel serves it, so nothing that still runs can reach anybody."""


def ident(letter: str, number: int) -> str:
    """Return a row's number as an id: `c17`."""
    return f"{letter}{number}"


def number(letter: str, text: str) -> int:
    """Return the row's number behind an id; -1, which no row has, for anything else."""
    digits = text.removeprefix(letter)
    return int(digits) if text.startswith(letter) and digits.isascii() and digits.isdigit() and len(digits) < 19 else -1


def to_json(value: Mapping[str, Any]) -> str:
    """Compact JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def are_alike(first: str | None, second: str | None) -> bool:
    """Return whether two errors say the same but for numbers: servers write the time, an id or the wait into them."""
    return re.sub(r"\S*\d\S*", "", first or "") == re.sub(r"\S*\d\S*", "", second or "")


def event(
    db: Connection,
    now: Instant,
    what: str,
    detail: str = "",
    *,
    conversation: int | None = None,
    message: int | None = None,
    actor: str = "sara",
) -> None:
    """Write one line of history."""
    db.execute(
        "INSERT INTO events (at, conversation, message, what, detail, actor) VALUES (?, ?, ?, ?, ?, ?)",
        (now, conversation, message, what, detail, actor),
    )


def count(db: Connection, name: str, by: int = 1) -> None:
    """Add to a figure that outlives restarts."""
    db.execute(
        "INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
        (name, by),
    )


def one(db: Connection, sql: str, *args: Any) -> sqlite3.Row | None:
    """Return the first row, if any."""
    row: sqlite3.Row | None = db.execute(sql, args).fetchone()
    return row


def the(db: Connection, sql: str, *args: Any) -> sqlite3.Row:
    """Return the one row that must be there. Raises NotFound where it is not."""
    row = one(db, sql, *args)
    if row is None:
        raise NotFound("there is nothing by that id")
    return row


def open_work(db: Connection, conversation: int) -> OpenWork:
    """Return the open work of a conversation."""
    row = the(db, "SELECT account, reply_due, deliver_due, timer_due FROM conversations WHERE id = ?", conversation)
    return OpenWork(ident(CONVERSATION, conversation), row["account"], row["reply_due"], row["deliver_due"], row["timer_due"])


def look_at_timers(db: Connection, conversation: int, at: Instant | None) -> None:
    """Have the timers of a conversation looked at, at the latest at `at`."""
    if at is not None:
        db.execute("UPDATE conversations SET timer_due = min(coalesce(timer_due, ?), ?) WHERE id = ?", (at, at, conversation))


def survived(db: Connection, conversation: int) -> None:
    """Reset the crash counter: plugin code that worked on the conversation has returned."""
    db.execute("UPDATE conversations SET crashes = 0 WHERE id = ? AND crashes > 0", (conversation,))


def refresh_delivery(db: Connection, conversation: int, now: Instant) -> OpenWork:
    """Set `deliver_due` from the first unsettled part, and wake an answer that had to wait for the delivery."""
    first = one(
        db,
        f"SELECT state, not_before FROM messages WHERE conversation = ? AND state IN {states.UNSENT} ORDER BY id LIMIT 1",  # noqa: S608
        conversation,
    )
    db.execute("UPDATE conversations SET deliver_due = ? WHERE id = ?", (first and first["not_before"], conversation))
    if first is None or (first["state"] == "queued" and first["not_before"] <= now):
        db.execute(
            "UPDATE conversations SET reply_due = min(reply_due, ?), reply_blocked = 0"
            " WHERE id = ? AND reply_blocked = 1 AND reply_due IS NOT NULL",
            (now, conversation),
        )
    return open_work(db, conversation)


def free_external_id(db: Connection, part: sqlite3.Row, external_id: str | None) -> str | None:
    """Return a provider's id for a message, unless another message of the account bears it already: a provider that repeats
    its ids must not stop a conversation, and the attempt keeps the id in any case."""
    taken = external_id and one(
        db, "SELECT 1 FROM messages WHERE account = ? AND external_id = ? AND id <> ?", part["account"], external_id, part["id"]
    )
    return None if taken else external_id


STORED = """
    SELECT m.*, c.contact AS contact FROM messages m JOIN conversations c ON c.id = m.conversation
"""


def stored(row: sqlite3.Row) -> StoredMessage:
    """Return a row of `STORED` as a domain value. The store does not know the channel's name in the file: `channel` holds
    the account's provider, and who prints it may put the name there."""
    return StoredMessage(
        id=ident(MESSAGE, row["id"]),
        external_id=row["external_id"],
        channel=row["account"].partition(":")[0],
        account=row["account"],
        conversation=ident(CONVERSATION, row["conversation"]),
        contact=ident(CONTACT, row["contact"]),
        direction=row["direction"],
        kind=row["kind"],
        text=row["text"],
        state=row["state"],
        reason=row["reason"],
        purpose=row["purpose"],
        at=row["at"],
        error=row["error"],
    )


SAID = states.HISTORY
"""The states of messages that are history: what was said, and what was read."""

REFUSED = "(state = 'dead' AND coalesce(reason, '') NOT LIKE 'restored%')"
"""What no responder could answer is no history: it would be refused again, with all that is asked after it. What only a restored
backup left unanswered is."""

WITHDRAWN = "withdrawn"
"""The reason of messages whose author deleted them before anybody answered."""

APPLIED = "applied"
"""The reason of edits and deletions that are already seen in the message which they changed."""

IN_HISTORY = f"state IN {SAID} AND NOT {REFUSED} AND coalesce(reason, '') NOT IN ('{WITHDRAWN}', '{APPLIED}')"
"""What a responder is shown as history."""

LEFT = f"state IN {states.RECEIVED}"
"""Parts that have left us."""

LINES = """
    SELECT m.*, (
        SELECT json_array(q.text, q.direction, q.purpose) FROM messages q JOIN conversations c ON c.id = q.conversation
        JOIN contacts p ON p.id = c.contact
        WHERE q.account = m.account AND q.external_id = m.reply_to AND q.state <> 'quarantined' AND coalesce(p.linked, p.id) = ?
    ) AS quoted FROM messages m
"""
"""Messages and what they quote: only this person's own, whatever id is named."""

_ROLE: Mapping[str, Role] = {"reply": "assistant", "template": "assistant", "notice": "notice", "operator": "operator"}


def line(row: sqlite3.Row, attachments: tuple[Attachment, ...] = ()) -> HistoryMessage:
    """Return a message as a responder reads it, from a row that also has what it quotes."""
    quoted, direction, purpose = json.loads(row["quoted"]) if row["quoted"] is not None else (None, None, None)
    return HistoryMessage(
        ident(MESSAGE, row["id"]),
        _role(row["direction"], row["purpose"]),
        row["text"],
        row["at"],
        row["kind"],
        json.loads(row["content"]),
        row["external_id"],
        row["retried_at"],
        attachments if row["withdrawn_at"] is None else (),
        quoted,
        _role(direction, purpose) if direction is not None else None,
        row["deferred_ms"],
        row["withdrawn_at"] is not None,
    )


def _role(direction: str, purpose: str | None) -> Role:
    return "customer" if direction == "in" else _ROLE.get(purpose or "", "assistant")


def head_of(db: Connection, conversation: int) -> sqlite3.Row:
    """Return the contact that a conversation's person is known as now: the older one, where two turned out to be one."""
    return the(
        db,
        "SELECT h.* FROM conversations c JOIN contacts p ON p.id = c.contact JOIN contacts h ON h.id = coalesce(p.linked, p.id)"
        " WHERE c.id = ?",
        conversation,
    )


def address(row: sqlite3.Row) -> Identity:
    """Whom a send is addressed to, from a row of `contacts`."""
    return Identity(row["user_id"], row["parent_id"], row["phone"], row["username"], row["name"])
