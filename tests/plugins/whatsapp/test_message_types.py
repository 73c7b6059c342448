"""The tables of what is answered, what is only kept and what only changes something, row by row."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sara_whatsapp.webhook.account_events import SERIOUS_EVENTS
from sara_whatsapp.webhook.message_types import FIELDS, MESSAGE_TYPES, find_row
from sara_whatsapp.webhook.parser import BusinessNumber, ParsedWebhook, parse

from sara import AccountEvent, IdentityChange, OperatorEcho, PreferenceChange
from tests.rows import each_row

OURS = BusinessNumber("whatsapp:109000000000555", "109000000000555")
TOO_LARGE = {"code": 131052, "title": "Media file size too big"}
UNAVAILABLE = {"code": 131060, "title": "This message is currently unavailable."}
MOVED = {"previous_user_id": "US.1", "user_id": "US.2"}

# A message for each row: what is beside type and sender, whether it is answered, whether it opens the window.
ROWS: dict[str, tuple[dict[str, Any], bool, bool]] = {
    "text": ({"text": {"body": "hello"}}, True, True),
    "image": ({"image": {"id": "1"}}, True, True),
    "video": ({"video": {"id": "1"}}, True, True),
    "audio": ({"audio": {"id": "1", "voice": True}}, True, True),
    "document": ({"document": {"id": "1"}}, True, True),
    "sticker": ({"sticker": {"id": "1"}}, True, True),
    "location": ({"location": {"latitude": 1, "longitude": 2}}, True, True),
    "contacts": ({"contacts": [{"phones": [{"phone": "1"}]}]}, True, True),
    "interactive": ({"interactive": {"type": "button_reply", "button_reply": {"id": "1", "title": "Yes"}}}, True, True),
    "button": ({"button": {"text": "Yes"}}, True, True),
    "order": ({"order": {"product_items": [{}]}}, True, True),
    "request_welcome": ({}, False, True),
    "reaction": ({"reaction": {"message_id": "wamid.0", "emoji": "👍"}}, False, False),
    "edit": ({"edit": {"original_message_id": "wamid.0", "message": {"type": "text", "text": {"body": "x"}}}}, False, False),
    "revoke": ({"revoke": {"original_message_id": "wamid.0"}}, False, False),
    "unsupported": ({"unsupported": {"type": "poll_creation"}, "errors": [{"code": 131051}]}, False, True),
    **{
        f"unsupported.{sort}": (
            {"type": "unsupported", "unsupported": {"type": sort}, "errors": [{"code": 131051}]},
            False,
            False,
        )
        for sort in ("edit", "revoke", "reaction", "pin", "keep_in_chat", "poll_update")
    },
    "interactive.call_permission_reply": (
        {
            "type": "interactive",
            "interactive": {"type": "call_permission_reply", "call_permission_reply": {"response": "accept"}},
        },
        False,
        False,
    ),
    "system": ({"system": {"type": "something_new", **MOVED}}, False, False),
    "system.user_preference_changed": (
        {"type": "system", "system": {"type": "user_preference_changed", "marketing": "stop"}},
        False,
        False,
    ),
    "system.user_changed_number": ({"type": "system", "system": {"type": "user_changed_number", **MOVED}}, False, False),
    "system.customer_changed_number": ({"type": "system", "system": {"type": "customer_changed_number", **MOVED}}, False, False),
    "system.user_changed_user_id": ({"type": "system", "system": {"type": "user_changed_user_id", **MOVED}}, False, False),
    "unknown": ({"type": "hologram", "hologram": {}}, False, False),
    "not received": ({"type": "unsupported", "unsupported": {"type": "video"}, "errors": [TOO_LARGE]}, True, True),
    "in a group": ({"type": "text", "text": {"body": "hello"}, "group_id": "Y2FwaV9ncm91cA"}, False, False),
}


def read(field: str, **value: Any) -> ParsedWebhook:
    change = {"field": field, "value": {"metadata": {"phone_number_id": "109000000000555"}, **value}}
    return parse(json.dumps({"entry": [{"changes": [change]}]}).encode(), OURS, 1_795_400_000_000)


def message_of(row: str) -> dict[str, Any]:
    return {"from_user_id": "US.1", "id": "wamid.1", "type": row, **ROWS[row][0]}


def test_every_row_is_tried() -> None:
    assert ROWS.keys() == MESSAGE_TYPES.keys()


@each_row("row", ROWS)
def test_a_message_is_treated_as_its_row_says(row: str) -> None:
    _, answered, opens = ROWS[row]
    sent = message_of(row)
    assert find_row(sent["type"], sent) == row
    parsed = read("messages", messages=[sent])
    (message,) = parsed.messages
    assert (message.kind, message.answer, message.opens_window) == (sent["type"], answered, opens)
    assert message.unreadable is (row == "unsupported")
    expected: list[type] = [PreferenceChange] if row == "system.user_preference_changed" else []
    assert [type(change) for change in parsed.changes] == (
        [IdentityChange] if MESSAGE_TYPES[row].treatment == "changes" else expected
    )
    assert parsed.unparsed == ()


@each_row("row", ROWS)
def test_nothing_said_in_a_group_is_answered_or_moves_anybody(row: str) -> None:
    parsed = read("messages", messages=[{**message_of(row), "group_id": "Y2FwaV9ncm91cA"}])
    (message,) = parsed.messages
    assert (message.answer, message.opens_window, parsed.changes) == (False, False, ())


def test_whatever_is_answered_also_opens_the_window() -> None:
    assert all(kind.opens_window for kind in MESSAGE_TYPES.values() if kind.treatment == "answered")


@each_row("kind", ["image", "video", "audio", "document", "sticker", "unsupported", "hologram", "unknown"])
def test_a_file_that_never_came_is_answered_whatever_kind_meta_gives_it(kind: str) -> None:
    (message,) = read("messages", messages=[{"from_user_id": "US.1", "type": kind, "errors": [TOO_LARGE]}]).messages
    assert (message.kind, message.answer, message.opens_window, message.attachments) == (kind, True, True, ())
    assert "not received: Media file size too big" in message.text


@pytest.mark.parametrize("kind", ["unsupported", "hologram", "unknown"])
def test_a_message_that_meta_could_not_hand_on_is_answered_too(kind: str) -> None:
    own = {kind: {"type": "media_placeholder"}}
    (message,) = read("messages", messages=[{"from_user_id": "US.1", "type": kind, **own, "errors": [UNAVAILABLE]}]).messages
    assert (message.kind, message.answer, message.opens_window) == (kind, True, True)
    assert "not received: This message is currently unavailable." in message.text


@each_row("kind", ["system", "reaction", "edit", "revoke", "request_welcome"])
def test_an_error_makes_no_other_kind_answered(kind: str) -> None:
    (message,) = read("messages", messages=[{"from_user_id": "US.1", "type": kind, "errors": [TOO_LARGE]}]).messages
    assert not message.answer


# fields

SAID = {
    "from": "15550001111",
    "from_user_id": "US.1",
    "to": "15550002222",
    "id": "wamid.1",
    "type": "text",
    "text": {"body": "x"},
}
EVERYTHING: dict[str, Any] = {
    "messages": [SAID],
    "message_echoes": [SAID],
    "user_preferences": [{"user_id": "US.1", "category": "marketing_messages", "value": "stop"}],
    "statuses": [{"id": "wamid.2", "status": "sent"}],
    "history": [{"threads": [{"id": "15550001111", "messages": [SAID]}]}],
    "calls": [{"id": "wacid.1", "from": "15550001111", "event": "connect"}],
}


@each_row("field", [*FIELDS, "teleport_update"])
def test_a_field_is_read_as_its_row_says_and_for_nothing_else(field: str) -> None:
    parsed = read(field, **EVERYTHING)
    reading = FIELDS.get(field, "ignored")
    assert len(parsed.messages) == len(parsed.receipts) == (1 if reading == "messages" else 0)
    changed = {"preferences": [PreferenceChange], "echoes": [OperatorEcho], "account": [AccountEvent]}.get(reading, [])
    assert [type(change) for change in parsed.changes] == changed
    assert [(note.what, note.which) for note in parsed.notes] == ([("unused_field", field)] if reading == "ignored" else [])
    assert parsed.unparsed == ()


def test_all_news_of_the_account_are_among_the_fields() -> None:
    assert {field for field, reading in FIELDS.items() if reading == "account"} == SERIOUS_EVENTS.keys()


@each_row("field", ["calls", "history", "smb_message_echoes", "standby", "message_echoes"])
def test_calls_history_echoes_and_other_agents_never_call_for_an_answer(field: str) -> None:
    assert read(field, **EVERYTHING).messages == ()
