"""Checks of where Meta delivers webhooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from sara import CheckResult
from sara_whatsapp.doctor.account_checks import report_failed_query, report_missing_option
from sara_whatsapp.doctor.graph_queries import GraphAnswer
from sara_whatsapp.options import WhatsAppOptions
from sara_whatsapp.webhook.account_events import SERIOUS_EVENTS
from sara_whatsapp.webhook.message_types import FIELDS
from sara_whatsapp.webhook.safe_json import to_dict, to_list, to_text

ACCOUNT_OBJECT = "whatsapp_business_account"
ESSENTIAL_FIELDS = ("messages", "user_preferences", *sorted(field for field, serious in SERIOUS_EVENTS.items() if serious))
"""The fields without which messages, opt-outs or serious account events are missed."""
ECHO_FIELD = "smb_message_echoes"
"""Answers that an operator sends from the phone app. Not available to every app."""
ALL_FIELDS = (
    *ESSENTIAL_FIELDS,
    *sorted(field for field, reading in FIELDS.items() if reading == "account" and field not in ESSENTIAL_FIELDS),
    ECHO_FIELD,
)
"""Every field that is read."""

_FIX_REMEDY = "Run `sara doctor --fix` to set it."
_ACCOUNT_REMEDY = "Compare business_account_id with WhatsApp > API Setup; the token's system user needs access to that account."


def check_account(options: WhatsAppOptions, answers: Mapping[str, GraphAnswer]) -> CheckResult:
    """Check that the number belongs to the account."""
    if (answer := answers.get("numbers")) is None:
        return report_missing_option(
            "account", "business_account_id", "whether the number belongs to the account, and events are sent from it"
        )
    if not answer.is_ok:
        return report_failed_query("account", answer, f"the business account {options.business_account_id}", _ACCOUNT_REMEDY)
    numbers = {
        to_text(each.get("id")): to_text(each.get("display_phone_number"))
        for each in map(to_dict, to_list(answer.value.get("data")))
    }
    if options.phone_number_id in numbers:
        return CheckResult("account", "good", f"The number belongs to the account {options.business_account_id}.")
    if to_dict(answer.value.get("paging")).get("next"):
        return CheckResult("account", "warning", "The account has more numbers than the check can read.", _ACCOUNT_REMEDY)
    held = ", ".join(f"{shown} (id {id})" for id, shown in list(numbers.items())[:5]) or "none"
    return CheckResult(
        "account", "bad", f"The number does not belong to this account, whose numbers are: {held}.", _ACCOUNT_REMEDY
    )


def is_subscribed(options: WhatsAppOptions, answer: GraphAnswer) -> bool | None:
    """Return whether the app is subscribed to the account; None if that is unknown."""
    return options.app_id in _list_apps(answer) if answer.is_ok and options.app_id else None


def check_subscription(options: WhatsAppOptions, answers: Mapping[str, GraphAnswer]) -> CheckResult | None:
    """Check that the account's events are delivered to the app."""
    if (answer := answers.get("subscribed")) is None:
        return None
    if not answer.is_ok:
        return report_failed_query("subscription", answer, f"the business account {options.business_account_id}", _ACCOUNT_REMEDY)
    apps = _list_apps(answer)
    others_text = ", ".join(f"{name or 'an app'} ({id})" for id, name in apps.items() if id != options.app_id)
    if options.app_id is None:
        if apps:
            return CheckResult(
                "subscription",
                "warning",
                f"The account's events are delivered to {others_text}.",
                "Set app_id to check whether this is your app.",
            )
        return CheckResult(
            "subscription",
            "bad",
            "No app is subscribed to the account: no message arrives.",
            "Set app_id, then run `sara doctor --fix`.",
        )
    if options.app_id not in apps:
        others = f" Only to {others_text}." if others_text else ""
        return CheckResult(
            "subscription", "bad", f"The account's events are not delivered to this app: no message arrives.{others}", _FIX_REMEDY
        )
    return CheckResult(
        "subscription",
        "good",
        "The account's events are delivered to this app" + (f", and to {others_text}." if others_text else "."),
    )


def find_callback(answer: GraphAnswer) -> tuple[str, set[str]] | None:
    """Return the app's active callback address and its fields; None if there is none."""
    for each in map(to_dict, to_list(answer.value.get("data"))):
        if to_text(each.get("object")) == ACCOUNT_OBJECT and each.get("active") is not False:
            fields = {to_text(to_dict(field).get("name")) or to_text(field) for field in to_list(each.get("fields"))}
            return to_text(each.get("callback_url")), fields
    return None


def check_callback(options: WhatsAppOptions, answers: Mapping[str, GraphAnswer], address: str | None) -> list[CheckResult]:
    """Check that the app delivers its events to SARA, and which fields."""
    if (answer := answers.get("subscriptions")) is None:
        return [report_missing_option("callback", "app_id", "where Meta delivers events")]
    if answer.status and not answer.is_ok:
        remedy = "Compare app_id and app_secret with App settings > Basic."
        return [
            CheckResult("callback", "bad", f"Meta gave no information on where it delivers events. {answer.reason()}", remedy)
        ]
    if not answer.is_ok:
        return [report_failed_query("callback", answer, f"the app {options.app_id}", "Compare app_id with App settings > Basic.")]
    found = find_callback(answer)
    if found is None:
        return [CheckResult("callback", "bad", "The app has no callback address: Meta delivers no events.", _FIX_REMEDY)]
    return [_check_callback_url(found[0], answers, address), _check_callback_fields(found[1])]


def _check_callback_url(current: str, answers: Mapping[str, GraphAnswer], address: str | None) -> CheckResult:
    if address is None:
        remedy = "Set server.public_url, e.g. https://bot.example.org."
        return CheckResult(
            "callback",
            "warning",
            f"Meta delivers events to {current}. Without public_url it cannot be checked whether this is SARA.",
            remedy,
        )
    if is_same_url(current, address):
        return CheckResult("callback", "good", f"Meta delivers events to {current}.")
    overridden = find_override(answers)
    if overridden is not None and is_same_url(overridden[1], address):
        return CheckResult(
            "callback",
            "warning",
            f"Messages are delivered here, but the app's own callback address is {current}: account events are delivered there.",
            _FIX_REMEDY,
        )
    return CheckResult(
        "callback",
        "bad",
        f"Meta delivers events to {current}, not to {address}.",
        f"{_FIX_REMEDY} The server at the present address then receives no events.",
    )


def _check_callback_fields(fields: set[str]) -> CheckResult:
    if "messages" not in fields:
        return CheckResult("fields", "bad", "The app does not subscribe to the field messages: no message arrives.", _FIX_REMEDY)
    if missing := [field for field in ESSENTIAL_FIELDS if field not in fields]:
        return CheckResult(
            "fields", "warning", f"Messages arrive, but SARA receives no events of {', '.join(missing)}.", _FIX_REMEDY
        )
    if ECHO_FIELD not in fields:
        return CheckResult(
            "fields",
            "note",
            f"Messages, receipts and warnings are delivered, but not answers from the phone app ({ECHO_FIELD}).",
            f"{_FIX_REMEDY} Needed only if the number is also used in the WhatsApp Business app.",
        )
    return CheckResult("fields", "good", "Messages, receipts and warnings about the account are delivered.")


def find_override(answers: Mapping[str, GraphAnswer]) -> tuple[str, str] | None:
    """Return the override in force, as (level, address); None if there is none or none is visible."""
    answer = answers.get("webhook_configuration")
    configured = to_dict(answer.value.get("webhook_configuration")) if answer is not None and answer.is_ok else {}
    for level, others_text in (("phone_number", "the phone number"), ("whatsapp_business_account", "the business account")):
        if url := to_text(configured.get(level)):
            return others_text, url
    listing = answers.get("subscribed")
    if not configured and listing is not None and listing.is_ok:
        for each in map(to_dict, to_list(listing.value.get("data"))):
            if url := to_text(each.get("override_callback_uri")):
                return "the business account", url
    return None


def check_overrides(answers: Mapping[str, GraphAnswer], address: str | None) -> Iterator[CheckResult]:
    """Check that no override delivers messages to another address."""
    if (found := find_override(answers)) is None:
        if any(name in answers and answers[name].is_ok for name in ("webhook_configuration", "subscribed")):
            yield CheckResult("overrides", "good", "No other address overrides the app's callback address.")
        return
    of, url = found
    if address is not None and is_same_url(url, address):
        yield CheckResult("overrides", "good", f"An address set for {of} overrides the app's callback address, and is SARA's.")
        return
    how = (
        'post {"webhook_configuration": {"override_callback_uri": ""}} to the phone number id'
        if of == "the phone number"
        else "post an empty body to <business account id>/subscribed_apps"
    )
    yield CheckResult(
        "overrides",
        "bad" if address is not None else "warning",
        f"An address set for {of} overrides the app's callback address: messages are delivered to {url}.",
        f"An override is set on purpose, so --fix does not change it. To remove it, {how} with the access token.",
    )


def is_same_url(one: str, other: str) -> bool:
    """Return whether two addresses are equal, with or without a slash at the end."""
    return _normalise_url(one) == _normalise_url(other)


def _normalise_url(url: str) -> tuple[Any, ...]:
    try:
        parts = urlsplit(url.strip())
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return (url,)
    return parts.scheme, parts.hostname, port, parts.path.removesuffix("/"), parts.query


def _list_apps(answer: GraphAnswer) -> dict[str, str]:
    """Return the names of the subscribed apps by id."""
    nodes = [to_dict(each.get("whatsapp_business_api_data")) or each for each in map(to_dict, to_list(answer.value.get("data")))]
    return {to_text(node.get("id")): to_text(node.get("name")) for node in nodes}
