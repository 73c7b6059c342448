"""Which of Meta's events call for an answer, which are only kept, and which only change something. Pure.

Kinds are Meta's own words. An answer is owed to what a customer says to the business alone; whatever is unknown is kept and
not answered, since answering too much costs money and bothers people.
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
    """What becomes of a message: it is `answered`; it is `unreadable`, and the customer is told so; it is only `recorded`; or it
    `changes` who the customer is (and is recorded). `opens_window` is whether Meta lets us write freely for a day after it."""

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
    """Meta's word for the type of a message. One without a type is of the type whose content it holds, if that is a single one."""
    if named := read_id(message.get("type")):
        return named
    found = [key for key, own in message.items() if key in _CONTENTS and isinstance(own, dict | list)]
    return found[0] if len(found) == 1 else "unknown"


def find_row(kind: str, message: Mapping[str, Any]) -> str:
    """The row of `KINDS` that a message of `kind` falls under."""
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
    """What becomes of a message of `kind`."""
    return MESSAGE_TYPES[find_row(kind, message)]


def is_business_message(kind: str, echo: Mapping[str, Any]) -> bool:
    """Whether an echo of `kind` says something to the customer; a reaction, an edit, a deletion or an unknown event does not."""
    return kind in _SENT_BY_BUSINESS or find_type(kind, echo).treatment in ("answered", "unreadable")


def find_lost(message: Mapping[str, Any]) -> str:
    """What the customer sent that Meta could not hand on, one of `LOST`; empty where it is all there."""
    return next((LOST_CODES[code] for code in _read_codes(message) if code in LOST_CODES), "")


def _read_codes(message: Mapping[str, Any]) -> list[str]:
    return [to_text(to_dict(error).get("code")) for error in to_list(message.get("errors"))]
