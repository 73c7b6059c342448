"""What Meta's webhook bodies say, in SARA's words. Pure.

Every entry, change and element is looked at. One that makes no sense is set aside raw with its reason, and everything around
it is kept. Shapes follow Meta's webhook reference; anything may be missing or of a wrong type.
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
from sara_whatsapp.api.error_codes import explain
from sara_whatsapp.webhook.account_events import account_event, trouble
from sara_whatsapp.webhook.attachments import attachments_of
from sara_whatsapp.webhook.corrections import correction_of
from sara_whatsapp.webhook.form_answers import answers_of, reply_of, without_answers
from sara_whatsapp.webhook.identities import Contacts, named, person_after, person_at, person_before
from sara_whatsapp.webhook.message_types import FIELDS, KINDS, is_said, kind_of, row_of, type_of
from sara_whatsapp.webhook.placeholders import ENVELOPE, choice_of, note_on, stand_in
from sara_whatsapp.webhook.safe_json import Unreadable, decode, encode, listed, mapping, name_of, words

_STATUS: Mapping[str, Any] = {"sent": "sent", "delivered": "delivered", "read": "read", "played": "read", "failed": "failed"}
_ALLOWED = {"stop": False, "resume": True, "signup": True}
_POINTERS = {"reaction": "message_id", "edit": "original_message_id", "revoke": "original_message_id"}
# Paid for, or taken from the month's free messages: either way one less.
_COUNTING = frozenset({"regular", "free_customer_service"})
UNKNOWN_KIND = "unknown_kind"
"""What a note says of messages whose type this version does not know."""

_LONGEST_CALLBACK = 512
# With more elements that make no sense the whole body is set aside once, in their place.
_MOST_ODD = 200
_MOST_NOTES = 50
# News of the account beyond so many counts as not understood: Meta puts at most a thousand events into a body.
_MOST_NEWS = 1_000
_END_OF_TIME_S = 10**11


@dataclass(frozen=True, slots=True)
class Number:
    """Whose events we are reading: ours, as Meta names it."""

    account: str
    phone_number_id: str
    business_account_id: str | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Something left out on purpose, for the log: what, which, and how often. Never anybody's words."""

    what: str
    which: str
    count: int


@dataclass(frozen=True, slots=True)
class Parsed:
    """All that one body said."""

    messages: tuple[InboundMessage, ...] = ()
    receipts: tuple[DeliveryReceipt, ...] = ()
    changes: tuple[AccountChange, ...] = ()
    set_aside: tuple[UnparsedPayload, ...] = ()
    notes: tuple[Note, ...] = ()


def parse(body: bytes, number: Number, now: Instant) -> Parsed:
    """Read a verified body. `now` stands in for times that are missing. Never raises for what the body holds."""
    try:
        document = decode(body)
    except Unreadable as error:
        return Parsed(set_aside=(UnparsedPayload(number.account, str(error), body),))
    if not isinstance(document, dict) or not isinstance(document.get("entry"), list):
        return Parsed(set_aside=(UnparsedPayload(number.account, "no list of entries", body),))
    reader = _Reader(number, now)
    product = words(document.get("object"))
    if product and product != "whatsapp_business_account":
        reader.leave_out("foreign_object", product)
    else:
        for entry in document["entry"]:
            reader.guarded("entry", entry, reader.entry)
    parsed = reader.parsed()
    if reader.odd > _MOST_ODD:
        reason = f"{reader.odd} elements were not understood, the first: {parsed.set_aside[0].reason}"
        return replace(parsed, set_aside=(UnparsedPayload(number.account, reason, body),))
    return parsed


class _Odd(ValueError):
    """This element makes no sense."""


class _Reader:
    """Collects what one body says."""

    def __init__(self, number: Number, now: Instant) -> None:
        self._number = number
        self._now = now
        self._messages: list[InboundMessage] = []
        self._receipts: list[DeliveryReceipt] = []
        self._changes: list[AccountChange] = []
        self._aside: list[UnparsedPayload] = []
        self._notes: Counter[tuple[str, str]] = Counter()
        self._news = 0
        self.odd = 0

    def parsed(self) -> Parsed:
        notes = tuple(Note(what, which, count) for (what, which), count in self._notes.items())
        return Parsed(tuple(self._messages), tuple(self._receipts), tuple(self._changes), tuple(self._aside), notes)

    def guarded(self, what: str, element: Any, read: Callable[[dict[str, Any]], None]) -> None:
        """Read one element; whatever is wrong with it stays with it."""
        try:
            if not isinstance(element, dict):
                raise _Odd("not an object")
            read(element)
        except _Odd as error:
            self._set_aside(f"{what}: {error}", element)
        except Exception as error:  # a slip of ours must not cost the rest of the batch, which Meta would redeliver for days
            self._set_aside(f"{what}: {type(error).__name__}", element)

    def leave_out(self, what: str, which: str) -> None:
        known = (what, which[:64])
        self._notes[known if known in self._notes or len(self._notes) < _MOST_NOTES else (what, "others")] += 1

    def entry(self, entry: dict[str, Any]) -> None:
        if not isinstance(entry.get("changes"), list):
            raise _Odd("no list of changes")
        for change in entry["changes"]:
            self.guarded("change", change, lambda change: self._change(entry, change))

    def _change(self, entry: dict[str, Any], change: dict[str, Any]) -> None:
        field, value = name_of(change.get("field")) or "none", change.get("value")
        reading = FIELDS.get(field, "left_out")
        if reading == "left_out":
            self.leave_out("unused_field", field)
            return
        if reading == "news":
            self._account_news(entry, change, field)
            return
        if not isinstance(value, dict):
            raise _Odd("no value")
        ours = name_of(mapping(value.get("metadata")).get("phone_number_id"))
        if ours is None:
            raise _Odd("no phone_number_id")
        if ours != self._number.phone_number_id:
            self.leave_out("foreign_number", ours)
            return
        match reading:
            case "messages":
                self._conversation(entry, value)
            case "wishes":
                self._preferences(value)
            case "echoes":
                self._echoes(value)

    def _each(self, value: dict[str, Any], key: str, read: Callable[[dict[str, Any]], None]) -> None:
        elements = value.get(key)
        if elements is not None and not isinstance(elements, list):
            self._set_aside(f"{key}: not a list", elements)
        for element in listed(elements):
            self.guarded(key, element, read)

    # the fields

    def _conversation(self, entry: dict[str, Any], value: dict[str, Any]) -> None:
        contacts = Contacts(value)
        value = self._with_own_errors(value)
        self._each(value, "messages", lambda message: self._message(contacts, message))
        self._each(value, "statuses", self._status)
        stamp = name_of(entry.get("time"))
        at = _instant(stamp, self._now)
        self._each(value, "errors", lambda error: self._news_of(trouble(self._number.account, error, at, stamp)))

    def _with_own_errors(self, value: dict[str, Any]) -> dict[str, Any]:
        """Meta repeats beside a message what is wrong with it. Only errors beside nothing are about the number or the account."""
        errors = listed(value.get("errors"))
        beside = [key for key in ("messages", "statuses") if listed(value.get(key))]
        if not errors or not beside:
            return value
        for error in map(mapping, errors):
            self.leave_out("error_beside_message", words(error.get("code")) or "none")
        return {**value, "errors": [], **{key: [_with_errors(each, errors) for each in value[key]] for key in beside}}

    def _preferences(self, value: dict[str, Any]) -> None:
        contacts = Contacts(value)
        self._each(value, "user_preferences", lambda wish: self._preference(contacts, wish))

    def _echoes(self, value: dict[str, Any]) -> None:
        contacts = Contacts(value)
        self._each(value, "message_echoes", lambda echo: self._echo(contacts, echo))

    def _account_news(self, entry: dict[str, Any], change: dict[str, Any], field: str) -> None:
        owner, whose = self._number.business_account_id, name_of(entry.get("id"))
        if owner is not None and whose is not None and whose != owner:
            self.leave_out("foreign_account", whose)
            return
        stamp = name_of(entry.get("time"))
        self._news_of(account_event(self._number.account, field, change, _instant(stamp, self._now), stamp))

    def _news_of(self, event: AccountEvent) -> None:
        self._news += 1
        if self._news > _MOST_NEWS:
            raise _Odd("too much news of the account")
        self._changes.append(event)

    # the elements

    def _message(self, contacts: Contacts, message: dict[str, Any]) -> None:
        kind = type_of(message)
        own = mapping(message.get(kind))
        what = kind_of(kind, message)
        if row_of(kind, message) == "unknown":
            self.leave_out(UNKNOWN_KIND, kind)
        at = _instant(message.get("timestamp"), self._now)
        person = person_before(message, own) if kind == "system" else person_at(message, "from", contacts)
        if not person.is_identifiable:
            raise _Odd("names nobody")
        content = {key: value for key, value in message.items() if key not in ENVELOPE}
        if (form := reply_of(message)) is not None:
            content |= {"interactive": without_answers(content["interactive"]), "form": answers_of(form)}
        if note := note_on(message):
            content["note"] = note
        inbound = InboundMessage(
            account=self._number.account,
            external_id=name_of(message.get("id")),
            person=person,
            kind=kind,
            text=stand_in(kind, message),
            at=at,
            answer=what.treatment == "answered",
            content=content,
            reply_to=name_of(own.get(_POINTERS.get(kind, ""))) or name_of(mapping(message.get("context")).get("id")),
            raw=encode(message),
            attachments=attachments_of(kind, message),
            opens_window=what.opens_window,
            unreadable=what.treatment == "unreadable",
            corrects=correction_of(kind, message),
            choice=choice_of(kind, message),
        )
        self._messages.append(inbound)
        # Meta tells the same in the field `user_preferences`, which not every app is subscribed to.
        if row_of(kind, message) == "system.user_preference_changed" and (wish := words(own.get("marketing"))) in _ALLOWED:
            self._changes.append(PreferenceChange(self._number.account, person, "marketing_messages", _ALLOWED[wish], at))
        after = person_after(own) if kind == "system" else named(own)
        if what.treatment == "changes" and after.is_identifiable and after != person:
            self._changes.append(IdentityChange(self._number.account, before=person, after=after, at=at))

    def _status(self, status: dict[str, Any]) -> None:
        word = words(status.get("status"))
        known = _STATUS.get(word)
        if known is None or status.get("type") == "call":
            self.leave_out("unused_status", word or "none")
            return
        callback = status.get("biz_opaque_callback_data")
        attempt_id = callback if isinstance(callback, str) and 0 < len(callback) <= _LONGEST_CALLBACK else None
        external_id = name_of(status.get("id"))
        if external_id is None and attempt_id is None:
            raise _Odd("names no message")
        errors = listed(status.get("errors"))
        pricing = {key: said for key, said in mapping(status.get("pricing")).items() if isinstance(said, str | bool)}
        self._receipts.append(
            DeliveryReceipt(
                account=self._number.account,
                status=known,
                at=_instant(status.get("timestamp"), self._now),
                external_id=external_id,
                attempt_id=attempt_id,
                failure=explain(mapping(errors[0] if errors else None)) if known == "failed" else None,
                pricing=pricing or None,
                counts=pricing.get("type") in _COUNTING,
            )
        )

    def _preference(self, contacts: Contacts, wish: dict[str, Any]) -> None:
        person = contacts.complete(named(wish))
        allowed = _ALLOWED.get(words(wish.get("value")))
        category = name_of(wish.get("category"))
        if not person.is_identifiable or allowed is None or category is None:
            raise _Odd("not a preference")
        at = _instant(wish.get("timestamp"), self._now)
        self._changes.append(PreferenceChange(self._number.account, person, category, allowed, at))

    def _echo(self, contacts: Contacts, echo: dict[str, Any]) -> None:
        if echo.get("group_id"):
            self.leave_out("group_echo", name_of(echo.get("type")) or "unknown")
            return
        person = person_at(echo, "to", contacts)
        external_id = name_of(echo.get("id"))
        if not person.is_identifiable or external_id is None:
            raise _Odd("names nobody" if external_id else "no id")
        kind = type_of(echo)
        self._changes.append(
            OperatorEcho(
                account=self._number.account,
                external_id=external_id,
                person=person,
                kind=kind,
                text=stand_in(kind, echo),
                at=_instant(echo.get("timestamp"), self._now),
                raw=encode(echo),
                says=is_said(kind, echo),
                corrects=correction_of(kind, echo),
            )
        )

    def _set_aside(self, reason: str, element: Any) -> None:
        self.odd += 1
        if self.odd <= _MOST_ODD:
            self._aside.append(UnparsedPayload(self._number.account, reason, encode(element).encode()))


def _with_errors(element: Any, errors: list[Any]) -> Any:
    """A message or a status with the errors that stand beside it, if they can be about it: what can be read, or was delivered, is
    all there."""
    if not isinstance(element, dict) or listed(element.get("errors")):
        return element
    whole = element.get("status") != "failed" if "status" in element else _is_readable(element)
    return element if whole else {**element, "errors": errors}


def _is_readable(message: dict[str, Any]) -> bool:
    kind = type_of(message)
    own = mapping(message.get(kind))
    return kind_of(kind, message).treatment != "unreadable" and bool(own or listed(message.get(kind))) and kind in KINDS


def _instant(value: Any, now: Instant) -> Instant:
    """Unix seconds, as text or number, in milliseconds; `now` where there are none."""
    text = words(value)
    if text.isascii() and text.isdigit() and len(text) <= 12 and 0 < int(text) < _END_OF_TIME_S:
        return int(text) * 1_000
    return now
