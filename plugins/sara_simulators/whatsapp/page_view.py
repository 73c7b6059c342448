"""The view of a message on the phone page beyond its text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from sara_simulators.whatsapp.message_contents import contact_name

_FILES = frozenset({"image", "video", "audio", "document", "sticker"})


def describe_content(kind: str, content: Any, rendered: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the parts with a view of their own: `file`, `place`, `cards`, `header`, `footer`, `list`, `link`, `ask`.

    `body` is the text in the bubble, where it differs from the text of the whole message.
    """
    if rendered:
        return {"body": rendered["body"], "footer": rendered["footer"], "template": content["name"]}
    if kind in _FILES and isinstance(content, Mapping):
        return {"file": _file(kind, content), "body": str(content.get("caption") or "")}
    if kind == "location" and isinstance(content, Mapping):
        return {"place": {key: content.get(key) for key in ("latitude", "longitude", "name", "address")}, "body": ""}
    if kind == "contacts" and isinstance(content, list):
        cards = [
            {"name": contact_name(contact), "phones": [str(phone.get("phone", "")) for phone in contact.get("phones") or ()]}
            for contact in content
        ]
        return {"cards": cards, "body": ""}
    if kind == "interactive" and isinstance(content, Mapping) and "action" in content:
        return _interactive(content)
    return {}


def _file(kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": kind,
        "src": f"/phone/media/{quote(str(content['id']), safe='')}" if content.get("id") else None,
        "link": content.get("link"),
        "name": content.get("filename"),
        "voice": bool(content.get("voice")),
    }


def _interactive(content: Mapping[str, Any]) -> dict[str, Any]:
    action, kind = content["action"], content["type"]
    look: dict[str, Any] = {"body": str((content.get("body") or {}).get("text") or "")}
    if content.get("footer"):
        look["footer"] = content["footer"]["text"]
    header = content.get("header") or {}
    if header.get("type") == "text":
        look["header"] = header["text"]
    elif header.get("type") in _FILES:
        look["file"] = _file(header["type"], header.get(header["type"]) or {})
    if kind == "list":
        look["list"] = {"button": action["button"], "sections": action["sections"]}
    elif kind == "cta_url":
        look["link"] = {"title": action["parameters"]["display_text"], "url": action["parameters"]["url"]}
    elif kind in ("location_request_message", "request_contact_info"):
        look["ask"] = "location" if kind == "location_request_message" else "number"
    elif kind == "flow":
        look["flow"] = action["parameters"]["flow_cta"]
    return look
