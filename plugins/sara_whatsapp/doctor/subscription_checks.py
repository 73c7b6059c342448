"""Where Meta sends what customers write, as findings. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from sara import CheckResult
from sara_whatsapp.doctor.account_checks import unanswered, unchecked
from sara_whatsapp.doctor.graph_queries import Said
from sara_whatsapp.options import WhatsAppOptions
from sara_whatsapp.webhook.account_events import SERIOUS
from sara_whatsapp.webhook.message_types import FIELDS
from sara_whatsapp.webhook.safe_json import listed, mapping, words

ACCOUNT = "whatsapp_business_account"
ESSENTIAL = ("messages", "user_preferences", *sorted(field for field, serious in SERIOUS.items() if serious))
"""The fields without which something that matters is never heard of."""
ECHOES = "smb_message_echoes"
"""What a person answers from the phone app, for numbers that are used there as well. Not every app may have it."""
ALL = (*ESSENTIAL, *sorted(field for field, reading in FIELDS.items() if reading == "news" and field not in ESSENTIAL), ECHOES)
"""Every field that is read."""

_FIX = "`sara doctor --fix` does it."
_WABA = "Compare business_account_id with WhatsApp > API Setup; the token's system user needs access to that account."


def account(options: WhatsAppOptions, heard: Mapping[str, Said]) -> CheckResult:
    """Whether the number belongs to the account."""
    if (said := heard.get("numbers")) is None:
        return unchecked(
            "account", "business_account_id", "whether the number belongs to the account, and events are sent from it"
        )
    if not said.good:
        return unanswered("account", said, f"business account {options.business_account_id}", _WABA)
    numbers = {
        words(each.get("id")): words(each.get("display_phone_number")) for each in map(mapping, listed(said.value.get("data")))
    }
    if options.phone_number_id in numbers:
        return CheckResult("account", "good", f"The number belongs to the account {options.business_account_id}.")
    if mapping(said.value.get("paging")).get("next"):
        return CheckResult("account", "warning", "The account has more numbers than could be looked through.", _WABA)
    held = ", ".join(f"{shown} (id {id})" for id, shown in list(numbers.items())[:5]) or "none"
    return CheckResult("account", "bad", f"The number does not belong to this account, whose numbers are: {held}.", _WABA)


def subscribed(options: WhatsAppOptions, said: Said) -> bool | None:
    """Whether the app gets this account's events; None where that cannot be told."""
    return options.app_id in _apps(said) if said.good and options.app_id else None


def subscription(options: WhatsAppOptions, heard: Mapping[str, Said]) -> CheckResult | None:
    """Whether the account's events go to the app at all."""
    if (said := heard.get("subscribed")) is None:
        return None
    if not said.good:
        return unanswered("subscription", said, f"business account {options.business_account_id}", _WABA)
    apps = _apps(said)
    told = ", ".join(f"{name or 'an app'} ({id})" for id, name in apps.items() if id != options.app_id)
    if options.app_id is None:
        if apps:
            return CheckResult(
                "subscription", "warning", f"The account's events go to {told}.", "Add app_id to see whether that is yours."
            )
        return CheckResult(
            "subscription",
            "bad",
            "No app is subscribed to the account: no message arrives.",
            "Add app_id, then run `sara doctor --fix`.",
        )
    if options.app_id not in apps:
        others = f" Only to {told}." if told else ""
        return CheckResult(
            "subscription", "bad", f"The account's events do not go to this app: no message arrives.{others}", _FIX
        )
    return CheckResult("subscription", "good", "The account's events go to this app" + (f", and to {told}." if told else "."))


def subscribed_callback(said: Said) -> tuple[str, set[str]] | None:
    """The app's callback address and fields; None where it has none that is active."""
    for each in map(mapping, listed(said.value.get("data"))):
        if words(each.get("object")) == ACCOUNT and each.get("active") is not False:
            fields = {words(mapping(field).get("name")) or words(field) for field in listed(each.get("fields"))}
            return words(each.get("callback_url")), fields
    return None


def callback(options: WhatsAppOptions, heard: Mapping[str, Said], address: str | None) -> list[CheckResult]:
    """Whether the app hands its events to us, and which."""
    if (said := heard.get("subscriptions")) is None:
        return [unchecked("callback", "app_id", "where Meta delivers events")]
    if said.status and not said.good:
        remedy = "Compare app_id and app_secret with App settings > Basic."
        return [CheckResult("callback", "bad", f"Meta does not tell where it delivers events. {said.reason()}", remedy)]
    if not said.good:
        return [unanswered("callback", said, f"app {options.app_id}", "Compare app_id with App settings > Basic.")]
    found = subscribed_callback(said)
    if found is None:
        return [CheckResult("callback", "bad", "The app has no callback address: Meta delivers no events.", _FIX)]
    return [_callback_address(found[0], heard, address), _callback_fields(found[1])]


def _callback_address(there: str, heard: Mapping[str, Said], address: str | None) -> CheckResult:
    if address is None:
        remedy = "Set server.public_url, e.g. https://bot.example.org."
        return CheckResult(
            "callback",
            "warning",
            f"Meta delivers events to {there}. Without public_url it cannot be checked whether that is here.",
            remedy,
        )
    if same(there, address):
        return CheckResult("callback", "good", f"Meta delivers events to {there}.")
    overridden = effective(heard)
    if overridden is not None and same(overridden[1], address):
        return CheckResult(
            "callback",
            "warning",
            f"Messages come here, but the app's own callback address is {there}: news of the account goes there.",
            _FIX,
        )
    return CheckResult(
        "callback",
        "bad",
        f"Meta delivers events to {there}, not to {address}.",
        f"{_FIX} Whatever listens there now hears nothing more.",
    )


def _callback_fields(fields: set[str]) -> CheckResult:
    if "messages" not in fields:
        return CheckResult("fields", "bad", "The app does not subscribe to the field messages: no message arrives.", _FIX)
    if missing := [field for field in ESSENTIAL if field not in fields]:
        return CheckResult("fields", "warning", f"Messages arrive, but SARA never hears of {', '.join(missing)}.", _FIX)
    if ECHOES not in fields:
        return CheckResult(
            "fields",
            "note",
            f"Messages, receipts and warnings are delivered; not what is answered from the phone app ({ECHOES}).",
            f"{_FIX} It matters only where the number is used in the WhatsApp Business app, too.",
        )
    return CheckResult("fields", "good", "Messages, receipts and warnings about the account are delivered.")


def effective(heard: Mapping[str, Said]) -> tuple[str, str] | None:
    """The override that is in force, as (of what, address); None where there is none or none can be seen."""
    said = heard.get("webhook_configuration")
    configured = mapping(said.value.get("webhook_configuration")) if said is not None and said.good else {}
    for level, told in (("phone_number", "the phone number"), ("whatsapp_business_account", "the business account")):
        if url := words(configured.get(level)):
            return told, url
    listing = heard.get("subscribed")
    if not configured and listing is not None and listing.good:
        for each in map(mapping, listed(listing.value.get("data"))):
            if url := words(each.get("override_callback_uri")):
                return "the business account", url
    return None


def overrides(heard: Mapping[str, Said], address: str | None) -> Iterator[CheckResult]:
    """Whether somebody sends messages elsewhere before the app's own address counts."""
    if (found := effective(heard)) is None:
        if any(name in heard and heard[name].good for name in ("webhook_configuration", "subscribed")):
            yield CheckResult("overrides", "good", "No other address stands above the app's.")
        return
    of, url = found
    if address is not None and same(url, address):
        yield CheckResult("overrides", "good", f"An address set for {of} stands above the app's, and leads here.")
        return
    how = (
        'post {"webhook_configuration": {"override_callback_uri": ""}} to the phone number id'
        if of == "the phone number"
        else "post an empty body to <business account id>/subscribed_apps"
    )
    yield CheckResult(
        "overrides",
        "bad" if address is not None else "warning",
        f"An address set for {of} stands above the app's: messages go to {url}.",
        f"Somebody set it on purpose, so this is not changed by --fix. To remove it, {how} with the access token.",
    )


def same(one: str, other: str) -> bool:
    """Whether two addresses are one; the listener takes a path with or without a slash at its end."""
    return _plain(one) == _plain(other)


def _plain(url: str) -> tuple[Any, ...]:
    try:
        parts = urlsplit(url.strip())
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return (url,)
    return parts.scheme, parts.hostname, port, parts.path.removesuffix("/"), parts.query


def _apps(said: Said) -> dict[str, str]:
    """The subscribed apps' names by their ids."""
    nodes = [mapping(each.get("whatsapp_business_api_data")) or each for each in map(mapping, listed(said.value.get("data")))]
    return {words(node.get("id")): words(node.get("name")) for node in nodes}
