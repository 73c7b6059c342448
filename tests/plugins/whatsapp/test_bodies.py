"""What is posted to Meta for a part."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sara_whatsapp.bodies import message_body

from sara import Part, Person, Refused

ANA = Person(user_id="US.111", phone="15550001111")


def part(text: str = "Hello", to: Person = ANA, **changes: Any) -> Part:
    values: dict[str, Any] = {
        "id": "p1",
        "conversation": "c1",
        "account": "whatsapp:1",
        "to": to,
        "kind": "text",
        "text": text,
        "purpose": "reply",
    }
    return Part(**values | changes)


def test_a_text_is_addressed_to_the_number_with_a_plus() -> None:
    assert message_body(part(), "attempt-1") == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "+15550001111",
        "type": "text",
        "text": {"body": "Hello", "preview_url": False},
        "biz_opaque_callback_data": "attempt-1",
    }


def test_a_person_without_a_number_is_addressed_by_user_id_alone() -> None:
    body = message_body(part(to=Person(user_id="DE.444")), "a")
    assert body["recipient"] == "DE.444"
    assert "to" not in body


def test_a_user_id_is_never_made_into_a_number() -> None:
    body = message_body(part(to=Person(user_id="DE.444", phone="DE.444")), "a")
    assert (body.get("to"), body["recipient"]) == (None, "DE.444")


def test_a_person_of_whom_nothing_is_known_cannot_be_written_to() -> None:
    with pytest.raises(Refused):
        message_body(part(to=Person(username="nox", name="Nox")), "a")


def test_an_answer_quotes_the_message_it_answers() -> None:
    assert message_body(part(reply_to="wamid.1"), "a")["context"] == {"message_id": "wamid.1"}
    assert "context" not in message_body(part(), "a")


@pytest.mark.parametrize(
    ("text", "preview"),
    [("see https://example.org", True), ("HTTP://example.org", True), ("https://", False), ("mail me@example.org", False)],
)
def test_a_preview_is_asked_for_only_where_there_is_a_link(text: str, preview: bool) -> None:
    assert message_body(part(text), "a")["text"]["preview_url"] is preview


@pytest.mark.parametrize("kind", ["image", "template", "", "to", "type"])
def test_a_kind_that_cannot_be_sent_is_refused(kind: str) -> None:
    with pytest.raises(Refused, match="cannot send"):
        message_body(part(kind=kind), "a")


def test_a_lone_surrogate_cannot_spoil_the_request() -> None:
    body = message_body(part("a\ud800b"), "a")
    assert json.dumps(body, ensure_ascii=False).encode()
    assert body["text"]["body"] == "a\ufffdb"
