"""Meta's own description of its API is read as Meta means it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.plugins.whatsapp.schema import SEND, examples, faults_of, faults_of_answer, faults_of_body
from tests.rows import each_row

TEXT = {
    "messaging_product": "whatsapp",
    "recipient_type": "individual",
    "to": "+15550001111",
    "type": "text",
    "text": {"body": "Hello", "preview_url": False},
}
BUTTON = {"type": "reply", "reply": {"id": "1", "title": "Yes"}}
BUTTONS = {"type": "button", "body": {"text": "Well?"}, "action": {"buttons": [BUTTON]}}
# Examples that are not whole, or of kinds that the document does not have.
UNLIKE = {
    "Send Contact Message": "'recipient_type' is a required property",
    "Send Flow Template Message": "'recipient_type' is a required property",
    "Send Multi-Product Message": "'<HEADER_TYPE>' is not one of",
    "Send Order Details Message": "'order_details' is not one of",
    "Send Order Status Message": "'order_status' is not one of",
    "Send Reply to Contact Message": "'recipient_type' is a required property",
    "Send Reply to List Message": "'type' is a required property",
    "Send Sample Issue Resolution Template": "True is not of type 'string'",
    "Send Test Message": "'recipient_type' is a required property",
    "Send Text Message with Preview URL": "'type' is a required property",
}


def changed(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {key: value for key, value in (deepcopy(body) | changes).items() if value is not None}


@each_row(("name", "body"), [*examples()])
def test_metas_own_examples_are_right_but_for_those_that_are_not_whole(name: str, body: Any) -> None:
    faults = faults_of_body(body)
    if name in UNLIKE:
        assert UNLIKE[name] in faults[0]
    else:
        assert faults == []


@each_row(
    "body",
    [
        TEXT,
        changed(TEXT, biz_opaque_callback_data="attempt-1", context={"message_id": "wamid.1"}),
        changed(TEXT, to=None, recipient="US.13491208655302741918"),
        changed(TEXT, to=None, recipient="US.ENT.11815799212886844830"),
        changed(TEXT, type="interactive", text=None, interactive=BUTTONS),
        {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.1"},
        {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.1", "typing_indicator": {"type": "text"}},
    ],
)
def test_a_right_body_is_right(body: Any) -> None:
    assert faults_of_body(body) == []


@each_row(
    "body",
    [
        {},
        changed(TEXT, to=None),
        changed(TEXT, recipient="US.1"),
        changed(TEXT, to=None, recipient="+15550001111"),
        changed(TEXT, type="poll"),
        changed(TEXT, type="image"),
        changed(TEXT, text={"body": "Hello", "bold": True}),
        changed(TEXT, something="else"),
        changed(TEXT, biz_opaque_callback_data="x" * 513),
        changed(TEXT, type="interactive", text=None, interactive=BUTTONS | {"action": {"buttons": [BUTTON] * 4}}),
        changed(TEXT, type="interactive", text=None, interactive=BUTTONS | {"body": {"text": "x" * 1025}}),
        changed(TEXT, type="interactive", text=None, interactive=BUTTONS | {"type": "cta_url"} | {"action": {"name": "cta_url"}}),
        changed(TEXT, type="location", text=None, location={"latitude": "1", "longitude": "2"}),
        changed(TEXT, type="template", text=None, template={"name": "hello", "language": {}}),
        changed(TEXT, type="template", text=None, template={"name": "a", "language": {"code": "en"}, "components": [{}]}),
        {"messaging_product": "whatsapp", "status": "read"},
        {"messaging_product": "whatsapp", "status": "typing", "message_id": "wamid.1"},
    ],
)
def test_a_wrong_body_is_found_out(body: Any) -> None:
    assert faults_of_body(body)


def test_answers_are_held_against_what_the_document_says_of_their_status() -> None:
    accepted = {"messaging_product": "whatsapp", "contacts": [{"input": "1", "wa_id": "1"}], "messages": [{"id": "wamid.1"}]}
    assert faults_of_answer("POST", SEND, 200, accepted) == []
    assert faults_of_answer("POST", SEND, 200, accepted | {"messages": [{"id": 1}]})
    error = {"error": {"message": "(#131056)", "type": "OAuthException", "code": 131056}}
    assert faults_of_answer("POST", SEND, 400, error) == []
    assert faults_of_answer("POST", SEND, 400, {"error": {"code": "131056"}})
    assert faults_of("GraphAPIError", error) == []
    with pytest.raises(LookupError):
        faults_of_answer("POST", SEND, 204, None)
