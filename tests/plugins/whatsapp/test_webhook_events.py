"""Events that are no messages: echoes, edits and deletions, errors beside messages, wishes, news of the account."""

from __future__ import annotations

import json
from typing import Any

from sara_whatsapp.api.error_codes import explain_failure
from sara_whatsapp.channel import WhatsAppChannel
from sara_whatsapp.webhook.parser import BusinessNumber, ParsedWebhook, parse

from sara import AccountEvent, Correction, OperatorEcho, PreferenceChange
from tests.plugins.whatsapp.conftest import signed

OURS = BusinessNumber("whatsapp:109000000000555", "109000000000555", "104000000000777")
NOW = 1_795_400_000_000
T0 = 1_795_308_000
"""A moment in Unix seconds."""

TARGET = "wamid.target"


def read(field: str, *, time: int | None = None, **value: Any) -> ParsedWebhook:
    inner = {"metadata": {"phone_number_id": "109000000000555"}, **value}
    entry: dict[str, Any] = {"id": "104000000000777", "changes": [{"field": field, "value": inner}]}
    if time is not None:
        entry["time"] = time
    return parse(json.dumps({"entry": [entry]}).encode(), OURS, NOW)


def said(kind: str | None = "text", **parts: Any) -> dict[str, Any]:
    typed = {} if kind is None else {"type": kind}
    return {"from": "15550001111", "to": "15550002222", "id": "wamid.1", "timestamp": str(T0), **typed, **parts}


def echo_of(**message: Any) -> OperatorEcho:
    (echo,) = read("smb_message_echoes", message_echoes=[said(**message)]).changes
    assert isinstance(echo, OperatorEcho)
    return echo


def unsupported(sort: str | None) -> dict[str, Any]:
    own = {} if sort is None else {"unsupported": {"type": sort}}
    return {"kind": "unsupported", **own, "errors": [{"code": 131051}]}


EDIT = {"original_message_id": TARGET, "message": {"type": "text", "text": {"body": "Three pizzas please"}}}
REVOKE = {"original_message_id": TARGET}


class TestEchoes:
    def test_only_what_says_something_to_the_customer_is_a_persons_answer(self) -> None:
        says: list[tuple[bool, dict[str, Any]]] = [
            (True, {"text": {"body": "I am on it"}}),
            (True, {"kind": None, "text": {"body": "no type"}}),
            (True, {"kind": "image", "image": {"id": "1"}}),
            (True, {"kind": "video", "video": {"id": "1"}}),
            (True, {"kind": "audio", "audio": {"id": "1", "voice": True}}),
            (True, {"kind": "document", "document": {"id": "1"}}),
            (True, {"kind": "sticker", "sticker": {"id": "1"}}),
            (True, {"kind": "location", "location": {"latitude": 1, "longitude": 2}}),
            (True, {"kind": "contacts", "contacts": [{"name": {"formatted_name": "Bea"}}]}),
            (True, {"kind": "interactive", "interactive": {"type": "list"}}),
            (True, {"kind": "template", "template": {"name": "hello"}}),
            (True, {"kind": "product", "product": {"id": "1"}}),
            (True, unsupported("poll_creation")),
            (True, unsupported("gif")),
            (True, unsupported(None)),
            (False, {"kind": "revoke", "revoke": REVOKE}),
            (False, {"kind": "edit", "edit": EDIT}),
            (False, {"kind": "reaction", "reaction": {"message_id": "wamid.0", "emoji": "👍"}}),
            (False, {"kind": "reaction", "reaction": {"message_id": "wamid.0"}}),
            (False, {"kind": "system", "system": {"type": "user_changed_number"}}),
            (False, {"kind": "request_welcome"}),
            (False, {"kind": "pin", "pin": {"message_id": "wamid.0"}}),
            (False, {"kind": "hologram", "hologram": {}}),
            (False, {"kind": None}),
            (False, {"kind": None, "revoke": REVOKE}),
            (False, unsupported("edit")),
            (False, unsupported("revoke")),
            (False, unsupported("reaction")),
            (False, unsupported("pin")),
            (False, unsupported("keep_in_chat")),
            (False, unsupported("poll_update")),
        ]
        for expected, message in says:
            assert echo_of(**message).says is expected, message

    def test_an_echo_has_the_time_at_which_it_was_written(self) -> None:
        assert echo_of(text={"body": "x"}).at == T0 * 1_000


class TestCorrections:
    def test_an_edit_and_a_deletion_say_what_becomes_of_their_message(self) -> None:
        caption = {"original_message_id": TARGET, "message": {"type": "image", "image": {"id": "9", "caption": "the blue one"}}}
        untyped = {"original_message_id": TARGET, "message": {"text": {"body": "no type"}, "context": {"id": "wamid.0"}}}
        nested = {"original_message_id": TARGET, "message": {"type": "edit", "edit": EDIT}}
        deleted = Correction(TARGET, "[deleted message]", withdrawn=True)
        rows: list[tuple[dict[str, Any], Correction | None]] = [
            (
                {"kind": "edit", "edit": EDIT},
                Correction(TARGET, "Three pizzas please", "text", {"text": {"body": "Three pizzas please"}}),
            ),
            (
                {"kind": "edit", "edit": caption},
                Correction(TARGET, "[image] the blue one", "image", {"image": {"id": "9", "caption": "the blue one"}}),
            ),
            ({"kind": "edit", "edit": untyped}, Correction(TARGET, "no type", "text", {"text": {"body": "no type"}})),
            ({"kind": "revoke", "revoke": REVOKE}, deleted),
            ({"kind": None, "revoke": REVOKE}, deleted),
            ({"kind": "edit", "edit": nested}, None),
            ({"kind": "edit", "edit": {"original_message_id": TARGET}}, None),
            ({"kind": "edit", "edit": {"message": EDIT["message"]}}, None),
            ({"kind": "edit", "edit": {"original_message_id": TARGET, "message": {"type": "hologram", "hologram": {}}}}, None),
            ({"kind": "revoke", "revoke": {}}, None),
            ({"kind": "revoke", "revoke": {"original_message_id": {}}}, None),
            ({"kind": "text", "text": {"body": "x"}, "edit": EDIT}, None),
            (unsupported("edit"), None),
        ]
        for message, expected in rows:
            (inbound,) = read("messages", messages=[said(**message)]).messages
            assert inbound.corrects == expected, message
            assert (inbound.answer, inbound.opens_window) == ((True, True) if message["kind"] == "text" else (False, False))
            assert echo_of(**message).corrects == expected, message


class TestTypes:
    def test_a_message_without_a_type_is_of_the_type_whose_content_it_holds(self) -> None:
        rows: list[tuple[dict[str, Any], str, bool]] = [
            ({"text": {"body": "hello"}}, "text", True),
            ({"image": {"id": "1"}, "context": {"id": "wamid.0"}}, "image", True),
            ({"contacts": [{"phones": [{"phone": "1"}]}]}, "contacts", True),
            ({"button": {"text": "Yes", "payload": "YES"}}, "button", True),
            ({"interactive": {"type": "button_reply", "button_reply": {"title": "Yes"}}, "referral": {}}, "interactive", True),
            ({"reaction": {"message_id": "wamid.0", "emoji": "👍"}}, "reaction", False),
            ({"revoke": REVOKE}, "revoke", False),
            # Nothing, two of them, or no content at all.
            ({}, "unknown", False),
            ({"text": {"body": "x"}, "image": {"id": "1"}}, "unknown", False),
            ({"text": "hello"}, "unknown", False),
            ({"hologram": {"id": "1"}}, "unknown", False),
        ]
        for untyped in ({}, {"type": None}, {"type": ""}, {"type": []}, {"type": {"type": "text"}}):
            for content, kind, answered in rows:
                (message,) = read("messages", messages=[said(None, **untyped, **content)]).messages
                assert (message.kind, message.answer) == (kind, answered), (untyped, content)
        (odd,) = read("messages", messages=[said(None, type=7.5, text={"body": "x"})]).messages
        assert (odd.kind, odd.answer) == ("7.5", False)

    def test_what_meta_does_not_hand_on_is_unreadable_and_what_is_no_message_is_not(self) -> None:
        code = [{"code": 131051, "title": "Message type unknown"}]
        rows: list[tuple[dict[str, Any], bool]] = [
            (unsupported("poll_creation"), True),
            (unsupported("view_once"), True),
            (unsupported("group_invite"), True),
            (unsupported("something_new"), True),
            (unsupported(None), True),
            ({"kind": "unsupported"}, True),
            ({"kind": "unknown", "errors": code}, True),
            ({"kind": "hologram", "errors": [{"code": "131051"}]}, True),
            ({"kind": None, "errors": code}, True),
            (unsupported("edit"), False),
            (unsupported("reaction"), False),
            (unsupported("poll_update"), False),
            ({"kind": "hologram", "hologram": {}}, False),
            ({"kind": "text", "text": {"body": "x"}, "errors": code}, False),
            ({**unsupported("poll_creation"), "group_id": "Y2FwaV9ncm91cA"}, False),
        ]
        for message, unreadable in rows:
            (inbound,) = read("messages", messages=[said(**message)]).messages
            assert inbound.unreadable is unreadable, message
            assert not (inbound.unreadable and inbound.answer)

    def test_a_type_that_nobody_knows_is_noted_for_the_operator(self) -> None:
        for message, noted in (
            (said("hologram", hologram={}), ["hologram"]),
            (said(None), ["unknown"]),
            (said("text", text={"body": "x"}), []),
            (said("hologram", hologram={}, group_id="Y2FwaV9ncm91cA"), []),
            (said("hologram", errors=[{"code": 131051}]), []),
        ):
            assert [note.which for note in read("messages", messages=[message]).notes if note.what == "unknown_kind"] == noted


ERROR = {"code": 131051, "title": "Message type unknown"}
LOST = {"code": 131052, "title": "Media file size too big"}
NUMBER = {"display_phone_number": "15550009000"}
TEMPLATE = {"message_template_id": 1, "message_template_name": "reminder", "message_template_language": "en"}
ALERT = {"entity_type": "BUSINESS", "entity_id": "5"}


def test_the_operator_hears_of_a_type_that_this_version_cannot_read(channel: WhatsAppChannel) -> None:
    problems = channel._context.problems
    for message, expected in ((said(text={"body": "x"}), 0), (said("hologram", hologram={}), 1)):
        value = {"metadata": {"phone_number_id": "109000000000555"}, "messages": [message]}
        body = json.dumps({"entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]}).encode()
        assert channel.receive(signed(body)).response.status == 200
        assert [problem.key for problem in problems] == ["channel:whatsapp:unknown_message_type"] * expected
    assert "hologram" in next(iter(problems)).message


class TestErrorsBesideMessages:
    def test_an_error_beside_a_message_belongs_to_the_message_and_not_to_the_account(self) -> None:
        poll, words = said("unsupported", unsupported={"type": "poll_creation"}), said(text={"body": "hello"}, id="wamid.2")
        parsed = read("messages", messages=[poll, words], errors=[ERROR])
        assert [(each.unreadable, each.answer) for each in parsed.messages] == [(True, False), (False, True)]
        assert [each.content.get("errors") for each in parsed.messages] == [[ERROR], None]
        assert parsed.changes == ()
        (message,) = read("messages", messages=[said(None)], errors=[LOST]).messages
        assert (message.answer, "not received: Media file size too big" in message.text) == (True, True)
        own = {"code": 131060, "title": "Unavailable"}
        (message,) = read("messages", messages=[said("unsupported", errors=[own])], errors=[LOST]).messages
        assert message.content["errors"] == [own]

    def test_an_error_beside_a_failed_status_is_its_reason(self) -> None:
        statuses = [{"id": "wamid.2", "status": "failed"}, {"id": "wamid.3", "status": "delivered"}]
        parsed = read("messages", statuses=statuses, errors=[{"code": 131047, "title": "Re-engagement message"}])
        assert [each.failure and each.failure.code for each in parsed.receipts] == ["131047", None]
        assert parsed.changes == ()

    def test_an_error_beside_what_is_whole_changes_nothing_and_is_noted(self) -> None:
        picture = said("image", image={"id": "1", "mime_type": "image/png"})
        parsed = read("messages", messages=[picture], errors=[LOST])
        assert (len(parsed.messages[0].attachments), parsed.messages[0].text, parsed.changes) == (1, "[image]", ())
        assert [(note.what, note.which) for note in parsed.notes] == [("error_beside_message", "131052")]

    def test_an_error_beside_nothing_is_about_the_account(self) -> None:
        for beside in ({}, {"messages": []}, {"statuses": "x"}, {"contacts": [{}]}):
            (event,) = read("messages", errors=[{"code": 130429, "title": "Rate limit hit"}], **beside).changes
            assert isinstance(event, AccountEvent)
            assert (event.kind, event.serious) == ("error.130429", True)


class TestWishes:
    def test_every_known_preference_is_read(self) -> None:
        for value, allowed in (("stop", False), ("resume", True), ("signup", True)):
            wish = {"user_id": "US.1", "category": "marketing_messages", "value": value, "timestamp": T0}
            parsed = read("user_preferences", user_preferences=[wish])
            (change,) = parsed.changes
            assert isinstance(change, PreferenceChange)
            assert (change.allowed, change.at, parsed.unparsed) == (allowed, T0 * 1_000, ())

    def test_a_wish_told_in_a_system_message_is_the_same_wish(self) -> None:
        rows: list[tuple[Any, list[bool]]] = [
            ("stop", [False]),
            ("resume", [True]),
            ("signup", [True]),
            ("later", []),
            (None, []),
            ({}, []),
        ]
        for value, expected in rows:
            told = {"type": "user_preference_changed", "body": "User requested to stop marketing messages", "marketing": value}
            event = {"from": "15550001111", "id": "wamid.9", "timestamp": str(T0), "type": "system", "system": told}
            parsed = read("messages", messages=[event])
            changes = [each for each in parsed.changes if isinstance(each, PreferenceChange)]
            assert [each.allowed for each in changes] == expected, value
            assert len(changes) == len(parsed.changes)
            assert all(
                (each.category, each.at, each.person.phone) == ("marketing_messages", T0 * 1_000, "15550001111")
                for each in changes
            )
            assert [each.text for each in parsed.messages] == ["[User requested to stop marketing messages]"]


def news(field: str, time: int | None, **value: Any) -> AccountEvent:
    (event,) = read(field, time=time, **value).changes
    assert isinstance(event, AccountEvent)
    return event


class TestAccountNews:
    def test_the_same_words_at_another_time_are_another_event(self) -> None:
        first, again, redelivered = (
            news("phone_number_quality_update", time, event="FLAGGED", **NUMBER) for time in (T0, T0 + 60, T0)
        )
        assert first == redelivered
        assert first.raw != again.raw
        assert (first.at, again.at) == (T0 * 1_000, (T0 + 60) * 1_000)

    def test_what_ends_a_problem_names_it_and_its_subject(self) -> None:
        def alert(severity: str, status: str = "ACTIVE") -> dict[str, Any]:
            return {"alert_info": {"alert_severity": severity, "alert_status": status, "alert_type": "X"}, **ALERT}

        disabled = {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "DISABLE"}}
        reinstated = {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "REINSTATE"}}
        quality, template = "phone_number_quality_update", "message_template_status_update"
        pairs: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
            (quality, {"event": "FLAGGED", **NUMBER}, {"event": "UNFLAGGED", **NUMBER}),
            (quality, {"event": "DOWNGRADE", **NUMBER}, {"event": "UPGRADE", **NUMBER}),
            (template, {"event": "PAUSED", **TEMPLATE}, {"event": "APPROVED", **TEMPLATE}),
            (template, {"event": "PAUSED", **TEMPLATE}, {"event": "DISABLED", **TEMPLATE}),
            (template, {"event": "DISABLED", **TEMPLATE}, {"event": "REINSTATED", **TEMPLATE}),
            (template, {"event": "LOCKED", **TEMPLATE}, {"event": "DELETED", **TEMPLATE}),
            ("account_update", disabled, reinstated),
            ("account_update", {"event": "ACCOUNT_OFFBOARDED"}, {"event": "ACCOUNT_RECONNECTED"}),
            ("account_update", {"event": "PARTNER_REMOVED"}, {"event": "PARTNER_ADDED"}),
            ("account_review_update", {"decision": "REJECTED"}, {"decision": "APPROVED"}),
            ("account_alerts", alert("WARNING"), alert("WARNING", "RESOLVED")),
            ("account_alerts", alert("CRITICAL"), alert("INFORMATIONAL", "NONE")),
            ("account_alerts", alert("CRITICAL"), alert("WARNING")),
        ]
        for field, trouble, end in pairs:
            before, after = news(field, T0, **trouble), news(field, T0 + 1, **end)
            assert before.serious, trouble
            assert before.kind in after.ends, (trouble, end)
            assert before.subject == after.subject
            assert before.kind not in before.ends, trouble
        other = {**TEMPLATE, "message_template_language": "de"}
        assert news(template, T0, event="PAUSED", **other).subject != news(template, T0, event="APPROVED", **TEMPLATE).subject

    def test_an_error_without_a_time_is_another_one_on_another_day(self) -> None:
        def error(now: int) -> Any:
            value = {"metadata": {"phone_number_id": "109000000000555"}, "errors": [{"code": 130429}]}
            body = json.dumps({"entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]}).encode()
            (event,) = parse(body, OURS, now).changes
            assert isinstance(event, AccountEvent)
            return event.raw

        assert error(NOW) == error(NOW + 1_000)
        assert error(NOW) != error(NOW + 86_400_000)


def test_the_allow_list_of_a_test_number_names_the_trap_of_argentina_and_mexico() -> None:
    failure = explain_failure({"code": 131030, "title": "Recipient phone number not in allowed list"})
    for word in ("Argentina", "Mexico", "+54 9", "+52 1"):
        assert word in failure.remedy
