"""What is posted to Meta for a part."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sara_whatsapp.send.payloads import build_message, build_read_mark, build_typing_indicator

from sara import Identity, OutboundMessage, Rejected
from tests.plugins.whatsapp.schema import faults_of_body
from tests.rows import each_row

ANA = Identity(user_id="US.111", phone="15550001111")


def part(text: str = "Hello", to: Identity = ANA, **changes: Any) -> OutboundMessage:
    values: dict[str, Any] = {
        "id": "p1",
        "conversation": "c1",
        "account": "whatsapp:1",
        "to": to,
        "kind": "text",
        "text": text,
        "purpose": "reply",
    }
    return OutboundMessage(**values | changes)


def test_a_text_is_addressed_to_the_number_with_a_plus() -> None:
    assert build_message(part(), "attempt-1") == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "+15550001111",
        "type": "text",
        "text": {"body": "Hello", "preview_url": False},
        "biz_opaque_callback_data": "attempt-1",
    }


def test_a_person_without_a_number_is_addressed_by_user_id_alone() -> None:
    body = build_message(part(to=Identity(user_id="DE.444")), "a")
    assert body["recipient"] == "DE.444"
    assert "to" not in body


def test_a_user_id_is_never_made_into_a_number() -> None:
    body = build_message(part(to=Identity(user_id="DE.444", phone="DE.444")), "a")
    assert (body.get("to"), body["recipient"]) == (None, "DE.444")


def test_a_person_of_whom_nothing_is_known_cannot_be_written_to() -> None:
    with pytest.raises(Rejected):
        build_message(part(to=Identity(username="nox", name="Nox")), "a")


def test_an_answer_quotes_the_message_it_answers() -> None:
    assert build_message(part(reply_to="wamid.1"), "a")["context"] == {"message_id": "wamid.1"}
    assert "context" not in build_message(part(), "a")


@each_row(
    ("text", "preview"),
    [("see https://example.org", True), ("HTTP://example.org", True), ("https://", False), ("mail me@example.org", False)],
)
def test_a_preview_is_asked_for_only_where_there_is_a_link(text: str, preview: bool) -> None:
    assert build_message(part(text), "a")["text"]["preview_url"] is preview


@each_row("kind", ["poll", "contacts", "interactive", "", "to", "type"])
def test_a_kind_that_cannot_be_sent_is_refused(kind: str) -> None:
    with pytest.raises(Rejected, match="cannot send"):
        build_message(part(kind=kind), "a")


def test_a_lone_surrogate_cannot_spoil_the_request() -> None:
    body = build_message(part("a\ud800b"), "a")
    assert json.dumps(body, ensure_ascii=False).encode()
    assert body["text"]["body"] == "a\ufffdb"


ROW = {"id": "r1", "title": "Mint", "description": "fresh"}
TABLE: list[tuple[str, dict[str, Any], str, Any]] = [
    ("text", {}, "text", {"body": "Hello", "preview_url": False}),
    ("image", {"url": "https://x.com/a"}, "image", {"link": "https://x.com/a", "caption": "Hello"}),
    ("video", {"url": "https://x.com/a"}, "video", {"link": "https://x.com/a", "caption": "Hello"}),
    (
        "document",
        {"url": "https://x.com/a", "name": "a.pdf"},
        "document",
        {"link": "https://x.com/a", "caption": "Hello", "filename": "a.pdf"},
    ),
    ("audio", {"url": "https://x.com/a", "voice": True}, "audio", {"link": "https://x.com/a", "voice": True}),
    ("audio", {"url": "https://x.com/a"}, "audio", {"link": "https://x.com/a"}),
    ("sticker", {"url": "https://x.com/a"}, "sticker", {"link": "https://x.com/a"}),
    (
        "location",
        {"latitude": 48.1, "longitude": 11, "name": "Shop", "address": "Road 1"},
        "location",
        {"latitude": 48.1, "longitude": 11, "name": "Shop", "address": "Road 1"},
    ),
    ("location", {"latitude": 0, "longitude": 0}, "location", {"latitude": 0, "longitude": 0}),
    (
        "contact",
        {"name": "Ana B", "phones": ["+49 30 1"]},
        "contacts",
        [{"name": {"formatted_name": "Ana B", "first_name": "Ana B"}, "phones": [{"phone": "+49 30 1"}]}],
    ),
    ("reaction", {"emoji": "👍"}, "reaction", {"message_id": "wamid.1", "emoji": "👍"}),
    ("reaction", {"emoji": ""}, "reaction", {"message_id": "wamid.1", "emoji": ""}),
    (
        "buttons",
        {"buttons": [{"id": "y", "title": "Yes"}], "header": "Top", "footer": "End"},
        "interactive",
        {
            "type": "button",
            "header": {"type": "text", "text": "Top"},
            "body": {"text": "Hello"},
            "footer": {"text": "End"},
            "action": {"buttons": [{"type": "reply", "reply": {"id": "y", "title": "Yes"}}]},
        },
    ),
    (
        "list",
        {
            "button": "Teas",
            "sections": [{"title": "Hot", "rows": [ROW]}, {"title": "Iced", "rows": [{"id": "r2", "title": "Red"}]}],
        },
        "interactive",
        {
            "type": "list",
            "body": {"text": "Hello"},
            "action": {
                "button": "Teas",
                "sections": [{"title": "Hot", "rows": [ROW]}, {"title": "Iced", "rows": [{"id": "r2", "title": "Red"}]}],
            },
        },
    ),
    (
        "link",
        {"title": "Open", "url": "https://x.com"},
        "interactive",
        {
            "type": "cta_url",
            "body": {"text": "Hello"},
            "action": {"name": "cta_url", "parameters": {"display_text": "Open", "url": "https://x.com"}},
        },
    ),
    (
        "ask_location",
        {},
        "interactive",
        {"type": "location_request_message", "body": {"text": "Hello"}, "action": {"name": "send_location"}},
    ),
    (
        "ask_contact",
        {},
        "interactive",
        {"type": "request_contact_info", "body": {"text": "Hello"}, "action": {"name": "request_contact_info"}},
    ),
    ("template", {"name": "hi", "language": "en_US"}, "template", {"name": "hi", "language": {"code": "en_US"}}),
    (
        "template",
        {"name": "hi", "language": "de", "parameters": ["Ana", "5"]},
        "template",
        {
            "name": "hi",
            "language": {"code": "de"},
            "components": [{"type": "body", "parameters": [{"type": "text", "text": "Ana"}, {"type": "text", "text": "5"}]}],
        },
    ),
    (
        "template",
        {"name": "hi", "language": "de", "components": [{"type": "body", "parameters": []}], "parameters": ["Ana"]},
        "template",
        {"name": "hi", "language": {"code": "de"}, "components": [{"type": "body", "parameters": []}]},
    ),
]


@each_row(("kind", "content", "key", "own"), TABLE)
@each_row("to", [ANA, Identity(user_id="DE.444")])
def test_every_kind_is_said_as_meta_wants_it(kind: str, content: dict[str, Any], key: str, own: Any, to: Identity) -> None:
    body = build_message(part(kind=kind, content=content, to=to, reply_to="wamid.1"), "a")
    assert (body["type"], body[key]) == (key, own)
    assert body["biz_opaque_callback_data"] == "a"
    # A reaction names its message itself, and a template is shown without a quote.
    assert body.get("context") == (None if kind in {"reaction", "template"} else {"message_id": "wamid.1"})
    assert faults_of_body(body) == []


@each_row("kind", ["image", "video", "audio", "document", "sticker"])
def test_a_file_that_was_uploaded_goes_by_its_id(kind: str) -> None:
    body = build_message(part("", kind=kind, content={"path": "a/b", "url": "https://x.com/a"}), "a", "1234")
    assert body[kind] == {"id": "1234"}
    assert faults_of_body(body) == []


@each_row(
    ("kind", "content"),
    [
        ("image", {}),
        ("image", {"path": "a/b"}),
        ("location", {"latitude": 1}),
        ("location", {"latitude": "1", "longitude": True}),
        ("contact", {"name": "Ana"}),
        ("contact", {"phones": ["1"]}),
        ("contact", {"name": "Ana", "phones": [{}]}),
        ("reaction", {"emoji": "👍"}),
        ("buttons", {}),
        ("buttons", {"buttons": ["Yes"]}),
        ("buttons", {"buttons": [{"id": "y", "title": " "}]}),
        ("list", {"sections": [{"rows": [ROW]}]}),
        ("list", {"button": "Teas", "sections": []}),
        ("list", {"button": "Teas", "sections": [{"title": "Hot"}]}),
        ("link", {"title": "Open"}),
        ("link", {"url": "https://x.com"}),
        ("template", {"name": "hi"}),
        ("template", {"language": "en"}),
        ("template", {"name": "hi", "language": "en", "parameters": [None]}),
    ],
)
def test_what_is_not_whole_is_refused_before_it_leaves(kind: str, content: dict[str, Any]) -> None:
    with pytest.raises(Rejected):
        build_message(part(kind=kind, content=content), "a")


@each_row("kind", ["text", "buttons", "ask_location", "ask_contact", "link"])
def test_what_has_no_words_is_refused_before_it_leaves(kind: str) -> None:
    content = {"buttons": [{"id": "y", "title": "Yes"}], "title": "Open", "url": "https://x.com"}
    with pytest.raises(Rejected, match="no text"):
        build_message(part(" ", kind=kind, content=content), "a")


def test_reading_and_typing_are_told_of_a_message_and_of_no_person() -> None:
    assert build_read_mark("wamid.1") == {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.1"}
    assert build_typing_indicator("wamid.1") == build_read_mark("wamid.1") | {"typing_indicator": {"type": "text"}}
    assert faults_of_body(build_read_mark("wamid.1")) == faults_of_body(build_typing_indicator("wamid.1")) == []
