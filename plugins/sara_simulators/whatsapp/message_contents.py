"""The contents of each message type: limits of length and number, and the text that represents them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sara import utf16_length
from sara_simulators.whatsapp.errors import invalid, missing, wrong

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
Content = Mapping[str, Any]


def _object(value: object, name: str) -> Content:
    if not isinstance(value, dict):
        raise invalid(f"Param {name} must be a JSON object.")
    return value


def _string(holder: Content, key: str, limit: int | None, where: str, *, needed: bool = True) -> str:
    value = holder.get(key)
    name = f"{where}['{key}']"
    if value is None and not needed:
        return ""
    if value is None:
        raise invalid(f"The parameter {name} is required.")
    if not isinstance(value, str):
        raise invalid(f"Param {name} must be a string.")
    if needed and not value.strip():
        raise invalid(f"Param {name} must be a non-empty string.")
    if limit is not None and utf16_length(value) > limit:
        raise invalid(f"Param {name} must be at most {limit} characters long.")
    return value


def _list(holder: Content, key: str, most: int, where: str) -> list[Content]:
    value = holder.get(key)
    name = f"{where}['{key}']"
    if not isinstance(value, list) or not value:
        raise missing(f"Parameter {name} must be a non-empty array.")
    if len(value) > most:
        raise wrong(f"{name} holds {len(value)} items; at most {most} are allowed.")
    return [_object(item, f"{name}[{index}]") for index, item in enumerate(value)]


def _unique(values: list[str], what: str) -> None:
    if len(set(values)) != len(values):
        raise wrong(f"Duplicated {what}.")


def _text(value: object) -> None:
    text = _object(value, "text")
    _string(text, "body", TEXT_LIMIT, "text")
    for key in text.keys() - {"body", "preview_url"}:
        raise invalid(f'Unexpected key "{key}" on param "text".')
    if not isinstance(text.get("preview_url", False), bool):
        raise invalid("Param text['preview_url'] must be a boolean.")


def _media(kind: str, extras: frozenset[str] = frozenset()) -> Callable[[object], None]:
    def check(value: object) -> None:
        media = _object(value, kind)
        if ("id" in media) == ("link" in media):
            raise wrong(f"{kind} must have either an id or a link.")
        if "link" in media and not _string(media, "link", None, kind).startswith(("http://", "https://")):
            raise wrong(f"{kind}['link'] is not a web address.")
        if "id" in media:
            _string(media, "id", None, kind)
        for key in media.keys() - {"id", "link"} - extras:
            raise invalid(f'Unexpected key "{key}" on param "{kind}".')
        _string(media, "caption", CAPTION_LIMIT, kind, needed=False)

    return check


def _location(value: object) -> None:
    location = _object(value, "location")
    for key, most in (("latitude", 90), ("longitude", 180)):
        try:
            degrees = float(location.get(key, ""))
        except (TypeError, ValueError):
            raise missing(f"location['{key}'] must be a number.") from None
        if not abs(degrees) <= most:
            raise wrong(f"location['{key}'] is out of range.")


def _contacts(value: object) -> None:
    for index, contact in enumerate(_list({"contacts": value}, "contacts", 257, "message")):
        name = _object(contact.get("name"), f"contacts[{index}]['name']")
        _string(name, "formatted_name", None, f"contacts[{index}]['name']")
        if len(name) < 2:
            raise missing(f"contacts[{index}]['name'] needs one more part besides formatted_name.")


def _reaction(value: object) -> None:
    reaction = _object(value, "reaction")
    _string(reaction, "message_id", None, "reaction")
    if not isinstance(reaction.get("emoji"), str):
        raise missing("Parameter reaction['emoji'] is required; an empty string removes the reaction.")


def _template(value: object) -> None:
    template = _object(value, "template")
    _string(template, "name", 512, "template")
    _string(_object(template.get("language"), "template['language']"), "code", None, "template['language']")


# ── interactive ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _buttons(action: Content) -> None:
    replies = [_object(button.get("reply"), "button['reply']") for button in _list(action, "buttons", 3, "action")]
    _unique([_string(reply, "title", 20, "reply") for reply in replies], "button titles")
    _unique([_string(reply, "id", 256, "reply") for reply in replies], "button ids")


def _rows(action: Content) -> None:
    _string(action, "button", 20, "action")
    sections = _list(action, "sections", 10, "action")
    rows: list[Content] = []
    for section in sections:
        _string(section, "title", 24, "section", needed=len(sections) > 1)
        rows += _list(section, "rows", 10, "section")
    if len(rows) > 10:
        raise wrong(f"A list holds at most 10 rows in total, not {len(rows)}.")
    for row in rows:
        _string(row, "title", 24, "row")
        _string(row, "description", 72, "row", needed=False)
    _unique([_string(row, "id", 200, "row") for row in rows], "row ids")


def _link_button(action: Content) -> None:
    parameters = _object(action.get("parameters"), "action['parameters']")
    _string(parameters, "display_text", 20, "parameters")
    if not _string(parameters, "url", None, "parameters").startswith(("http://", "https://")):
        raise wrong("parameters['url'] is not a web address.")


def _flow(action: Content) -> None:
    parameters = _object(action.get("parameters"), "action['parameters']")
    if not parameters.get("flow_id") and not parameters.get("flow_name"):
        raise missing("A flow needs flow_id or flow_name.")
    _string(parameters, "flow_cta", None, "parameters")


_ACTIONS: Mapping[str, tuple[int, str | None, Callable[[Content], None]]] = {
    "button": (1024, None, _buttons),
    "list": (4096, None, _rows),
    "cta_url": (1024, "cta_url", _link_button),
    "location_request_message": (1024, "send_location", lambda action: None),
    "request_contact_info": (1024, "request_contact_info", lambda action: None),
    "flow": (1024, "flow", _flow),
}


def _interactive(value: object) -> None:
    interactive = _object(value, "interactive")
    kind = interactive.get("type")
    if not isinstance(kind, str) or kind not in _ACTIONS:
        raise invalid(f"Param interactive['type'] must be one of {{{', '.join(sorted(_ACTIONS))}}} - got {kind!r}.")
    limit, name, check_action = _ACTIONS[kind]
    _string(_object(interactive.get("body"), "interactive['body']"), "text", limit, "body")
    if "footer" in interactive:
        _string(_object(interactive["footer"], "interactive['footer']"), "text", 60, "footer")
    if "header" in interactive:
        header = _object(interactive["header"], "interactive['header']")
        if header.get("type") == "text":
            _string(header, "text", 60, "header")
        elif kind == "list":
            raise wrong("A list can only have a text header.")
    action = _object(interactive.get("action"), "interactive['action']")
    if name is not None and action.get("name") != name:
        raise wrong(f"action['name'] must be {name!r}.")
    check_action(action)


CHECKS: Mapping[str, Callable[[object], None]] = {
    "text": _text,
    "image": _media("image", frozenset({"caption"})),
    "video": _media("video", frozenset({"caption"})),
    "document": _media("document", frozenset({"caption", "filename"})),
    "audio": _media("audio", frozenset({"voice"})),
    "sticker": _media("sticker"),
    "location": _location,
    "contacts": _contacts,
    "reaction": _reaction,
    "interactive": _interactive,
    "template": _template,
}
"""The types that can be sent, each with its check."""


# ── what a reader sees ────────────────────────────────────────────────────────────────────────────────────────────────────

_LABELS = {"image": "📷 Photo", "video": "🎬 Video", "audio": "🎵 Audio", "sticker": "🌟 Sticker", "document": "📄 Document"}


def summary(kind: str, content: Any) -> str:
    """Return the text of a message, or a line that describes other content."""
    if kind == "contacts":
        return "👤 " + ", ".join(contact_name(item) for item in content)
    if kind == "text":
        return str(content.get("body", ""))
    if kind == "audio" and content.get("voice"):
        return "🎤 Voice message"
    if kind in _LABELS:
        label = str(content.get("filename") or _LABELS[kind])
        return f"{label}\n{content['caption']}" if content.get("caption") else label
    if kind == "interactive":
        body = content.get("body") or content.get("button_reply") or content.get("list_reply") or {}
        return str(body.get("text") or body.get("title") or "")
    if kind == "location":
        return f"📍 {content.get('name') or 'Location'} ({content.get('latitude')}, {content.get('longitude')})"
    if kind == "reaction":
        return str(content.get("emoji") or "")
    if kind == "button":
        return str(content.get("text") or "")
    if kind == "system":
        return str(content.get("body") or "")
    if kind == "template":
        return f"📋 Template {content.get('name')}"
    return f"[{kind}]"


def contact_name(contact: Content) -> str:
    """Return the name on a contact card, or its number where it has no name."""
    name = contact.get("name") or {}
    phones = contact.get("phones") or [{}]
    return str(name.get("formatted_name") or phones[0].get("phone") or "?")


def choices(interactive: Content) -> list[dict[str, str]]:
    """Return the buttons or list rows of an interactive message, each with id and title, rows perhaps with a description."""
    action = interactive.get("action") or {}
    if interactive.get("type") == "button":
        return [{"id": button["reply"]["id"], "title": button["reply"]["title"]} for button in action["buttons"]]
    if interactive.get("type") == "list":
        rows = [row for section in action["sections"] for row in section["rows"]]
        return [{key: row[key] for key in ("id", "title", "description") if row.get(key)} for row in rows]
    return []
