"""What the timers of a conversation go by: silence, closing, summaries."""

from __future__ import annotations

from collections.abc import Sequence

from sara import Contact as Customer
from sara import HistoryMessage, Instant, OutgoingContent, Usage
from sara.engines import Conflict, OpenWork, TimerView
from sara_sqlite import parts, spending, states
from sara_sqlite.rows import (
    CONTACT,
    CONVERSATION,
    IN_HISTORY,
    LEFT,
    LINES,
    MESSAGE,
    Connection,
    event,
    head_of,
    ident,
    line,
    number,
    one,
    open_work,
    refresh_delivery,
    the,
)
from sara_sqlite.saying import SCHEDULED

MOST_OLDER = 1_000
"""Counting what no summary holds ends here."""

_WAITING = "state = 'waiting'"
_UNSENT = f"state IN {states.UNSENT}"
_THEIRS = "direction = 'in'"
_OURS = f"direction = 'out' AND purpose IN ('reply', 'operator') AND about IS NULL AND {LEFT}"
"""What breaks a silence, and what does not: our own notices, and what did not leave. The customer breaks it when their words
arrive; what a person said outside SARA counts from when it was said."""

_NEAR = 20
"""What was given a time stands before what was said since it was written down; the latest of ours is among so many."""


def view(db: Connection, conversation: str, shown: int) -> TimerView | None:
    """All that the decision needs."""
    key = number(CONVERSATION, conversation)
    row = one(db, "SELECT * FROM conversations WHERE id = ?", key)
    if row is None:
        return None
    person = head_of(db, key)
    scheduled = the(
        db,
        "SELECT min(not_before) AS at FROM messages INDEXED BY messages_parked"
        " WHERE conversation = ? AND state = 'parked' AND reason = ?",
        key,
        SCHEDULED,
    )
    return TimerView(
        conversation=conversation,
        account=row["account"],
        contact=Customer(ident(CONTACT, row["contact"]), person["name"], person["username"], person["language"], person["notes"]),
        opted_out=bool(person["opted_out"]),
        mode=row["mode"],
        mode_until=row["mode_until"],
        waiting=_count(db, _WAITING, key),
        unsent=_count(db, _UNSENT, key),
        customer_at=_last(db, key, _THEIRS, 1),
        ours_at=_last(db, key, _OURS, _NEAR),
        window_from=None if row["window_closed"] else row["customer_at"],
        followed_up=bool(row["followed_up"]),
        closed=row["closed_at"] is not None,
        scheduled=scheduled["at"],
        older=len(_older(db, key, shown, MOST_OLDER)),
        due=row["timer_due"],
    )


def _count(db: Connection, where: str, conversation: int) -> int:
    row = the(
        db,
        f"SELECT count(*) AS n FROM (SELECT 1 FROM messages WHERE conversation = ? AND {where} LIMIT 100)",  # noqa: S608  # conditions are ours
        conversation,
    )
    return int(row["n"])


def _last(db: Connection, conversation: int, where: str, among: int) -> Instant | None:
    row = one(
        db,
        "SELECT max(at) AS at FROM (SELECT CASE direction WHEN 'in' THEN created_at ELSE min(at, created_at) END AS at FROM messages"  # noqa: S608  # the same
        f" WHERE conversation = ? AND {where} ORDER BY id DESC LIMIT ?)",
        conversation,
        among,
    )
    return None if row is None else row["at"]


def _older(db: Connection, conversation: int, shown: int, limit: int) -> list[int]:
    """Return the oldest messages of this session that no summary holds and that are not among the newest `shown`, in order."""
    newest = one(
        db,
        f"SELECT id FROM messages WHERE conversation = ? AND {IN_HISTORY} ORDER BY id DESC LIMIT 1 OFFSET ?",  # noqa: S608  # the same
        conversation,
        shown,
    )
    if newest is None:
        return []
    rows = db.execute(
        "SELECT m.id FROM conversations c JOIN messages m ON m.conversation = c.id WHERE c.id = ?"  # noqa: S608  # the same
        f" AND m.id > max(c.summary_to, c.session_start - 1) AND m.id <= ? AND {IN_HISTORY} ORDER BY m.id LIMIT ?",
        (conversation, newest["id"], limit),
    )
    return [row["id"] for row in rows]


def set_timer(db: Connection, conversation: str, due: Instant | None, now: Instant) -> OpenWork:
    """Return when to look next."""
    key = number(CONVERSATION, conversation)
    db.execute("UPDATE conversations SET timer_due = ? WHERE id = ?", (due, key))
    return open_work(db, key)


def follow_up(db: Connection, conversation: str, draft: OutgoingContent, silent_since: Instant, now: Instant) -> OpenWork:
    """Ask once more."""
    key = number(CONVERSATION, conversation)
    _still_silent(db, key, silent_since)
    row = the(db, "SELECT * FROM conversations WHERE id = ?", key)
    if row["mode"] != "bot" or head_of(db, key)["opted_out"] or row["followed_up"]:
        raise Conflict("no follow-up is due any more")
    parts.add(db, row, [draft], "notice", None, now)
    db.execute("UPDATE conversations SET followed_up = 1 WHERE id = ?", (key,))
    event(db, now, "followed_up", conversation=key)
    return refresh_delivery(db, key, now)


def close(db: Connection, conversation: str, silent_since: Instant, now: Instant) -> OpenWork:
    """Close it until the customer writes."""
    key = number(CONVERSATION, conversation)
    _still_silent(db, key, silent_since)
    if db.execute("UPDATE conversations SET closed_at = ? WHERE id = ? AND closed_at IS NULL", (now, key)).rowcount:
        event(db, now, "closed", "nothing was said for long", conversation=key)
    return open_work(db, key)


def _still_silent(db: Connection, conversation: int, since: Instant) -> None:
    """Asks the same as the view: what that does not show must not keep a timer from ever being done."""
    if _count(db, _WAITING, conversation):
        raise Conflict("a message waits")
    if _count(db, _UNSENT, conversation):
        raise Conflict("something is being said")
    if max(_last(db, conversation, _THEIRS, 1) or 0, _last(db, conversation, _OURS, _NEAR) or 0) > since:
        raise Conflict("something was said since")


def older_lines(db: Connection, conversation: str, shown: int, limit: int) -> tuple[str, Sequence[HistoryMessage]]:
    """Return the summary so far, and the messages that come next into it."""
    key = number(CONVERSATION, conversation)
    row = the(db, "SELECT summary FROM conversations WHERE id = ?", key)
    chosen = _older(db, key, shown, limit)
    if not chosen:
        return row["summary"], ()
    marks = ", ".join("?" * len(chosen))
    rows = db.execute(LINES + f" WHERE m.id IN ({marks}) ORDER BY m.id", (head_of(db, key)["id"], *chosen))
    return row["summary"], tuple(line(each) for each in rows)


def save_summary(
    db: Connection,
    conversation: str,
    text: str,
    upto: str,
    usage: Usage | None,
    money: int,
    periods: tuple[str, ...],
    now: Instant,
) -> None:
    """Keep a summary, unless a new session has begun or a message in it was erased."""
    key, last = number(CONVERSATION, conversation), number(MESSAGE, upto)
    spending.charge(db, periods, usage, money)
    kept = db.execute(
        "UPDATE conversations SET summary = ?, summary_to = ? WHERE id = ? AND session_start <= ? AND summary_to < ?"
        " AND EXISTS (SELECT 1 FROM messages WHERE id = ? AND conversation = ?)",
        (text, last, key, last, last, last, key),
    ).rowcount
    if kept:
        event(db, now, "summarised", f"up to {upto}", conversation=key)


def begin_chapter(db: Connection, conversation: int, message: int, now: Instant) -> None:
    """Begin a new session at this message: earlier messages are no longer history, but can still be searched."""
    db.execute(
        "UPDATE conversations SET session_start = ?, summary = '', summary_to = 0, closed_at = NULL WHERE id = ?",
        (message, conversation),
    )
    event(db, now, "session_started", "earlier messages are no longer history", conversation=conversation, message=message)
