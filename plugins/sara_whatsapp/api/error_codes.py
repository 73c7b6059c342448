"""What Meta's error codes mean and what follows from each. Pure.

The table follows Meta's error code reference of the Cloud API; which action each code calls for is SARA's own reading. Meta
asks to go by the code alone, since texts, subcodes and HTTP statuses change.
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
from sara_whatsapp.webhook.safe_json import mapping, words

Action = Literal[
    "retry",  # refused for now, for this message
    "retry_own",  # the same, or the message itself is wrong: Meta does not tell which
    "later_pair",  # this customer has to wait
    "later_number",  # the whole business number has to wait
    "later_app",  # the whole app or account has to wait
    "later_templates",  # templates have to wait, and nothing else
    "recipient",  # this person cannot be reached
    "message",  # this message as it stands is wrong
    "file",  # this file as it stands is wrong; the words beside it are not
    "template",  # the template cannot be used
    "template_window",  # only a template may be sent now
    "config_token",  # the access token is no good
    "config",  # account, number or permissions must be mended
    "doubt",  # it may have been sent
    "inbound",  # only ever told about messages to us
]

_SECOND, _MINUTE, _HOUR = 1_000, 60_000, 3_600_000
_PAUSE: Milliseconds = 5 * _SECOND
_LONGEST = 300
_NO_REASON = "Meta gave no reason."
_NO_MEANING = "SARA does not know this code; `sara why` shows what Meta said."


class FileRefused(Rejected):
    """WhatsApp does not take this file, or not as what it was sent as."""


class TemplatesPaused(NotSent):
    """No template can be sent for a while; anything else can."""


@dataclass(frozen=True, slots=True)
class Code:
    """One row: what to do, what it means, how a person mends it, and how long to wait where waiting helps."""

    action: Action
    meaning: str
    remedy: str = ""
    after: Milliseconds | None = None


_TOKEN = "Make a new system user token with both WhatsApp permissions and put it into access_token."  # noqa: S105  # advice
_PERMISSION = "Give the system user whatsapp_business_messaging and whatsapp_business_management, and access to this account."
_NUMBER_ID = "Compare phone_number_id with WhatsApp > API Setup; the token's system user needs access to that number."
_REGISTER = "Register the number for the Cloud API in WhatsApp Manager, with its two-step PIN."
_SUPPORT = "Look at Account Quality in Meta Business Suite; appeal there if the reason is wrong."
_TEMPLATE = "Look at the template in WhatsApp Manager."
_CATEGORY = "Correct the categories of the templates in WhatsApp Manager; utility is for what the customer has asked for."
_ALLOW_LIST = (
    "Add it under WhatsApp > API Setup. Numbers from Argentina and Mexico fail although they are on the list, because WhatsApp names"
    " them with one digit more (+54 9 …, +52 1 …) than the list holds (+54 …, +52 …): use a number of your own, which has no list."
)
_WAIT = "Wait; trying again sooner makes it longer."

_GRANTED = Code("config", "The app lacks a permission.", _PERMISSION)

CODES: Mapping[int, Code] = {
    0: Code("config_token", "Meta cannot tell who is calling.", _TOKEN),
    1: Code("retry_own", "Meta could not handle the request: malformed, or trouble on its side."),
    2: Code("retry", "Meta is overloaded or down for a moment."),
    3: Code("config", "The app may not use this function.", _PERMISSION),
    4: Code("later_app", "The app has used up its calls for now.", after=_PAUSE),
    10: Code("config", "A permission is missing or was taken away.", _PERMISSION),
    33: Code("config", "The business number does not exist or was deleted.", _NUMBER_ID),
    100: Code("message", "Meta does not accept a field of the message."),
    104: Code("config_token", "The call carried no usable token.", _TOKEN),
    190: Code("config_token", "The access token has expired or was revoked.", _TOKEN),
    200: _GRANTED,  # … to 299, see `look_up`
    368: Code("config", "The account is blocked for a while for breaking a policy.", _SUPPORT),
    80007: Code("later_app", "The WhatsApp Business Account has used up its calls for now.", after=_PAUSE),
    130403: Code("recipient", "This person is on the number's own block list.", "Unblock them to write to them."),
    130429: Code("later_number", "The number sends faster than Meta allows it.", "Lower throughput.", _PAUSE),
    130472: Code("recipient", "Meta keeps this person out of marketing messages for an experiment."),
    130497: Code("recipient", "This account may not write to people in that country.", _SUPPORT),
    130501: Code("message", "This kind of message cannot be sent to a group."),
    131000: Code("doubt", "Something went wrong at Meta and it does not say what."),
    131005: Code("config", "The token may not do this.", _PERMISSION),
    131008: Code("message", "A required field of the message is missing."),
    131009: Code("message", "A field of the message has a value that Meta does not accept."),
    131016: Code("retry", "A service at Meta is down for a moment."),
    131021: Code("recipient", "The recipient is the business number itself."),
    131026: Code("recipient", "WhatsApp cannot deliver to this person: not on WhatsApp, an old version, or terms not accepted."),
    131030: Code("recipient", "A test number may only write to numbers on its list.", _ALLOW_LIST),
    131031: Code("config", "The account is locked or restricted.", _SUPPORT),
    131037: Code("config", "The number's display name is not approved.", "Set one in WhatsApp Manager; wait for approval."),
    131042: Code("config", "There is trouble with the payment method.", "Check the payment method in WhatsApp Manager."),
    131045: Code("config", "The number is not registered properly.", _REGISTER),
    131047: Code("template_window", "More than 24 hours since the customer's last message; only a template may be sent."),
    131048: Code("later_number", "Too many people blocked or reported this number; Meta limits it.", _SUPPORT, _HOUR),
    131049: Code("recipient", "Meta held this marketing message back to spare the person; not again within 24 hours."),
    131050: Code("recipient", "The person wants no marketing messages from this business."),
    131051: Code("message", "WhatsApp does not support this kind of message."),
    131052: Code("inbound", "The customer's file could not be fetched.", "Ask them to send it again."),
    131053: Code("file", "Our file could not be uploaded; most often its type is not what it claims to be."),
    131056: Code("later_pair", "Too many messages to this person in a short time.", after=6 * _SECOND),
    131057: Code("retry", "Meta is moving the number to another throughput.", after=_MINUTE),
    131059: Code("message", "A paging cursor is no longer valid."),
    131060: Code("inbound", "A customer's message was not available.", "Ask them to send it again."),
    131062: Code("message", "This message needs a phone number; a business-scoped user id is not enough."),
    131063: Code("template", "Marketing templates are switched off for this account on the Cloud API.", _TEMPLATE),
    131064: Code(
        "later_templates", "Too many templates were filed under the wrong category; Meta limits them.", _CATEGORY, _HOUR
    ),
    132000: Code("message", "The template wants another number of parameters."),
    132001: Code("template", "There is no such template in this language.", _TEMPLATE),
    132005: Code("message", "The template's text is too long with these parameters."),
    132007: Code("message", "The template's text breaks a policy."),
    132012: Code("message", "A template parameter has the wrong form."),
    132015: Code("template", "The template is paused for low quality.", _TEMPLATE),
    132016: Code("template", "The template is disabled for low quality.", _TEMPLATE),
    132068: Code("message", "The flow is blocked."),
    132069: Code("later_pair", "The flow is slowed down.", after=_MINUTE),
    133000: Code("config", "An earlier removal of the number did not finish.", _REGISTER),
    133004: Code("retry", "Meta's server is not available for a moment."),
    133005: Code("config", "The two-step PIN is wrong.", _REGISTER),
    133006: Code("config", "The number has to be verified first.", _REGISTER),
    133008: Code("later_number", "Too many wrong PINs.", _WAIT, 5 * _MINUTE),
    133009: Code("later_number", "The PIN was entered too fast.", _WAIT, 5 * _MINUTE),
    133010: Code("config", "The number is not registered for the Cloud API.", _REGISTER),
    133015: Code("later_number", "The number was removed a moment ago.", _WAIT, 5 * _MINUTE),
    133016: Code("later_number", "The number was registered or removed too often.", _WAIT, _HOUR),
    134011: Code("config", "The terms for payments are not accepted.", "Accept them in WhatsApp Manager."),
    135000: Code("message", "Meta did not accept the message and does not say why; most often a field is wrong."),
    137000: Code("recipient", "The person's identity key has changed.", "Verify the person before sending anything private."),
    139100: Code("message", "The block list could not be changed for everybody."),
    139101: Code("message", "The block list is full."),
    139102: Code("message", "The block list was being changed by somebody else."),
    139103: Code("message", "The block list could not be changed."),
    147001: Code("message", "The business username could not be handled."),
    147002: Code("message", "The business username could not be handled."),
    147003: Code("message", "The business username could not be handled."),
    147004: Code("message", "The business username could not be handled."),
    147005: Code("message", "The business username could not be handled."),
}

_WRONG_OBJECT = Code("config", "Meta finds no such business number, or this token may not see it.", _NUMBER_ID)
_WRONG_SUBCODE = 33  # of code 100; seen, not documented
_NO_OBJECT = re.compile(
    r"object with id .{1,80} does not exist", re.IGNORECASE | re.DOTALL
)  # the same where the subcode is missing
_UNKNOWN_TOKEN = Code("config_token", "Meta refused the access token.", _TOKEN)
_WRONG_PLACE = Code("config", "What answered is not Meta's Graph API.", "Check graph_url and whatever stands between.")

# What follows a message that was taken and has failed. Of that there is no doubt, whatever its code leaves open in an answer.
_AFTERWARDS: Mapping[Action, Literal["retry", "park", "send_as_text", "block_channel"]] = {
    **dict.fromkeys(("retry", "retry_own", "later_pair", "later_templates", "doubt"), "retry"),
    **dict.fromkeys(("later_number", "later_app", "config", "config_token"), "block_channel"),
    "template_window": "park",
    "file": "send_as_text",
}

# Without a code from Meta: these say that somebody in between, or another server, answered.
_ELSEWHERE = frozenset({401, 403, 404, 405, 407})


def look_up(code: int | None) -> Code | None:
    """The row for a code; None for one that the table does not know."""
    if code is None:
        return None
    return _GRANTED if 200 <= code <= 299 else CODES.get(code)


def classify(http_status: int, error: Mapping[str, Any] | None, retry_after: Milliseconds | None = None) -> SaraError:
    """What follows from an answer that is no success: the exception to raise, not raised.

    `error` is the `error` object of the answer, None where there is none; `retry_after` is what the header of that name says.
    """
    code = _code(error)
    row = _row(error)
    if row is None:
        told = _unknown(http_status, code, error, retry_after)
    else:
        told = _consequence(row, f"{code}: {row.meaning}", retry_after)
    told.details = _details(row, error)
    return told


def explain(error: Mapping[str, Any]) -> DeliveryFailure:
    """An element of an `errors` list, as it comes with a message that certainly failed: why, for people, and what follows."""
    code = _code(error)
    row = _row(error)
    told, details = "unknown" if code is None else str(code), _details(row, error)
    if row is None:
        return DeliveryFailure(
            told,
            _NO_MEANING if details else _NO_REASON,
            action="retry" if error.get("is_transient") is True else "fail",
            details=details,
        )
    return DeliveryFailure(told, row.meaning, _AFTERWARDS.get(row.action, "fail"), row.after, _alert(row), details)


def _row(error: Mapping[str, Any] | None) -> Code | None:
    """The row for an error; of code 100 there are two."""
    code = _code(error)
    if error is None or code != 100:
        return look_up(code)
    missing = _number(error.get("error_subcode")) == _WRONG_SUBCODE or _NO_OBJECT.search(words(error.get("message")))
    return _WRONG_OBJECT if missing else look_up(code)


def _alert(row: Code) -> str:
    """What a person has to be told; nothing of a limit that soon passes by itself."""
    return "" if row.action in ("later_number", "later_app") and (row.after or 0) < _HOUR else row.remedy


def _consequence(row: Code, text: str, retry_after: Milliseconds | None) -> SaraError:
    match row.action:
        case "retry" | "retry_own":
            return NotSent(text, after=retry_after or row.after, scope="message", message_at_fault=row.action == "retry_own")
        case "later_pair":
            return NotSent(text, after=retry_after or row.after, scope="conversation")
        case "later_templates":
            return TemplatesPaused(text, after=retry_after or row.after, scope="conversation", remedy=row.remedy)
        case "later_number" | "later_app":
            return NotSent(text, after=retry_after or row.after, scope="channel", remedy=_alert(row))
        case "template_window":
            return ReplyWindowClosed(text)
        case "file":
            return FileRefused(text)
        case "config" | "config_token":
            return ChannelUnavailable(text, remedy=row.remedy)
        case "doubt":
            return DeliveryUnknown(text)
        case _:
            return Rejected(f"{text} {row.remedy}".strip())


def _unknown(http_status: int, code: int | None, error: Mapping[str, Any] | None, retry_after: Milliseconds | None) -> SaraError:
    """An answer that the table does not know: only what certainly names a refusal counts as one."""
    text = f"HTTP {http_status}" if code is None else f"{code}: {_NO_MEANING if _details(None, error) else _NO_REASON}"
    if http_status == 429:
        return NotSent(text, after=retry_after or _PAUSE, scope="channel")
    if 300 <= http_status <= 399 or (code is None and http_status in _ELSEWHERE):
        return ChannelUnavailable(f"{text}: {_WRONG_PLACE.meaning}", remedy=_WRONG_PLACE.remedy)
    if http_status == 401:
        return ChannelUnavailable(f"{code}: {_UNKNOWN_TOKEN.meaning}", remedy=_UNKNOWN_TOKEN.remedy)
    if not 400 <= http_status <= 499 or http_status == 408:
        return DeliveryUnknown(text)
    if error is not None and error.get("is_transient") is True:
        return NotSent(text, after=retry_after, scope="message")
    return Rejected(text)


def _details(row: Code | None, error: Mapping[str, Any] | None) -> str:
    """Meta's own words, which may repeat a number and a text; those about a token can repeat the token, and are dropped."""
    said = "" if error is None or (row is not None and row.action == "config_token") else _said(error)
    return f"Meta: {said}" if said else ""


def _said(error: Mapping[str, Any]) -> str:
    data = error.get("error_data")
    details = words(mapping(data).get("details")) or (data if isinstance(data, str) else "")
    text = details or words(error.get("message")) or words(error.get("title"))
    return " ".join(text.split())[:_LONGEST]


def _code(error: Mapping[str, Any] | None) -> int | None:
    return None if error is None else _number(error.get("code"))


def _number(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return value if isinstance(value, int) else None
