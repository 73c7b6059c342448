"""Failures that the provider tells of after it had taken a part: what may still be said goes back to be sent again."""

from __future__ import annotations

import json
import sqlite3

from sara import DeliveryFailure, Instant, Milliseconds, OutgoingContent
from sara.helpers import render_plain_text
from sara_sqlite import parts, states, window
from sara_sqlite.rows import Connection, event, head_of, one

AT_MOST = 3
"""So often a part is put back in a row; one that fails again after that has failed."""

PAUSE: Milliseconds = 60_000
"""How long a part is delayed where the provider names no time; twice as long each time, but never longer than `LONGEST`."""

LONGEST: Milliseconds = 7 * 86_400_000


def reopen(db: Connection, part: sqlite3.Row, attempt: str, failure: DeliveryFailure, at: Instant, now: Instant) -> bool:
    """Put back a part whose attempt failed at `at`, the provider's time; false where it has to end."""
    closed = failure.action == "park" and window.close(db, part["conversation"], at)
    if failure.action == "fail" or _unwanted(db, part) or _too_late(db, part, failure, closed=closed):
        return False
    if part["state"] == "parked":
        return True  # it waits for the customer already
    if part["state"] not in ("queued", "sending", "in_doubt", "accepted", "sent"):
        return False
    # A younger attempt may have arrived: its doubt is ended as any other.
    doubtful = one(
        db,
        "SELECT 1 FROM (SELECT id, state FROM attempts WHERE message = ? ORDER BY started_at DESC, id DESC LIMIT 1)"
        " WHERE state = 'in_doubt' AND id <> ?",
        part["id"],
        attempt,
    )
    waits = failure.action == "retry" and doubtful is None
    pause = min((failure.after or PAUSE) << part["requeued"], LONGEST) if waits else 0
    told = failure.full_reason
    if failure.action == "send_as_text":
        db.execute("UPDATE messages SET kind = 'text', content = '{}', text = ? WHERE id = ?", (_words_of(part), part["id"]))
    # What is no fault of the part is not held against it: how often it is tried is a matter of its channel's probes.
    counted = int(failure.action != "block_channel")
    db.execute(
        "UPDATE messages SET state = ?, reason = NULL, error = ?, not_before = ?, requeued = requeued + ?, attempts = 0,"
        " attempts_first = NULL WHERE id = ?",
        ("queued" if doubtful is None else "in_doubt", told, now + pause, counted, part["id"]),
    )
    db.execute("UPDATE attempts SET requeued = 1 WHERE id = ?", (attempt,))
    event(db, now, "requeued", told, conversation=part["conversation"], message=part["id"], actor="provider")
    return True


def _unwanted(db: Connection, part: sqlite3.Row) -> bool:
    """Return whether the person wants silence, or what came before in the same answer did not reach them."""
    if part["purpose"] != "operator" and head_of(db, part["conversation"])["opted_out"]:
        return True
    return part["reply"] is not None and (
        one(
            db,
            "SELECT 1 FROM messages WHERE reply = ? AND id < ? AND direction = 'out' AND state = 'failed'",
            part["reply"],
            part["id"],
        )
        is not None
    )


def _too_late(db: Connection, part: sqlite3.Row, failure: DeliveryFailure, *, closed: bool) -> bool:
    """Return whether it was put back often enough, or would come after what was said later. What left later while the window
    was closed fails as it did, unless a person said it; a template cannot wait for the window that it is to open."""
    if part["requeued"] >= AT_MOST and failure.action != "block_channel":
        return True
    if failure.action == "park" and part["purpose"] == "template":
        return True
    if failure.action == "send_as_text":
        # Late words are better than none, if what overtook them belongs to the same answer.
        beside = "" if part["reply"] is None else f" AND reply IS NOT {int(part['reply'])}"
        return not _words_of(part) or parts.overtaken(db, part, parts.LEFT + beside)
    # Where the window or the channel is closed, and for longer than a moment, messages that left later fail as well.
    shut = closed or (failure.action == "block_channel" and (failure.after is None or failure.after > PAUSE))
    arrived = f"(state IN {states.ARRIVED} OR purpose = 'operator' AND {parts.LEFT})"
    return parts.overtaken(db, part, arrived if shut else parts.LEFT)


def _words_of(part: sqlite3.Row) -> str:
    """Return the text of a message without its file; empty for one that is text already."""
    content = json.loads(part["content"])
    given = {"url": content["url"]} if "url" in content else {}
    return "" if part["kind"] == "text" else render_plain_text(OutgoingContent(part["text"], part["kind"], given))
