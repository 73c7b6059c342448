"""Who a message is from, to or about. Pure.

Since 2026 a person may come with a phone number, with a user id scoped to the business, or with both; names are claims.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from sara import Identity
from sara.helpers import number_spellings, read_number
from sara_whatsapp.webhook.safe_json import listed, mapping, name_of, words

_PHONE = re.compile(r"[0-9]{3,32}")
_WHOLE_NUMBER = re.compile(r"[1-9][0-9]{6,14}")
"""A number with its country code, as the ITU allows them."""

_USER_ID = re.compile(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}")


def named(value: dict[str, Any]) -> Identity:
    """The person whom an object names by `wa_id`, `user_id` and `parent_user_id`."""
    return Identity(name_of(value.get("user_id")), name_of(value.get("parent_user_id")), phone_of(value.get("wa_id")))


def person_after(own: dict[str, Any]) -> Identity:
    """The person whom a system message is about, as they are known after it. Older ones name the new number by `new_wa_id`."""
    return replace(named(own), phone=phone_of(own.get("new_wa_id")) or phone_of(own.get("wa_id")))


def is_address(person: Identity) -> bool:
    """Whether messages can be addressed to one of a person's names."""
    ids = filter(None, (person.user_id, person.parent_id))
    return bool(person.phone and _WHOLE_NUMBER.fullmatch(person.phone)) or any(_USER_ID.fullmatch(each) for each in ids)


class Contacts:
    """The contacts beside messages. Their order says nothing about whose message is whose."""

    def __init__(self, value: dict[str, Any]) -> None:
        self._by_user_id: dict[str, Identity] = {}
        self._by_phone: dict[str, Identity] = {}
        for contact in map(mapping, listed(value.get("contacts"))):
            profile = mapping(contact.get("profile"))
            person = replace(named(contact), username=name_of(profile.get("username")), name=name_of(profile.get("name")))
            if person.user_id:
                self._by_user_id.setdefault(person.user_id, person)
            if person.phone:
                self._by_phone.setdefault(person.phone, person)

    def complete(self, person: Identity) -> Identity:
        """`person` with what the contact of the same person adds. One with another user id is somebody else, whatever the
        number."""
        known = self._by_user_id.get(person.user_id or "")
        if known is None:
            # Meta may spell a number in one way beside a message and in another within it.
            spellings = number_spellings(person.phone) if person.phone else ()
            known = next((self._by_phone[each] for each in spellings if each in self._by_phone), None)
            if known is None or (person.user_id and known.user_id):
                return person
        return Identity(
            user_id=person.user_id or known.user_id,
            parent_id=person.parent_id or known.parent_id,
            phone=person.phone or known.phone,
            username=known.username,
            name=known.name,
        )


def person_at(message: dict[str, Any], key: str, contacts: Contacts) -> Identity:
    """Who is at `key` (`from` or `to`): with a number, a business-scoped user id, or both."""
    phone, user_id = phone_of(message.get(key)), name_of(message.get(f"{key}_user_id"))
    if phone is None and key == "to":
        # The number that somebody of the business dialled, as their phone has it.
        phone = phone_of(read_number(words(message.get(key))))
    if user_id is None and phone is None:
        # Not documented, but unmistakable: a user id where the number used to be.
        claimed = words(message.get(key))
        user_id = claimed if _USER_ID.fullmatch(claimed) else None
    return contacts.complete(Identity(user_id, name_of(message.get(f"{key}_parent_user_id")), phone))


def person_before(message: dict[str, Any], own: dict[str, Any]) -> Identity:
    """Whom a system message is about, under the names they had before it."""
    after = person_after(own)
    user_id, parent_id = name_of(message.get("from_user_id")), name_of(message.get("from_parent_user_id"))
    before = Identity(
        # What the message gives as the sender's id may be the new one already: that names nobody's past.
        user_id=name_of(own.get("previous_user_id")) or (user_id if user_id != after.user_id else None),
        parent_id=name_of(own.get("previous_parent_user_id")) or (parent_id if parent_id != after.parent_id else None),
        phone=phone_of(message.get("from")),
    )
    return before if before.is_identifiable else after


def phone_of(value: Any) -> str | None:
    """Bare digits; None for anything else."""
    digits = words(value).strip().removeprefix("+")
    return digits if _PHONE.fullmatch(digits) else None
