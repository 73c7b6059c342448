"""What a deliver job reads and writes."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from typing import Literal

from sara import Instant, OutboundMessage, OutgoingContent
from sara.engines import Attempt, AttemptResult, Conflict, DeliveryView, OpenWork
from sara_sqlite import parts, people, receipts, states, window
from sara_sqlite.modes import PAUSED
from sara_sqlite.rows import (
    CONVERSATION,
    MESSAGE,
    Connection,
    address,
    are_alike,
    count,
    event,
    free_external_id,
    head_of,
    ident,
    number,
    one,
    refresh_delivery,
    survived,
    the,
)


def view(db: Connection, conversation: str) -> DeliveryView | None:
    """Return the first unsettled message and what is known of it."""
    key = number(CONVERSATION, conversation)
    row = one(
        db,
        "SELECT m.*, c.mode, CASE WHEN c.window_closed THEN NULL ELSE c.customer_at END AS customer_at"  # noqa: S608
        " FROM messages m JOIN conversations c ON c.id = m.conversation"
        f" WHERE m.conversation = ? AND m.state IN {states.UNSENT} ORDER BY m.id LIMIT 1",
        key,
    )
    if row is None:
        return None
    person = head_of(db, key)
    last = one(db, "SELECT * FROM attempts WHERE message = ? ORDER BY started_at DESC, id DESC LIMIT 1", row["id"])
    account = one(db, "SELECT webhook_at FROM accounts WHERE account = ?", row["account"])
    part = OutboundMessage(
        id=ident(MESSAGE, row["id"]),
        conversation=conversation,
        account=row["account"],
        to=address(person),
        kind=row["kind"],
        text=row["text"],
        purpose=row["purpose"],
        content=json.loads(row["content"]),
        reply_to=row["reply_to"],
    )
    return DeliveryView(
        part=part,
        state=row["state"],
        not_before=row["not_before"],
        attempts=row["attempts"],
        first_at=row["attempts_first"],
        last=None if last is None else attempt(last),
        webhook_at=None if account is None else account["webhook_at"],
        opted_out=bool(person["opted_out"]),
        doubts=the(db, "SELECT count(*) AS n FROM attempts WHERE message = ? AND state = 'in_doubt'", row["id"])["n"],
        blind=row["unverified"],
        customer_at=row["customer_at"],
        mode=row["mode"],
        marketing=bool(person["marketing"]),
    )


def attempt(row: sqlite3.Row) -> Attempt:
    """Return a row of `attempts` as a domain value."""
    return Attempt(
        row["id"],
        ident(MESSAGE, row["message"]),
        row["state"],
        row["started_at"],
        row["owner"],
        row["settled_at"],
        row["external_id"],
        row["error"],
    )


def begin(db: Connection, part: str, attempt_id: str, owner: str, now: Instant) -> None:
    """Write the `sending` mark."""
    key = number(MESSAGE, part)
    row = the(db, "SELECT * FROM messages WHERE id = ?", key)
    if row["state"] != "queued":
        raise Conflict(f"the part is {row['state']}")
    first = the(
        db,
        f"SELECT id FROM messages WHERE conversation = ? AND state IN {states.UNSENT} ORDER BY id LIMIT 1",  # noqa: S608
        row["conversation"],
    )
    if first["id"] != key:
        raise Conflict("an earlier part is to be sent again")
    db.execute(
        "INSERT INTO attempts (id, message, owner, state, started_at) VALUES (?, ?, ?, 'sending', ?)",
        (attempt_id, key, owner, now),
    )
    db.execute("UPDATE messages SET state = 'sending', attempts_first = coalesce(attempts_first, ?) WHERE id = ?", (now, key))
    event(db, now, "sending", attempt_id, conversation=row["conversation"], message=key)


def settle(db: Connection, attempt_id: str, outcome: AttemptResult, now: Instant) -> OpenWork:
    """Record how an attempt ended, without overriding what a receipt proved before."""
    known = the(db, "SELECT * FROM attempts WHERE id = ?", attempt_id)
    part = the(db, "SELECT * FROM messages WHERE id = ?", known["message"])
    survived(db, part["conversation"])
    if outcome.charged:
        db.execute("UPDATE messages SET attempts = attempts + 1 WHERE id = ?", (part["id"],))
    else:
        # Its time runs from the first attempt that counts: a token refused for a week uses up none of it.
        db.execute("UPDATE messages SET attempts_first = NULL WHERE id = ? AND attempts = 0", (part["id"],))
    if outcome.recipient is not None:
        people.learn_recipient(db, part["conversation"], outcome.recipient, now)
    if known["state"] == "accepted":
        _complete(db, known, part, outcome, now)
        return refresh_delivery(db, part["conversation"], now)
    db.execute(
        "UPDATE attempts SET state = ?, settled_at = ?, external_id = coalesce(?, external_id), error = ? WHERE id = ?",
        (outcome.state, now, outcome.external_id, outcome.full_error, attempt_id),
    )
    detail = f"{attempt_id}: {outcome.full_error}" if outcome.full_error else attempt_id
    event(db, now, f"attempt_{outcome.state}", detail, conversation=part["conversation"], message=part["id"])
    if outcome.state == "not_sent" and not outcome.charged:
        _forget_one_alike(db, attempt_id, part["id"], outcome.full_error)
    if outcome.state == "accepted":
        receipts.note_second_acceptance(db, part, now)
    if part["state"] in ("sending", "in_doubt"):
        if outcome.closes_window and window.close(db, part["conversation"], known["started_at"]):
            outcome = replace(outcome, not_before=now)
        _move(db, part, outcome, now)
    if outcome.state == "accepted" and outcome.external_id:
        receipts.apply_early(db, attempt_id, part, outcome.external_id, now)
    return refresh_delivery(db, part["conversation"], now)


def _forget_one_alike(db: Connection, latest: str, part: int, error: str | None) -> None:
    """Delete the middle one of uncharged attempts that failed alike, so that the first and the latest are kept: while a token is
    refused, one attempt is made every few seconds."""
    former = db.execute(
        "SELECT * FROM attempts WHERE message = ? AND id <> ? ORDER BY started_at DESC, id DESC LIMIT 2", (part, latest)
    ).fetchall()
    alike = [row["state"] == "not_sent" and are_alike(row["error"], error) and row["external_id"] is None for row in former]
    if alike == [True, True]:
        middle, said = former[0]["id"], former[0]["error"]
        db.execute("DELETE FROM attempts WHERE id = ?", (middle,))
        told = ("sending", middle, "attempt_not_sent", middle, f"{middle}: {said}")
        db.execute(
            "DELETE FROM events WHERE message = ? AND ((what = ? AND detail = ?) OR (what = ? AND detail IN (?, ?)))",
            (part, *told),
        )


def _complete(db: Connection, known: sqlite3.Row, part: sqlite3.Row, outcome: AttemptResult, now: Instant) -> None:
    """Record the outcome of an attempt that a receipt has settled already; only the provider's id may still be new."""
    if outcome.external_id and known["external_id"] is None:
        db.execute("UPDATE attempts SET external_id = ? WHERE id = ?", (outcome.external_id, known["id"]))
    if part["external_id"] is None and (free := free_external_id(db, part, outcome.external_id)):
        db.execute("UPDATE messages SET external_id = ? WHERE id = ?", (free, part["id"]))
    if outcome.external_id:
        receipts.apply_early(db, known["id"], part, outcome.external_id, now)


def _move(db: Connection, part: sqlite3.Row, outcome: AttemptResult, now: Instant) -> None:
    if outcome.part == "failed":
        parts.fail(db, part, outcome.full_error or "", now, reason="refused" if outcome.state == "refused" else "gave_up")
        return
    external_id = free_external_id(db, part, outcome.external_id) or part["external_id"]
    db.execute(
        "UPDATE messages SET state = ?, not_before = ?, external_id = ?, error = ?, reason = NULL WHERE id = ?",
        (outcome.part, outcome.not_before, external_id, outcome.full_error, part["id"]),
    )
    # While it was being sent, the person may have asked for silence: all but the answer to that is over.
    stopped = head_of(db, part["conversation"])["opted_out_at"] if outcome.part == "queued" else None
    if stopped is not None:
        unwanted = (part["id"], stopped)
        parts.cancel(db, f"id = ? AND created_at < ? AND purpose IN {parts.BY_CONSENT}", unwanted, "opted_out", now)


def settle_doubt(db: Connection, part: str, action: Literal["resend", "hold"], blind: bool, now: Instant) -> OpenWork:
    """No receipt came: act as the channel's options say."""
    row = the(db, "SELECT * FROM messages WHERE id = ?", number(MESSAGE, part))
    if row["state"] != "in_doubt":
        raise Conflict(f"the part is {row['state']}")
    state, reason = ("queued", None) if action == "resend" else ("held", "in_doubt")
    db.execute(
        "UPDATE messages SET state = ?, reason = ?, not_before = ?, unverified = unverified + ? WHERE id = ?",
        (state, reason, now, int(blind), row["id"]),
    )
    count(db, "doubt_resent" if action == "resend" else "doubt_held")
    if blind:
        count(db, "unverified_resolutions")
    detail = f"{action}, {'no webhook came since the attempt' if blind else 'no receipt came'}"
    event(db, now, "in_doubt_resolved", detail, conversation=row["conversation"], message=row["id"])
    return refresh_delivery(db, row["conversation"], now)


def end_part(
    db: Connection,
    part: str,
    state: Literal["cancelled", "failed", "parked"],
    reason: str,
    now: Instant,
    instead: OutgoingContent | None,
) -> OpenWork:
    """End a queued part without an attempt; a template may take its turn."""
    row = the(db, "SELECT * FROM messages WHERE id = ?", number(MESSAGE, part))
    if row["state"] != "queued":
        raise Conflict(f"the part is {row['state']}")
    if reason == PAUSED and the(db, "SELECT mode FROM conversations WHERE id = ?", row["conversation"])["mode"] != "paused":
        raise Conflict("the pause is over")
    if state == "failed":
        parts.fail(db, row, reason, now)
    else:
        db.execute("UPDATE messages SET state = ?, reason = ? WHERE id = ?", (state, reason, row["id"]))
        event(db, now, state, reason, conversation=row["conversation"], message=row["id"])
    if instead is not None:
        window.invite(db, row["conversation"], instead, now)
    return refresh_delivery(db, row["conversation"], now)
