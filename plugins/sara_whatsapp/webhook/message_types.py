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
"""Types that bring a file."""

LOST_CODES: Mapping[str, str] = {"131052": "file", "131060": "message"}
"""Meta's codes for content that it could not pass on."""

_UNSUPPORTED_CODE = "131051"
"""Meta's code for a message type that its API does not support."""

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
    # The chat was opened for the first time: no message yet, but the window is open.
    "request_welcome": MessageType("recorded", opens_window=True),
    # Not documented to open the window, so they do not.
    "reaction": _RECORDED,
    "edit": _RECORDED,
    "revoke": _RECORDED,
    # A poll, a view-once message, an invitation: Meta does not pass the content on.
    "unsupported": _UNREADABLE,
    # These contain no message.
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
    # Answered, because the customer waits for a reply to it.
    _LOST: _ANSWERED,
    # Messages in groups, of any type.
    _GROUP: _RECORDED,
}
"""Every message type. A row such as `interactive.call_permission_reply` applies to one subtype; a type without a row is `unknown`."""

FIELDS: Mapping[str, Literal["messages", "preferences", "echoes", "account", "ignored"]] = {
    "messages": "messages",
    "user_preferences": "preferences",
    # An operator answered from the phone app.
    "smb_message_echoes": "echoes",
    **dict.fromkeys(SERIOUS_EVENTS, "account"),
    # Messages from before SARA's installation.
    "history": "ignored",
    "calls": "ignored",
    # Conversations of Meta's own agent.
    "standby": "ignored",
    "messaging_handovers": "ignored",
    # May repeat what SARA itself has sent.
    "message_echoes": "ignored",
    "smb_app_state_sync": "ignored",
    "automatic_events": "ignored",
    "consumer_profile": "ignored",
    "flows": "ignored",
    "group_lifecycle_update": "ignored",
    "group_participants_update": "ignored",
    "group_settings_update": "ignored",
    "group_status_update": "ignored",
    "partner_solutions": "ignored",
}
"""Every webhook field and how it is read. Other fields are ignored."""


_CONTENTS = frozenset(kind for kind in MESSAGE_TYPES if kind.isidentifier()) - {"request_welcome", "unknown"}
"""Types whose content is under the key of their name."""

_SENT_BY_BUSINESS = frozenset({"template", "product", "product_list", "catalog_message", "list", "poll_creation"})
"""Further types of messages from the business."""


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
