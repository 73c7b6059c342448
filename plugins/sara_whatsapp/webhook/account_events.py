"""Reads events about the account itself, and decides which of them the operator must see.

Fields and event words are those of Meta's webhook reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sara import AccountEvent, Instant
from sara_whatsapp.api.error_codes import explain_failure
from sara_whatsapp.webhook.safe_json import encode, to_dict, to_text

_MAX_SUMMARY_CHARS = 300
_CODE = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
"""Meta's constants, such as FLAGGED or TIER_1K. Other values are words, which may quote a message."""

_DAY_MS = 86_400_000

SERIOUS_EVENTS: Mapping[str, frozenset[str]] = {
    "account_alerts": frozenset({"CRITICAL", "WARNING"}),
    "account_review_update": frozenset({"REJECTED"}),
    "account_settings_update": frozenset(),
    "account_update": frozenset(
        {
            "ACCOUNT_DELETED",
            "ACCOUNT_OFFBOARDED",
            "ACCOUNT_RESTRICTION",
            "ACCOUNT_VIOLATION",
            "DISABLED_UPDATE",
            "PARTNER_REMOVED",
        }
    ),
    "business_capability_update": frozenset(),
    "business_username_updates": frozenset(),
    "message_template_components_update": frozenset(),
    "message_template_quality_update": frozenset(),
    "message_template_status_update": frozenset({"DISABLED", "LOCKED", "PAUSED"}),
    "payment_configuration_update": frozenset(),
    "phone_number_name_update": frozenset(),
    "phone_number_quality_update": frozenset({"DOWNGRADE", "FLAGGED"}),
    "security": frozenset(),
    "template_category_update": frozenset(),
}
"""Every field about the account, with the event words that are a problem for the operator."""


_TEMPLATE_PROBLEMS = frozenset({"DISABLED", "LOCKED", "PAUSED"})

CLEARING_EVENTS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "account_review_update": {"APPROVED": frozenset({"REJECTED"})},
    "account_update": {
        "ACCOUNT_RECONNECTED": frozenset({"ACCOUNT_OFFBOARDED"}),
        "PARTNER_ADDED": frozenset({"PARTNER_REMOVED"}),
        "REINSTATE": frozenset({"DISABLED_UPDATE"}),
    },
    "message_template_status_update": {
        "APPROVED": _TEMPLATE_PROBLEMS,
        "REINSTATED": _TEMPLATE_PROBLEMS,
        "UNPAUSED": frozenset({"PAUSED"}),
        "UNLOCKED": frozenset({"LOCKED"}),
        "DISABLED": frozenset({"PAUSED"}),
        # A deleted template needs no action.
        "ARCHIVED": _TEMPLATE_PROBLEMS,
        "DELETED": _TEMPLATE_PROBLEMS,
    },
    "phone_number_quality_update": {"UNFLAGGED": frozenset({"FLAGGED"}), "UPGRADE": frozenset({"DOWNGRADE"})},
}
"""By field and event word, the event words whose problems it clears. An alert clears the other severities of the same alert."""

_RESOLVED = frozenset({"CLOSED", "ENDED", "RESOLVED"})


def read_account_event(account: str, field: str, change: dict[str, Any], at: Instant, stamp: str | None) -> AccountEvent:
    """Return the event in one of the fields in `SERIOUS_EVENTS`.

    `stamp` is Meta's own time, which tells an event from a later repetition.
    """
    value = to_dict(change.get("value"))
    alert = to_dict(value.get("alert_info"))
    word = to_text(value.get("event")) or to_text(value.get("decision")) or to_text(alert.get("alert_severity"))
    # The same event reports that an account is disabled or reinstated, or that an alert has ended.
    is_relief = to_text(to_dict(value.get("ban_info")).get("waba_ban_state")) == "REINSTATE"
    is_relief = is_relief or to_text(alert.get("alert_status")) in _RESOLVED
    leaves = list(_walk_leaves(value))
    subject = _read_subject(value, alert)
    codes = ", ".join([f"{key} {text}" for key, text in leaves if _CODE.fullmatch(text)] + ([subject] if subject else []))
    is_serious = word in SERIOUS_EVENTS[field] and not is_relief
    return AccountEvent(
        account=account,
        kind=f"{field}.{word[:64]}" if word else field,
        summary=f"{field.replace('_', ' ')}: {codes}"[:_MAX_SUMMARY_CHARS] if codes else field.replace("_", " "),
        at=at,
        serious=is_serious,
        raw=encode({"time": stamp, **change}),
        subject=subject,
        ends=tuple(
            f"{field}.{ended}" for ended in sorted(_find_cleared_events(field, word, is_relief=is_relief, is_serious=is_serious))
        ),
        details=", ".join(f"{key} {text}" for key, text in leaves)[:_MAX_SUMMARY_CHARS],
    )


def _read_subject(value: Mapping[str, Any], alert: Mapping[str, Any]) -> str:
    """Return what the event is about: a template in one language, a number, an alert type; empty for the account itself."""
    template = to_text(value.get("message_template_id")) or to_text(value.get("message_template_name"))
    named = (
        template,
        to_text(value.get("message_template_language")) if template else "",
        to_text(value.get("display_phone_number")),
        to_text(value.get("entity_id")) if alert else "",
        to_text(alert.get("alert_type")),
    )
    return " ".join(filter(None, named))[:_MAX_SUMMARY_CHARS]


def _find_cleared_events(field: str, word: str, *, is_relief: bool, is_serious: bool) -> frozenset[str]:
    if field == "account_alerts":
        return SERIOUS_EVENTS[field] - ({word} if is_serious else frozenset())
    ended = CLEARING_EVENTS.get(field, {})
    return ended.get("REINSTATE" if is_relief else word, frozenset())


def read_account_error(account: str, error: dict[str, Any], at: Instant, stamp: str | None) -> AccountEvent:
    """Return an error about the number or the app as an event.

    If Meta gives no time, the same error on another day is another event.
    """
    failure = explain_failure(error)
    return AccountEvent(
        account=account,
        kind=f"error.{failure.code}",
        summary=f"{failure.code}: {failure.reason}"[:_MAX_SUMMARY_CHARS],
        at=at,
        serious=True,
        raw=encode({"time": stamp or f"day {at // _DAY_MS}", **error}),
        details=failure.details[:_MAX_SUMMARY_CHARS],
    )


def _walk_leaves(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, item in value.items():
        if isinstance(item, dict):
            yield from _walk_leaves(item)
        elif isinstance(item, list):
            for each in item:
                yield from _walk_leaves(each) if isinstance(each, dict) else [(key, to_text(each))]
        elif text := to_text(item):
            yield key, text
