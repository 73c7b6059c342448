"""Restore of a backup without answering or sending a message twice.

What a backup says is still to be done may have been done since it was taken, and nothing can tell: receipts that would have
proved it came to the database that is gone. So none of it is done again by itself. It is set down as dead or held, with the
reason `restored`, for a person to look at.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sara import Instant, SaraError
from sara.engines import StoreUnavailable
from sara.helpers import open_private
from sara_sqlite import damage, reopening, states
from sara_sqlite.aside import CancelToken
from sara_sqlite.backup import COUNTED, check, copy_database, counts, newest, reading, remove, sync
from sara_sqlite.lock import Lock, owned_like
from sara_sqlite.migrate import bring_up, check_not_newer
from sara_sqlite.rows import Connection, event

READY = ".restored-"
"""A file of this name beside the database is a complete restored copy: from then on it only has to take its place."""

ASIDE = ".replaced-"
UNSENT = f"direction = 'out' AND state IN {states.UNSENT_OR_PARKED}"
UNANSWERED = "direction = 'in' AND state = 'waiting'"


def examine(path: Path, backup: Path, stop: CancelToken) -> dict[str, int]:
    """Return what a restore of `backup` to `path` would bring. Raises SaraError where it cannot be done; changes nothing."""
    with _locked(path, backup):
        return _examine(path, backup, stop)


def restore(path: Path, backup: Path, now: Instant, stop: CancelToken) -> dict[str, int | str]:
    """Put `backup` in the place of the database `path`, which is kept aside; return what it brought.

     The copy is made, marked and checked beside the database, and only then takes its place. Until that moment the present
    database is as it was; a crash after it is made good by the next start.
    """
    with _locked(path, backup) as lock:
        finish(path)
        taken = _examine(path, backup, stop)["newest"]
        fresh = path.with_name(f".{path.name}.restoring")
        try:
            remove(fresh)
            handle = open_private(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            try:
                owned_like(handle, path if path.exists() else path.parent)
            finally:
                os.close(handle)
            copy_database(backup, fresh, stop)
            brought = _prepare(fresh, taken, now, stop)
            sync(fresh)
            stop.check()
            stamp = _free_stamp(path, now)
            fresh.rename(path.with_name(path.name + READY + stamp))
        except sqlite3.Error as error:
            stop.check()
            raise StoreUnavailable(f"{backup} could not be restored: {error}; the present database is untouched") from error
        except OSError as error:
            why = error.strerror
            raise StoreUnavailable(f"{backup} could not be restored: {why}; the present database is untouched") from error
        finally:
            remove(fresh)
        finish(path)
        lock.remember_data()
    aside = path.with_name(path.name + ASIDE + stamp)
    return {**brought, "replaced": str(aside) if aside.exists() else ""}


def finish(path: Path) -> None:
    """Let a complete restored copy take its place, also one that a crash kept from it. Only for who holds the lock."""
    for fresh in pending(path):
        sync(path.parent)
        stamp = fresh.name.removeprefix(path.name + READY)
        for suffix in ("-wal", "-journal", ""):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.rename(path.with_name(path.name + ASIDE + stamp + suffix))
        path.with_name(path.name + "-shm").unlink(missing_ok=True)
        sync(path.parent)
        fresh.rename(path)
        damage.marker(path).unlink(missing_ok=True)
        sync(path.parent)


def pending(path: Path) -> list[Path]:
    """Restored copies that have not taken their place yet, oldest first."""
    return sorted(each for each in path.parent.iterdir() if each.name.startswith(path.name + READY))


def _locked(path: Path, backup: Path) -> Lock:
    if not backup.is_file():  # then nothing is made here, either
        raise SaraError(f"there is no file {backup}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreUnavailable(f"{path.parent} cannot be created: {error.strerror}") from error
    return Lock(path)


def _examine(path: Path, backup: Path, stop: CancelToken) -> dict[str, int]:
    if path.exists() and path.samefile(backup):
        raise SaraError(f"{backup} is the database in use, not a backup of it")
    try:
        with closing(reading(backup)) as found:
            check_not_newer(found, backup)
            if missing := {*COUNTED, "events"} - damage.tables_in(found):
                raise StoreUnavailable(f"{backup} is not a backup of SARA's: it has no table {min(missing)}")
            check(found, backup, stop)
            return {**counts(found), "newest": newest(found) or 0, **_open_in(found)}
    except sqlite3.Error as error:
        stop.check()
        raise StoreUnavailable(f"{backup} cannot be used: {error}") from error


def _open_in(db: Connection) -> dict[str, int]:
    """Return what was still to be done when a backup was taken."""
    return {
        name: db.execute(f"SELECT count(*) FROM messages WHERE {where}").fetchone()[0]  # noqa: S608  # conditions are ours
        for name, where in (("unsent", UNSENT), ("unanswered", UNANSWERED))
    }


def _prepare(fresh: Path, taken: Instant, now: Instant, stop: CancelToken) -> dict[str, int]:
    """Bring the copy to this SARA's schema, mark what may have been done since, and make sure of it."""
    with closing(sqlite3.connect(fresh, isolation_level=None, check_same_thread=False)) as db:
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("PRAGMA synchronous = OFF")  # it is synced as a whole before it counts
        bring_up(db)
        damage.glance(db, fresh)
        db.execute("BEGIN")
        found = mark(db, taken, now)
        db.execute("COMMIT")
        check(db, fresh, stop)
        return {**counts(db), "newest": taken, **found}


def mark(db: Connection, taken: Instant, now: Instant) -> dict[str, int]:
    """Set down what may have been done since `taken`, so that nothing does it again; return how much that was."""
    found = _open_in(db)
    when = datetime.fromtimestamp(taken / 1_000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    for where, state, done in ((UNSENT, "held", "sent"), (UNANSWERED, "dead", "answered")):
        why = f"restored: it may have been {done} since the backup of {when}"
        db.execute(
            "INSERT INTO events (at, conversation, message, what, detail)"  # noqa: S608  # conditions are ours
            f" SELECT ?, conversation, id, ?, ? FROM messages WHERE {where} ORDER BY id",
            (now, state, why),
        )
        db.execute(f"UPDATE messages SET state = ?, reason = 'restored', error = ? WHERE {where}", (state, why))  # noqa: S608
    # What the provider fails only now may have been failed, and sent again, before.
    undelivered = f"UPDATE messages SET requeued = ? WHERE direction = 'out' AND state IN {states.UNDELIVERED}"  # noqa: S608
    db.execute(undelivered, (reopening.AT_MOST,))
    # A receipt that still comes for one of these attempts settles it and moves its part forward.
    db.execute("UPDATE attempts SET state = 'in_doubt', settled_at = ?, error = 'restored' WHERE state = 'sending'", (now,))
    db.execute(
        "UPDATE conversations SET reply_due = NULL, deliver_due = NULL, waiting_since = NULL, attempt_open = 0, attempts = 0,"
        " attempts_first = NULL, reply_blocked = 0, crashes = 0, error = NULL, discarded_replies = 0, reserved = NULL, followed_up = 1"
    )
    # Those whose time is over were handed back since, and told so.
    over = "mode <> 'bot' AND mode_until <= ?"
    db.execute(
        "INSERT INTO events (at, conversation, what, detail)"  # noqa: S608  # the condition is ours
        f" SELECT ?, id, 'mode_bot', 'restored: the time for it is over' FROM conversations WHERE {over}",
        (now, now),
    )
    db.execute(f"UPDATE conversations SET mode = 'bot', mode_until = NULL, person_since = NULL WHERE {over}", (now,))  # noqa: S608
    db.execute("UPDATE processes SET ended_at = ? WHERE ended_at IS NULL", (now,))
    db.execute("DELETE FROM jobs")
    event(db, now, "restored", f"from a backup of {when}", actor="operator")
    return found


def _free_stamp(path: Path, now: Instant) -> str:
    """Return a suffix that no earlier restore has used."""
    while True:
        stamp = datetime.fromtimestamp(now / 1_000, UTC).strftime("%Y%m%dT%H%M%S") + f"{now % 1_000:03}Z"
        if not any(path.with_name(path.name + kind + stamp).exists() for kind in (READY, ASIDE)):
            return stamp
        now += 1
