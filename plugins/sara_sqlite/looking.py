"""What people and the sweep look at, and what an operator mends."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from sara import AccountEvent, HistoryMessage, Identity, Instant, StoredMessage, UnparsedPayload
from sara.engines import Attempt, ConversationSummary, JobKind, OpenWork, TimelineEvent
from sara.helpers import number_spellings, read_number
from sara_sqlite import people, states
from sara_sqlite.delivering import attempt
from sara_sqlite.parts import cancel
from sara_sqlite.rows import (
    CONTACT,
    CONVERSATION,
    MESSAGE,
    STORED,
    Connection,
    event,
    ident,
    line,
    number,
    one,
    open_work,
    refresh_delivery,
    stored,
    the,
)
from sara_sqlite.turns import close_turn, defer


def due(db: Connection, after: str | None, limit: int, before: Instant | None) -> Sequence[OpenWork]:
    """Return a page of conversations with open work."""
    start = 0 if after is None else number(CONVERSATION, after)
    if before is None:
        rows = db.execute(
            "SELECT id, account, reply_due, deliver_due, timer_due FROM conversations INDEXED BY conversations_open"
            " WHERE (reply_due IS NOT NULL OR deliver_due IS NOT NULL OR timer_due IS NOT NULL) AND id > ? ORDER BY id LIMIT ?",
            (start, limit),
        )
    else:
        rows = db.execute(
            "SELECT id, account, reply_due, deliver_due, timer_due FROM conversations WHERE id IN ("
            " SELECT id FROM conversations WHERE reply_due <= ? AND attempt_open = 0"
            " UNION SELECT id FROM conversations WHERE deliver_due <= ?"
            " UNION SELECT id FROM conversations WHERE timer_due <= ?)"
            " AND id > ? ORDER BY id LIMIT ?",
            (before, before, before, start, limit),
        )
    return [
        OpenWork(ident(CONVERSATION, row["id"]), row["account"], row["reply_due"], row["deliver_due"], row["timer_due"])
        for row in rows
    ]


def clamp(db: Connection, latest: Instant, now: Instant) -> int:
    """Bring dues from beyond any wait back to now, and doubts and signs of life that seem to lie in the future: such a sign
    would count as a proof for whatever is in doubt until then."""
    db.execute("UPDATE accounts SET webhook_at = ? WHERE webhook_at > ?", (now, now))
    db.execute("UPDATE attempts SET settled_at = ? WHERE state = 'in_doubt' AND settled_at > ?", (now, now))
    db.execute(f"UPDATE messages SET not_before = ? WHERE state IN {states.RESCHEDULED} AND not_before > ?", (now, latest))  # noqa: S608
    reply = db.execute("UPDATE conversations SET reply_due = ? WHERE reply_due > ?", (now, latest)).rowcount
    deliver = db.execute("UPDATE conversations SET deliver_due = ? WHERE deliver_due > ?", (now, latest)).rowcount
    return reply + deliver


_TOLD = f"m.direction = 'out' AND m.state IN {states.MAY_HAVE_LEFT}"
_LATELY = 20
"""How many of the newest messages are looked through for the last thing that was said."""

_SUMMARY = (
    "SELECT c.*, h.name, h.username, h.opted_out, h.language, h.notes, coalesce(p.phone, p.user_id) AS address,"  # noqa: S608
    " coalesce(h.phone, p.phone) AS phone, l.direction AS last_direction, l.kind AS last_kind, l.text AS last_text,"
    " (SELECT count(*) FROM messages m WHERE m.conversation = c.id) AS messages,"
    " (SELECT count(*) FROM messages m WHERE m.conversation = c.id AND m.state = 'waiting') AS waiting,"
    f" (SELECT count(*) FROM messages m WHERE m.conversation = c.id AND m.state IN {states.UNSENT}) AS unsent"
    " FROM conversations c JOIN contacts p ON p.id = c.contact JOIN contacts h ON h.id = coalesce(p.linked, p.id)"
    " LEFT JOIN messages l ON l.id = (SELECT max(m.id) FROM messages m WHERE m.conversation = c.id)"
)


_SEARCHED = (
    " WHERE ? IS NULL OR p.name LIKE ? ESCAPE '\\' OR p.username LIKE ? ESCAPE '\\' OR p.phone LIKE ? ESCAPE '\\'"
    " OR p.user_id LIKE ? ESCAPE '\\' OR (? <> '' AND instr(p.phone, ?)) OR p.phone IN (SELECT value FROM json_each(?))"
    " ORDER BY c.last_at DESC, c.id DESC LIMIT ?"
)


def conversations(db: Connection, limit: int, search: str | None) -> Sequence[ConversationSummary]:
    """Return the newest conversations first."""
    pattern = "%" + (search or "").replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    digits = (read_number(search or "") or "").lstrip("0")  # a number written for within the country ends like the whole one
    spellings = number_spellings(digits) if digits else ()
    given = (search, pattern, pattern, pattern, pattern, digits, digits, json.dumps(spellings), limit)
    rows = db.execute(_SUMMARY + _SEARCHED, given)
    return [_summary(row) for row in rows]


def conversation(db: Connection, ident_: str) -> ConversationSummary:
    """One conversation."""
    return _summary(the(db, _SUMMARY + " WHERE c.id = ?", number(CONVERSATION, ident_)))


def last_said(db: Connection, account: str, person: Identity, quoted: str | None) -> HistoryMessage | None:
    """Return the message that a person quotes; else the last message sent to them, if it is among the newest
    messages of their conversation."""
    contact = people.find(db, account.partition(":")[0], person)
    row = None
    if quoted is not None:
        row = one(
            db,
            f"SELECT m.*, NULL AS quoted FROM messages m JOIN conversations c ON c.id = m.conversation WHERE {_TOLD}"  # noqa: S608  # ours
            " AND m.account = ? AND m.external_id = ? AND c.contact = ?",
            account,
            quoted,
            contact,
        )
    if row is None:
        row = one(
            db,
            "SELECT m.*, NULL AS quoted FROM (SELECT * FROM messages WHERE conversation ="  # noqa: S608  # ours
            " (SELECT id FROM conversations WHERE account = ? AND contact = ?) ORDER BY id DESC LIMIT ?) m"
            f" WHERE {_TOLD} ORDER BY m.id DESC LIMIT 1",
            account,
            contact,
            _LATELY,
        )
    return None if row is None else line(row)


def _summary(row: sqlite3.Row) -> ConversationSummary:
    return ConversationSummary(
        id=ident(CONVERSATION, row["id"]),
        account=row["account"],
        contact=ident(CONTACT, row["contact"]),
        name=row["name"] or row["username"],
        messages=row["messages"],
        last_at=row["last_at"],
        waiting=row["waiting"],
        unsent=row["unsent"],
        opted_out=bool(row["opted_out"]),
        reply_due=row["reply_due"],
        deliver_due=row["deliver_due"],
        error=row["error"],
        mode=row["mode"],
        language=row["language"],
        address=row["address"],
        phone=row["phone"],
        mode_until=row["mode_until"],
        person_since=row["person_since"] if row["mode"] == "human" else None,
        last_direction=row["last_direction"],
        last_kind=row["last_kind"],
        last_text=row["last_text"] or "",
        notes=row["notes"],
    )


def messages(db: Connection, conversation: str | None, after: str | None, limit: int) -> Sequence[StoredMessage]:
    """Return a page of messages in store order."""
    start = 0 if after is None else number(MESSAGE, after)
    if conversation is None:
        rows = db.execute(STORED + " WHERE m.id > ? ORDER BY m.id LIMIT ?", (start, limit))
    else:
        key = number(CONVERSATION, conversation)
        rows = db.execute(STORED + " WHERE m.conversation = ? AND m.id > ? ORDER BY m.id LIMIT ?", (key, start, limit))
    return [stored(row) for row in rows]


def find(db: Connection, message: str) -> StoredMessage | None:
    """Return a message by its id, the provider's id, or the id of an attempt."""
    row = one(db, STORED + " WHERE m.id = ?", number(MESSAGE, message))
    row = row or one(db, STORED + " WHERE m.external_id = ? ORDER BY m.id LIMIT 1", message)
    row = row or one(
        db, STORED + " JOIN attempts a ON a.message = m.id WHERE a.external_id = ? OR a.id = ? LIMIT 1", message, message
    )
    return None if row is None else stored(row)


def given_up(db: Connection, limit: int) -> Sequence[StoredMessage]:
    """Return the failed messages that need an operator, newest first."""
    rows = db.execute(
        STORED + f" WHERE (m.direction = 'in' AND m.state IN {states.GIVEN_UP})"
        f" OR (m.direction = 'out' AND (m.state IN {states.UNDELIVERABLE} OR (m.state = 'parked' AND m.reason NOT IN ('scheduled', 'paused'))))"
        " ORDER BY m.id DESC LIMIT ?",
        (limit,),
    )
    return [stored(row) for row in rows]


def timeline(db: Connection, message: str) -> Sequence[TimelineEvent]:
    """Return a message's own events, in order."""
    rows = db.execute("SELECT * FROM events WHERE message = ? ORDER BY at, id", (number(MESSAGE, message),))
    return [TimelineEvent(row["at"], row["what"], row["detail"], row["actor"]) for row in rows]


def attempts(db: Connection, part: str) -> Sequence[Attempt]:
    """Return a message's attempts, oldest first."""
    return [
        attempt(row)
        for row in db.execute("SELECT * FROM attempts WHERE message = ? ORDER BY started_at, id", (number(MESSAGE, part),))
    ]


def counts(db: Connection) -> dict[str, int]:
    """Figures by state, and those that outlive restarts."""
    found = {
        f"{row['direction']}.{row['state']}": int(row["n"])
        for row in db.execute("SELECT direction, state, count(*) AS n FROM messages GROUP BY direction, state")
    }
    found["unparsed_payloads"] = int(the(db, "SELECT count(*) AS n FROM unparsed_payloads")["n"])
    found["conversations"] = int(the(db, "SELECT count(*) AS n FROM conversations")["n"])
    found |= {row["name"]: int(row["value"]) for row in db.execute("SELECT name, value FROM counters")}
    return found


def set_aside(db: Connection, after: str | None, limit: int, since: Instant) -> Sequence[UnparsedPayload]:
    """Return a page of unparsed payloads."""
    start = number("", after or "")
    rows = db.execute(
        "SELECT id, account, reason, body, at FROM unparsed_payloads WHERE id > ? AND at >= ? ORDER BY id LIMIT ?",
        (start, since, limit),
    )
    return [UnparsedPayload(row["account"], row["reason"], row["body"], row["at"], str(row["id"])) for row in rows]


def account_events(db: Connection, account: str, since: Instant) -> Sequence[AccountEvent]:
    """Return the events of an account, in the order of their arrival."""
    rows = db.execute("SELECT * FROM account_events WHERE account = ? AND at >= ? ORDER BY id", (account, since))
    return [
        AccountEvent(
            row["account"],
            row["kind"],
            row["summary"],
            row["at"],
            bool(row["serious"]),
            subject=row["subject"],
            ends=tuple(json.loads(row["ends"])),
        )
        for row in rows
    ]


def backlog(db: Connection, most: int) -> int:
    """Return the number of waiting messages, counted up to `most`."""
    row = the(
        db, "SELECT count(*) AS n FROM (SELECT 1 FROM messages INDEXED BY messages_waiting WHERE state = 'waiting' LIMIT ?)", most
    )
    return int(row["n"])


def unsettled(db: Connection) -> dict[str, int]:
    """Open conversations by account."""
    return {
        row["account"]: int(row["n"])
        for row in db.execute(
            "SELECT account, count(*) AS n FROM conversations INDEXED BY conversations_open"
            " WHERE (reply_due IS NOT NULL OR deliver_due IS NOT NULL OR timer_due IS NOT NULL)"
            " AND (reply_due IS NOT NULL OR deliver_due IS NOT NULL) GROUP BY account"
        )
    }


def revive(db: Connection, conversation: str, kind: JobKind, now: Instant) -> OpenWork:
    """Another chance for what was given up."""
    key = number(CONVERSATION, conversation)
    the(db, "SELECT id FROM conversations WHERE id = ?", key)
    if kind == "reply":
        given_up = f"SELECT id, created_at FROM messages WHERE conversation = ? AND state IN {states.GIVEN_UP} ORDER BY id"  # noqa: S608
        rows = db.execute(given_up, (key,)).fetchall()
        db.execute(
            f"UPDATE messages SET state = 'waiting', reason = NULL, retried_at = ? WHERE conversation = ? AND state IN {states.GIVEN_UP}",  # noqa: S608
            (now, key),
        )
        if one(db, "SELECT 1 FROM messages WHERE conversation = ? AND state = 'waiting' LIMIT 1", key):
            db.execute(
                "UPDATE conversations SET reply_due = ?, waiting_since = coalesce(waiting_since, ?),"
                " attempts = 0, attempts_first = NULL"
                " WHERE id = ?",
                (now, now, key),
            )
    else:
        # A failed part takes along what was cancelled because of it: half an answer is none.
        rows = db.execute(
            f"SELECT id FROM messages WHERE conversation = ? AND direction = 'out' AND (state IN {states.UNDELIVERABLE} OR (state = 'parked' AND reason NOT IN ('scheduled', 'paused'))"  # noqa: S608
            " OR (state = 'cancelled' AND reason = 'earlier_part_failed')) ORDER BY id",
            (key,),
        ).fetchall()
        for row in rows:
            db.execute(
                "UPDATE messages SET state = 'queued', reason = NULL, attempts = 0, attempts_first = NULL, requeued = 0 WHERE id = ?",
                (row["id"],),
            )
        db.execute("UPDATE messages SET not_before = ? WHERE conversation = ? AND state = 'queued'", (now, key))
    for row in rows:
        event(db, now, "retried", "by hand", conversation=key, message=row["id"], actor="operator")
    return replace(refresh_delivery(db, key, now), changed=len(rows))


def drop(db: Connection, conversation: str, kind: JobKind, now: Instant) -> OpenWork:
    """Give up what is open."""
    key = number(CONVERSATION, conversation)
    the(db, "SELECT id FROM conversations WHERE id = ?", key)
    if kind == "reply":
        rows = db.execute("SELECT id FROM messages WHERE conversation = ? AND state = 'waiting'", (key,)).fetchall()
        changed = len(rows)
        for row in rows:
            event(db, now, "skipped", "dropped", conversation=key, message=row["id"], actor="operator")
        db.execute(
            "UPDATE messages SET state = 'skipped', reason = 'dropped' WHERE conversation = ? AND state = 'waiting'", (key,)
        )
        close_turn(db, key)
    else:
        changed = cancel(db, f"conversation = ? AND state IN {states.DROPPABLE}", (key,), "dropped", now)
    return replace(refresh_delivery(db, key, now), changed=changed)


def look_again(db: Connection, conversation: str, kind: JobKind, at: Instant, now: Instant, reason: str) -> OpenWork:
    """Write a later look at work that stays open."""
    key = number(CONVERSATION, conversation)
    if kind == "reply":
        if reason:
            defer(db, key, at, reason, now)
        db.execute("UPDATE conversations SET reply_due = ?, reply_blocked = 1 WHERE id = ? AND reply_due IS NOT NULL", (at, key))
        return open_work(db, key)
    unsent = f"SELECT id, state FROM messages WHERE conversation = ? AND state IN {states.UNSENT} ORDER BY id LIMIT 1"  # noqa: S608
    first = one(db, unsent, key)
    # Only a doubt is looked at again later: should a receipt have ended it meanwhile, the next part must not wait in its place.
    if first is not None and first["state"] == "in_doubt":
        db.execute("UPDATE messages SET not_before = ? WHERE id = ?", (at, first["id"]))
    return refresh_delivery(db, key, now)
