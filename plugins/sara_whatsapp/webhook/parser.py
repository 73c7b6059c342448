"""Parses webhook bodies into SARA's values.

Every entry, change and element is read separately. One that cannot be parsed is stored raw with its reason, and the others are
kept. Shapes follow Meta's webhook reference; any part may be missing or of a wrong type.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sara import (
    AccountEvent,
    DeliveryReceipt,
    IdentityChange,
    InboundMessage,
    Instant,
    OperatorEcho,
    PreferenceChange,
    UnparsedPayload,
)
from sara.engines import AccountChange
from sara_whatsapp.api.error_codes import explain_failure
from sara_whatsapp.webhook.account_events import read_account_error, read_account_event
from sara_whatsapp.webhook.attachments import read_attachments
from sara_whatsapp.webhook.corrections import read_correction
from sara_whatsapp.webhook.form_answers import drop_answers, find_form_reply, read_answers
from sara_whatsapp.webhook.identities import Contacts, identity_after, identity_at, identity_before, read_identity
from sara_whatsapp.webhook.message_types import FIELDS, MESSAGE_TYPES, find_row, find_type, is_business_message, read_type
from sara_whatsapp.webhook.placeholders import ENVELOPE, context_note, placeholder_text, read_choice
from sara_whatsapp.webhook.safe_json import InvalidJson, decode, encode, read_id, to_dict, to_list, to_text

_STATUS: Mapping[str, Any] = {"sent": "sent", "delivered": "delivered", "read": "read", "played": "read", "failed": "failed"}
_PREFERENCES = {"stop": False, "resume": True, "signup": True}
_TARGET_KEYS = {"reaction": "message_id", "edit": "original_message_id", "revoke": "original_message_id"}
# Charged, or counted towards the free messages of the month.
_COUNTED_PRICING = frozenset({"regular", "free_customer_service"})
UNKNOWN_KIND = "unknown_kind"
"""The ignored item for messages of a type that this version does not know."""

_MAX_CALLBACK_CHARS = 512
# With more invalid elements the whole body is stored unparsed instead of each of them.
_MAX_INVALID = 200
_MAX_IGNORED = 50
# Further account events are invalid: Meta puts at most a thousand into a body.
_MAX_ACCOUNT_EVENTS = 1_000
_MAX_TIMESTAMP_S = 10**11


@dataclass(frozen=True, slots=True)
class BusinessNumber:
    """The number whose events are read."""

    account: str
    phone_number_id: str
    business_account_id: str | None = None


@dataclass(frozen=True, slots=True)
class IgnoredItem:
    """Something ignored on purpose, for the log: what, which, and how often. Never a customer's words."""

    what: str
    which: str
    count: int


@dataclass(frozen=True, slots=True)
class ParsedWebhook:
    """The content of one webhook body."""

    messages: tuple[InboundMessage, ...] = ()
    receipts: tuple[DeliveryReceipt, ...] = ()
    changes: tuple[AccountChange, ...] = ()
    unparsed: tuple[UnparsedPayload, ...] = ()
    notes: tuple[IgnoredItem, ...] = ()


def parse(body: bytes, number: BusinessNumber, now: Instant) -> ParsedWebhook:
    """Parse a verified body. `now` replaces missing times. Never raises for anything in the body."""
    try:
        document = decode(body)
    except InvalidJson as error:
        return ParsedWebhook(unparsed=(UnparsedPayload(number.account, str(error), body),))
    if not isinstance(document, dict) or not isinstance(document.get("entry"), list):
        return ParsedWebhook(unparsed=(UnparsedPayload(number.account, "no list of entries", body),))
    reader = _WebhookReader(number, now)
    product = to_text(document.get("object"))
    if product and product != "whatsapp_business_account":
        reader.ignore("foreign_object", product)
    else:
        for entry in document["entry"]:
            reader.read_element("entry", entry, reader.entry)
    parsed = reader.parsed()
    if reader.invalid_count > _MAX_INVALID:
        reason = f"{reader.invalid_count} elements could not be parsed, the first: {parsed.unparsed[0].reason}"
        return replace(parsed, unparsed=(UnparsedPayload(number.account, reason, body),))
    return parsed


class _InvalidElement(ValueError):
    """This element cannot be parsed."""


class _WebhookReader:
    """Collects the content of one body."""

    def __init__(self, number: BusinessNumber, now: Instant) -> None:
        self._number = number
        self._now = now
        self._messages: list[InboundMessage] = []
        self._receipts: list[DeliveryReceipt] = []
        self._changes: list[AccountChange] = []
        self._unparsed: list[UnparsedPayload] = []
        self._ignored: Counter[tuple[str, str]] = Counter()
        self._account_events = 0
        self.invalid_count = 0

    def parsed(self) -> ParsedWebhook:
        notes = tuple(IgnoredItem(what, which, count) for (what, which), count in self._ignored.items())
        return ParsedWebhook(tuple(self._messages), tuple(self._receipts), tuple(self._changes), tuple(self._unparsed), notes)

    def read_element(self, what: str, element: Any, read: Callable[[dict[str, Any]], None]) -> None:
        """Read one element; an error affects this element only."""
        try:
            if not isinstance(element, dict):
                raise _InvalidElement("not an object")
            read(element)
        except _InvalidElement as error:
            self._add_unparsed(f"{what}: {error}", element)
        except Exception as error:  # a bug must not lose the rest of the batch, which Meta would redeliver for days
            self._add_unparsed(f"{what}: {type(error).__name__}", element)

    def ignore(self, what: str, which: str) -> None:
        known = (what, which[:64])
        self._ignored[known if known in self._ignored or len(self._ignored) < _MAX_IGNORED else (what, "others")] += 1

    def entry(self, entry: dict[str, Any]) -> None:
        if not isinstance(entry.get("changes"), list):
            raise _InvalidElement("no list of changes")
        for change in entry["changes"]:
            self.read_element("change", change, lambda change: self._change(entry, change))

    def _change(self, entry: dict[str, Any], change: dict[str, Any]) -> None:
        field, value = read_id(change.get("field")) or "none", change.get("value")
        reading = FIELDS.get(field, "ignored")
        if reading == "ignored":
            self.ignore("unused_field", field)
            return
        if reading == "account":
            self._account_event(entry, change, field)
            return
        if not isinstance(value, dict):
            raise _InvalidElement("no value")
        ours = read_id(to_dict(value.get("metadata")).get("phone_number_id"))
        if ours is None:
            raise _InvalidElement("no phone_number_id")
        if ours != self._number.phone_number_id:
            self.ignore("foreign_number", ours)
            return
        match reading:
            case "messages":
                self._conversation(entry, value)
            case "preferences":
                self._preferences(value)
            case "echoes":
                self._echoes(value)

    def _each(self, value: dict[str, Any], key: str, read: Callable[[dict[str, Any]], None]) -> None:
        elements = value.get(key)
        if elements is not None and not isinstance(elements, list):
            self._add_unparsed(f"{key}: not a list", elements)
        for element in to_list(elements):
            self.read_element(key, element, read)

    # the fields

    def _conversation(self, entry: dict[str, Any], value: dict[str, Any]) -> None:
        contacts = Contacts(value)
        value = self._move_errors(value)
        self._each(value, "messages", lambda message: self._message(contacts, message))
        self._each(value, "statuses", self._status)
        stamp = read_id(entry.get("time"))
        at = _read_instant(stamp, self._now)
        self._each(
            value, "errors", lambda error: self._add_account_event(read_account_error(self._number.account, error, at, stamp))
        )

    def _move_errors(self, value: dict[str, Any]) -> dict[str, Any]:
        """Attach errors beside messages to these messages; errors that stand alone are about the number or the account."""
        errors = to_list(value.get("errors"))
        beside = [key for key in ("messages", "statuses") if to_list(value.get(key))]
        if not errors or not beside:
            return value
        for error in map(to_dict, errors):
            self.ignore("error_beside_message", to_text(error.get("code")) or "none")
        return {**value, "errors": [], **{key: [_add_errors(each, errors) for each in value[key]] for key in beside}}

    def _preferences(self, value: dict[str, Any]) -> None:
        contacts = Contacts(value)
        self._each(value, "user_preferences", lambda preference: self._preference(contacts, preference))

    def _echoes(self, value: dict[str, Any]) -> None:
        contacts = Contacts(value)
        self._each(value, "message_echoes", lambda echo: self._echo(contacts, echo))

    def _account_event(self, entry: dict[str, Any], change: dict[str, Any], field: str) -> None:
        owner, whose = self._number.business_account_id, read_id(entry.get("id"))
        if owner is not None and whose is not None and whose != owner:
            self.ignore("foreign_account", whose)
            return
        stamp = read_id(entry.get("time"))
        self._add_account_event(read_account_event(self._number.account, field, change, _read_instant(stamp, self._now), stamp))

    def _add_account_event(self, event: AccountEvent) -> None:
        self._account_events += 1
        if self._account_events > _MAX_ACCOUNT_EVENTS:
            raise _InvalidElement("too many account events")
        self._changes.append(event)

    # the elements

    def _message(self, contacts: Contacts, message: dict[str, Any]) -> None:
        kind = read_type(message)
        own = to_dict(message.get(kind))
        what = find_type(kind, message)
        if find_row(kind, message) == "unknown":
            self.ignore(UNKNOWN_KIND, kind)
        at = _read_instant(message.get("timestamp"), self._now)
        person = identity_before(message, own) if kind == "system" else identity_at(message, "from", contacts)
        if not person.is_identifiable:
            raise _InvalidElement("no identity")
        content = {key: value for key, value in message.items() if key not in ENVELOPE}
        if (form := find_form_reply(message)) is not None:
            content |= {"interactive": drop_answers(content["interactive"]), "form": read_answers(form)}
        if note := context_note(message):
            content["note"] = note
        inbound = InboundMessage(
            account=self._number.account,
            external_id=read_id(message.get("id")),
            person=person,
            kind=kind,
            text=placeholder_text(kind, message),
            at=at,
            answer=what.treatment == "answered",
            content=content,
            reply_to=read_id(own.get(_TARGET_KEYS.get(kind, ""))) or read_id(to_dict(message.get("context")).get("id")),
            raw=encode(message),
            attachments=read_attachments(kind, message),
            opens_window=what.opens_window,
            unreadable=what.treatment == "unreadable",
            corrects=read_correction(kind, message),
            choice=read_choice(kind, message),
        )
        self._messages.append(inbound)
        # The field `user_preferences` reports the same, but not every app is subscribed to it.
        if (
            find_row(kind, message) == "system.user_preference_changed"
            and (preference := to_text(own.get("marketing"))) in _PREFERENCES
        ):
            self._changes.append(
                PreferenceChange(self._number.account, person, "marketing_messages", _PREFERENCES[preference], at)
            )
        after = identity_after(own) if kind == "system" else read_identity(own)
        if what.treatment == "changes" and after.is_identifiable and after != person:
            self._changes.append(IdentityChange(self._number.account, before=person, after=after, at=at))

    def _status(self, status: dict[str, Any]) -> None:
        word = to_text(status.get("status"))
        known = _STATUS.get(word)
        if known is None or status.get("type") == "call":
            self.ignore("unused_status", word or "none")
            return
        callback = status.get("biz_opaque_callback_data")
        attempt_id = callback if isinstance(callback, str) and 0 < len(callback) <= _MAX_CALLBACK_CHARS else None
        external_id = read_id(status.get("id"))
        if external_id is None and attempt_id is None:
            raise _InvalidElement("no message id")
        errors = to_list(status.get("errors"))
        pricing = {key: said for key, said in to_dict(status.get("pricing")).items() if isinstance(said, str | bool)}
        self._receipts.append(
            DeliveryReceipt(
                account=self._number.account,
                status=known,
                at=_read_instant(status.get("timestamp"), self._now),
                external_id=external_id,
                attempt_id=attempt_id,
                failure=explain_failure(to_dict(errors[0] if errors else None)) if known == "failed" else None,
                pricing=pricing or None,
                counts=pricing.get("type") in _COUNTED_PRICING,
            )
        )

    def _preference(self, contacts: Contacts, preference: dict[str, Any]) -> None:
        person = contacts.complete(read_identity(preference))
        allowed = _PREFERENCES.get(to_text(preference.get("value")))
        category = read_id(preference.get("category"))
        if not person.is_identifiable or allowed is None or category is None:
            raise _InvalidElement("not a preference")
        at = _read_instant(preference.get("timestamp"), self._now)
        self._changes.append(PreferenceChange(self._number.account, person, category, allowed, at))

    def _echo(self, contacts: Contacts, echo: dict[str, Any]) -> None:
        if echo.get("group_id"):
            self.ignore("group_echo", read_id(echo.get("type")) or "unknown")
            return
        person = identity_at(echo, "to", contacts)
        external_id = read_id(echo.get("id"))
        if not person.is_identifiable or external_id is None:
            raise _InvalidElement("no identity" if external_id else "no id")
        kind = read_type(echo)
        self._changes.append(
            OperatorEcho(
                account=self._number.account,
                external_id=external_id,
                person=person,
                kind=kind,
                text=placeholder_text(kind, echo),
                at=_read_instant(echo.get("timestamp"), self._now),
                raw=encode(echo),
                says=is_business_message(kind, echo),
                corrects=read_correction(kind, echo),
            )
        )

    def _add_unparsed(self, reason: str, element: Any) -> None:
        self.invalid_count += 1
        if self.invalid_count <= _MAX_INVALID:
            self._unparsed.append(UnparsedPayload(self._number.account, reason, encode(element).encode()))


def _add_errors(element: Any, errors: list[Any]) -> Any:
    """Return a message or status with the errors beside it, if they can be about it.

    They cannot if it is readable or was delivered.
    """
    if not isinstance(element, dict) or to_list(element.get("errors")):
        return element
    whole = element.get("status") != "failed" if "status" in element else _is_readable(element)
    return element if whole else {**element, "errors": errors}


def _is_readable(message: dict[str, Any]) -> bool:
    kind = read_type(message)
    own = to_dict(message.get(kind))
    return (
        find_type(kind, message).treatment != "unreadable" and bool(own or to_list(message.get(kind))) and kind in MESSAGE_TYPES
    )


def _read_instant(value: Any, now: Instant) -> Instant:
    """Convert Unix seconds, as text or number, into milliseconds; `now` if there are none."""
    text = to_text(value)
    if text.isascii() and text.isdigit() and len(text) <= 12 and 0 < int(text) < _MAX_TIMESTAMP_S:
        return int(text) * 1_000
    return now
