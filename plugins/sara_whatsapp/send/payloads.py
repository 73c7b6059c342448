"""Builds the JSON bodies of outgoing messages, with the fields of Meta's reference of the messages endpoint.

Messages come from `composer.compose`; one that is incomplete is rejected here, before it costs a call.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sara import Identity, OutboundMessage, Rejected
from sara_whatsapp.webhook.safe_json import scrub

_LINK = re.compile(r"https?://\S", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9]+")
_CAPTIONED = frozenset({"image", "video", "document"})
_KINDS_WITHOUT_QUOTE = frozenset({"reaction", "template"})


def build_message(part: OutboundMessage, attempt_id: str, media_id: str | None = None) -> dict[str, Any]:
    """Build the body that sends `part`.

    `attempt_id` comes back in every receipt. `media_id` is Meta's id of an uploaded file; without it Meta gets the file's `url`.
    Raises:
        Rejected: the message is incomplete, or its recipient has no address.
    """
    kind, own = _build_content(part, media_id)
    body: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        **_build_recipient(part.to),
        "type": kind,
        kind: own,
        "biz_opaque_callback_data": attempt_id,
    }
    if part.reply_to and part.kind not in _KINDS_WITHOUT_QUOTE:
        body["context"] = {"message_id": part.reply_to}
    return body


def build_read_mark(external_id: str) -> dict[str, Any]:
    """Build the body that marks a customer's message, and all before it, as read."""
    return {"messaging_product": "whatsapp", "status": "read", "message_id": external_id}


def build_typing_indicator(external_id: str) -> dict[str, Any]:
    """Build the body that marks a message as read and shows the typing indicator, for 25 seconds at most."""
    return {**build_read_mark(external_id), "typing_indicator": {"type": "text"}}


def _build_content(part: OutboundMessage, media_id: str | None) -> tuple[str, Any]:
    """Return Meta's message type, and the object under the key of that name."""
    content = part.content
    match part.kind:
        case "text":
            return "text", {"body": _require_text(part.text, "text"), "preview_url": bool(_LINK.search(part.text))}
        case "image" | "video" | "audio" | "document" | "sticker":
            return part.kind, _build_media(part, media_id)
        case "location":
            return "location", _build_location(content)
        case "contact":
            return "contacts", [_build_card(content)]
        case "reaction":
            if not part.reply_to:
                raise Rejected("A reaction needs a message to react to.")
            return "reaction", {"message_id": part.reply_to, "emoji": scrub(str(content.get("emoji") or ""))}
        case "buttons" | "list" | "link" | "ask_location" | "ask_contact":
            return "interactive", _build_interactive(part)
        case "template":
            return "template", _build_template(content)
    raise Rejected(f"The WhatsApp channel cannot send a message of kind {part.kind!r}.")


def _build_media(part: OutboundMessage, media_id: str | None) -> dict[str, Any]:
    own: dict[str, Any] = {"id": media_id} if media_id else {"link": _require_text(part.content.get("url"), "url")}
    caption = str(part.content.get("caption") or "") if part.content.get("written") else part.text
    if part.kind in _CAPTIONED and caption:
        own["caption"] = scrub(caption)
    if part.kind == "document" and part.content.get("name"):
        own["filename"] = _require_text(part.content["name"], "name")
    if part.kind == "audio" and part.content.get("voice") is True:
        own["voice"] = True
    return own


def _build_location(content: Mapping[str, Any]) -> dict[str, Any]:
    own: dict[str, Any] = {}
    for key in ("latitude", "longitude"):
        value = content.get(key)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise Rejected(f"A location needs a {key}.")
        own[key] = value
    return own | {key: _require_text(content[key], key) for key in ("name", "address") if content.get(key)}


def _build_card(content: Mapping[str, Any]) -> dict[str, Any]:
    name = _require_text(content.get("name"), "name")
    phones = [{"phone": _require_text(phone, "phones")} for phone in _require_items(content, "phones")]
    # Meta requires one more name field beside the formatted one.
    return {"name": {"formatted_name": name, "first_name": name}, "phones": phones}


def _build_interactive(part: OutboundMessage) -> dict[str, Any]:
    content = part.content
    match part.kind:
        case "buttons":
            replies = [{"type": "reply", "reply": _build_row(each)} for each in _require_items(content, "buttons")]
            own: dict[str, Any] = {"type": "button", "action": {"buttons": replies}}
        case "list":
            sections = [_build_section(each) for each in _require_items(content, "sections")]
            own = {"type": "list", "action": {"button": _require_text(content.get("button"), "button"), "sections": sections}}
        case "link":
            target = {
                "display_text": _require_text(content.get("title"), "title"),
                "url": _require_text(content.get("url"), "url"),
            }
            own = {"type": "cta_url", "action": {"name": "cta_url", "parameters": target}}
        case "ask_location":
            own = {"type": "location_request_message", "action": {"name": "send_location"}}
        case _:
            own = {"type": "request_contact_info", "action": {"name": "request_contact_info"}}
    own["body"] = {"text": _require_text(part.text, "text")}
    if part.kind in {"buttons", "list"}:
        if content.get("header"):
            own["header"] = {"type": "text", "text": _require_text(content["header"], "header")}
        if content.get("footer"):
            own["footer"] = {"text": _require_text(content["footer"], "footer")}
    return own


def _build_section(content: Any) -> dict[str, Any]:
    section = _require_mapping(content, "sections")
    own: dict[str, Any] = {"title": _require_text(section["title"], "title")} if section.get("title") else {}
    return own | {"rows": [_build_row(each) for each in _require_items(section, "rows")]}


def _build_row(content: Any) -> dict[str, Any]:
    row = _require_mapping(content, "rows")
    own = {"id": _require_text(row.get("id"), "id"), "title": _require_text(row.get("title"), "title")}
    return own | ({"description": _require_text(row["description"], "description")} if row.get("description") else {})


def _build_template(content: Mapping[str, Any]) -> dict[str, Any]:
    own: dict[str, Any] = {
        "name": _require_text(content.get("name"), "name"),
        "language": {"code": _require_text(content.get("language"), "language")},
    }
    if content.get("components"):
        own["components"] = list(_require_items(content, "components"))
    elif content.get("parameters"):
        parameters = [
            {"type": "text", "text": _require_text(each, "parameters")} for each in _require_items(content, "parameters")
        ]
        own["components"] = [{"type": "body", "parameters": parameters}]
    return own


def _require_text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Rejected(f"The message has no {name}.")
    return scrub(value)


def _require_items(content: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = content.get(name)
    if not isinstance(value, list | tuple) or not value:
        raise Rejected(f"The message has no {name}.")
    return value


def _require_mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Rejected(f"The message has no {name}.")
    return value


def recipient_of(person: Identity) -> str:
    """Return the recipient by which Meta counts messages, whichever conversation they belong to."""
    return next(iter(_build_recipient(person).values()))


def _build_recipient(person: Identity) -> dict[str, str]:
    # With the plus Meta never puts the business's own country code in front. Sending to the number keeps it visible in
    # webhooks, so it comes before the user id, which would be ignored beside it.
    if person.phone and _DIGITS.fullmatch(person.phone):
        return {"to": f"+{person.phone}"}
    if user_id := person.user_id or person.parent_id:
        return {"recipient": user_id}
    raise Rejected("The recipient has neither a phone number nor a user id.")
