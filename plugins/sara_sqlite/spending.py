"""What the AI costs: set aside before a call, settled after it; and how many messages come to a channel."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sara import Instant, Usage
from sara.engines import OverBudget, UsageLimit, UsageReservation
from sara_sqlite.rows import Connection, the

DAY = 86_400_000
MINUTE = 60_000


def reserve(db: Connection, conversation: int, wanted: UsageReservation | None) -> None:
    """Set aside what a call may cost. Raises OverBudget where a ceiling cannot hold it."""
    # The reservation of a call that a crash left unsettled stays counted.
    db.execute("UPDATE conversations SET reserved = NULL WHERE id = ? AND reserved IS NOT NULL", (conversation,))
    if wanted is None:
        return
    for ceiling in wanted.ceilings:
        so_far = spent(db, ceiling.period)
        _must_hold(ceiling, "calls", ceiling.calls, so_far, 1)
        _must_hold(ceiling, "tokens", ceiling.tokens, so_far, wanted.tokens)
        _must_hold(ceiling, "money", ceiling.money, so_far, wanted.money)
    for ceiling in wanted.ceilings:
        _add(db, ceiling.period, calls=1, tokens=wanted.tokens, money=wanted.money)
    kept = {"periods": [each.period for each in wanted.ceilings], "tokens": wanted.tokens, "money": wanted.money}
    db.execute("UPDATE conversations SET reserved = ? WHERE id = ?", (json.dumps(kept), conversation))


def _must_hold(ceiling: UsageLimit, what: str, most: int | None, so_far: Mapping[str, int], wanted: int) -> None:
    if most is not None and so_far.get(what, 0) + wanted > most:
        raise OverBudget(f"the AI's {what} for {ceiling.period} are used up", period=ceiling.period)


def settle(db: Connection, conversation: int, usage: Usage | None, money: int) -> None:
    """Replace the reservation by what the call cost; keep it where the responder did not say."""
    kept = _taken(db, conversation)
    if kept is None or usage is None:
        return
    used = usage.input_tokens + usage.output_tokens
    for period in kept["periods"]:
        _add(db, period, tokens=used - kept["tokens"], money=money - kept["money"])


def give_back(db: Connection, conversation: int) -> None:
    """Release the reservation of a failed call, which stays counted as a call."""
    kept = _taken(db, conversation)
    if kept is None:
        return
    for period in kept["periods"]:
        _add(db, period, tokens=-kept["tokens"], money=-kept["money"])


def charge(db: Connection, periods: tuple[str, ...], usage: Usage | None, money: int) -> None:
    """Count a call without a reservation."""
    used = usage.input_tokens + usage.output_tokens if usage else 0
    for period in periods:
        _add(db, period, calls=1, tokens=used, money=money)


def _taken(db: Connection, conversation: int) -> dict[str, Any] | None:
    row = the(db, "SELECT reserved FROM conversations WHERE id = ?", conversation)
    db.execute("UPDATE conversations SET reserved = NULL WHERE id = ?", (conversation,))
    return None if row["reserved"] is None else dict(json.loads(row["reserved"]))


def _add(db: Connection, period: str, calls: int = 0, tokens: int = 0, money: int = 0) -> None:
    db.execute(
        "INSERT INTO ai_usage (period, calls, tokens, cost_micros) VALUES (?, ?, ?, ?) ON CONFLICT (period) DO UPDATE"
        " SET calls = calls + excluded.calls, tokens = max(0, tokens + excluded.tokens), cost_micros = max(0, cost_micros + excluded.cost_micros)",
        (period, calls, tokens, money),
    )


def spent(db: Connection, period: str) -> dict[str, int]:
    """Return the AI usage of a period."""
    row = db.execute("SELECT calls, tokens, cost_micros AS money FROM ai_usage WHERE period = ?", (period,)).fetchone()
    return dict(row) if row is not None else {"calls": 0, "tokens": 0, "money": 0}


def tally(db: Connection, account: str, messages: int, now: Instant) -> None:
    """Count messages that call for an answer; counts older than two days are deleted."""
    if not messages:
        return
    for period in _periods(now).values():
        db.execute(
            "INSERT INTO rate_counts (account, period, n, at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (account, period) DO UPDATE SET n = n + excluded.n",
            (account, period, messages, now),
        )
    db.execute("DELETE FROM rate_counts WHERE at < ?", (now - 2 * DAY,))


def tallied(db: Connection, account: str, now: Instant) -> dict[str, int]:
    """Return how many messages came to an account in this minute and on this day."""
    found = {}
    for name, period in _periods(now).items():
        row = db.execute("SELECT n FROM rate_counts WHERE account = ? AND period = ?", (account, period)).fetchone()
        found[name] = 0 if row is None else int(row["n"])
    return found


def _periods(now: Instant) -> dict[str, str]:
    return {"minute": str(now // MINUTE), "day": f"d{now // DAY}"}
