"""Taking in what one request brought: messages, receipts, changes and what was not understood."""

from __future__ import annotations

import hashlib
import sqlite3

from sara import AccountEvent, Arrival, Draft, Echo, IdentityChange, Instant, Intake, PreferenceChange, SetAside, Taken
from sara_sqlite import people, receipts
from sara_sqlite.rows import (
    MESSAGE,
    STORED,
    Connection,
    count,
    event,
    ident,
    number,
    one,
    open_work,
    refresh_delivery,
    stored,
    the,
    to_json,
)

# What a customer says to end the silence or to ask for it also ends what was still to be said.
_UNSENT_BY_CONSENT = "('reply', 'template')"


def accept(db: Connection, intake: Intake, now: Instant) -> Taken:
    """All of an intake, within the caller's transaction."""
    db.execute(
        "INSERT INTO accounts (account, webhook_at) VALUES (?, ?) ON CONFLICT (account) DO UPDATE SET webhook_at = excluded.webhook_at",
        (intake.account, now),
    )
    touched: dict[int, None] = {}
    fresh: list[int] = []
    known = 0
    for change in intake.changes:
        if isinstance(change, IdentityChange):
            people.follow(db, change, now)
    # Within one request the provider's own times decide; between requests the order of arrival does.
    for arrival in sorted(intake.arrivals, key=lambda each: each.message.at):
        message, conversation, new = _take(db, arrival, now)
        touched[conversation] = None
        if new:
            fresh.append(message)
        else:
            known += 1
    applied = []
    unknown = 0
    for receipt in intake.receipts:
        part = receipts.apply(db, receipt, now)
        if part is None:
            unknown += 1
        else:
            touched[int(part["conversation"])] = None
            applied.append((stored(the(db, STORED + " WHERE m.id = ?", part["id"])), receipt))
    for change in intake.changes:
        _change(db, change, touched, now)
    for item in intake.set_aside:
        _set_aside(db, item, now)
    work = tuple(open_work(db, conversation) for conversation in touched)
    rows = tuple(stored(the(db, STORED + " WHERE m.id = ?", message)) for message in fresh)
    return Taken(
        tuple(each for each in work if each.reply_due is not None or each.deliver_due is not None),
        rows,
        known,
        tuple(applied),
        unknown,
    )


def digest_of(arrival: Arrival) -> str:
    """What a message without an id is recognised by."""
    m = arrival.message
    text = "\x1f".join((m.account, m.person.user_id or "", m.person.phone or "", m.kind, str(m.at), m.text, m.raw))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _take(db: Connection, arrival: Arrival, now: Instant) -> tuple[int, int, bool]:
    """Store a message unless it is known: its number, its conversation's, and whether it was new."""
    message, verdict = arrival.message, arrival.verdict
    digest = None if message.external_id else digest_of(arrival)
    known = _known(db, message.account, message.external_id, digest)
    if known is not None:
        return known["id"], known["conversation"], False
    contact = people.resolve(db, message.account.partition(":")[0], message.person, now)
    conversation = people.conversation_of(db, message.account, contact, now)
    key = int(conversation["id"])
    if verdict.consent == "opt_out":
        _silence(db, contact, key, now)
    elif verdict.consent == "opt_in":
        db.execute("UPDATE contacts SET opted_out = 0, opted_out_at = NULL WHERE id = ?", (contact,))
        event(db, now, "opted_in", conversation=key, actor="customer")
    opted_out = bool(the(db, "SELECT opted_out FROM contacts WHERE id = ?", contact)["opted_out"])
    skip = verdict.skip or ("opted_out" if opted_out else None)
    row = (
        db.execute(
            "INSERT INTO messages (conversation, account, direction, external_id, digest, kind, text, content, raw, state, reason,"
            " reply_to, at, created_at) VALUES (?, ?, 'in', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                key,
                message.account,
                message.external_id,
                digest,
                message.kind,
                message.text,
                to_json(message.content),
                message.raw,
                "skipped" if skip else "waiting",
                skip,
                message.reply_to,
                message.at,
                now,
            ),
        ).lastrowid
        or 0
    )
    event(db, now, "received", message.kind, conversation=key, message=row)
    db.execute("UPDATE conversations SET last_at = max(coalesce(last_at, 0), ?) WHERE id = ?", (message.at, key))
    if skip:
        event(db, now, "skipped", skip, conversation=key, message=row)
    else:
        _call_for_answer(db, key, arrival, now)
    if verdict.notice is not None:
        add_parts(db, conversation, [verdict.notice], "notice", None, now)
        refresh_delivery(db, key, now)
    return row, key, True


def _known(db: Connection, account: str, external_id: str | None, digest: str | None) -> sqlite3.Row | None:
    if external_id is not None:
        return one(db, "SELECT id, conversation FROM messages WHERE account = ? AND external_id = ?", account, external_id)
    return one(db, "SELECT id, conversation FROM messages WHERE account = ? AND digest = ?", account, digest)


def _call_for_answer(db: Connection, conversation: int, arrival: Arrival, now: Instant) -> None:
    """The quiet window: a burst is one turn, and a back-off under way is not cut short by it."""
    row = the(db, "SELECT * FROM conversations WHERE id = ?", conversation)
    since = row["waiting_since"] if row["waiting_since"] is not None else now
    due = min(now + arrival.quiet, since + arrival.quiet_longest)
    if row["reply_due"] is not None and row["attempts"] > 0 and not row["attempt_open"]:
        due = max(due, row["reply_due"])
    db.execute("UPDATE conversations SET waiting_since = ?, reply_due = ? WHERE id = ?", (since, due, conversation))


def _silence(db: Connection, contact: int, conversation: int, now: Instant) -> None:
    """The customer wants no more messages: nothing that waits is answered, nothing unsent of ours is sent."""
    db.execute("UPDATE contacts SET opted_out = 1, opted_out_at = ? WHERE id = ?", (now, contact))
    event(db, now, "opted_out", conversation=conversation, actor="customer")
    for (other,) in db.execute("SELECT id FROM conversations WHERE contact = ?", (contact,)).fetchall():
        for row in db.execute("SELECT id FROM messages WHERE conversation = ? AND state = 'waiting'", (other,)).fetchall():
            event(db, now, "skipped", "opted_out", conversation=other, message=row["id"])
        db.execute(
            "UPDATE messages SET state = 'skipped', reason = 'opted_out' WHERE conversation = ? AND state = 'waiting'", (other,)
        )
        cancel(db, "conversation = ? AND state = 'queued' AND purpose IN " + _UNSENT_BY_CONSENT, (other,), "opted_out", now)
        close_turn(db, other)
        refresh_delivery(db, other, now)


def close_turn(db: Connection, conversation: int) -> None:
    """Nothing waits any more: forget the turn's due, attempts and open call."""
    db.execute(
        "UPDATE conversations SET reply_due = NULL, waiting_since = NULL, attempt_open = 0, attempts = 0, attempts_first = NULL,"
        " reply_blocked = 0, error = NULL WHERE id = ?",
        (conversation,),
    )


def cancel(db: Connection, where: str, args: tuple[object, ...], reason: str, now: Instant) -> None:
    """Cancel queued parts."""
    rows = db.execute(f"SELECT id, conversation FROM messages WHERE {where}", args).fetchall()  # noqa: S608  # conditions are ours
    for row in rows:
        db.execute("UPDATE messages SET state = 'cancelled', reason = ? WHERE id = ?", (reason, row["id"]))
        event(db, now, "cancelled", reason, conversation=row["conversation"], message=row["id"])


def add_parts(
    db: Connection, conversation: sqlite3.Row, drafts: list[Draft], purpose: str, reply: int | None, now: Instant
) -> list[str]:
    """Queue parts behind whatever the conversation has still to say."""
    made = []
    for draft in drafts:
        row = (
            db.execute(
                "INSERT INTO messages (conversation, account, direction, kind, text, content, state, purpose, reply, at, created_at,"
                " not_before) VALUES (?, ?, 'out', ?, ?, ?, 'queued', ?, ?, ?, ?, ?)",
                (
                    conversation["id"],
                    conversation["account"],
                    draft.kind,
                    draft.text,
                    to_json(draft.content),
                    purpose,
                    reply,
                    now,
                    now,
                    now,
                ),
            ).lastrowid
            or 0
        )
        event(db, now, "queued", purpose, conversation=conversation["id"], message=row)
        made.append(ident(MESSAGE, row))
    return made


def _change(db: Connection, change: object, touched: dict[int, None], now: Instant) -> None:
    match change:
        case PreferenceChange():
            contact = people.resolve(db, change.account.partition(":")[0], change.person, now)
            if change.category.startswith("marketing"):
                db.execute("UPDATE contacts SET marketing = ? WHERE id = ?", (int(change.allowed), contact))
            event(db, now, "preference", f"{change.category}: {'resume' if change.allowed else 'stop'}", actor="customer")
        case Echo():
            _echo(db, change, touched, now)
        case AccountEvent():
            event(db, now, "account", f"{change.account}: {change.summary}", actor="provider")


def _echo(db: Connection, echo: Echo, touched: dict[int, None], now: Instant) -> None:
    """A person of the business answered elsewhere: their words are history, and what waited before them is answered."""
    if _known(db, echo.account, echo.external_id, None) is not None or not echo.person.nameable:
        return
    contact = people.resolve(db, echo.account.partition(":")[0], echo.person, now)
    conversation = int(people.conversation_of(db, echo.account, contact, now)["id"])
    row = db.execute(
        "INSERT INTO messages (conversation, account, direction, external_id, kind, text, raw, state, purpose, at, created_at)"
        " VALUES (?, ?, 'out', ?, ?, ?, ?, 'sent', 'operator', ?, ?)",
        (conversation, echo.account, echo.external_id, echo.kind, echo.text, echo.raw, echo.at, now),
    ).lastrowid
    event(db, now, "echo", "a person answered outside SARA", conversation=conversation, message=row, actor="operator")
    waiting = db.execute("SELECT id FROM messages WHERE conversation = ? AND state = 'waiting'", (conversation,)).fetchall()
    for each in waiting:
        event(db, now, "skipped", "answered_by_person", conversation=conversation, message=each["id"], actor="operator")
    db.execute(
        "UPDATE messages SET state = 'skipped', reason = 'answered_by_person' WHERE conversation = ? AND state = 'waiting'",
        (conversation,),
    )
    cancel(db, "conversation = ? AND state = 'queued' AND purpose = 'reply'", (conversation,), "answered_by_person", now)
    close_turn(db, conversation)
    refresh_delivery(db, conversation, now)
    touched[conversation] = None


def _set_aside(db: Connection, item: SetAside, now: Instant) -> None:
    digest = hashlib.sha256(item.body).hexdigest()
    db.execute(
        "INSERT INTO set_aside (account, reason, body, digest, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (item.account, item.reason, item.body, digest, now),
    )


__all__ = ["accept", "add_parts", "cancel", "close_turn", "count", "number"]
