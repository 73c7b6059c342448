"""What a reader, the AI included, should read for each kind of message. Pure.

The kinds and their fields are those of Meta's reference of incoming messages. A stand-in is put in brackets; words of the
customer are never changed. Whatever is missing or of a wrong type is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sara_whatsapp.wire import Unreadable, decode, listed, mapping, words

ANSWERED = frozenset(
    {"text", "image", "video", "audio", "document", "sticker", "location", "contacts", "interactive", "button", "order"}
)
"""Kinds that call for an answer. Every other one, today's or tomorrow's, is only recorded."""

_MEDIA = frozenset({"image", "video", "audio", "document", "sticker"})


def stand_in(kind: str, message: Mapping[str, Any]) -> str:
    """The text for a message of `kind`, whose own part is under the key of that name."""
    write = _WRITERS.get(kind)
    text = write(mapping(message.get(kind)), message) if write else f"[{_spaced(kind)} message]"
    trouble = _trouble(message)
    return f"{text} (not received: {trouble})" if trouble and kind in _MEDIA else text


def _text(own: dict[str, Any], _: Mapping[str, Any]) -> str:
    body = words(own.get("body"))
    return body if body.strip() else "[empty message]"


def _captioned(label: str) -> Callable[[dict[str, Any], Mapping[str, Any]], str]:
    return lambda own, _: _join(" ", f"[{label}]", words(own.get("caption")))


def _audio(own: dict[str, Any], _: Mapping[str, Any]) -> str:
    return "[voice message]" if own.get("voice") is True else "[audio]"


def _document(own: dict[str, Any], _: Mapping[str, Any]) -> str:
    name = words(own.get("filename"))
    return _join(" ", f"[document: {name}]" if name else "[document]", words(own.get("caption")))


def _sticker(own: dict[str, Any], _: Mapping[str, Any]) -> str:
    return "[animated sticker]" if own.get("animated") is True else "[sticker]"


def _location(own: dict[str, Any], _: Mapping[str, Any]) -> str:
    place = _join(", ", words(own.get("name")), words(own.get("address")))
    point = _join(", ", words(own.get("latitude")), words(own.get("longitude")))
    return _join(" ", "[location]", place, f"({point})" if point else "")


def _contacts(_: dict[str, Any], message: Mapping[str, Any]) -> str:
    cards = [mapping(card) for card in listed(message.get("contacts"))]
    shared = any(card.get("origin") == "contact_request" for card in cards)
    return _join(" ", "[own contact details]" if shared else "[contact]", _join("; ", *map(_card, cards)))


def _card(card: dict[str, Any]) -> str:
    phones = [words(mapping(phone).get("phone")) for phone in listed(card.get("phones"))]
    emails = [words(mapping(email).get("email")) for email in listed(card.get("emails"))]
    company = words(mapping(card.get("org")).get("company"))
    return _join(", ", words(mapping(card.get("name")).get("formatted_name")), company, *phones, *emails)


def _interactive(own: dict[str, Any], _: Mapping[str, Any]) -> str:
    kind = words(own.get("type"))
    reply = mapping(own.get(kind))
    if kind == "nfm_reply":
        return _form(reply)
    if kind == "call_permission_reply":
        return f"[call permission: {words(reply.get('response')) or 'answered'}]"
    return words(reply.get("title")) or f"[{_spaced(kind) or 'interactive message'}]"


def _form(reply: dict[str, Any]) -> str:
    try:
        answers = mapping(decode(words(reply.get("response_json")).encode()))
    except Unreadable:
        answers = {}
    # The token names the form for machines; the rest is what the customer filled in.
    filled = [f"{key}: {_value(value)}" for key, value in answers.items() if key != "flow_token" and _value(value)]
    return _join(" ", "[form]", "; ".join(filled))


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(filter(None, map(words, value))) if isinstance(value, list) else words(value)


def _button(own: dict[str, Any], _: Mapping[str, Any]) -> str:
    return words(own.get("text")) or "[button]"


def _order(own: dict[str, Any], _: Mapping[str, Any]) -> str:
    items = [_item(mapping(item)) for item in listed(own.get("product_items"))]
    listing = _join(" ", "[order]", ", ".join(filter(None, items)))
    return _join(": ", listing, words(own.get("text")))


def _item(item: dict[str, Any]) -> str:
    price = _join(" ", words(item.get("item_price")), words(item.get("currency")))
    name = words(item.get("product_retailer_id"))
    return f"{words(item.get('quantity')) or '?'} × {name or '?'}" + (f" at {price}" if price else "") if item else ""


def _reaction(own: dict[str, Any], _: Mapping[str, Any]) -> str:
    emoji = words(own.get("emoji"))
    return f"[reaction {emoji}]" if emoji else "[reaction removed]"


def _system(own: dict[str, Any], _: Mapping[str, Any]) -> str:
    return f"[{words(own.get('body')) or _spaced(words(own.get('type'))) or 'system message'}]"


def _welcome(_: dict[str, Any], __: Mapping[str, Any]) -> str:
    return "[opened the chat]"


def _edit(own: dict[str, Any], _: Mapping[str, Any]) -> str:
    edited = mapping(own.get("message"))
    kind = words(edited.get("type"))
    # An edit within an edit is not something Meta sends; not following it keeps this finite.
    return _join(" ", "[edited]", stand_in(kind, edited) if kind and kind != "edit" else "")


def _revoke(_: dict[str, Any], __: Mapping[str, Any]) -> str:
    return "[deleted a message]"


def _unsupported(own: dict[str, Any], message: Mapping[str, Any]) -> str:
    detail = _join("; ", _spaced(words(own.get("type"))), _trouble(message))
    return f"[unsupported message: {detail}]" if detail else "[unsupported message]"


def _trouble(message: Mapping[str, Any]) -> str:
    errors = [mapping(error) for error in listed(message.get("errors"))]
    return "; ".join(filter(None, (words(error.get("title")) or words(error.get("message")) for error in errors)))


def _spaced(word: str) -> str:
    return word.replace("_", " ")


def _join(between: str, *pieces: str) -> str:
    return between.join(piece for piece in pieces if piece)


_WRITERS: Mapping[str, Callable[[dict[str, Any], Mapping[str, Any]], str]] = {
    "text": _text,
    "image": _captioned("image"),
    "video": _captioned("video"),
    "audio": _audio,
    "document": _document,
    "sticker": _sticker,
    "location": _location,
    "contacts": _contacts,
    "interactive": _interactive,
    "button": _button,
    "order": _order,
    "reaction": _reaction,
    "system": _system,
    "request_welcome": _welcome,
    "edit": _edit,
    "revoke": _revoke,
    "unsupported": _unsupported,
}
