"""Messages of customers, in the form of a webhook."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sara_simulators.whatsapp.media import Media
from sara_simulators.whatsapp.records import ChatMessage

Message = dict[str, Any]


def file(kind: str, media: Media, address: str | None, **more: Any) -> Message:
    """Return an image, video, audio, document or sticker; None values in `more` are left out."""
    about = {"id": media.id, "mime_type": media.mime, "sha256": media.sha256}
    if address:
        about["url"] = address
    return {"type": kind, kind: about | {key: value for key, value in more.items() if value is not None}}


def picked(media: Media) -> Message:
    """Return a file as it stands among the answers of a form."""
    return {"id": media.id, "mime_type": media.mime, "sha256": media.sha256, "file_name": media.name}


def form(answers: Mapping[str, Any]) -> Message:
    """Return a filled-in form; Meta writes its answers as JSON within a text."""
    reply = {"name": "flow", "body": "Sent", "response_json": json.dumps(answers, ensure_ascii=False)}
    return {"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": reply}}


def location(latitude: float, longitude: float, name: str | None = None, address: str | None = None) -> Message:
    """Return a place, in degrees."""
    place: dict[str, Any] = {"latitude": latitude, "longitude": longitude}
    place |= {key: value for key, value in (("name", name), ("address", address)) if value}
    return {"type": "location", "location": place}


def card(name: str, phones: Sequence[str]) -> Message:
    """Return a contact card, shared by hand. Phones are written as people write them."""
    first, _, last = name.partition(" ")
    names = {"formatted_name": name, "first_name": first} | ({"last_name": last} if last else {})
    numbers = [{"phone": phone, "wa_id": "".join(filter(str.isdigit, phone)), "type": "CELL"} for phone in phones]
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"FN:{name}", *(f"TEL;TYPE=CELL:{phone}" for phone in phones), "END:VCARD"]
    return {"type": "contacts", "contacts": [{"name": names, "phones": numbers, "origin": "other", "vcard": "\n".join(lines)}]}


def own_number(phone: str) -> Message:
    """Return the customer's own number, which the business had asked for."""
    number = {"phone": f"+{phone}", "wa_id": phone, "type": "CELL"}
    return {"type": "contacts", "contacts": [{"origin": "contact_request", "phones": [number]}]}


def reaction(wamid: str, emoji: str | None) -> Message:
    """Return a reaction; None takes it back."""
    return {"type": "reaction", "reaction": {"message_id": wamid} | ({"emoji": emoji} if emoji else {})}


def pressed(bubble: ChatMessage, what: str) -> Message:
    """Return a pressed button or list row, by id or title. Raises `KeyError` where the message has none such."""
    offered = bubble.choices
    found = next((choice for choice in offered if what in (choice["id"], choice["title"])), None)
    if found is None:
        raise KeyError(f"no {what!r} to press; there are {', '.join(choice['title'] for choice in offered) or 'no buttons'}")
    if bubble.kind == "template":
        return {"type": "button", "button": {"payload": found["id"], "text": found["title"]}}
    kind = "list_reply" if bubble.content["interactive"]["type"] == "list" else "button_reply"
    return {"type": "interactive", "interactive": {"type": kind, kind: found}}


def changed_number(name: str, old: Mapping[str, str | None], new: Mapping[str, str | None]) -> Message:
    """Told by the system: somebody has another number, and so another id. `old` and `new` hold `phone` and `user_id`."""
    shown = new["phone"] is not None
    key = "phone" if shown else "user_id"
    told: dict[str, Any] = {"body": f"User {name} changed from {old[key] or old['user_id']} to {new[key]}"}
    if shown:
        told["wa_id"] = new["phone"]
    told["user_id"] = new["user_id"]
    if old["user_id"]:
        told["previous_user_id"] = old["user_id"]
    return {"type": "system", "system": told | {"type": "user_changed_number" if shown else "user_changed_user_id"}}
