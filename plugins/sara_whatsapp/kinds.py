"""Which of Meta's events call for an answer, which are only kept, and which only change something. Pure.

Kinds are Meta's own words. An answer is owed to what a customer says to the business alone; whatever is unknown is kept and
not answered, since answering too much costs money and bothers people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sara_whatsapp.news import SERIOUS
from sara_whatsapp.wire import listed, mapping, words

MEDIA = frozenset({"image", "video", "audio", "document", "sticker"})
"""Kinds that bring a file."""

LOST: Mapping[str, str] = {"131052": "file", "131060": "message"}
"""Meta's codes for what a customer sent and it does not hand on."""

_GROUP = "in a group"
_LOST = "not received"


@dataclass(frozen=True, slots=True)
class Kind:
    """What becomes of a message: it is `answered`, only `recorded`, or `changes` who the customer is (and is recorded).
    `opens_window` is whether Meta lets us write freely for a day after it."""

    treatment: Literal["answered", "recorded", "changes"]
    opens_window: bool = False


_ANSWERED = Kind("answered", opens_window=True)
_RECORDED = Kind("recorded")
_CHANGES = Kind("changes")

KINDS: Mapping[str, Kind] = {
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
    "request_welcome": Kind("recorded", opens_window=True),
    # Whether these open the window is not documented, so they are not taken to.
    "reaction": _RECORDED,
    "edit": _RECORDED,
    "revoke": _RECORDED,
    "unsupported": _RECORDED,
    "interactive.call_permission_reply": _RECORDED,
    "system": _RECORDED,
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
    **dict.fromkeys(SERIOUS, "news"),
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


def row_of(kind: str, message: Mapping[str, Any]) -> str:
    """The row of `KINDS` that a message of `kind` falls under."""
    if message.get("group_id"):
        return _GROUP
    if lost(message) and (kind in ("unsupported", "unknown") or kind not in KINDS):
        return _LOST
    sort = f"{kind}.{words(mapping(message.get(kind)).get('type'))}"
    if sort in KINDS:
        return sort
    return kind if kind in KINDS else "unknown"


def kind_of(kind: str, message: Mapping[str, Any]) -> Kind:
    """What becomes of a message of `kind`."""
    return KINDS[row_of(kind, message)]


def lost(message: Mapping[str, Any]) -> str:
    """What the customer sent that Meta could not hand on, one of `LOST`; empty where it is all there."""
    codes = [words(mapping(error).get("code")) for error in listed(message.get("errors"))]
    return next((LOST[code] for code in codes if code in LOST), "")
