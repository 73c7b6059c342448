"""The repairs of `sara doctor --fix`: the account's subscription and the app's callback address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sara import CheckResult
from sara_whatsapp.doctor.graph_queries import GraphAnswer, GraphQueries
from sara_whatsapp.doctor.subscription_checks import (
    ACCOUNT_OBJECT,
    ALL_FIELDS,
    ECHO_FIELD,
    ESSENTIAL_FIELDS,
    find_callback,
    is_same_url,
    is_subscribed,
)
from sara_whatsapp.options import WhatsAppOptions

CALLBACK_NOT_VERIFIED = 2200
"""Meta's code for a callback address that fails the handshake."""

CHANGED_QUERIES = ("subscribed", "subscriptions", "webhook_configuration")
"""The queries whose answers a repair changes."""


async def apply_repairs(
    graph: GraphQueries, options: WhatsAppOptions, answers: Mapping[str, GraphAnswer], address: str | None
) -> list[CheckResult]:
    """Correct wrong settings, leave all others unchanged, and return what was done and what failed."""
    found = []
    if (listing := answers.get("subscribed")) is not None and is_subscribed(options, listing) is False:
        found.append(await _subscribe(graph, options))
    settings = answers.get("subscriptions")
    if settings is not None and settings.is_ok and address is not None:
        current = find_callback(settings)
        if current is None or not is_same_url(current[0], address) or not {*ESSENTIAL_FIELDS, ECHO_FIELD} <= current[1]:
            found.append(await _set_callback(graph, options, address, current))
    return found


async def _subscribe(graph: GraphQueries, options: WhatsAppOptions) -> CheckResult:
    answer = await graph.post_setting(f"{options.business_account_id}/subscribed_apps")
    if _is_done(answer):
        return CheckResult("fix", "good", "Subscribed the app to the business account.")
    remedy = (
        answer.error_code.remedy
        if answer.error_code
        else "Run this again, or subscribe the app manually as docs/whatsapp.md describes."
    )
    return CheckResult("fix", "bad", f"The app could not be subscribed to the business account. {answer.reason()}", remedy)


async def _set_callback(
    graph: GraphQueries, options: WhatsAppOptions, address: str, current: tuple[str, set[str]] | None
) -> CheckResult:
    former, held = current or ("", set())
    # Meta refuses all fields if one is not available to the app.
    for wanted in (ALL_FIELDS, ALL_FIELDS[:-1], (*ESSENTIAL_FIELDS, ECHO_FIELD), ESSENTIAL_FIELDS, ("messages",)):
        answer = await _post(graph, options, address, [*wanted, *sorted(held - set(wanted))])
        if _is_done(answer) or answer.code != 100:
            break
    if _is_done(answer):
        was = f" (it was {former})" if former and not is_same_url(former, address) else ""
        return CheckResult("fix", "good", f"Set the app's callback address to {address}{was}, and its fields.")
    if answer.code == CALLBACK_NOT_VERIFIED:
        message = f"Meta requested {address} and did not receive its challenge."
        remedy = "Correct what the checks verify token and webhook report, then run this again. Meta must reach the address from the internet."
        return CheckResult("fix", "bad", message, remedy)
    remedy = (
        answer.error_code.remedy
        if answer.error_code
        else "Set it manually in WhatsApp > Configuration, as docs/whatsapp.md describes."
    )
    return CheckResult("fix", "bad", f"The app's callback address could not be set. {answer.reason()}", remedy)


async def _post(graph: GraphQueries, options: WhatsAppOptions, address: str, fields: Sequence[str]) -> GraphAnswer:
    body = {
        "object": ACCOUNT_OBJECT,
        "callback_url": address,
        "verify_token": options.verify_token.reveal(),
        "fields": ",".join(fields),
    }
    return await graph.post_setting(f"{options.app_id}/subscriptions", body, as_app=True)


def _is_done(answer: GraphAnswer) -> bool:
    return answer.is_ok and answer.value.get("success") is not False
