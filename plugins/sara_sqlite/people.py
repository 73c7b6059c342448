"""Who is who: people are known by the provider's own ids first, by phone number only where nothing contradicts it."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from sara import Identity, IdentityChange, Instant
from sara.helpers import number_spellings
from sara_sqlite import parts, turns
from sara_sqlite.remembering import silenced
from sara_sqlite.rows import Connection, address, event, head_of, look_at_timers, one, refresh_delivery, the


def resolve(db: Connection, provider: str, person: Identity, now: Instant) -> int:
    """Return the contact of an identity, created if there is none yet; newly known ids are stored."""
    contact, former = _by_id(db, provider, person)
    if contact is not None and former:
        # A late message under an id that the provider has replaced since: known, but nothing to learn from.
        return contact
    known_by_phone = _by_phone(db, provider, person.phone)
    if contact is None and known_by_phone is None:
        contact = _by_spelling(db, provider, person)
        if contact is not None and not person.user_id:
            # Found by a number in another spelling: the provider's own spelling of it is known already.
            person = replace(person, phone=None)
    if contact is None and known_by_phone is not None and not _contradicts(db, known_by_phone, person):
        contact = known_by_phone
    if contact is None:
        contact = _create(db, provider, now)
    elif known_by_phone not in (None, contact) and _same_person(db, contact, known_by_phone):
        contact = link(db, provider, contact, known_by_phone, now)
    _learn(db, provider, contact, person, now)
    return contact


def find(db: Connection, provider: str, person: Identity) -> int | None:
    """Return the contact of an identity, if there is one."""
    contact, _ = _by_id(db, provider, person)
    if contact is None:
        contact = _by_phone(db, provider, person.phone)
    return _by_spelling(db, provider, person) if contact is None else contact


def learn_recipient(db: Connection, conversation: int, recipient: Identity, now: Instant) -> None:
    """Store the number that the provider names as the recipient of a message to this conversation's contact."""
    head = head_of(db, conversation)
    if not recipient.phone or head["user_id"] is not None or recipient.phone == head["phone"]:
        return
    contact, provider = int(head["id"]), head["provider"]
    known = _by_phone(db, provider, recipient.phone)
    if known is not None and known != contact:
        # A message came under that number, and of this contact nothing but a number was known.
        contact = link(db, provider, contact, known, now)
    _learn(db, provider, contact, Identity(phone=recipient.phone), now)
    event(db, now, "number_learnt", detail=f"p{contact}: the provider named the number that a message went to", actor="provider")


def follow(db: Connection, change: IdentityChange, now: Instant) -> None:
    """Merge the old and the new identity that the provider named together: they are one person, whatever the numbers say."""
    provider = change.account.partition(":")[0]
    contact, _ = _by_id(db, provider, change.before)
    if contact is None:
        contact = _by_phone(db, provider, change.before.phone)
    if contact is None:
        return
    successor, former = _by_id(db, provider, change.after)
    # Told in reverse: what they became then has changed since, so what is known of them now is newer.
    after = address(the(db, "SELECT * FROM contacts WHERE id = ?", successor)) if former else change.after
    if successor is not None and successor != contact:
        contact = link(db, provider, contact, successor, now)
    _retire(db, provider, contact, change)
    _learn(db, provider, contact, after, now)
    event(db, now, "identity_changed", detail=f"p{contact}: the provider named the old and the new id", actor="provider")


def _retire(db: Connection, provider: str, contact: int, change: IdentityChange) -> None:
    """Keep former ids as aliases; a former number may move to another person."""
    before, after = change.before, change.after
    for scheme, old, new in (("user_id", before.user_id, after.user_id), ("parent_id", before.parent_id, after.parent_id)):
        if old and new and old != new:
            db.execute(
                "UPDATE aliases SET retired = 1 WHERE provider = ? AND scheme = ? AND value = ? AND contact = ?",
                (provider, scheme, old, contact),
            )
    if before.phone and after.phone != before.phone:
        db.execute(
            "DELETE FROM aliases WHERE provider = ? AND scheme = 'phone' AND value = ? AND contact = ?",
            (provider, before.phone, contact),
        )
        db.execute(
            "UPDATE contacts SET phone = NULL WHERE (id = ? OR linked = ?) AND phone = ?", (contact, contact, before.phone)
        )


def link(db: Connection, provider: str, one_contact: int, other: int, now: Instant) -> int:
    """Make the older of two contacts the one that later messages go to; no message moves."""
    older, younger = sorted((one_contact, other))
    db.execute("UPDATE aliases SET contact = ? WHERE provider = ? AND contact = ?", (older, provider, younger))
    db.execute("UPDATE contacts SET linked = ? WHERE id = ? OR linked = ?", (older, younger, younger))
    # Silence once asked for holds for the whole person.
    if one(db, "SELECT 1 FROM contacts WHERE (id = ? OR linked = ?) AND opted_out = 1", older, older) is not None:
        _share_silence(db, older, now)
    _share_mode(db, older, younger, now)
    event(db, now, "contacts_linked", detail=f"p{younger} is p{older}")
    return older


def _share_silence(db: Connection, older: int, now: Instant) -> None:
    """End what waits and what is unsent under the other names."""
    rows = db.execute(
        "SELECT c.id FROM contacts p JOIN conversations c ON c.contact = p.id WHERE (p.id = ? OR p.linked = ?) AND p.opted_out = 0",
        (older, older),
    ).fetchall()
    for each in rows:
        turns.skip_waiting(db, each["id"], "opted_out", "sara", now)
        parts.cancel_unsaid(db, each["id"], parts.BY_CONSENT, "opted_out", now)
        refresh_delivery(db, each["id"], now)
    db.execute(
        "UPDATE contacts SET opted_out = 1, opted_out_at = coalesce(opted_out_at, ?) WHERE id = ? OR linked = ?",
        (now, older, older),
    )


def _share_mode(db: Connection, older: int, younger: int, now: Instant) -> None:
    """Copy the mode of the younger contact's conversations to the older's, which later messages go to."""
    rows = db.execute("SELECT * FROM conversations WHERE contact = ? AND mode <> 'bot'", (younger,)).fetchall()
    for theirs in rows:
        ours = conversation_of(db, theirs["account"], older, now)
        if ours["mode"] in ("human", theirs["mode"]):
            continue
        db.execute(
            "UPDATE conversations SET mode = ?, mode_until = ?, person_since = ?, attempt_open = 0 WHERE id = ?",
            (theirs["mode"], theirs["mode_until"], theirs["person_since"], ours["id"]),
        )
        if theirs["mode"] == "human":
            turns.skip_waiting(db, ours["id"], "handed_over", "sara", now)
            parts.cancel_unsaid(db, ours["id"], "('reply')", "handed_over", now)
            refresh_delivery(db, ours["id"], now)
        look_at_timers(db, ours["id"], theirs["mode_until"])
        event(db, now, f"mode_{theirs['mode']}", f"as in c{theirs['id']}: it is the same person", conversation=ours["id"])


def circle(db: Connection, contact: int) -> list[int]:
    """Return the contacts that are one person with `contact`, itself first."""
    row = the(db, "SELECT coalesce(linked, id) AS head FROM contacts WHERE id = ?", contact)
    others = db.execute("SELECT id FROM contacts WHERE (id = ? OR linked = ?) AND id <> ?", (row["head"], row["head"], contact))
    return [contact, *(each["id"] for each in others)]


def beside(db: Connection, conversation: int) -> list[sqlite3.Row]:
    """Return the other conversations of the same person on the same account: two contacts turned out to be one."""
    return db.execute(
        "SELECT o.* FROM conversations c JOIN contacts p ON p.id = c.contact"
        " JOIN contacts q ON q.id = coalesce(p.linked, p.id) OR q.linked = coalesce(p.linked, p.id)"
        " JOIN conversations o ON o.account = c.account AND o.contact = q.id WHERE c.id = ? AND o.id <> c.id",
        (conversation,),
    ).fetchall()


def _by_id(db: Connection, provider: str, person: Identity) -> tuple[int | None, bool]:
    """Return the contact with these ids, and whether the id that named it is a former one."""
    for scheme, value in (("user_id", person.user_id), ("parent_id", person.parent_id)):
        row = _alias(db, provider, scheme, value)
        if row is not None:
            return int(row["contact"]), bool(row["retired"])
    return None, False


def _by_phone(db: Connection, provider: str, phone: str | None) -> int | None:
    row = _alias(db, provider, "phone", phone)
    return None if row is None else int(row["contact"])


def _by_spelling(db: Connection, provider: str, person: Identity) -> int | None:
    """Return the contact whose number is another spelling of this one, if there is exactly one.

     A provider that names a user id means its own spelling: then it can only be somebody of whom nothing is known but a number
    that people wrote.
    """
    found: dict[int, None] = {}
    for spelling in number_spellings(person.phone)[1:] if person.phone else ():
        contact = _by_phone(db, provider, spelling)
        if contact is not None and not (person.user_id and _has_written(db, contact)):
            found[contact] = None
    return next(iter(found)) if len(found) == 1 else None


def _has_written(db: Connection, contact: int) -> bool:
    written = one(db, "SELECT 1 FROM conversations WHERE contact = ? AND customer_at IS NOT NULL LIMIT 1", contact)
    return written is not None or the(db, "SELECT user_id FROM contacts WHERE id = ?", contact)["user_id"] is not None


def _alias(db: Connection, provider: str, scheme: str, value: str | None) -> sqlite3.Row | None:
    if not value:
        return None
    return one(
        db, "SELECT contact, retired FROM aliases WHERE provider = ? AND scheme = ? AND value = ?", provider, scheme, value
    )


def _same_person(db: Connection, by_id: int, by_phone: int | None) -> bool:
    """Return whether a contact known by id alone and one known by number alone are one: only if neither has anything else.
    Somebody who had another number has taken over this one, and its former owner is not them."""
    known = the(db, "SELECT phone FROM contacts WHERE id = ?", by_id)
    other = the(db, "SELECT user_id FROM contacts WHERE id = ?", by_phone)
    return known["phone"] is None and other["user_id"] is None


def _contradicts(db: Connection, contact: int, person: Identity) -> bool:
    """Return whether `contact` has another user id than `person`: then the number has a new owner."""
    if not person.user_id:
        return False
    row = the(db, "SELECT user_id FROM contacts WHERE id = ?", contact)
    return row["user_id"] is not None and row["user_id"] != person.user_id


def _create(db: Connection, provider: str, now: Instant) -> int:
    return int(db.execute("INSERT INTO contacts (provider, created_at) VALUES (?, ?)", (provider, now)).lastrowid or 0)


def _learn(db: Connection, provider: str, contact: int, person: Identity, now: Instant) -> None:
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
    row = _alias(db, provider, scheme, value)
    former = None if row is None else row["contact"]
    if former not in (None, contact) and scheme == "phone":
        db.execute("UPDATE contacts SET phone = NULL WHERE id = ? AND phone = ?", (former, value))
        event(db, now, "number_moved", detail=f"from p{former} to p{contact}")
    db.execute(
        "INSERT INTO aliases (provider, scheme, value, contact) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (provider, scheme, value) DO UPDATE SET contact = excluded.contact, retired = 0",
        (provider, scheme, value, contact),
    )
    since = silenced(db, provider, scheme, value)
    if since is not None:
        for each in circle(db, contact):
            db.execute("UPDATE contacts SET opted_out = 1, opted_out_at = ?, consent_at = ? WHERE id = ?", (since, since, each))


def conversation_of(db: Connection, account: str, contact: int, now: Instant) -> sqlite3.Row:
    """Return the permanent conversation of a contact on an account, created if there is none yet."""
    found = one(db, "SELECT * FROM conversations WHERE account = ? AND contact = ?", account, contact)
    if found is not None:
        return found
    db.execute("INSERT INTO conversations (account, contact, created_at) VALUES (?, ?, ?)", (account, contact, now))
    return the(db, "SELECT * FROM conversations WHERE account = ? AND contact = ?", account, contact)
