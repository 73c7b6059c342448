"""What a reader, the AI included, should read for each kind of message. Pure.

The kinds and their fields are those of Meta's reference of incoming messages. SARA's own words stand in brackets, and nobody
else's can close them; the customer's are outside and never changed. Whatever is missing or of a wrong type is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sara_whatsapp.webhook.flat_text import flatten, say
from sara_whatsapp.webhook.form_answers import answers_of
from sara_whatsapp.webhook.message_types import MEDIA, lost, type_of
from sara_whatsapp.webhook.safe_json import listed, mapping, words

_LONGEST = 300
_SENT = "sent"
"""What the body of a filled-in flow says, and nothing more."""

ENVELOPE = frozenset(
    {"id", "type", "timestamp", "from", "from_user_id", "from_parent_user_id", "to", "to_user_id", "to_parent_user_id"}
)
"""Keys of every message: which it is, when it was written, and by whom."""

_AROUND = frozenset({*ENVELOPE, "context", "referral", "errors", "group_id"})


def stand_in(kind: str, message: Mapping[str, Any]) -> str:
    """The text for a message of `kind`, whose own part is under the key of that name."""
    write = _WRITERS.get(kind)
    return _unforeseen(kind, message) if write is None else write(mapping(message.get(kind)), message)


def choice_of(kind: str, message: Mapping[str, Any]) -> str | None:
    """The label that the customer chose, of a button or of a row in a list; None for anything else."""
    own = mapping(message.get(kind))
    if kind == "button":
        return words(own.get("text")) or None
    reply = mapping(own.get(words(own.get("type"))))
    return words(reply.get("title")) or None if kind == "interactive" else None


def note_on(message: Mapping[str, Any]) -> str:
    """What a reader should know besides the words: where they come from and what they are about. Empty for most messages."""
    context, referral = mapping(message.get("context")), mapping(message.get("referral"))
    notes = [
        "said in a group" if message.get("group_id") else "",
        _forwarded(context),
        _product(mapping(context.get("referred_product"))),
        _advertised(referral) if referral else "",
    ]
    return " ".join(f"[{note}]" for note in notes if note)


def _forwarded(context: dict[str, Any]) -> str:
    if context.get("frequently_forwarded") is True:
        return "forwarded many times"
    return "forwarded" if context.get("forwarded") is True else ""


def _product(product: dict[str, Any]) -> str:
    name = _ours(words(product.get("product_retailer_id")))
    return f"about the product {name}" if name else ""


def _advertised(referral: dict[str, Any]) -> str:
    source = "post" if referral.get("source_type") == "post" else "ad"
    said = _join(": ", _ours(words(referral.get("headline"))), _ours(words(referral.get("body"))))
    return f"came from the {source} “{said}”" if said else f"came from an {source}" if source == "ad" else "came from a post"


# ── kind by kind ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _text(own: dict[str, Any], _: Mapping[str, Any]) -> str:
    body = words(own.get("body"))
    return body if body.strip() else "[empty message]"


def _file(label: Callable[[dict[str, Any]], str]) -> Callable[[dict[str, Any], Mapping[str, Any]], str]:
    """A writer for a kind of file: what it is, then the caption."""

    def write(own: dict[str, Any], message: Mapping[str, Any]) -> str:
        tag = _not_received(label(own), message) if listed(message.get("errors")) else f"[{label(own)}]"
        return _join(" ", tag, words(own.get("caption")))

    return write


def _audio(own: dict[str, Any]) -> str:
    return "voice message" if own.get("voice") is True else "audio"


def _document(own: dict[str, Any]) -> str:
    return _join(": ", "document", _ours(words(own.get("filename"))))


def _sticker(own: dict[str, Any]) -> str:
    return "animated sticker" if own.get("animated") is True else "sticker"


def _not_received(label: str, message: Mapping[str, Any]) -> str:
    return f"[{_join(': ', f'{_ours(_spaced(label))}, not received', _trouble(message))}]"


def _location(own: dict[str, Any], _: Mapping[str, Any]) -> str:
    place = _join(", ", words(own.get("name")), words(own.get("address")))
    point = _join(", ", words(own.get("latitude")), words(own.get("longitude")))
    more = flatten(own, skip=("name", "address", "latitude", "longitude"))
    return _join(" ", "[location]", place, f"({point})" if point else "", more)


def _contacts(_: dict[str, Any], message: Mapping[str, Any]) -> str:
    cards = [mapping(card) for card in listed(message.get("contacts"))]
    shared = any(card.get("origin") == "contact_request" for card in cards)
    return _join(" ", "[own contact details]" if shared else "[contact]", _join("; ", *map(_card, cards)))


def _card(card: dict[str, Any]) -> str:
    """A card as people read it. Its vCard says the same once more, in a form for machines."""
    name, org = mapping(card.get("name")), mapping(card.get("org"))
    said = [
        say(name.get("formatted_name")) or flatten(name),
        *(say(org.get(key)) for key in ("company", "department", "title")),
        *(_phone(mapping(phone)) for phone in listed(card.get("phones"))),
        *(say(mapping(email).get("email")) for email in listed(card.get("emails"))),
        *(_address(mapping(address)) for address in listed(card.get("addresses"))),
        *(say(mapping(url).get("url")) for url in listed(card.get("urls"))),
        flatten(card, skip=("name", "org", "phones", "emails", "addresses", "urls", "vcard", "origin")),
    ]
    return _join(", ", *said)


def _phone(phone: dict[str, Any]) -> str:
    number, wa_id = say(phone.get("phone")), say(phone.get("wa_id"))
    same = "".join(filter(str.isdigit, number)) == wa_id
    return _join(" ", number, f"(WhatsApp {wa_id})" if wa_id and not same else "")


def _address(address: dict[str, Any]) -> str:
    keys = ("street", "zip", "city", "state", "country")
    return _join(", ", *(say(address.get(key)) for key in keys), flatten(address, skip=(*keys, "type", "country_code")))


def _interactive(own: dict[str, Any], message: Mapping[str, Any]) -> str:
    kind = words(own.get("type"))
    reply = mapping(own.get(kind))
    if kind == "nfm_reply":
        return _form(reply)
    if kind == "call_permission_reply":
        return f"[call permission: {_ours(words(reply.get('response'))) or 'answered'}]"
    if title := choice_of("interactive", message):
        return _join(": ", title, words(reply.get("description")))
    return _join(" ", f"[{_ours(_spaced(kind)) or 'interactive message'}]", flatten(own.get(kind), skip=("type",)))


def _form(reply: dict[str, Any]) -> str:
    answers, body, name = answers_of(reply), say(reply.get("body")), words(reply.get("name"))
    # The token names the form for machines; the rest is what the customer filled in.
    filled = flatten(answers, skip=("flow_token",))
    said = set(_words_in(filled))
    more = body if body.casefold() != _SENT and any(word not in said for word in _words_in(body)) else ""
    label = "form" if name in ("", "flow") else _ours(_spaced(name))
    return _join(" ", f"[{label}]", _join("; ", more, filled))


def _words_in(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _button(own: dict[str, Any], _: Mapping[str, Any]) -> str:
    text, payload = words(own.get("text")), words(own.get("payload"))
    # What the business itself put behind the button; Meta puts the label there where it put nothing.
    behind = _ours(payload) if payload.strip().casefold() != text.strip().casefold() else ""
    return _join(" ", text, f"[{_join(': ', 'button', behind)}]" if behind or not text else "")


def _order(own: dict[str, Any], _: Mapping[str, Any]) -> str:
    items = [_item(mapping(item)) for item in listed(own.get("product_items"))]
    listing = _join(" ", "[order]", ", ".join(filter(None, items)))
    return _join(": ", listing, words(own.get("text")))


def _item(item: dict[str, Any]) -> str:
    price = _join(" ", words(item.get("item_price")), words(item.get("currency")))
    name = words(item.get("product_retailer_id"))
    return f"{words(item.get('quantity')) or '?'} × {name or '?'}" + (f" at {price}" if price else "") if item else ""


def _reaction(own: dict[str, Any], _: Mapping[str, Any]) -> str:
    emoji = _ours(words(own.get("emoji")))
    return f"[reacted with {emoji}]" if emoji else "[took back the reaction]"


def _system(own: dict[str, Any], _: Mapping[str, Any]) -> str:
    told = _ours(words(own.get("body"))) or _ours(_spaced(words(own.get("type")))) or "system message"
    number = _ours(words(own.get("new_wa_id")) or words(own.get("wa_id")))
    return f"[{told}]" if not number or number in told else f"[{told}; new number: {number}]"


def _welcome(_: dict[str, Any], __: Mapping[str, Any]) -> str:
    return "[opened the chat]"


def _edit(own: dict[str, Any], _: Mapping[str, Any]) -> str:
    edited = mapping(own.get("message"))
    kind = type_of(edited)
    # An edit within an edit is not something Meta sends; not following it keeps this finite.
    if kind in ("edit", "unknown"):
        return "[changed an earlier message]"
    return f"[changed an earlier message to:] {stand_in(kind, edited)}"


def _revoke(_: dict[str, Any], __: Mapping[str, Any]) -> str:
    return "[deleted an earlier message]"


def _unsupported(own: dict[str, Any], message: Mapping[str, Any]) -> str:
    kind = words(own.get("type"))
    if what := lost(message):
        return _not_received(kind if kind in MEDIA else what, message)
    if kind == "edit":
        return "[changed an earlier message; WhatsApp does not say how]"
    detail = _join("; ", _ours(_spaced(kind)), _trouble(message))
    tag = f"[unsupported message: {detail}]" if detail else "[unsupported message]"
    return _join(" ", tag, flatten(own, skip=("type",)))


def _unforeseen(kind: str, message: Mapping[str, Any]) -> str:
    """A kind that is none of ours: its name, what Meta says is wrong with it, and all that it holds."""
    if lost(message):
        return _not_received(kind, message)
    tag = f"[{_join(': ', f'{_ours(_spaced(kind))} message', _trouble(message))}]"
    others = {key: value for key, value in message.items() if key not in _AROUND}
    return _join(" ", tag, flatten(others[kind] if set(others) == {kind} else others))


def _trouble(message: Mapping[str, Any]) -> str:
    errors = [mapping(error) for error in listed(message.get("errors"))]
    return _ours("; ".join(filter(None, (words(error.get("title")) or words(error.get("message")) for error in errors))))


def _ours(text: str) -> str:
    """Somebody's words within our brackets: on one line, not endless, and without brackets of their own."""
    line = " ".join(text.split()).replace("[", "(").replace("]", ")")
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _spaced(word: str) -> str:
    return word.replace("_", " ")


def _join(between: str, *pieces: str) -> str:
    return between.join(piece for piece in pieces if piece)


_WRITERS: Mapping[str, Callable[[dict[str, Any], Mapping[str, Any]], str]] = {
    "text": _text,
    "image": _file(lambda _: "image"),
    "video": _file(lambda _: "video"),
    "audio": _file(_audio),
    "document": _file(_document),
    "sticker": _file(_sticker),
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
