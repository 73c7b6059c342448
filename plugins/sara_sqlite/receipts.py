"""What receipts do: an attempt only moves forward, and its part with it."""

from __future__ import annotations

import json
import sqlite3

from sara import DeliveryFailure, DeliveryReceipt, Instant
from sara.engines import RECEIPT_RANK
from sara_sqlite import billing, parts, reopening
from sara_sqlite.remembering import recognised
from sara_sqlite.rows import Connection, count, event, free_external_id, one, refresh_delivery, the

EARLY_KEPT = 86_400_000


def apply(db: Connection, receipt: DeliveryReceipt, now: Instant) -> sqlite3.Row | None:
    """Apply one receipt; return the part it speaks of, or None (then it is kept for a while: it may be early)."""
    attempt = _attempt_of(db, receipt)
    if attempt is None:
        _keep_early(db, receipt, now)
        return None
    part = the(db, "SELECT * FROM messages WHERE id = ?", attempt["message"])
    if attempt["state"] != "accepted":
        _was_accepted(db, attempt, part, receipt.external_id, now)
    elif receipt.external_id and attempt["external_id"] is None:
        db.execute("UPDATE attempts SET external_id = ? WHERE id = ?", (receipt.external_id, attempt["id"]))
    _advance(db, attempt["id"], part["id"], receipt, now)
    refresh_delivery(db, part["conversation"], now)
    return part


def apply_early(db: Connection, attempt_id: str, part: sqlite3.Row, external_id: str, now: Instant) -> None:
    """Apply the receipts that came before the answer to their request."""
    rows = db.execute(
        "SELECT * FROM early_receipts WHERE account = ? AND external_id = ? ORDER BY id", (part["account"], external_id)
    ).fetchall()
    for row in rows:
        _advance(db, attempt_id, part["id"], _early(row), now)
    if rows:
        db.execute("DELETE FROM early_receipts WHERE account = ? AND external_id = ?", (part["account"], external_id))


def _early(row: sqlite3.Row) -> DeliveryReceipt:
    failed = row["status"] == "failed"
    return DeliveryReceipt(
        row["account"],
        row["status"],
        row["at"],
        row["external_id"],
        failure=DeliveryFailure(row["code"] or "", row["reason"] or "", row["follows"], row["after"]) if failed else None,
        pricing=row["pricing"] and json.loads(row["pricing"]),
        counts=bool(row["counts"]),
    )


def note_second_acceptance(db: Connection, part: sqlite3.Row, now: Instant) -> None:
    """Count a part that the provider accepted more than once."""
    accepted = the(
        db, "SELECT count(*) AS n FROM attempts WHERE message = ? AND state = 'accepted' AND requeued = 0", part["id"]
    )["n"]
    if accepted > 1:
        count(db, "duplicate_sends")
        event(
            db,
            now,
            "duplicate_accepted",
            "the provider accepted this more than once",
            conversation=part["conversation"],
            message=part["id"],
        )


def _attempt_of(db: Connection, receipt: DeliveryReceipt) -> sqlite3.Row | None:
    sql = "SELECT a.* FROM attempts a JOIN messages m ON m.id = a.message WHERE m.account = ? AND "
    found = one(db, sql + "a.id = ?", receipt.account, receipt.attempt_id) if receipt.attempt_id else None
    if found is None and receipt.external_id:
        found = one(db, sql + "a.external_id = ?", receipt.account, receipt.external_id)
    return found


def _was_accepted(db: Connection, attempt: sqlite3.Row, part: sqlite3.Row, external_id: str | None, now: Instant) -> None:
    """Record that the attempt was accepted, which the request's own answer could not prove."""
    db.execute(
        "UPDATE attempts SET state = 'accepted', settled_at = ?, external_id = coalesce(?, external_id) WHERE id = ?",
        (now, external_id, attempt["id"]),
    )
    if part["external_id"] is None and (free := free_external_id(db, part, external_id)):
        db.execute("UPDATE messages SET external_id = ? WHERE id = ?", (free, part["id"]))
    if attempt["state"] != "sending":
        event(
            db,
            now,
            "reconciled",
            f"a receipt settled attempt {attempt['id']}",
            conversation=part["conversation"],
            message=part["id"],
            actor="provider",
        )
    note_second_acceptance(db, part, now)


def _advance(db: Connection, attempt_id: str, part_id: int, receipt: DeliveryReceipt, now: Instant) -> None:
    """Move the attempt forward, and the part as far as its attempts together allow."""
    part = the(db, "SELECT * FROM messages WHERE id = ?", part_id)
    attempt = the(db, "SELECT * FROM attempts WHERE id = ?", attempt_id)
    price = billing.note(db, attempt, part, receipt)
    if receipt.status == "failed":
        # Told again it changes nothing: the message may have been sent again.
        if attempt["status"] in (None, "sent"):
            db.execute("UPDATE attempts SET status = 'failed' WHERE id = ?", (attempt_id,))
            _fail_unless_another_may_succeed(db, part, attempt_id, receipt, now)
        return
    if attempt["status"] == "failed" and receipt.status == "sent":
        return
    if attempt["requeued"]:
        # It arrived after all; if the part has left again since, it arrives twice.
        db.execute("UPDATE attempts SET requeued = 0 WHERE id = ?", (attempt_id,))
        note_second_acceptance(db, part, now)
    if attempt["status"] is None or RECEIPT_RANK.get(receipt.status, 0) > RECEIPT_RANK.get(attempt["status"], 0):
        db.execute("UPDATE attempts SET status = ? WHERE id = ?", (receipt.status, attempt_id))
    if RECEIPT_RANK.get(receipt.status, 0) <= RECEIPT_RANK.get(part["state"], 0):
        return
    db.execute("UPDATE messages SET state = ?, reason = NULL, error = NULL WHERE id = ?", (receipt.status, part_id))
    event(db, now, receipt.status, price, conversation=part["conversation"], message=part_id, actor="provider")


def _fail_unless_another_may_succeed(
    db: Connection, part: sqlite3.Row, attempt_id: str, receipt: DeliveryReceipt, now: Instant
) -> None:
    """End the attempt that failed; the message fails only if no other attempt has arrived or is on its way. One in doubt keeps no
    part alive: should its receipt come after all, it lifts the part out of its failure."""
    failure = receipt.failure or DeliveryFailure("", "the provider gave no reason")
    other = one(
        db,
        "SELECT 1 FROM attempts WHERE message = ? AND (state = 'sending' OR (state = 'accepted'"
        " AND coalesce(status, '') <> 'failed'))",
        part["id"],
    )
    if other is not None or RECEIPT_RANK.get(part["state"], 0) > RECEIPT_RANK["sent"] or part["state"] in ("failed", "cancelled"):
        return
    if reopening.reopen(db, part, attempt_id, failure, receipt.at, now):
        return
    parts.fail(db, part, failure.full_reason, now, actor="provider")


def _keep_early(db: Connection, receipt: DeliveryReceipt, now: Instant) -> None:
    if not receipt.external_id or recognised(db, receipt.account, receipt.external_id):
        return
    if recognised(db, receipt.account, receipt.attempt_id):
        return
    db.execute("DELETE FROM early_receipts WHERE kept_at < ?", (now - EARLY_KEPT,))
    failure = receipt.failure or DeliveryFailure("", "")
    db.execute(
        "INSERT INTO early_receipts (account, external_id, status, at, code, reason, follows, after, pricing, counts, kept_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            receipt.account,
            receipt.external_id,
            receipt.status,
            receipt.at,
            failure.code,
            f"{failure.reason} ({failure.details})" if failure.details else failure.reason,
            failure.action,
            failure.after,
            receipt.pricing and json.dumps(dict(receipt.pricing), default=str),
            int(receipt.counts),
            now,
        ),
    )
