"""Meta's error codes: what follows from each, row by row."""

from __future__ import annotations

from typing import Any

from sara_whatsapp.api.error_codes import CODES, FileRejected, TemplatesThrottled, classify_error, explain_failure, find_code

from sara import ChannelUnavailable, DeliveryUnknown, NotSent, Rejected, ReplyWindowClosed, SaraError
from tests.rows import each_row

ROWS: dict[str, set[int]] = {
    "retry": {2, 131016, 131057, 133004},
    "retry_own": {1},
    "later_pair": {131056, 132069},
    "later_number": {130429, 131048, 133008, 133009, 133015, 133016},
    "later_app": {4, 80007},
    "later_templates": {131064},
    "recipient": {130403, 130472, 130497, 131021, 131026, 131030, 131049, 131050, 137000},
    "message": {
        *(100, 130501, 131008, 131009, 131051, 131059, 131062, 132000, 132005, 132007, 132012, 132068, 135000),
        *(139100, 139101, 139102, 139103, 147001, 147002, 147003, 147004, 147005),
    },
    "file": {131053},
    "template": {131063, 132001, 132015, 132016},
    "template_window": {131047},
    "config_token": {0, 104, 190},
    "config": {3, 10, 33, 200, 368, 131005, 131031, 131037, 131042, 131045, 133000, 133005, 133006, 133010, 134011},
    "doubt": {131000},
    "inbound": {131052, 131060},
}
SCOPES = {
    "retry": "message",
    "retry_own": "message",
    "later_pair": "conversation",
    "later_number": "channel",
    "later_app": "channel",
    "later_templates": "conversation",
}
CLASSES: dict[str, type[SaraError]] = {
    "retry": NotSent,
    "retry_own": NotSent,
    "later_pair": NotSent,
    "later_number": NotSent,
    "later_app": NotSent,
    "later_templates": TemplatesThrottled,
    "file": FileRejected,
    "template_window": ReplyWindowClosed,
    "config": ChannelUnavailable,
    "config_token": ChannelUnavailable,
    "doubt": DeliveryUnknown,
}
AFTERWARDS = {
    "retry": "retry",
    "retry_own": "retry",
    "later_pair": "retry",
    "later_number": "block_channel",
    "later_app": "block_channel",
    "later_templates": "retry",
    "file": "send_as_text",
    "config": "block_channel",
    "config_token": "block_channel",
    "doubt": "retry",
    "template_window": "park",
}
FACTS: dict[str, tuple[set[int], set[str]]] = {
    # The classes of the facts that SARA is built on, their codes, and what may follow: by answer/by status.
    "RETRY": ({1, 2, 131000, 131016, 131057, 133004}, {"NotSent message/retry", "DeliveryUnknown/retry"}),
    "LATER": (
        {4, 80007, 130429, 131048, 131056, 131064, 132069, 133008, 133009, 133015, 133016},
        {"NotSent conversation/retry", "NotSent channel/block_channel"},
    ),
    "RECIPIENT": ({130403, 130472, 130497, 131021, 131026, 131030, 131049, 131050, 137000}, {"Rejected/fail"}),
    "MESSAGE": (
        {
            *(100, 130501, 131008, 131009, 131051, 131053, 131062, 132000, 132005, 132007, 132012, 132068, 135000),
            *(139100, 139101, 139102, 139103),
        },
        {"Rejected/fail", "Rejected/send_as_text"},
    ),
    "TEMPLATE": ({131047}, {"ReplyWindowClosed/park"}),
    "CONFIG": (
        {
            *(0, 3, 10, 33, 104, 190, 200, 299, 368, 131005, 131031, 131037, 131042, 131045),
            *(133000, 133005, 133006, 133010, 134011),
        },
        {"ChannelUnavailable/block_channel"},
    ),
    # Only that template is no good: the channel goes on, and a person is told.
    "CONFIG (template)": ({131063, 132001, 132015, 132016}, {"Rejected/fail"}),
}


def test_the_rows_are_all_that_the_table_has() -> None:
    assert {code: row.action for code, row in CODES.items()} == {code: action for action, row in ROWS.items() for code in row}


@each_row("code", CODES)
def test_every_code_leads_to_what_its_action_says(code: int) -> None:
    action = CODES[code].action
    error = classify_error(400, {"code": code, "message": "said by Meta"})
    assert type(error) is CLASSES.get(action, Rejected)
    assert str(error).startswith(f"{code}: {CODES[code].meaning}")
    if isinstance(error, NotSent):
        assert (error.scope, error.after) == (SCOPES[action], CODES[code].after)
    if isinstance(error, ChannelUnavailable):
        assert error.remedy == CODES[code].remedy


@each_row(("name", "code"), [(name, code) for name, (codes, _) in FACTS.items() for code in sorted(codes)])
def test_every_row_of_the_facts_has_its_class_by_answer_and_by_status(name: str, code: int) -> None:
    error, failure = classify_error(400, {"code": code}), explain_failure({"code": code})
    kind = next(
        each for each in (NotSent, Rejected, ChannelUnavailable, DeliveryUnknown, ReplyWindowClosed) if isinstance(error, each)
    )
    scope = f" {error.scope}" if isinstance(error, NotSent) else ""
    assert f"{kind.__name__}{scope}/{failure.action}" in FACTS[name][1]
    if name.startswith("CONFIG"):
        assert failure.remedy


def test_the_facts_name_every_code_that_can_be_about_a_message_of_ours() -> None:
    told = {code for codes, _ in FACTS.values() for code in codes}
    assert CODES.keys() - told == {131052, 131059, 131060, 147001, 147002, 147003, 147004, 147005}


def test_a_limit_that_takes_hours_is_told_to_a_person_and_a_short_one_is_not() -> None:
    for code, alert in ((131048, True), (131064, True), (130429, False), (131056, False), (80007, False)):
        error, failure = classify_error(400, {"code": code}), explain_failure({"code": code})
        assert isinstance(error, NotSent)
        assert (bool(error.remedy), bool(failure.remedy)) == (alert, alert)


def test_only_what_may_be_the_messages_own_fault_ends_with_its_attempts() -> None:
    own = {code for code in CODES if getattr(classify_error(400, {"code": code}), "message_at_fault", False)}
    assert own == {1}


@each_row("code", CODES)
def test_the_code_decides_whatever_the_http_status(code: int) -> None:
    kinds = {type(classify_error(status, {"code": code})) for status in (200, 400, 401, 403, 404, 429, 500, 503)}
    assert len(kinds) == 1


def test_everything_that_a_person_must_mend_says_how() -> None:
    for code, row in CODES.items():
        assert row.meaning.endswith("."), code
        assert row.remedy or not row.action.startswith("config"), code


@each_row("code", [200, 201, 250, 299])
def test_the_two_hundreds_are_missing_permissions(code: int) -> None:
    assert isinstance(classify_error(403, {"code": code}), ChannelUnavailable)


@each_row("code", [None, 199, 300, -1, 999_999])
def test_other_codes_are_unknown(code: int | None) -> None:
    assert find_code(code) is None


def test_a_full_pair_makes_only_this_conversation_wait_six_seconds() -> None:
    error = classify_error(400, {"code": 131056})
    assert isinstance(error, NotSent)
    assert (error.scope, error.after) == ("conversation", 6_000)


@each_row(("status", "error"), [(400, {"code": 130429}), (400, {"code": 4}), (400, {"code": 80007}), (429, None)])
def test_a_rate_limit_makes_the_channel_wait_as_long_as_meta_says(status: int, error: Any) -> None:
    short, told = classify_error(status, error), classify_error(status, error, 17_000)
    assert isinstance(short, NotSent)
    assert isinstance(told, NotSent)
    assert (short.scope, short.after, told.scope, told.after) == ("channel", 5_000, "channel", 17_000)


def test_a_wrong_phone_number_id_is_a_matter_for_a_person() -> None:
    error = classify_error(400, {"code": 100, "error_subcode": 33, "message": "Unsupported post request."})
    assert isinstance(error, ChannelUnavailable)
    assert "phone_number_id" in error.remedy
    assert isinstance(classify_error(400, {"code": 100, "error_subcode": 2494010}), Rejected)


def test_an_object_that_does_not_exist_is_one_also_without_its_subcode() -> None:
    said = "Unsupported post request. Object with ID '109' does not exist, cannot be loaded due to missing permissions"
    error, failure = classify_error(400, {"code": 100, "message": said}), explain_failure({"code": 100, "message": said})
    assert isinstance(error, ChannelUnavailable)
    assert "phone_number_id" in error.remedy
    assert failure.action == "block_channel"
    assert isinstance(classify_error(400, {"code": 100, "message": "The parameter to does not exist"}), Rejected)


@each_row(
    ("status", "error", "expected"),
    [
        (500, None, DeliveryUnknown),
        (502, {}, DeliveryUnknown),
        (503, {"code": 999_999}, DeliveryUnknown),
        (504, {"message": "no code"}, DeliveryUnknown),
        (500, {"code": "x", "is_transient": True}, DeliveryUnknown),
        (200, {"code": 999_999}, DeliveryUnknown),
        (202, None, DeliveryUnknown),
        (408, None, DeliveryUnknown),
        (400, None, Rejected),
        (413, None, Rejected),
        (400, {"code": 999_999}, Rejected),
        (403, {"code": 999_999}, Rejected),
        (400, {"code": 999_999, "is_transient": "yes"}, Rejected),
        (400, {"code": 999_999, "is_transient": True}, NotSent),
        (429, {"code": 999_999}, NotSent),
        (401, {"code": 999_999}, ChannelUnavailable),
        (301, None, ChannelUnavailable),
        (302, None, ChannelUnavailable),
        (401, None, ChannelUnavailable),
        (403, None, ChannelUnavailable),
        (404, None, ChannelUnavailable),
        (405, None, ChannelUnavailable),
        (407, None, ChannelUnavailable),
    ],
)
def test_what_the_table_does_not_know_is_refused_only_where_that_is_certain(
    status: int, error: Any, expected: type[SaraError]
) -> None:
    assert type(classify_error(status, error)) is expected


@each_row("code", [None, [], {}, True, 1.5, "", "-1", "٣", "9" * 30, 2**80, -5])
def test_a_code_of_a_wrong_type_never_raises(code: Any) -> None:
    assert isinstance(classify_error(400, {"code": code, "error_data": code, "message": code, "error_subcode": code}), SaraError)
    assert explain_failure({"code": code}).reason


def test_a_code_in_text_is_read_all_the_same() -> None:
    assert isinstance(classify_error(401, {"code": "190"}), ChannelUnavailable)


def test_metas_own_words_stand_beside_the_error_in_one_short_line_and_never_in_it() -> None:
    rows = (
        ({"code": 131009, "error_data": {"details": "Parameter\n value  is\tnot valid"}, "message": "x"}, "Meta: Parameter value is not valid"),
        ({"code": 131009, "error_data": "said plainly"}, "Meta: said plainly"),
        ({"code": 131009, "message": "(#131009) to +1 555 000 1111: my saxophone"}, "Meta: (#131009) to +1 555 000 1111: my saxophone"),
        ({"code": 131026, "title": "to +1 555 000 1111"}, "Meta: to +1 555 000 1111"),
        ({"code": 131056, "error_user_msg": "to +1 555 000 1111"}, ""),
        ({"code": 131000, "message": "my saxophone"}, "Meta: my saxophone"),
        ({"code": 4711, "message": "my saxophone"}, "Meta: my saxophone"),
        ({"code": 190, "message": "Malformed access token EAAsecret"}, ""),
        ({"code": 131009}, ""),
    )  # fmt: skip
    for error, details in rows:
        for status in (400, 401, 403, 429, 500):
            told = classify_error(status, error)
            assert told.details == details, error
            remedy = str(getattr(told, "remedy", ""))
            assert not any(word in f"{told} {remedy}" for word in ("saxophone", "1111", "Parameter", "plainly", "EAAsecret")), (
                error
            )
        failure = explain_failure(error)
        assert failure.details == details
        assert not any(word in f"{failure.reason} {failure.remedy}" for word in ("saxophone", "1111", "Parameter", "plainly"))
    assert len(classify_error(400, {"code": 131009, "message": "long " * 1000}).details) < 500


def test_metas_words_about_a_token_are_not_repeated() -> None:
    error = classify_error(401, {"code": 190, "message": "Malformed access token EAAsecret"})
    assert "EAAsecret" not in str(error)


def test_a_failed_receipt_is_explained_from_the_same_table() -> None:
    failure = explain_failure({"code": 131026, "title": "Message undeliverable"})
    assert failure.code == "131026"
    assert (failure.reason, failure.details) == (CODES[131026].meaning, "Meta: Message undeliverable")


@each_row("code", CODES)
def test_what_follows_a_failed_receipt_is_what_its_action_says(code: int) -> None:
    failure, row = explain_failure({"code": code, "title": "said by Meta"}), CODES[code]
    assert failure.code == str(code)
    assert failure.action == AFTERWARDS.get(row.action, "fail")
    assert failure.after == (row.after if failure.action in ("retry", "block_channel") else None)


def test_a_closed_window_is_told_from_a_message_that_failed() -> None:
    assert (explain_failure({"code": 131047}).action, explain_failure({"code": 131026}).action) == ("park", "fail")
    assert (explain_failure({"code": 131056}).action, explain_failure({"code": 131056}).after) == ("retry", 6_000)
    assert (explain_failure({"code": 131048}).action, explain_failure({"code": 131048}).after) == ("block_channel", 3_600_000)


def test_an_unexplained_trouble_of_metas_is_a_doubt_in_an_answer_and_certain_in_a_receipt() -> None:
    assert isinstance(classify_error(500, {"code": 131000}), DeliveryUnknown)
    assert explain_failure({"code": 131000}).action == "retry"


@each_row(
    ("error", "then"),
    [
        ({}, "fail"),
        ({"code": 999_999}, "fail"),
        ({"code": 999_999, "is_transient": True}, "retry"),
        ({"code": 999_999, "is_transient": "true"}, "fail"),
        ({"is_transient": True}, "retry"),
        ({"code": 131026, "is_transient": True}, "fail"),
        ({"code": 250}, "block_channel"),
    ],
)
def test_an_unknown_failure_is_the_end_unless_meta_says_that_it_passes(error: dict[str, Any], then: str) -> None:
    assert explain_failure(error).action == then
