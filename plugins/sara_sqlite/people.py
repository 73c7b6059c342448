"""Who is who: people are known by the provider's own ids first, by phone number only where nothing contradicts it."""

from __future__ import annotations

import sqlite3

from sara import IdentityChange, Instant, Person
from sara_sqlite.rows import Connection, event, one, the


def resolve(db: Connection, provider: str, person: Person, now: Instant) -> int:
    """The contact that `person` is, made if there is none yet; what is newly known of them is kept."""
    contact = _by_id(db, provider, person)
    known_by_phone = _by_alias(db, provider, "phone", person.phone)
    if contact is None and known_by_phone is not None and not _contradicts(db, known_by_phone, person):
        contact = known_by_phone
    if contact is None:
        contact = _create(db, provider, now)
    elif known_by_phone is not None and known_by_phone != contact and not _contradicts(db, known_by_phone, person):
        contact = link(db, provider, contact, known_by_phone, now)
    _learn(db, provider, contact, person, now)
    return contact


def follow(db: Connection, change: IdentityChange, now: Instant) -> None:
    """The provider named both the old and the new identity: they are one person, whatever the numbers say."""
    provider = change.account.partition(":")[0]
    contact = _by_id(db, provider, change.before)
    if contact is None:
        contact = _by_alias(db, provider, "phone", change.before.phone)
    if contact is None:
        return
    successor = _by_id(db, provider, change.after)
    if successor is not None and successor != contact:
        contact = link(db, provider, contact, successor, now)
    if change.before.phone and change.after.phone != change.before.phone:
        db.execute(
            "DELETE FROM aliases WHERE provider = ? AND scheme = 'phone' AND value = ? AND contact = ?",
            (provider, change.before.phone, contact),
        )
        db.execute("UPDATE contacts SET phone = NULL WHERE id = ? AND phone = ?", (contact, change.before.phone))
    _learn(db, provider, contact, change.after, now)
    event(db, now, "identity_changed", detail="the provider named the old and the new id", actor="provider")


def link(db: Connection, provider: str, one_contact: int, other: int, now: Instant) -> int:
    """Make the older of two contacts the one that later messages go to; no message moves."""
    older, younger = sorted((one_contact, other))
    db.execute("UPDATE aliases SET contact = ? WHERE provider = ? AND contact = ?", (older, provider, younger))
    db.execute("UPDATE contacts SET linked = ? WHERE id = ? OR linked = ?", (older, younger, younger))
    # Silence once asked for holds for the whole person.
    db.execute(
        "UPDATE contacts SET opted_out = max(opted_out, (SELECT opted_out FROM contacts WHERE id = ?)) WHERE id = ?",
        (younger, older),
    )
    event(db, now, "contacts_linked", detail=f"p{younger} is p{older}")
    return older


def _by_id(db: Connection, provider: str, person: Person) -> int | None:
    found = _by_alias(db, provider, "user_id", person.user_id)
    return found if found is not None else _by_alias(db, provider, "parent_id", person.parent_id)


def _by_alias(db: Connection, provider: str, scheme: str, value: str | None) -> int | None:
    if not value:
        return None
    row = one(db, "SELECT contact FROM aliases WHERE provider = ? AND scheme = ? AND value = ?", provider, scheme, value)
    return None if row is None else int(row["contact"])


def _contradicts(db: Connection, contact: int, person: Person) -> bool:
    """Whether `contact` has another user id than `person`: then the number has a new owner."""
    if not person.user_id:
        return False
    row = the(db, "SELECT user_id FROM contacts WHERE id = ?", contact)
    return row["user_id"] is not None and row["user_id"] != person.user_id


def _create(db: Connection, provider: str, now: Instant) -> int:
    return int(db.execute("INSERT INTO contacts (provider, created_at) VALUES (?, ?)", (provider, now)).lastrowid or 0)


def _learn(db: Connection, provider: str, contact: int, person: Person, now: Instant) -> None:
    row = the(db, "SELECT * FROM contacts WHERE id = ?", contact)
    for scheme, value in (("user_id", person.user_id), ("parent_id", person.parent_id), ("phone", person.phone)):
        if value and row[scheme] != value:
            _take_alias(db, provider, contact, scheme, value, now)
    names = (
        ("user_id", person.user_id),
        ("parent_id", person.parent_id),
        ("phone", person.phone),
        ("username", person.username),
        ("name", person.name),
    )
    fresh = {column: value for column, value in names if value and row[column] != value}
    if fresh:
        columns = ", ".join(f"{column} = ?" for column in fresh)
        db.execute(f"UPDATE contacts SET {columns} WHERE id = ?", (*fresh.values(), contact))  # noqa: S608  # column names are ours


def _take_alias(db: Connection, provider: str, contact: int, scheme: str, value: str, now: Instant) -> None:
    """`value` now names `contact`. A number that was somebody else's moves; their history stays with them."""
    former = _by_alias(db, provider, scheme, value)
    if former is not None and former != contact and scheme == "phone":
        db.execute("UPDATE contacts SET phone = NULL WHERE id = ? AND phone = ?", (former, value))
        event(db, now, "number_moved", detail=f"from p{former} to p{contact}")
    db.execute(
        "INSERT INTO aliases (provider, scheme, value, contact) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (provider, scheme, value) DO UPDATE SET contact = excluded.contact",
        (provider, scheme, value, contact),
    )


def conversation_of(db: Connection, account: str, contact: int, now: Instant) -> sqlite3.Row:
    """The everlasting thread of a contact on an account, made if there is none yet."""
    found = one(db, "SELECT * FROM conversations WHERE account = ? AND contact = ?", account, contact)
    if found is not None:
        return found
    db.execute("INSERT INTO conversations (account, contact, created_at) VALUES (?, ?, ?)", (account, contact, now))
    return the(db, "SELECT * FROM conversations WHERE account = ? AND contact = ?", account, contact)
