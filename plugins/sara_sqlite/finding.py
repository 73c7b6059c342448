"""Finding messages by their words, and paging through what happened and what was sent along."""

from __future__ import annotations

from collections.abc import Sequence

from sara import Attachment
from sara.engines import SearchHit, TimelineEvent
from sara_sqlite import attachments
from sara_sqlite.rows import ATTACHMENT, CONTACT, CONVERSATION, MESSAGE, Connection, ident, number

EVENT = "e"
WORDS = 32
"""More words than this narrow nothing down any further."""

BEGINNING = 3
"""Letters from which on the last word may be the beginning of one: what is shorter begins too many."""


def search(db: Connection, words: str, limit: int) -> Sequence[SearchHit]:
    """Messages with all these words, newest first."""
    asked = query(words)
    if not asked:
        return ()
    rows = db.execute(
        "SELECT m.id, m.conversation, m.direction, m.at, c.contact, coalesce(h.name, h.username) AS name,"
        " snippet(messages_text, 0, '[', ']', '…', 16) AS snippet FROM messages_text"
        " CROSS JOIN messages m ON m.id = messages_text.rowid JOIN conversations c ON c.id = m.conversation"
        " JOIN contacts p ON p.id = c.contact JOIN contacts h ON h.id = coalesce(p.linked, p.id)"
        " WHERE messages_text MATCH ? AND m.state <> 'quarantined' ORDER BY messages_text.rowid DESC LIMIT ?",
        (asked, limit),
    )
    return [
        SearchHit(
            ident(MESSAGE, row["id"]),
            ident(CONVERSATION, row["conversation"]),
            ident(CONTACT, row["contact"]),
            row["name"],
            row["direction"],
            row["at"],
            row["snippet"],
        )
        for row in rows
    ]


def query(words: str) -> str:
    """Return the typed words as an FTS5 query: each word quoted, so that no word is an operator."""
    typed = words.encode("utf-8", "replace").decode("utf-8").replace("\0", " ").split()
    found = [word for word in typed if any(map(str.isalnum, word))][:WORDS]
    if not found:
        return ""
    quoted = ['"' + word.replace('"', '""') + '"' for word in found]
    return " ".join(quoted) + ("*" if len(found[-1]) >= BEGINNING else "")


def events(db: Connection, conversation: str, after: str | None, limit: int) -> Sequence[TimelineEvent]:
    """Return a page of the events of a conversation."""
    start = 0 if after is None else number(EVENT, after)
    rows = db.execute(
        "SELECT * FROM events WHERE conversation = ? AND id > ? ORDER BY id LIMIT ?",
        (number(CONVERSATION, conversation), start, limit),
    )
    return [
        TimelineEvent(
            row["at"],
            row["what"],
            row["detail"],
            row["actor"],
            ident(EVENT, row["id"]),
            None if row["message"] is None else ident(MESSAGE, row["message"]),
        )
        for row in rows
    ]


def files(db: Connection, conversation: str, after: str | None, limit: int) -> Sequence[tuple[str, Attachment]]:
    """Return a page of the attachments of a conversation."""
    start = 0 if after is None else number(ATTACHMENT, after)
    rows = db.execute(
        "SELECT a.* FROM messages m JOIN attachments a ON a.message = m.id WHERE m.conversation = ? AND a.id > ?"
        " ORDER BY a.id LIMIT ?",
        (number(CONVERSATION, conversation), start, limit),
    )
    return [(ident(MESSAGE, row["message"]), attachments.attachment(row)) for row in rows]
