"""Reads edits and deletions of earlier messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sara import Correction
from sara_whatsapp.webhook.message_types import find_type, read_type
from sara_whatsapp.webhook.placeholders import context_note, placeholder_text
from sara_whatsapp.webhook.safe_json import read_id, to_dict

DELETED_TEXT = "[deleted message]"
"""The text of a message that its author deleted."""


def read_correction(kind: str, event: Mapping[str, Any]) -> Correction | None:
    """Return the correction in an event of `kind`; None for other events and for an edit without its new content."""
    own = to_dict(event.get(kind))
    target = read_id(own.get("original_message_id"))
    if target is None:
        return None
    if kind == "revoke":
        return Correction(target, DELETED_TEXT, withdrawn=True)
    edited = to_dict(own.get("message"))
    sort = read_type(edited)
    if kind != "edit" or find_type(sort, edited).treatment != "answered":
        return None
    content = {sort: edited.get(sort)}
    if note := context_note(edited):
        content["note"] = note
    return Correction(target, placeholder_text(sort, edited), sort, content)
