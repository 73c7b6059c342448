"""Deletion of rows together with all rows that refer to them, by the foreign keys of the schema."""

from __future__ import annotations

import json
from collections.abc import Iterable

from sara_sqlite.rows import Connection

SAID_OF = {"messages": "message", "conversations": "conversation"}
"""Where events say what they are about."""


def holders(db: Connection, table: str) -> list[tuple[str, str]]:
    """Return the tables, and their columns, whose rows refer to rows of `table`."""
    rows = db.execute(
        'SELECT s.name AS holder, f."from" AS "column" FROM sqlite_schema s JOIN pragma_foreign_key_list(s.name) f'
        " WHERE s.type = 'table' AND f.\"table\" = ? AND s.name <> ?",
        (table, table),
    )
    return [(row["holder"], row["column"]) for row in rows]


def delete(db: Connection, table: str, ids: Iterable[int]) -> None:
    """Delete rows, first what hangs on them, with what is written about them."""
    chosen = json.dumps(list(ids))
    if chosen == "[]":
        return
    for holder, column in holders(db, table):
        if holders(db, holder):
            found = db.execute(f"SELECT id FROM {holder} WHERE {column} IN (SELECT value FROM json_each(?))", (chosen,))  # noqa: S608
            delete(db, holder, [row["id"] for row in found.fetchall()])
        else:
            _delete(db, holder, column, chosen)
    if table in SAID_OF:
        _delete(db, "events", SAID_OF[table], chosen)
    _delete(db, table, "id", chosen)


def _delete(db: Connection, table: str, column: str, chosen: str) -> None:
    db.execute(f"DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))", (chosen,))  # noqa: S608  # names are ours
