"""Placeholder texts: what a reader or the AI reads for each type of message.

The types and their fields are those of Meta's reference of incoming messages. SARA's own words stand in brackets, which a
customer's text cannot close; the customer's words stand outside unchanged. Missing or mistyped fields are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sara_whatsapp.webhook.flat_text import flatten, format_value
from sara_whatsapp.webhook.form_answers import read_answers
from sara_whatsapp.webhook.message_types import MEDIA, find_lost, read_type
from sara_whatsapp.webhook.safe_json import to_dict, to_list, to_text

_MAX_TAG_CHARS = 300
_DEFAULT_FORM_BODY = "sent"
"""The body of every completed flow."""

ENVELOPE = frozenset(
    {"id", "type", "timestamp", "from", "from_user_id", "from_parent_user_id", "to", "to_user_id", "to_parent_user_id"}
)
"""Keys of every message: id, time and sender."""

_ENVELOPE_AND_CONTEXT = frozenset({*ENVELOPE, "context", "referral", "errors", "group_id"})


def placeholder_text(kind: str, message: Mapping[str, Any]) -> str:
    """Return the text for a message of `kind`, whose content is under the key of that name."""
    write = _WRITERS.get(kind)
    return _write_unknown(kind, message) if write is None else write(to_dict(message.get(kind)), message)


def read_choice(kind: str, message: Mapping[str, Any]) -> str | None:
    """Return the label of the button or list row that the customer chose; None for anything else."""
    own = to_dict(message.get(kind))
    if kind == "button":
        return to_text(own.get("text")) or None
    reply = to_dict(own.get(to_text(own.get("type"))))
    return to_text(reply.get("title")) or None if kind == "interactive" else None


def context_note(message: Mapping[str, Any]) -> str:
    """Return where a message comes from and what it is about, in brackets; empty for most messages."""
    context, referral = to_dict(message.get("context")), to_dict(message.get("referral"))
    notes = [
        "said in a group" if message.get("group_id") else "",
        _note_forwarded(context),
        _note_product(to_dict(context.get("referred_product"))),
        _note_referral(referral) if referral else "",
    ]
    return " ".join(f"[{note}]" for note in notes if note)


def _note_forwarded(context: dict[str, Any]) -> str:
    if context.get("frequently_forwarded") is True:
        return "forwarded many times"
    return "forwarded" if context.get("forwarded") is True else ""


def _note_product(product: dict[str, Any]) -> str:
    name = _escape_tag(to_text(product.get("product_retailer_id")))
    return f"about the product {name}" if name else ""


def _note_referral(referral: dict[str, Any]) -> str:
    source = "post" if referral.get("source_type") == "post" else "ad"
    said = _join(": ", _escape_tag(to_text(referral.get("headline"))), _escape_tag(to_text(referral.get("body"))))
    return f"came from the {source} “{said}”" if said else f"came from an {source}" if source == "ad" else "came from a post"


# ── kind by kind ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _write_text(own: dict[str, Any], _: Mapping[str, Any]) -> str:
    body = to_text(own.get("body"))
    return body if body.strip() else "[empty message]"


def _make_file_writer(label: Callable[[dict[str, Any]], str]) -> Callable[[dict[str, Any], Mapping[str, Any]], str]:
    """Return a writer for a kind of file: its label, then the caption."""

    def write(own: dict[str, Any], message: Mapping[str, Any]) -> str:
        tag = _write_not_received(label(own), message) if to_list(message.get("errors")) else f"[{label(own)}]"
        return _join(" ", tag, to_text(own.get("caption")))

    return write


def _label_audio(own: dict[str, Any]) -> str:
    return "voice message" if own.get("voice") is True else "audio"


def _label_document(own: dict[str, Any]) -> str:
    return _join(": ", "document", _escape_tag(to_text(own.get("filename"))))


def _label_sticker(own: dict[str, Any]) -> str:
    return "animated sticker" if own.get("animated") is True else "sticker"


def _write_not_received(label: str, message: Mapping[str, Any]) -> str:
    return f"[{_join(': ', f'{_escape_tag(_replace_underscores(label))}, not received', _read_errors(message))}]"


def _write_location(own: dict[str, Any], _: Mapping[str, Any]) -> str:
    place = _join(", ", to_text(own.get("name")), to_text(own.get("address")))
    point = _join(", ", to_text(own.get("latitude")), to_text(own.get("longitude")))
    more = flatten(own, skip=("name", "address", "latitude", "longitude"))
    return _join(" ", "[location]", place, f"({point})" if point else "", more)


def _write_contacts(_: dict[str, Any], message: Mapping[str, Any]) -> str:
    cards = [to_dict(card) for card in to_list(message.get("contacts"))]
    shared = any(card.get("origin") == "contact_request" for card in cards)
    return _join(" ", "[own contact details]" if shared else "[contact]", _join("; ", *map(_write_card, cards)))


def _write_card(card: dict[str, Any]) -> str:
    """Return a contact card as text. Its vCard repeats the same for machines and is left out."""
    name, org = to_dict(card.get("name")), to_dict(card.get("org"))
    said = [
        format_value(name.get("formatted_name")) or flatten(name),
        *(format_value(org.get(key)) for key in ("company", "department", "title")),
        *(_write_phone(to_dict(phone)) for phone in to_list(card.get("phones"))),
        *(format_value(to_dict(email).get("email")) for email in to_list(card.get("emails"))),
        *(_write_address(to_dict(address)) for address in to_list(card.get("addresses"))),
        *(format_value(to_dict(url).get("url")) for url in to_list(card.get("urls"))),
        flatten(card, skip=("name", "org", "phones", "emails", "addresses", "urls", "vcard", "origin")),
    ]
    return _join(", ", *said)


def _write_phone(phone: dict[str, Any]) -> str:
    number, wa_id = format_value(phone.get("phone")), format_value(phone.get("wa_id"))
    same = "".join(filter(str.isdigit, number)) == wa_id
    return _join(" ", number, f"(WhatsApp {wa_id})" if wa_id and not same else "")


def _write_address(address: dict[str, Any]) -> str:
    keys = ("street", "zip", "city", "state", "country")
    return _join(", ", *(format_value(address.get(key)) for key in keys), flatten(address, skip=(*keys, "type", "country_code")))


def _write_interactive(own: dict[str, Any], message: Mapping[str, Any]) -> str:
    kind = to_text(own.get("type"))
    reply = to_dict(own.get(kind))
    if kind == "nfm_reply":
        return _write_form(reply)
    if kind == "call_permission_reply":
        return f"[call permission: {_escape_tag(to_text(reply.get('response'))) or 'answered'}]"
    if title := read_choice("interactive", message):
        return _join(": ", title, to_text(reply.get("description")))
    return _join(
        " ", f"[{_escape_tag(_replace_underscores(kind)) or 'interactive message'}]", flatten(own.get(kind), skip=("type",))
    )


def _write_form(reply: dict[str, Any]) -> str:
    answers, body, name = read_answers(reply), format_value(reply.get("body")), to_text(reply.get("name"))
    # The token identifies the form; the rest are the customer's answers.
    filled = flatten(answers, skip=("flow_token",))
    said = set(_split_words(filled))
    more = body if body.casefold() != _DEFAULT_FORM_BODY and any(word not in said for word in _split_words(body)) else ""
    label = "form" if name in ("", "flow") else _escape_tag(_replace_underscores(name))
    return _join(" ", f"[{label}]", _join("; ", more, filled))


def _split_words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _write_button(own: dict[str, Any], _: Mapping[str, Any]) -> str:
    text, payload = to_text(own.get("text")), to_text(own.get("payload"))
    # The payload that the business set; without one Meta repeats the label.
    behind = _escape_tag(payload) if payload.strip().casefold() != text.strip().casefold() else ""
    return _join(" ", text, f"[{_join(': ', 'button', behind)}]" if behind or not text else "")


def _write_order(own: dict[str, Any], _: Mapping[str, Any]) -> str:
    items = [_write_item(to_dict(item)) for item in to_list(own.get("product_items"))]
    listing = _join(" ", "[order]", ", ".join(filter(None, items)))
    return _join(": ", listing, to_text(own.get("text")))


def _write_item(item: dict[str, Any]) -> str:
    price = _join(" ", to_text(item.get("item_price")), to_text(item.get("currency")))
    name = to_text(item.get("product_retailer_id"))
    return f"{to_text(item.get('quantity')) or '?'} × {name or '?'}" + (f" at {price}" if price else "") if item else ""


def _write_reaction(own: dict[str, Any], _: Mapping[str, Any]) -> str:
    emoji = _escape_tag(to_text(own.get("emoji")))
    return f"[reacted with {emoji}]" if emoji else "[took back the reaction]"


def _write_system(own: dict[str, Any], _: Mapping[str, Any]) -> str:
    told = (
        _escape_tag(to_text(own.get("body"))) or _escape_tag(_replace_underscores(to_text(own.get("type")))) or "system message"
    )
    number = _escape_tag(to_text(own.get("new_wa_id")) or to_text(own.get("wa_id")))
    return f"[{told}]" if not number or number in told else f"[{told}; new number: {number}]"


def _write_welcome(_: dict[str, Any], __: Mapping[str, Any]) -> str:
    return "[opened the chat]"


def _write_edit(own: dict[str, Any], _: Mapping[str, Any]) -> str:
    edited = to_dict(own.get("message"))
    kind = read_type(edited)
    # Meta sends no edit within an edit; ignoring one keeps the recursion finite.
    if kind in ("edit", "unknown"):
        return "[changed an earlier message]"
    return f"[changed an earlier message to:] {placeholder_text(kind, edited)}"


def _write_revoke(_: dict[str, Any], __: Mapping[str, Any]) -> str:
    return "[deleted an earlier message]"


def _write_unsupported(own: dict[str, Any], message: Mapping[str, Any]) -> str:
    kind = to_text(own.get("type"))
    if what := find_lost(message):
        return _write_not_received(kind if kind in MEDIA else what, message)
    if kind == "edit":
        return "[changed an earlier message; WhatsApp does not say how]"
    detail = _join("; ", _escape_tag(_replace_underscores(kind)), _read_errors(message))
    tag = f"[unsupported message: {detail}]" if detail else "[unsupported message]"
    return _join(" ", tag, flatten(own, skip=("type",)))


def _write_unknown(kind: str, message: Mapping[str, Any]) -> str:
    """Return the text of a message of an unknown type: its name, Meta's errors, and all that it contains."""
    if find_lost(message):
        return _write_not_received(kind, message)
    tag = f"[{_join(': ', f'{_escape_tag(_replace_underscores(kind))} message', _read_errors(message))}]"
    others = {key: value for key, value in message.items() if key not in _ENVELOPE_AND_CONTEXT}
    return _join(" ", tag, flatten(others[kind] if set(others) == {kind} else others))


def _read_errors(message: Mapping[str, Any]) -> str:
    errors = [to_dict(error) for error in to_list(message.get("errors"))]
    return _escape_tag(
        "; ".join(filter(None, (to_text(error.get("title")) or to_text(error.get("message")) for error in errors)))
    )


def _escape_tag(text: str) -> str:
    """Return text from outside for use within SARA's brackets: on one line, shortened, without brackets of its own."""
    line = " ".join(text.split()).replace("[", "(").replace("]", ")")
    return line if len(line) <= _MAX_TAG_CHARS else line[: _MAX_TAG_CHARS - 1] + "…"


def _replace_underscores(word: str) -> str:
    return word.replace("_", " ")


def _join(between: str, *pieces: str) -> str:
    return between.join(piece for piece in pieces if piece)


_WRITERS: Mapping[str, Callable[[dict[str, Any], Mapping[str, Any]], str]] = {
    "text": _write_text,
    "image": _make_file_writer(lambda _: "image"),
    "video": _make_file_writer(lambda _: "video"),
    "audio": _make_file_writer(_label_audio),
    "document": _make_file_writer(_label_document),
    "sticker": _make_file_writer(_label_sticker),
    "location": _write_location,
    "contacts": _write_contacts,
    "interactive": _write_interactive,
    "button": _write_button,
    "order": _write_order,
    "reaction": _write_reaction,
    "system": _write_system,
    "request_welcome": _write_welcome,
    "edit": _write_edit,
    "revoke": _write_revoke,
    "unsupported": _write_unsupported,
}
