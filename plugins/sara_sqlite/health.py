"""Conversations that need an operator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from sara import Instant, Milliseconds
from sara.engines import UnhealthyConversation
from sara_sqlite import states
from sara_sqlite.rows import CONTACT, CONVERSATION, Connection, ident

What: TypeAlias = Literal["unanswered", "failing", "doubtful", "waiting_for_person"]

RECENT: Milliseconds = 7 * 86_400_000

SOON: Milliseconds = 600_000
"""What is to be looked at later than this waits on purpose, for the shop to open say."""

_FROM = "SELECT c.id, c.account, c.contact, coalesce(p.name, p.username) AS name, p.phone, {since} AS since, {detail} AS detail FROM {where}"
_TROUBLE = (
    _FROM.format(
        since="min(m.created_at)",
        detail="coalesce(m.error, m.reason)",
        where="messages m INDEXED BY messages_trouble JOIN conversations c ON c.id = m.conversation JOIN contacts p ON p.id = c.contact",
    )
    + f" WHERE m.state IN {states.TROUBLE} AND m.created_at >= :recent AND m.state IN {{shown}}"
    " GROUP BY c.id ORDER BY since LIMIT :limit"
)

_SQL: Mapping[What, str] = {
    "unanswered": _FROM.format(
        since="c.waiting_since",
        detail="c.error",
        where="conversations c INDEXED BY conversations_reply_due JOIN contacts p ON p.id = c.contact",
    )
    + " WHERE c.reply_due <= :soon AND c.waiting_since <= :unanswered AND c.mode = 'bot' ORDER BY since LIMIT :limit",
    "failing": _TROUBLE.format(shown=states.FAILING),
    "doubtful": _TROUBLE.format(shown=states.DOUBTFUL),
    "waiting_for_person": _FROM.format(
        since="c.person_since",
        detail="''",
        where="conversations c INDEXED BY conversations_person JOIN contacts p ON p.id = c.contact",
    )
    + " WHERE c.person_since <= :person AND c.mode = 'human' ORDER BY since LIMIT :limit",
}


def unhealthy(
    db: Connection, now: Instant, unanswered: Milliseconds, person: Milliseconds, limit: int
) -> list[UnhealthyConversation]:
    """Each conversation once for each thing that is wrong with it, the longest first."""
    limits = {"recent": now - RECENT, "soon": now + SOON, "unanswered": now - unanswered, "person": now - person, "limit": limit}
    found = [
        UnhealthyConversation(
            ident(CONVERSATION, row["id"]),
            row["account"],
            ident(CONTACT, row["contact"]),
            row["name"],
            what,
            row["since"],
            row["detail"] or "",
            row["phone"],
        )
        for what, sql in _SQL.items()
        for row in db.execute(sql, limits)
    ]
    return sorted(found, key=lambda each: each.since)[:limit]
