"""All that is stored about one person."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from sara import SaraError
from sara.engines import SubjectData
from sara.helpers import number_spellings, read_number
from sara_sqlite import people
from sara_sqlite.deleting import holders
from sara_sqlite.rows import CONTACT, CONVERSATION, Connection, ident, number

SHOWN_ELSEWHERE = {"contacts", "aliases", "conversations", "messages", "replies"}


def circle_of(db: Connection, who: str) -> list[int]:
    """Return the contacts of the person with this contact id, conversation, number or user id, the head first; none if there
    is nobody, or nobody any more. Another spelling of a number counts where nobody has the number itself. Raises SaraError
    where it may be either of several people."""
    number_of = read_number(who) or who
    heads = _heads(db, who, [who, number_of]) or _heads(db, "", number_spellings(number_of))
    if len(heads) > 1:
        named = " and ".join(ident(CONTACT, head) for head in heads)
        raise SaraError(f"{who} may be {named}, known from different places; name one of them")
    return people.circle(db, heads[0]) if heads else []


def _heads(db: Connection, who: str, values: Sequence[str]) -> list[int]:
    """Return the people with one of these ids or numbers."""
    rows = db.execute(
        "SELECT DISTINCT coalesce(linked, id) AS head FROM contacts WHERE id IN ("
        " SELECT ? UNION SELECT contact FROM conversations WHERE id = ?"
        " UNION SELECT contact FROM aliases WHERE value IN (SELECT value FROM json_each(?)))"
        " AND id NOT IN (SELECT contact FROM erasures)",
        (number(CONTACT, who), number(CONVERSATION, who), json.dumps(list(values))),
    ).fetchall()
    return [row["head"] for row in rows]


def dossier(db: Connection, who: str) -> SubjectData | None:
    """Return a person with all rows that refer to them, except messages."""
    circle = circle_of(db, who)
    if not circle:
        return None
    chosen = json.dumps(circle)
    threads = [
        row["id"]
        for row in db.execute("SELECT id FROM conversations WHERE contact IN (SELECT value FROM json_each(?))", (chosen,))
    ]
    details: dict[str, Any] = {
        "known_as": _rows(db, "contacts", "id", circle),
        "ids": _rows(db, "aliases", "contact", circle),
        "threads": _rows(db, "conversations", "id", threads),
    }
    for table, ids in (("contacts", circle), ("conversations", threads)):
        for holder, column in holders(db, table):
            if holder not in SHOWN_ELSEWHERE:
                details.setdefault(holder, []).extend(_rows(db, holder, column, ids))
    return SubjectData(
        ident(CONTACT, circle[0]),
        tuple(ident(CONTACT, each) for each in circle[1:]),
        tuple(ident(CONVERSATION, each) for each in threads),
        details,
    )


def _rows(db: Connection, table: str, column: str, ids: list[int]) -> list[dict[str, Any]]:
    rows = db.execute(f"SELECT * FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))", (json.dumps(ids),))  # noqa: S608
    return [_plain(row, table) for row in rows]


def _plain(row: sqlite3.Row, table: str) -> dict[str, Any]:
    """Return a row as JSON values, with public ids."""
    letters = {"contact": CONTACT, "linked": CONTACT, "conversation": CONVERSATION}
    letters["id"] = {"contacts": CONTACT, "conversations": CONVERSATION}.get(table, "")
    found: dict[str, Any] = {}
    for name in row.keys():  # noqa: SIM118  # a row is no mapping: iterating it gives values
        value = row[name]
        if isinstance(value, bytes):
            value = value.hex()
        found[name] = ident(letters[name], value) if isinstance(value, int) and letters.get(name) else value
    return found
