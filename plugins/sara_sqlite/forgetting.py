"""Erasure of a person: one transaction anonymises them, then small steps delete all rows.

The first transaction stores which contacts are erased, so that the steps continue after a restart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from sara import AccountEvent, IdentityChange, Instant
from sara.engines import AccountChange, ErasureReport, NotFound
from sara_sqlite import people, states
from sara_sqlite.deleting import delete
from sara_sqlite.dossier import circle_of
from sara_sqlite.remembering import RECOGNISED, remember, remember_changes, remember_silence
from sara_sqlite.rows import CONTACT, CONVERSATION, ERASED, Connection, count, ident, one, refresh_delivery, the

UNSAID = states.UNSETTLED


def begin(db: Connection, who: str, now: Instant) -> tuple[ErasureReport, Instant]:
    """Anonymise a person; return what there was of them, and since when."""
    circle = circle_of(db, who)
    if not circle:
        raise NotFound(f"no contact matches {who}")
    chosen = json.dumps(circle)
    threads = [
        row["id"]
        for row in db.execute("SELECT id FROM conversations WHERE contact IN (SELECT value FROM json_each(?))", (chosen,))
    ]
    held = the(
        db,
        "SELECT count(*) AS messages, (SELECT count(*) FROM messages m JOIN attachments a ON a.message = m.id"
        " WHERE a.file IS NOT NULL AND m.conversation IN (SELECT value FROM json_each(?1))) AS files"
        " FROM messages WHERE conversation IN (SELECT value FROM json_each(?1))",
        json.dumps(threads),
    )
    since = the(db, "SELECT min(created_at) AS at FROM contacts WHERE id IN (SELECT value FROM json_each(?))", chosen)["at"]
    opt_out_retained = remember_silence(db, circle, now)
    remember_changes(db, circle, now)
    _keep_known(db, threads, now)
    _drop_mentions(db, circle)
    _stop(db, threads, now)
    db.execute("DELETE FROM aliases WHERE contact IN (SELECT value FROM json_each(?))", (chosen,))
    db.execute(
        "UPDATE contacts SET user_id = NULL, parent_id = NULL, phone = NULL, username = NULL, name = NULL"
        " WHERE id IN (SELECT value FROM json_each(?))",
        (chosen,),
    )
    db.executemany("INSERT INTO erasures (contact, began_at) VALUES (?, ?)", ((each, now) for each in circle))
    count(db, "erased")
    told = ErasureReport(
        tuple(ident(CONTACT, each) for each in circle),
        tuple(ident(CONVERSATION, each) for each in threads),
        held["messages"],
        held["files"],
        opt_out_retained,
    )
    return told, int(since)


def _keep_known(db: Connection, threads: list[int], now: Instant) -> None:
    """Record tombstones, so that what the provider may deliver again stays recognised for a while."""
    lately = db.execute(
        "SELECT id FROM messages WHERE created_at >= ? AND conversation IN (SELECT value FROM json_each(?))",
        (now - RECOGNISED, json.dumps(threads)),
    ).fetchall()
    remember(db, [row["id"] for row in lately], now)
    db.execute(
        "DELETE FROM early_receipts WHERE (account, external_id) IN (SELECT account, external_id FROM messages"
        " WHERE conversation IN (SELECT value FROM json_each(?)))",
        (json.dumps(threads),),
    )


def _drop_mentions(db: Connection, circle: list[int]) -> None:
    """Delete what names them outside of their conversations: unparsed payloads, and events of no conversation."""
    values = db.execute("SELECT value FROM aliases WHERE contact IN (SELECT value FROM json_each(?))", (json.dumps(circle),))
    for value in [row["value"].encode() for row in values]:
        # A whole id, not the beginning of another one.
        whole = re.compile(rb"(?<![0-9A-Za-z])" + re.escape(value) + rb"(?![0-9A-Za-z])")
        bodies = db.execute("SELECT id, body FROM unparsed_payloads WHERE instr(body, ?) > 0", (value,)).fetchall()
        db.executemany(
            "DELETE FROM unparsed_payloads WHERE id = ?", ((row["id"],) for row in bodies if whole.search(row["body"]))
        )
    named = re.compile(rf"\b({'|'.join(ident(CONTACT, each) for each in circle)})\b")
    events = db.execute("SELECT id, detail FROM events WHERE conversation IS NULL AND message IS NULL").fetchall()
    db.executemany("DELETE FROM events WHERE id = ?", ((row["id"],) for row in events if named.search(row["detail"])))


def _stop(db: Connection, threads: list[int], now: Instant) -> None:
    """Nothing is due any more, and what is under way comes too late."""
    for thread in threads:
        db.execute(
            f"UPDATE messages SET state = 'cancelled', reason = 'erased' WHERE conversation = ? AND state IN {UNSAID}",  # noqa: S608
            (thread,),
        )
        db.execute(
            "UPDATE messages SET state = 'skipped', reason = 'erased' WHERE conversation = ? AND state = 'waiting'", (thread,)
        )
        db.execute(
            "UPDATE conversations SET account = ?, reply_due = NULL, deliver_due = NULL, timer_due = NULL, waiting_since = NULL,"
            " person_since = NULL, attempt = attempt + 1, attempt_open = 0, attempts = 0, attempts_first = NULL, error = NULL"
            " WHERE id = ?",
            (ERASED, thread),
        )
        db.execute(
            "UPDATE attachments SET due = NULL WHERE due IS NOT NULL AND message IN (SELECT id FROM messages WHERE conversation = ?)",
            (thread,),
        )
        _tell_nobody(db, thread, now)
        db.execute("DELETE FROM jobs WHERE key = ?", (ident(CONVERSATION, thread),))


def _tell_nobody(db: Connection, thread: int, now: Instant) -> None:
    """Cancel unsent notifications of operators about an erased conversation; sent ones are erased with it."""
    told = db.execute(
        f"SELECT id, conversation FROM messages WHERE about = ? AND state IN {UNSAID}",  # noqa: S608
        (thread,),
    ).fetchall()
    for row in told:
        db.execute("UPDATE messages SET state = 'cancelled', reason = 'erased' WHERE id = ?", (row["id"],))
        refresh_delivery(db, row["conversation"], now)


# Files that no message of anybody else uses.
_THEIRS_ALONE = """
    a.file IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM attachments y JOIN messages n ON n.id = y.message JOIN conversations d ON d.id = n.conversation
        WHERE y.file = a.file AND d.contact NOT IN (SELECT contact FROM erasures))
"""


def files(db: Connection, limit: int) -> Sequence[str]:
    """Return the names of files that have to be deleted first."""
    rows = db.execute(
        "SELECT DISTINCT a.file FROM erasures e CROSS JOIN conversations c ON c.contact = e.contact"  # noqa: S608
        " CROSS JOIN messages m ON m.conversation = c.id CROSS JOIN attachments a ON a.message = m.id"
        f" WHERE e.rows_gone = 0 AND {_THEIRS_ALONE} LIMIT ?",
        (limit,),
    )
    return [row["file"] for row in rows.fetchall()]


def step(db: Connection, limit: int) -> bool:
    """Delete some rows of a contact that is being erased; return False once no row is left."""
    # Linked contacts go first: they refer to their canonical contact.
    row = one(db, "SELECT contact FROM erasures WHERE rows_gone = 0 ORDER BY contact DESC LIMIT 1")
    if row is None:
        return False
    contact = row["contact"]
    messages = db.execute(
        "SELECT m.id FROM conversations c CROSS JOIN messages m ON m.conversation = c.id WHERE c.contact = ?"  # noqa: S608
        f" AND NOT EXISTS (SELECT 1 FROM attachments a WHERE a.message = m.id AND {_THEIRS_ALONE}) LIMIT ?",
        (contact, limit),
    ).fetchall()
    delete(db, "messages", [each["id"] for each in messages])
    if len(messages) == limit:
        return True
    left = one(
        db, "SELECT 1 FROM conversations c CROSS JOIN messages m ON m.conversation = c.id WHERE c.contact = ? LIMIT 1", contact
    )
    if left is None:
        delete(db, "contacts", [contact])
        db.execute("UPDATE erasures SET rows_gone = 1 WHERE contact = ?", (contact,))
    return True


def sign(db: Connection, change: AccountChange, digest: str) -> None:
    """Note whom a change was about, so that it goes when they do."""
    if isinstance(change, AccountEvent):
        return
    person = change.after if isinstance(change, IdentityChange) else change.person
    contact = people.find(db, change.account.partition(":")[0], person)
    db.execute("UPDATE applied_changes SET contact = ? WHERE digest = ?", (contact, digest))
