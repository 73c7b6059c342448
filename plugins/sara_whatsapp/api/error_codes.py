"""Meta's error codes: their meaning, the remedy, and what SARA does.

The table follows Meta's error code reference of the Cloud API; the action of each code is SARA's decision. Meta asks clients to
rely on the code alone, because texts, subcodes and HTTP statuses change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sara import (
    ChannelUnavailable,
    DeliveryFailure,
    DeliveryUnknown,
    Milliseconds,
    NotSent,
    Rejected,
    ReplyWindowClosed,
    SaraError,
)
from sara_whatsapp.webhook.safe_json import to_dict, to_text

Action = Literal[
    "retry",  # refused temporarily, for this message
    "retry_own",  # the same, or the message is invalid: Meta does not say which
    "later_pair",  # messages to this customer wait
    "later_number",  # all messages of the number wait
    "later_app",  # all messages of the app or account wait
    "later_templates",  # templates wait, other messages do not
    "recipient",  # this recipient cannot be reached
    "message",  # this message is invalid
    "file",  # this file is invalid; the text beside it is not
    "template",  # the template cannot be used
    "template_window",  # only a template may be sent now
    "config_token",  # the access token is invalid
    "config",  # account, number or permissions need a correction
    "doubt",  # the message may have been sent
    "inbound",  # concerns incoming messages only
]

_SECOND_MS, _MINUTE_MS, _HOUR_MS = 1_000, 60_000, 3_600_000
_PAUSE_MS: Milliseconds = 5 * _SECOND_MS
_MAX_DETAIL_CHARS = 300
_NO_REASON = "Meta gave no reason."
_NO_MEANING = "SARA does not know this code; `sara why` shows Meta's message."


class FileRejected(Rejected):
    """WhatsApp does not accept this file, or not as this kind of message."""


class TemplatesThrottled(NotSent):
    """Templates cannot be sent for a while; other messages can."""


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """One row of the table: action, meaning, remedy, and the wait where waiting helps."""

    action: Action
    meaning: str
    remedy: str = ""
    after: Milliseconds | None = None


_TOKEN = "Create a new system user token with both WhatsApp permissions and set it as access_token."  # noqa: S105  # advice
_PERMISSION = "Give the system user whatsapp_business_messaging and whatsapp_business_management, and access to this account."
_NUMBER_ID = "Compare phone_number_id with WhatsApp > API Setup; the token's system user needs access to that number."
_REGISTER = "Register the number for the Cloud API in WhatsApp Manager, with its two-step PIN."
_SUPPORT = "Check Account Quality in Meta Business Suite; appeal there if the reason is wrong."
_TEMPLATE = "Check the template in WhatsApp Manager."
_CATEGORY = (
    "Correct the categories of the templates in WhatsApp Manager; utility is for messages that the customer has requested."
)
_ALLOW_LIST = (
    "Add the number under WhatsApp > API Setup. Numbers from Argentina and Mexico fail although they are on the list, because WhatsApp"
    " writes them with one more digit (+54 9 …, +52 1 …) than the list (+54 …, +52 …): use a number of your own, which has no list."
)
_WAIT = "Wait; an earlier attempt prolongs the wait."

_MISSING_PERMISSION = ErrorCode("config", "The app lacks a permission.", _PERMISSION)

CODES: Mapping[int, ErrorCode] = {
    0: ErrorCode("config_token", "Meta could not authenticate the request.", _TOKEN),
    1: ErrorCode("retry_own", "Meta could not process the request: it is malformed, or Meta has an internal error."),
    2: ErrorCode("retry", "Meta is temporarily overloaded or unavailable."),
    3: ErrorCode("config", "The app may not use this function.", _PERMISSION),
    4: ErrorCode("later_app", "The app has reached its rate limit.", after=_PAUSE_MS),
    10: ErrorCode("config", "A permission is missing or was revoked.", _PERMISSION),
    33: ErrorCode("config", "The business number does not exist or was deleted.", _NUMBER_ID),
    100: ErrorCode("message", "Meta does not accept a field of the message."),
    104: ErrorCode("config_token", "The request contained no valid token.", _TOKEN),
    190: ErrorCode("config_token", "The access token has expired or was revoked.", _TOKEN),
    200: _MISSING_PERMISSION,  # … to 299, see `find_code`
    368: ErrorCode("config", "The account is temporarily blocked for a policy violation.", _SUPPORT),
    80007: ErrorCode("later_app", "The WhatsApp Business Account has reached its rate limit.", after=_PAUSE_MS),
    130403: ErrorCode("recipient", "This person is on the number's own block list.", "Unblock them to write to them."),
    130429: ErrorCode("later_number", "The number sends faster than Meta allows it.", "Lower throughput.", _PAUSE_MS),
    130472: ErrorCode("recipient", "Meta keeps this person out of marketing messages for an experiment."),
    130497: ErrorCode("recipient", "This account may not write to people in that country.", _SUPPORT),
    130501: ErrorCode("message", "This kind of message cannot be sent to a group."),
    131000: ErrorCode("doubt", "Meta had an unspecified error."),
    131005: ErrorCode("config", "The token lacks a permission for this.", _PERMISSION),
    131008: ErrorCode("message", "A required field of the message is missing."),
    131009: ErrorCode("message", "A field of the message has a value that Meta does not accept."),
    131016: ErrorCode("retry", "A service at Meta is temporarily unavailable."),
    131021: ErrorCode("recipient", "The recipient is the business number itself."),
    131026: ErrorCode(
        "recipient", "WhatsApp cannot deliver to this person: not on WhatsApp, an old version, or terms not accepted."
    ),
    131030: ErrorCode("recipient", "A test number may only write to numbers on its list.", _ALLOW_LIST),
    131031: ErrorCode("config", "The account is locked or restricted.", _SUPPORT),
    131037: ErrorCode("config", "The number's display name is not approved.", "Set one in WhatsApp Manager; wait for approval."),
    131042: ErrorCode("config", "The payment method has a problem.", "Check the payment method in WhatsApp Manager."),
    131045: ErrorCode("config", "The number is not registered properly.", _REGISTER),
    131047: ErrorCode("template_window", "More than 24 hours since the customer's last message; only a template may be sent."),
    131048: ErrorCode("later_number", "Too many people blocked or reported this number; Meta limits it.", _SUPPORT, _HOUR_MS),
    131049: ErrorCode("recipient", "Meta limits marketing messages to this person and did not send it; wait at least 24 hours."),
    131050: ErrorCode("recipient", "The person has opted out of marketing messages from this business."),
    131051: ErrorCode("message", "WhatsApp does not support this kind of message."),
    131052: ErrorCode("inbound", "The customer's file could not be fetched.", "Ask them to send it again."),
    131053: ErrorCode("file", "The file could not be uploaded; most often its type does not match its content."),
    131056: ErrorCode("later_pair", "Too many messages to this person in a short time.", after=6 * _SECOND_MS),
    131057: ErrorCode("retry", "Meta is moving the number to another throughput.", after=_MINUTE_MS),
    131059: ErrorCode("message", "A paging cursor is no longer valid."),
    131060: ErrorCode("inbound", "A customer's message was not available.", "Ask them to send it again."),
    131062: ErrorCode("message", "This message needs a phone number; a business-scoped user id is not enough."),
    131063: ErrorCode("template", "Marketing templates are switched off for this account on the Cloud API.", _TEMPLATE),
    131064: ErrorCode(
        "later_templates", "Too many templates were filed under the wrong category; Meta limits them.", _CATEGORY, _HOUR_MS
    ),
    132000: ErrorCode("message", "The number of template parameters is wrong."),
    132001: ErrorCode("template", "The template does not exist in this language.", _TEMPLATE),
    132005: ErrorCode("message", "The template's text is too long with these parameters."),
    132007: ErrorCode("message", "The template's text breaks a policy."),
    132012: ErrorCode("message", "A template parameter has the wrong form."),
    132015: ErrorCode("template", "The template is paused for low quality.", _TEMPLATE),
    132016: ErrorCode("template", "The template is disabled for low quality.", _TEMPLATE),
    132068: ErrorCode("message", "The flow is blocked."),
    132069: ErrorCode("later_pair", "The flow is slowed down.", after=_MINUTE_MS),
    133000: ErrorCode("config", "An earlier removal of the number did not finish.", _REGISTER),
    133004: ErrorCode("retry", "Meta's server is temporarily unavailable."),
    133005: ErrorCode("config", "The two-step PIN is wrong.", _REGISTER),
    133006: ErrorCode("config", "The number has to be verified first.", _REGISTER),
    133008: ErrorCode("later_number", "Too many wrong PINs.", _WAIT, 5 * _MINUTE_MS),
    133009: ErrorCode("later_number", "The PIN was entered too fast.", _WAIT, 5 * _MINUTE_MS),
    133010: ErrorCode("config", "The number is not registered for the Cloud API.", _REGISTER),
    133015: ErrorCode("later_number", "The number was removed very recently.", _WAIT, 5 * _MINUTE_MS),
    133016: ErrorCode("later_number", "The number was registered or removed too often.", _WAIT, _HOUR_MS),
    134011: ErrorCode("config", "The terms for payments are not accepted.", "Accept them in WhatsApp Manager."),
    135000: ErrorCode("message", "Meta rejected the message without a reason; most often a field is invalid."),
    137000: ErrorCode(
        "recipient", "The person's identity key has changed.", "Verify the person before sending anything private."
    ),
    139100: ErrorCode("message", "The block list could not be changed for all users."),
    139101: ErrorCode("message", "The block list is full."),
    139102: ErrorCode("message", "The block list was changed by another request at the same time."),
    139103: ErrorCode("message", "The block list could not be changed."),
    147001: ErrorCode("message", "The business username could not be processed."),
    147002: ErrorCode("message", "The business username could not be processed."),
    147003: ErrorCode("message", "The business username could not be processed."),
    147004: ErrorCode("message", "The business username could not be processed."),
    147005: ErrorCode("message", "The business username could not be processed."),
}

_WRONG_OBJECT = ErrorCode("config", "Meta finds no such business number, or this token may not see it.", _NUMBER_ID)
_WRONG_SUBCODE = 33  # of code 100; observed, not documented
_NO_OBJECT = re.compile(
    r"object with id .{1,80} does not exist", re.IGNORECASE | re.DOTALL
)  # the same, if the subcode is missing
_UNKNOWN_TOKEN = ErrorCode("config_token", "Meta refused the access token.", _TOKEN)
_NOT_META = ErrorCode("config", "The response is not from Meta's Graph API.", "Check graph_url, and proxies in between.")

# The action for a message that was accepted and has failed: the failure is certain, even if the code leaves it open in a response.
_FAILURE_ACTIONS: Mapping[Action, Literal["retry", "park", "send_as_text", "block_channel"]] = {
    **dict.fromkeys(("retry", "retry_own", "later_pair", "later_templates", "doubt"), "retry"),
    **dict.fromkeys(("later_number", "later_app", "config", "config_token"), "block_channel"),
    "template_window": "park",
    "file": "send_as_text",
}

# Without a code from Meta these come from a proxy or another server.
_NOT_META_STATUSES = frozenset({401, 403, 404, 405, 407})


def find_code(code: int | None) -> ErrorCode | None:
    """Return the row of a code; None if the code is unknown."""
    if code is None:
        return None
    return _MISSING_PERMISSION if 200 <= code <= 299 else CODES.get(code)


def classify_error(http_status: int, error: Mapping[str, Any] | None, retry_after: Milliseconds | None = None) -> SaraError:
    """Return the exception that an unsuccessful response stands for.

    `error` is the response's `error` object, None if there is none; `retry_after` is the value of that header.
    """
    code = _read_code(error)
    row = _find_row(error)
    if row is None:
        told = _classify_unknown(http_status, code, error, retry_after)
    else:
        told = _to_exception(row, f"{code}: {row.meaning}", retry_after)
    told.details = _read_details(row, error)
    return told


def explain_failure(error: Mapping[str, Any]) -> DeliveryFailure:
    """Return the failure that an element of an `errors` list describes, for a message that certainly was not delivered."""
    code = _read_code(error)
    row = _find_row(error)
    told, details = "unknown" if code is None else str(code), _read_details(row, error)
    if row is None:
        return DeliveryFailure(
            told,
            _NO_MEANING if details else _NO_REASON,
            action="retry" if error.get("is_transient") is True else "fail",
            details=details,
        )
    return DeliveryFailure(told, row.meaning, _FAILURE_ACTIONS.get(row.action, "fail"), row.after, _find_alert(row), details)


def _find_row(error: Mapping[str, Any] | None) -> ErrorCode | None:
    """Return the row of an error; code 100 has two."""
    code = _read_code(error)
    if error is None or code != 100:
        return find_code(code)
    missing = _read_number(error.get("error_subcode")) == _WRONG_SUBCODE or _NO_OBJECT.search(to_text(error.get("message")))
    return _WRONG_OBJECT if missing else find_code(code)


def _find_alert(row: ErrorCode) -> str:
    """Return the remedy to report to the operator; empty for a limit that ends soon without an action."""
    return "" if row.action in ("later_number", "later_app") and (row.after or 0) < _HOUR_MS else row.remedy


def _to_exception(row: ErrorCode, text: str, retry_after: Milliseconds | None) -> SaraError:
    match row.action:
        case "retry" | "retry_own":
            return NotSent(text, after=retry_after or row.after, scope="message", message_at_fault=row.action == "retry_own")
        case "later_pair":
            return NotSent(text, after=retry_after or row.after, scope="conversation")
        case "later_templates":
            return TemplatesThrottled(text, after=retry_after or row.after, scope="conversation", remedy=row.remedy)
        case "later_number" | "later_app":
            return NotSent(text, after=retry_after or row.after, scope="channel", remedy=_find_alert(row))
        case "template_window":
            return ReplyWindowClosed(text)
        case "file":
            return FileRejected(text)
        case "config" | "config_token":
            return ChannelUnavailable(text, remedy=row.remedy)
        case "doubt":
            return DeliveryUnknown(text)
        case _:
            return Rejected(f"{text} {row.remedy}".strip())


def _classify_unknown(
    http_status: int, code: int | None, error: Mapping[str, Any] | None, retry_after: Milliseconds | None
) -> SaraError:
    """Return the exception for an unknown code: only a certain refusal counts as one."""
    text = f"HTTP {http_status}" if code is None else f"{code}: {_NO_MEANING if _read_details(None, error) else _NO_REASON}"
    if http_status == 429:
        return NotSent(text, after=retry_after or _PAUSE_MS, scope="channel")
    if 300 <= http_status <= 399 or (code is None and http_status in _NOT_META_STATUSES):
        return ChannelUnavailable(f"{text}: {_NOT_META.meaning}", remedy=_NOT_META.remedy)
    if http_status == 401:
        return ChannelUnavailable(f"{code}: {_UNKNOWN_TOKEN.meaning}", remedy=_UNKNOWN_TOKEN.remedy)
    if not 400 <= http_status <= 499 or http_status == 408:
        return DeliveryUnknown(text)
    if error is not None and error.get("is_transient") is True:
        return NotSent(text, after=retry_after, scope="message")
    return Rejected(text)


def _read_details(row: ErrorCode | None, error: Mapping[str, Any] | None) -> str:
    """Return Meta's message, which may quote a phone number or a text; empty for token errors, which may quote the token."""
    said = "" if error is None or (row is not None and row.action == "config_token") else _quote_meta(error)
    return f"Meta: {said}" if said else ""


def _quote_meta(error: Mapping[str, Any]) -> str:
    data = error.get("error_data")
    details = to_text(to_dict(data).get("details")) or (data if isinstance(data, str) else "")
    text = details or to_text(error.get("message")) or to_text(error.get("title"))
    return " ".join(text.split())[:_MAX_DETAIL_CHARS]


def _read_code(error: Mapping[str, Any] | None) -> int | None:
    return None if error is None else _read_number(error.get("code"))


def _read_number(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return value if isinstance(value, int) else None
