"""Reads the people in a webhook: sender, recipient, or subject.

Since 2026 a person may have a phone number, a user id scoped to the business, or both; names are claims.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from sara import Identity
from sara.helpers import number_spellings, read_number
from sara_whatsapp.webhook.safe_json import read_id, to_dict, to_list, to_text

_PHONE = re.compile(r"[0-9]{3,32}")
_WHOLE_NUMBER = re.compile(r"[1-9][0-9]{6,14}")
"""A number with its country code, as the ITU allows them."""

_USER_ID = re.compile(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}")


def read_identity(value: dict[str, Any]) -> Identity:
    """Return the identity in the fields `wa_id`, `user_id` and `parent_user_id`."""
    return Identity(read_id(value.get("user_id")), read_id(value.get("parent_user_id")), read_phone(value.get("wa_id")))


def identity_after(own: dict[str, Any]) -> Identity:
    """Return the identity after a system message. Older messages give the new number as `new_wa_id`."""
    return replace(read_identity(own), phone=read_phone(own.get("new_wa_id")) or read_phone(own.get("wa_id")))


def is_address(person: Identity) -> bool:
    """Return whether messages can be addressed to one of a person's ids."""
    ids = filter(None, (person.user_id, person.parent_id))
    return bool(person.phone and _WHOLE_NUMBER.fullmatch(person.phone)) or any(_USER_ID.fullmatch(each) for each in ids)


class Contacts:
    """The contacts beside messages, whose order does not match the messages."""

    def __init__(self, value: dict[str, Any]) -> None:
        self._by_user_id: dict[str, Identity] = {}
        self._by_phone: dict[str, Identity] = {}
        for contact in map(to_dict, to_list(value.get("contacts"))):
            profile = to_dict(contact.get("profile"))
            person = replace(read_identity(contact), username=read_id(profile.get("username")), name=read_id(profile.get("name")))
            if person.user_id:
                self._by_user_id.setdefault(person.user_id, person)
            if person.phone:
                self._by_phone.setdefault(person.phone, person)

    def complete(self, person: Identity) -> Identity:
        """Return `person` with what the matching contact adds.

        A contact with another user id is another person, even with the same number.
        """
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


def identity_at(message: dict[str, Any], key: str, contacts: Contacts) -> Identity:
    """Return the identity at `key` (`from` or `to`), with a number, a business-scoped user id, or both."""
    phone, user_id = read_phone(message.get(key)), read_id(message.get(f"{key}_user_id"))
    if phone is None and key == "to":
        # The number as the operator's phone stores it.
        phone = read_phone(read_number(to_text(message.get(key))))
    if user_id is None and phone is None:
        # Not documented, but unambiguous: a user id in the place of the number.
        claimed = to_text(message.get(key))
        user_id = claimed if _USER_ID.fullmatch(claimed) else None
    return contacts.complete(Identity(user_id, read_id(message.get(f"{key}_parent_user_id")), phone))


def identity_before(message: dict[str, Any], own: dict[str, Any]) -> Identity:
    """Return the identity before a system message."""
    after = identity_after(own)
    user_id, parent_id = read_id(message.get("from_user_id")), read_id(message.get("from_parent_user_id"))
    before = Identity(
        # The sender's id may be the new one already, which does not identify the former one.
        user_id=read_id(own.get("previous_user_id")) or (user_id if user_id != after.user_id else None),
        parent_id=read_id(own.get("previous_parent_user_id")) or (parent_id if parent_id != after.parent_id else None),
        phone=read_phone(message.get("from")),
    )
    return before if before.is_identifiable else after


def read_phone(value: Any) -> str | None:
    """Return bare digits; None for anything else."""
    digits = to_text(value).strip().removeprefix("+")
    return digits if _PHONE.fullmatch(digits) else None
