"""The tables of message types and webhook fields: what is answered, what is recorded, and what changes an identity.

Types are Meta's own words. Only what a customer says to the business is answered; an unknown type is recorded and not answered,
because unwanted answers cost money and annoy people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sara_whatsapp.webhook.account_events import SERIOUS_EVENTS
from sara_whatsapp.webhook.safe_json import read_id, to_dict, to_list, to_text

MEDIA = frozenset({"image", "video", "audio", "document", "sticker"})
"""Kinds that bring a file."""

LOST_CODES: Mapping[str, str] = {"131052": "file", "131060": "message"}
"""Meta's codes for what a customer sent and it does not hand on."""

_UNSUPPORTED_CODE = "131051"
"""Meta's code for a message of a type that its API does not hand on."""

_GROUP = "in a group"
_LOST = "not received"


@dataclass(frozen=True, slots=True)
class MessageType:
    """The treatment of a message type.

    `answered` messages get a reply; for `unreadable` ones the customer is told so; `recorded` ones are stored only; `changes` are
    recorded and change the customer's identity. `opens_window` tells whether Meta opens the 24-hour window.
    """

    treatment: Literal["answered", "unreadable", "recorded", "changes"]
    opens_window: bool = False


_ANSWERED = MessageType("answered", opens_window=True)
_UNREADABLE = MessageType("unreadable", opens_window=True)
_RECORDED = MessageType("recorded")
_CHANGES = MessageType("changes")

MESSAGE_TYPES: Mapping[str, MessageType] = {
    "text": _ANSWERED,
    "image": _ANSWERED,
    "video": _ANSWERED,
    "audio": _ANSWERED,
    "document": _ANSWERED,
    "sticker": _ANSWERED,
    "location": _ANSWERED,
    "contacts": _ANSWERED,
    "interactive": _ANSWERED,
    "button": _ANSWERED,
    "order": _ANSWERED,
    # The chat was opened for the first time; nothing was said yet, but from here on we may speak.
    "request_welcome": MessageType("recorded", opens_window=True),
    # Whether these open the window is not documented, so they are not taken to.
    "reaction": _RECORDED,
    "edit": _RECORDED,
    "revoke": _RECORDED,
    # A poll, a message to be viewed once, an invitation: the customer said something, and Meta does not say what.
    "unsupported": _UNREADABLE,
    # Of these nothing was said.
    "unsupported.edit": _RECORDED,
    "unsupported.revoke": _RECORDED,
    "unsupported.reaction": _RECORDED,
    "unsupported.pin": _RECORDED,
    "unsupported.keep_in_chat": _RECORDED,
    "unsupported.poll_update": _RECORDED,
    "interactive.call_permission_reply": _RECORDED,
    "system": _RECORDED,
    "system.user_preference_changed": _RECORDED,
    "system.user_changed_number": _CHANGES,
    "system.customer_changed_number": _CHANGES,  # its name in older versions of the API
    "system.user_changed_user_id": _CHANGES,
    "unknown": _RECORDED,
    # Else the customer waits for an answer to something that never came.
    _LOST: _ANSWERED,
    # Whatever the kind.
    _GROUP: _RECORDED,
}
"""Every kind of message. `interactive.call_permission_reply` and its like are one sort of their kind; a kind that is not here is
treated as `unknown`."""

FIELDS: Mapping[str, Literal["messages", "wishes", "echoes", "news", "left_out"]] = {
    "messages": "messages",
    "user_preferences": "wishes",
    # A person answered from the phone app: said by us, and what waited is answered.
    "smb_message_echoes": "echoes",
    **dict.fromkeys(SERIOUS_EVENTS, "news"),
    # What was said before SARA was there.
    "history": "left_out",
    "calls": "left_out",
    # Conversations that Meta's own agent has.
    "standby": "left_out",
    "messaging_handovers": "left_out",
    # May repeat what SARA itself has sent.
    "message_echoes": "left_out",
    "smb_app_state_sync": "left_out",
    "automatic_events": "left_out",
    "consumer_profile": "left_out",
    "flows": "left_out",
    "group_lifecycle_update": "left_out",
    "group_participants_update": "left_out",
    "group_settings_update": "left_out",
    "group_status_update": "left_out",
    "partner_solutions": "left_out",
}
"""Every field of a webhook and how it is read. A field that is not here is left out."""


_CONTENTS = frozenset(kind for kind in MESSAGE_TYPES if kind.isidentifier()) - {"request_welcome", "unknown"}
"""Kinds whose own part stands under the key of their name."""

_SENT_BY_BUSINESS = frozenset({"template", "product", "product_list", "catalog_message", "list", "poll_creation"})
"""Further kinds by which a business says something."""


def read_type(message: Mapping[str, Any]) -> str:
    """Return Meta's type of a message; without one, the type of its content if there is only one."""
    if named := read_id(message.get("type")):
        return named
    found = [key for key, own in message.items() if key in _CONTENTS and isinstance(own, dict | list)]
    return found[0] if len(found) == 1 else "unknown"


def find_row(kind: str, message: Mapping[str, Any]) -> str:
    """Return the row of `MESSAGE_TYPES` that applies to a message of `kind`."""
    if message.get("group_id"):
        return _GROUP
    unknown = kind not in MESSAGE_TYPES or kind == "unknown"
    if find_lost(message) and (unknown or kind == "unsupported"):
        return _LOST
    if unknown and _UNSUPPORTED_CODE in _read_codes(message):
        return "unsupported"
    sort = f"{kind}.{to_text(to_dict(message.get(kind)).get('type'))}"
    if sort in MESSAGE_TYPES:
        return sort
    return kind if kind in MESSAGE_TYPES else "unknown"


def find_type(kind: str, message: Mapping[str, Any]) -> MessageType:
    """Return the treatment of a message of `kind`."""
    return MESSAGE_TYPES[find_row(kind, message)]


def is_business_message(kind: str, echo: Mapping[str, Any]) -> bool:
    """Return whether an echo of `kind` says something to the customer, as reactions, edits and deletions do not."""
    return kind in _SENT_BY_BUSINESS or find_type(kind, echo).treatment in ("answered", "unreadable")


def find_lost(message: Mapping[str, Any]) -> str:
    """Return what the customer sent that Meta could not pass on, a value of `LOST_CODES`; empty if it is complete."""
    return next((LOST_CODES[code] for code in _read_codes(message) if code in LOST_CODES), "")


def _read_codes(message: Mapping[str, Any]) -> list[str]:
    return [to_text(to_dict(error).get("code")) for error in to_list(message.get("errors"))]
