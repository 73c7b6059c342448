"""What messages cost, as far as the provider tells: counted once for each message that it took."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

from sara import DeliveryReceipt, Instant
from sara_sqlite.rows import Connection

COUNTED = "counted"
_LATEST: Instant = 253_402_300_799_000
"""The last moment that a calendar knows."""


def note(db: Connection, attempt: sqlite3.Row, part: sqlite3.Row, receipt: DeliveryReceipt) -> str:
    """Count the message that an attempt became; return its price in words, the first time that it is told. It comes again with
    each receipt."""
    price = ""
    if receipt.pricing and attempt["price"] is None:
        kind, category = (_word(receipt.pricing.get(name)) for name in ("type", "category"))
        db.execute("UPDATE attempts SET price = ? WHERE id = ?", (f"{kind}.{category}", attempt["id"]))
        _add(db, part["account"], receipt.at, f"{kind}.{category}")
        price = f"{kind} {category}"
    if receipt.counts and not attempt["counted"]:
        db.execute("UPDATE attempts SET counted = 1 WHERE id = ?", (attempt["id"],))
        _add(db, part["account"], receipt.at, COUNTED)
    return price


def _word(said: object) -> str:
    """Return a provider's word, shortened and in characters that any database accepts."""
    return str(said or "unknown")[:64].encode("ascii", "backslashreplace").decode("ascii")


def _add(db: Connection, account: str, at: Instant, what: str) -> None:
    month = datetime.fromtimestamp(min(max(at, 0), _LATEST) / 1_000, UTC).strftime("%Y-%m")
    db.execute(
        "INSERT INTO message_counts (account, month, what, n) VALUES (?, ?, ?, 1)"
        " ON CONFLICT (account, month, what) DO UPDATE SET n = n + 1",
        (account, month, what),
    )


def billed(db: Connection, account: str, month: str) -> dict[str, int]:
    """Return the sums of a month."""
    rows = db.execute("SELECT what, n FROM message_counts WHERE account = ? AND month = ?", (account, month))
    return {row["what"]: int(row["n"]) for row in rows}
