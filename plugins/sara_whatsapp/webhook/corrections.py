"""Edits and deletions of earlier messages, as Meta tells them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sara import Correction
from sara_whatsapp.webhook.message_types import kind_of, type_of
from sara_whatsapp.webhook.placeholders import note_on, stand_in
from sara_whatsapp.webhook.safe_json import mapping, name_of

DELETED = "[deleted message]"
"""What stands in the place of a message that its author deleted."""


def correction_of(kind: str, event: Mapping[str, Any]) -> Correction | None:
    """What an event of `kind` makes of an earlier message; None for any other event, and for an edit that does not say how."""
    own = mapping(event.get(kind))
    target = name_of(own.get("original_message_id"))
    if target is None:
        return None
    if kind == "revoke":
        return Correction(target, DELETED, withdrawn=True)
    edited = mapping(own.get("message"))
    sort = type_of(edited)
    if kind != "edit" or kind_of(sort, edited).treatment != "answered":
        return None
    content = {sort: edited.get(sort)}
    if note := note_on(edited):
        content["note"] = note
    return Correction(target, stand_in(sort, edited), sort, content)
