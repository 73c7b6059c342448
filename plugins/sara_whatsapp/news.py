"""Meta's news about the account itself: which of them a person must hear of, and in which words. Pure.

Fields and event words are those of Meta's webhook reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sara import AccountEvent, Instant
from sara_whatsapp.codes import explain
from sara_whatsapp.wire import encode, mapping, words

_LONGEST = 300

SERIOUS: Mapping[str, frozenset[str]] = {
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
"""Every field that tells about the account, with the words that make its news a problem for the operator."""


def account_event(account: str, field: str, change: dict[str, Any], at: Instant) -> AccountEvent:
    """News from one of the fields in `SERIOUS`."""
    value = mapping(change.get("value"))
    word = (
        words(value.get("event")) or words(value.get("decision")) or words(mapping(value.get("alert_info")).get("alert_severity"))
    )
    # The same event says that an account is disabled and that it is not any more.
    relief = words(mapping(value.get("ban_info")).get("waba_ban_state")) == "REINSTATE"
    said = ", ".join(f"{key} {text}" for key, text in _leaves(value))
    return AccountEvent(
        account=account,
        kind=f"{field}.{word[:64]}" if word else field,
        summary=f"{field.replace('_', ' ')}: {said}"[:_LONGEST] if said else field.replace("_", " "),
        at=at,
        serious=word in SERIOUS[field] and not relief,
        raw=encode(change),
    )


def trouble(account: str, error: dict[str, Any], at: Instant) -> AccountEvent:
    """An error that Meta reports about the number or app, not about one message."""
    failure = explain(error)
    return AccountEvent(
        account=account,
        kind=f"error.{failure.code}",
        summary=f"{failure.code}: {failure.reason}"[:_LONGEST],
        at=at,
        serious=True,
        raw=encode(error),
    )


def _leaves(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, item in value.items():
        if isinstance(item, dict):
            yield from _leaves(item)
        elif isinstance(item, list):
            for each in item:
                yield from _leaves(each) if isinstance(each, dict) else [(key, words(each))]
        elif text := words(item):
            yield key, text
