"""Bodies that Meta should never send, signed all the same: nothing raises, and nothing sound is lost."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sara_whatsapp.webhook.message_types import MESSAGE_TYPES
from sara_whatsapp.webhook.parser import BusinessNumber, ParsedWebhook, parse
from structlog.testing import capture_logs

from sara import AccountEvent, Identity, IdentityChange, UnparsedPayload, WebhookResult
from tests.effort import chosen, some_of
from tests.plugins.whatsapp.hostile import SEEDS, anything, messages, places, put, text, value_at
from tests.rows import each_row

OURS = BusinessNumber("whatsapp:109000000000555", "109000000000555", "104000000000777")
NOW = 1_795_400_000_000
Post = Callable[[Any], WebhookResult]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Thousands of broken bodies make thousands of log lines."""
    with capture_logs():
        yield


def read(document: Any) -> ParsedWebhook:
    return parse(json.dumps(document).encode(), OURS, NOW)


# bodies that are no events at all


@each_row(
    ("body", "reason"),
    [
        pytest.param(b"", "not JSON", id="empty"),
        pytest.param(b"hello", "not JSON", id="words"),
        pytest.param(b'{"entry":[', "not JSON", id="cut off"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, "nested too deeply", id="100,000 lists"),
        pytest.param(b'{"entry":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply", id="100,000 objects"),
        pytest.param(b'{"entry":[NaN]}', "not JSON", id="NaN"),
        pytest.param(b'{"entry":[-Infinity]}', "not JSON", id="infinity"),
        pytest.param(b'{"entry":["\xff"]}', "not UTF-8", id="not UTF-8"),
        pytest.param('{"entry":[]}'.encode("utf-16"), "not UTF-8", id="UTF-16"),
        pytest.param(b'{"entry":["\xed\xa0\x80"]}', "not UTF-8", id="surrogate bytes"),
        pytest.param(b"null", "no list of entries", id="null"),
        pytest.param(b"[]", "no list of entries", id="list"),
        pytest.param(b"{}", "no list of entries", id="empty object"),
        pytest.param(b'{"entry":{}}', "no list of entries", id="entries are an object"),
    ],
)
def test_a_signed_body_that_is_no_event_is_set_aside_whole(body: bytes, reason: str, post: Post) -> None:
    reception = post(body)
    assert (reception.response.status, reception.verified) == (200, True)
    assert reception.unparsed == (UnparsedPayload(OURS.account, reason, body),)


def test_events_of_another_meta_product_are_left_out() -> None:
    parsed = read({"object": "page", "entry": [{"id": "1", "messaging": []}]})
    assert parsed.unparsed == ()
    assert [(note.what, note.which) for note in parsed.notes] == [("foreign_object", "page")]


# one broken thing among sound ones


@each_row("broken", [None, 1, "text", [], ["x"], True])
def test_a_broken_message_costs_only_itself(broken: Any) -> None:
    parsed = read(messages(text("one"), broken, text("two")))
    assert [message.text for message in parsed.messages] == ["one", "two"]
    assert parsed.unparsed == (UnparsedPayload(OURS.account, "messages: not an object", json.dumps(broken).encode()),)


def test_broken_entries_and_changes_cost_only_themselves() -> None:
    sound = messages(text("sound"))["entry"][0]
    no_number = {"field": "messages", "value": {"metadata": {}, "messages": [text()]}}
    mixed = {"changes": [7, {"field": "messages"}, no_number, *sound["changes"]]}
    parsed = read({"entry": [None, {"id": "1"}, mixed, sound]})
    assert [message.text for message in parsed.messages] == ["sound", "sound"]
    assert [aside.reason for aside in parsed.unparsed] == [
        "entry: not an object",
        "entry: no list of changes",
        "change: not an object",
        "change: no value",
        "change: no phone_number_id",
    ]


def test_a_broken_list_of_messages_keeps_the_receipts_beside_it() -> None:
    parsed = read(messages(messages={"0": text()}, statuses=[{"id": "wamid.2", "status": "sent"}]))
    assert [receipt.external_id for receipt in parsed.receipts] == ["wamid.2"]
    assert [aside.reason for aside in parsed.unparsed] == ["messages: not a list"]


def test_a_message_that_names_nobody_is_set_aside() -> None:
    nobody = text()
    del nobody["from"]
    parsed = read(messages(nobody, text("known")))
    assert [message.text for message in parsed.messages] == ["known"]
    assert parsed.unparsed == (UnparsedPayload(OURS.account, "messages: no identity", parsed.unparsed[0].body),)
    assert json.loads(parsed.unparsed[0].body) == nobody


def test_a_message_without_an_id_is_kept_without_one() -> None:
    (message,) = read(messages(text(id=None))).messages
    assert message.external_id is None


@each_row("timestamp", [None, "", "soon", "-5", "0", "1e9", "١٢٣", "9" * 30, [], {}, True, 1795308000.5])
def test_a_missing_or_absurd_time_becomes_the_time_of_receipt(timestamp: Any) -> None:
    (message,) = read(messages(text(timestamp=timestamp))).messages
    assert message.at == NOW


@each_row("kind", sorted(kind for kind in MESSAGE_TYPES if kind.isidentifier()))
@each_row("own", [None, 1, "x", [], [None], {}, {"type": {}}, {"body": [1]}, {"message": {"type": "edit"}}])
def test_a_kind_keeps_its_name_and_gets_a_text_though_its_content_is_broken(kind: str, own: Any) -> None:
    (message,) = read(messages({"from": "15550001111", "from_user_id": "US.1", "type": kind, kind: own})).messages
    assert message.kind == kind
    assert message.text


@each_row("kind", ["hologram" * 12, "x", "in a group", "interactive.call_permission_reply"])
def test_a_kind_is_metas_own_word_whatever_it_is(kind: str) -> None:
    (message,) = read(messages(text(type=kind))).messages
    assert (message.kind, message.answer, message.opens_window) == (kind, False, False)


# who is who


def test_a_contact_is_matched_by_what_it_names_and_never_by_its_place() -> None:
    contacts = [
        {"wa_id": "15550009999", "user_id": "US.9", "profile": {"name": "Nine"}},
        {"wa_id": "15550001111", "profile": {"name": "One"}},
    ]
    (message,) = read(messages(text(), contacts=contacts)).messages
    assert message.person.name == "One"


def test_a_contact_with_the_same_number_but_another_user_id_is_somebody_else() -> None:
    contacts = [{"wa_id": "15550001111", "user_id": "US.2", "profile": {"name": "Former owner"}}]
    (message,) = read(messages(text(from_user_id="US.1"), contacts=contacts)).messages
    assert (message.person.user_id, message.person.name) == ("US.1", None)


def test_a_user_id_in_the_place_of_the_number_is_taken_as_one() -> None:
    (message,) = read(messages(text(**{"from": "US.13491208655302741918"}))).messages
    assert (message.person.user_id, message.person.phone) == ("US.13491208655302741918", None)


def test_a_card_with_their_own_number_makes_nobody_the_owner_of_that_number() -> None:
    card = {"origin": "contact_request", "phones": [{"phone": "+15550001111", "wa_id": "15550001111"}]}
    shared = {"from_user_id": "US.1", "id": "wamid.1", "type": "contacts", "contacts": [card]}
    parsed = read(messages(shared))
    assert parsed.messages[0].person == Identity(user_id="US.1")
    assert parsed.messages[0].text == "[own contact details] +15550001111"
    assert parsed.changes == ()


@pytest.mark.parametrize("sort", ["user_changed_number", "user_changed_user_id"])
def test_the_new_id_of_somebody_who_moved_is_never_taken_for_the_old_one(sort: str) -> None:
    own = {"type": sort, "wa_id": "15550002222", "user_id": "US.2"}
    system = {"from": "15550001111", "from_user_id": "US.2", "id": "wamid.1", "type": "system", "system": own}
    parsed = read(messages(system))
    (change,) = parsed.changes
    assert isinstance(change, IdentityChange)
    assert (change.before, change.after) == (Identity(phone="15550001111"), Identity("US.2", phone="15550002222"))
    assert parsed.messages[0].person == change.before


def test_somebody_who_moved_from_an_unknown_id_is_only_recorded() -> None:
    own = {"type": "user_changed_user_id", "user_id": "US.2"}
    parsed = read(messages({"id": "wamid.1", "type": "system", "system": own}))
    assert (parsed.messages[0].person, parsed.changes) == (Identity("US.2"), ())


def test_a_system_message_that_moves_nobody_changes_nobody() -> None:
    own = {"type": "customer_identity_changed", "user_id": "US.2", "previous_user_id": "US.1", "wa_id": "15550002222"}
    parsed = read(messages({"from": "15550001111", "id": "wamid.1", "type": "system", "system": own}))
    assert (len(parsed.messages), parsed.changes) == (1, ())


@each_row("phone", ["call me", "15550001111x", "٣٣٣٣", "", {}, [], None])
def test_what_is_no_number_is_never_taken_for_one(phone: Any) -> None:
    (message,) = read(messages(text(from_user_id="US.1", **{"from": phone}))).messages
    assert message.person.phone is None


@each_row("contacts", [None, 1, "x", {}, [None], [{"profile": 1}], [{"wa_id": [], "user_id": {}}]])
def test_broken_contacts_cost_only_a_name(contacts: Any) -> None:
    (message,) = read(messages(text(), contacts=contacts)).messages
    assert (message.person.phone, message.person.name) == ("15550001111", None)


# values that stumble elsewhere


def test_words_are_kept_verbatim_but_for_what_nothing_can_store() -> None:
    body = b'{"entry":[{"changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"109000000000555"},"messages":['
    body += b'{"from":"15550001111","type":"text","text":{"body":"  a\\ud800b\\u0000c \\ud83d\\ude00\\r\\n\\u202e  "}}]}}]}]}'
    (message,) = parse(body, OURS, NOW).messages
    assert message.text == "  a\ufffdb\ufffdc 😀\r\n\u202e  "
    message.raw.encode()


@each_row("number", [str(2**63), "-" + "9" * 19, "9" * 5_000, "1e999", "-1E99999"])
def test_numbers_beyond_what_a_database_takes_stay_text(number: str) -> None:
    body = json.dumps(messages(text(strange="here"))).replace('"here"', number).encode()
    (message,) = parse(body, OURS, NOW).messages
    assert json.loads(message.raw)["strange"] == number


def test_what_is_nested_beyond_reason_is_cut_and_the_message_kept() -> None:
    body = json.dumps(messages(text(deep="here"))).replace('"here"', "[" * 400 + "]" * 400).encode()
    (message,) = parse(body, OURS, NOW).messages
    assert message.text == "hello"
    assert "[…]" in message.raw


def test_a_receipt_without_any_name_is_set_aside() -> None:
    parsed = read(messages(statuses=[{"status": "sent"}, {"status": "sent", "biz_opaque_callback_data": "x" * 513}]))
    assert parsed.receipts == ()
    assert [aside.reason for aside in parsed.unparsed] == ["statuses: no message id"] * 2


@each_row("callback", [None, 1, "", [], {}, "x" * 513])
def test_a_callback_that_cannot_be_ours_is_no_attempt(callback: Any) -> None:
    status = {"id": "wamid.2", "status": "delivered", "biz_opaque_callback_data": callback}
    (receipt,) = read(messages(statuses=[status])).receipts
    assert receipt.attempt_id is None


@each_row("errors", [None, [], [None], "x", [{}], [{"code": []}], {"code": 131026}])
def test_a_failure_without_a_sound_error_is_still_a_failure(errors: Any) -> None:
    (receipt,) = read(messages(statuses=[{"id": "wamid.2", "status": "failed", "errors": errors}])).receipts
    assert receipt.failure is not None
    assert (receipt.failure.code, receipt.failure.reason) == ("unknown", "Meta gave no reason.")


def test_the_status_of_a_call_is_no_receipt() -> None:
    parsed = read(messages(statuses=[{"id": "wacid.1", "status": "delivered", "type": "call"}]))
    assert parsed.receipts == ()


@each_row(
    ("pricing", "counts"),
    [
        ({"type": "regular", "category": "service"}, True),
        ({"type": "free_customer_service", "category": "service"}, True),
        ({"type": "free_entry_point", "category": "referral_conversion"}, False),
        ({"type": "free_group_customer_service", "category": "group_service"}, False),
        ({"type": "tomorrow", "category": "service"}, False),
        ({"billable": True, "pricing_model": "CBP", "category": "service"}, False),
        ({"type": ["regular"]}, False),
        ({}, False),
        (None, False),
        ("regular", False),
    ],
)
def test_only_what_is_paid_for_or_taken_from_the_free_messages_counts(pricing: Any, counts: bool) -> None:
    (receipt,) = read(messages(statuses=[{"id": "wamid.2", "status": "sent", "pricing": pricing}])).receipts
    assert receipt.counts is counts


def test_an_echo_of_a_group_answers_nobody() -> None:
    value = {"metadata": {"phone_number_id": "109000000000555"}, "message_echoes": [text(to="Y2FwaV", group_id="Y2FwaV")]}
    parsed = read({"entry": [{"changes": [{"field": "smb_message_echoes", "value": value}]}]})
    assert (parsed.changes, parsed.unparsed) == ((), ())
    assert [(note.what, note.which) for note in parsed.notes] == [("group_echo", "text")]


def test_a_lifted_ban_is_not_serious_any_more() -> None:
    value = {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "REINSTATE"}}
    (event,) = read({"entry": [{"id": "104000000000777", "changes": [{"field": "account_update", "value": value}]}]}).changes
    assert isinstance(event, AccountEvent)
    assert not event.serious


def test_news_of_another_account_are_left_out() -> None:
    parsed = read({"entry": [{"id": "1", "changes": [{"field": "account_update", "value": {"event": "ACCOUNT_DELETED"}}]}]})
    assert parsed.changes == ()
    assert [note.what for note in parsed.notes] == ["foreign_account"]


def test_a_wish_that_cannot_be_told_is_set_aside() -> None:
    value = {
        "metadata": {"phone_number_id": "109000000000555"},
        "user_preferences": [
            {"user_id": "US.1", "category": "marketing_messages", "value": "maybe"},
            {"category": "marketing_messages", "value": "stop"},
            {"user_id": "US.1", "value": "stop"},
        ],
    }
    parsed = read({"entry": [{"changes": [{"field": "user_preferences", "value": value}]}]})
    assert (parsed.changes, len(parsed.unparsed)) == ((), 3)


# anything at all


@settings(max_examples=chosen(short=150, full=400), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_no_change_of_any_field_is_answered_with_anything_but_200(post: Post, data: st.DataObject) -> None:
    document = copy.deepcopy(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 3))):
        every = list(places(document))
        put(document, data.draw(st.sampled_from(every)), data.draw(anything))
    check(post(document))


WRONG: list[Any] = [None, True, -1, 1.5, "", "x", [], [[]], {}, {"type": "text"}, "\ud800", 2**80]


def test_no_field_of_any_sample_body_is_missed_when_it_is_wrong(post: Post) -> None:
    turn = 0
    for seed in SEEDS:
        for path in places(seed):
            turn += 1
            right = value_at(seed, path)
            for wrong in some_of(WRONG, 3, turn):
                put(seed, path, wrong)
                try:
                    check(post(seed))
                except Exception as error:
                    error.add_note(f"{path}: {wrong!r}")
                    raise
                finally:
                    put(seed, path, right)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(body=st.binary(max_size=200) | anything.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_are_answered_with_anything_but_200(post: Post, body: bytes) -> None:
    check(post(body))


def check(reception: WebhookResult) -> None:
    assert (reception.response.status, reception.verified) == (200, True)
    for message in reception.messages:
        assert message.person.is_identifiable
        assert message.text
        # What a store, a log and an encoder need.
        for words in (message.text, message.kind, message.raw, message.external_id or "", message.reply_to or ""):
            assert "\x00" not in words
            words.encode()
        json.dumps(message.content).encode()
        assert isinstance(message.content.get("note", "x"), str)
        assert message.opens_window or not message.answer
        for attachment in message.attachments:
            assert attachment.reference
            assert all(isinstance(each, str | None) for each in (attachment.mime, attachment.name, attachment.url))
            assert attachment.sha256 is None or len(bytes.fromhex(attachment.sha256)) == 32
    # The guard round each element is for slips of ours; none may be known.
    assert not [aside.reason for aside in reception.unparsed if aside.reason.endswith("Error")]
    for receipt in reception.receipts:
        assert receipt.external_id or receipt.attempt_id
