"""Content of a shape that nobody foresaw: every value of it is kept, and the reader sees what a customer filled in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sara_whatsapp.webhook.parser import BusinessNumber, parse

from sara import Attachment, Identity, IdentityChange, InboundMessage, OperatorEcho
from tests.fakes import steady

OURS = BusinessNumber("whatsapp:109000000000555", "109000000000555")
KEY = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Z")), min_size=1, max_size=8)
LEAF = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20),
    st.integers(-(2**40), 2**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
)
NESTED = st.recursive(
    LEAF, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEY, inner, max_size=3)), max_leaves=12
)
OBJECT = st.dictionaries(KEY, NESTED, max_size=4)


def read(message: dict[str, Any]) -> Any:
    change = {
        "field": "messages",
        "value": {
            "metadata": {"phone_number_id": "109000000000555"},
            "messages": [{"from_user_id": "US.1", "id": "wamid.1", **message}],
        },
    }
    return parse(json.dumps({"entry": [{"changes": [change]}]}).encode(), OURS, 1_795_400_000_000)


def message_of(message: dict[str, Any]) -> InboundMessage:
    (inbound,) = read(message).messages
    assert isinstance(inbound, InboundMessage)
    return inbound


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from leaves(item)
    else:
        yield value


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from keys(item)


def shown(value: Any) -> str:
    """A value as a reader finds it in one line of text."""
    return " ".join(str(value).split())


PLACES = {
    "a form": lambda value: {
        "type": "interactive",
        "interactive": {"type": "nfm_reply", "nfm_reply": {"response_json": json.dumps(value)}},
    },
    "a form whose answers are no text": lambda value: {
        "type": "interactive",
        "interactive": {"type": "nfm_reply", "nfm_reply": {"name": "address_message", "response_json": value}},
    },
    "an answer of an unknown sort": lambda value: {
        "type": "interactive",
        "interactive": {"type": "quiz_reply", "quiz_reply": value},
    },
    "an unknown kind": lambda value: {"type": "hologram", "hologram": value},
    "beside an unknown kind": lambda value: {"type": "hologram", "presence": value},
    "an unsupported kind": lambda value: {"type": "unsupported", "unsupported": {"type": "poll_creation", "poll": value}},
    "a place": lambda value: {"type": "location", "location": {"latitude": 1, "longitude": 2, "more": value}},
    "a card": lambda value: {"type": "contacts", "contacts": [{"name": {"formatted_name": "Ana"}, "more": value}]},
    "an address on a card": lambda value: {
        "type": "contacts",
        "contacts": [{"addresses": [{"street": "1 Road", "more": value}]}],
    },
}
"""Where a customer's own values may stand: all of them are to be read."""

BESIDE = {
    "text": lambda value: {"type": "text", "text": {"body": "hi", "entities": value}},
    "image": lambda value: {"type": "image", "image": {"id": "1", "more": value}},
    "order": lambda value: {"type": "order", "order": {"product_items": [], "more": value}},
    "button": lambda value: {"type": "button", "button": {"text": "Yes", "more": value}},
    "list": lambda value: {
        "type": "interactive",
        "interactive": {"type": "list_reply", "list_reply": {"title": "Yes", "more": value}},
    },
    "reaction": lambda value: {"type": "reaction", "reaction": {"emoji": "👍", "more": value}},
    "system": lambda value: {"type": "system", "system": {"body": "news", "more": value}},
    "the envelope": lambda value: {"type": "text", "text": {"body": "hi"}, "more": value},
}
"""Where only machines look: it is kept, and need not be read."""


@steady
@given(OBJECT)
def test_every_value_of_unforeseen_content_is_found_in_the_text_or_the_content(value: dict[str, Any]) -> None:
    for place, put in {**PLACES, **BESIDE}.items():
        message = message_of(put(value))
        kept = list(leaves(message.content))
        for leaf in leaves(value):
            assert any(type(each) is type(leaf) and each == leaf for each in kept), (place, leaf)
        assert json.loads(json.dumps(message.content)) == message.content, "content is plain JSON"


@steady
@given(OBJECT)
def test_a_reader_sees_every_value_that_a_customer_may_have_filled_in(value: dict[str, Any]) -> None:
    if {"id", "mime_type", "flow_token"} & set(keys(value)):
        return
    for place, put in PLACES.items():
        text = message_of(put(value)).text
        assert "\n" not in text, place
        if text.endswith("…"):
            continue
        for leaf in leaves(value):
            if isinstance(leaf, str | int | float) and not isinstance(leaf, bool):
                assert shown(leaf) in text, place


def test_a_form_brings_the_files_that_it_names_wherever_they_stand() -> None:
    digest = "PqHgadp8cJ/N6mvAYGNMxhs9Ra5hbZFcctCtCClXsMU="
    photo = {"file_name": "IMG_5237.jpg", "mime_type": "image/jpeg", "sha256": digest, "id": "3631120727156756"}
    paper = {"file_name": "id card.pdf", "mime_type": "application/pdf", "sha256": "?", "id": 790}
    answers = {
        "flow_token": "xyz",
        "photo_picker": [photo],
        "more": {"papers": [[paper], {"odd": {"id": "no file"}}]},
        "name": "John",
    }
    rows: list[tuple[Any, list[tuple[str, str, str, str | None]]]] = [
        (
            json.dumps(answers),
            [("image", "image/jpeg", "3631120727156756", "IMG_5237.jpg"), ("document", "application/pdf", "790", "id card.pdf")],
        ),
        (answers["photo_picker"], [("image", "image/jpeg", "3631120727156756", "IMG_5237.jpg")]),
        (json.dumps({"clip": {"id": "8", "mime_type": "video/mp4"}}), [("video", "video/mp4", "8", None)]),
        (json.dumps({"order": {"id": "8", "sku": "x"}}), []),
        (
            json.dumps({"a": [{**photo, "id": str(number)} for number in range(30)]}),
            [("image", "image/jpeg", str(n), "IMG_5237.jpg") for n in range(10)],
        ),
        ("{broken", []),
        (None, []),
    ]
    for written, expected in rows:
        message = message_of(
            {"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": {"response_json": written}}}
        )
        assert [(each.kind, each.mime, each.reference, each.name) for each in message.attachments] == expected, written
    first: Attachment = message_of(PLACES["a form"](answers)).attachments[0]
    assert first.sha256 is not None
    assert len(first.sha256) == 64


def test_the_new_number_is_taken_from_wherever_a_system_message_names_it() -> None:
    rows = [
        ({"type": "user_changed_number", "new_wa_id": "15550002222"}, "15550002222"),
        ({"type": "customer_changed_number", "new_wa_id": "+15550002222", "wa_id": "15550001111"}, "15550002222"),
        ({"type": "user_changed_number", "wa_id": "15550003333"}, "15550003333"),
    ]
    for own, number in rows:
        parsed = read({"type": "system", "from": "15550001111", "from_user_id": None, "system": own})
        [change] = parsed.changes
        assert isinstance(change, IdentityChange)
        assert (change.before, change.after) == (Identity(phone="15550001111"), Identity(phone=number)), own
        assert number in parsed.messages[0].text


def test_the_contact_beside_a_message_is_found_by_any_spelling_of_its_number() -> None:
    for number, wa_id in (
        ("5511912345678", "551112345678"),
        ("5215512345678", "525512345678"),
        ("5491112345678", "541112345678"),
    ):
        for sent, known in ((number, wa_id), (wa_id, number)):
            contacts = [
                {"wa_id": "15550001111", "user_id": "US.1", "profile": {"name": "Ana"}},
                {"wa_id": known, "user_id": "BR.1", "profile": {"name": "Bia"}},
            ]
            message = {"from": sent, "id": "wamid.1", "type": "text", "text": {"body": "oi"}}
            value = {"metadata": {"phone_number_id": "109000000000555"}, "contacts": contacts, "messages": [message]}
            body = {"entry": [{"changes": [{"field": "messages", "value": value}]}]}
            [inbound] = parse(json.dumps(body).encode(), OURS, 1_795_400_000_000).messages
            assert inbound.person == Identity(user_id="BR.1", phone=sent, name="Bia"), (sent, known)


def test_an_echo_names_its_customer_by_a_number_however_the_phone_has_it() -> None:
    for to, phone in (
        ("15550001111", "15550001111"),
        ("+55 11 91234-5678", "5511912345678"),
        ("0055 (11) 91234.5678", "5511912345678"),
        (15550001111, "15550001111"),
        ("US.13491208655302741918", None),
    ):
        echo = {
            "from": "15550009000",
            "to": to,
            "id": "wamid.e",
            "timestamp": "1795308000",
            "type": "text",
            "text": {"body": "hi"},
        }
        value = {"metadata": {"phone_number_id": "109000000000555"}, "message_echoes": [echo]}
        body = {"entry": [{"changes": [{"field": "smb_message_echoes", "value": value}]}]}
        [change] = parse(json.dumps(body).encode(), OURS, 1_795_400_000_000).changes
        assert isinstance(change, OperatorEcho)
        assert change.person.phone == phone, to
        assert (change.person.user_id is None) is (phone is not None)
