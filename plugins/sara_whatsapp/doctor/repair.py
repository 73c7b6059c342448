"""What `sara doctor --fix` changes at Meta: that the account's events go to the app, and the app's to us."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sara import CheckResult
from sara_whatsapp.doctor.graph_queries import Meta, Said
from sara_whatsapp.doctor.subscription_checks import ACCOUNT, ALL, ECHOES, ESSENTIAL, same, subscribed, subscribed_callback
from sara_whatsapp.options import WhatsAppOptions

NOT_VERIFIED = 2200
"""Meta's code where a callback address does not pass its handshake."""

CHANGED = ("subscribed", "subscriptions", "webhook_configuration")
"""The questions whose answers a change makes stale."""


async def mend(meta: Meta, options: WhatsAppOptions, heard: Mapping[str, Said], address: str | None) -> list[CheckResult]:
    """Change what is wrong and nothing else; what was done, and what could not be."""
    found = []
    if (listing := heard.get("subscribed")) is not None and subscribed(options, listing) is False:
        found.append(await _subscribe(meta, options))
    settings = heard.get("subscriptions")
    if settings is not None and settings.good and address is not None:
        there = subscribed_callback(settings)
        if there is None or not same(there[0], address) or not {*ESSENTIAL, ECHOES} <= there[1]:
            found.append(await _set_callback(meta, options, address, there))
    return found


async def _subscribe(meta: Meta, options: WhatsAppOptions) -> CheckResult:
    said = await meta.change(f"{options.business_account_id}/subscribed_apps")
    if _done(said):
        return CheckResult("fix", "good", "Subscribed the app to the business account.")
    remedy = said.row.remedy if said.row else "Run this again; or subscribe by hand, as docs/whatsapp.md shows."
    return CheckResult("fix", "bad", f"The app could not be subscribed to the business account. {said.reason()}", remedy)


async def _set_callback(meta: Meta, options: WhatsAppOptions, address: str, there: tuple[str, set[str]] | None) -> CheckResult:
    former, held = there or ("", set())
    # A field that this app may not have makes Meta refuse them all.
    for wanted in (ALL, ALL[:-1], (*ESSENTIAL, ECHOES), ESSENTIAL, ("messages",)):
        said = await _post(meta, options, address, [*wanted, *sorted(held - set(wanted))])
        if _done(said) or said.code != 100:
            break
    if _done(said):
        was = f" (it was {former})" if former and not same(former, address) else ""
        return CheckResult("fix", "good", f"Set the app's callback to {address}{was}, and its fields.")
    if said.code == NOT_VERIFIED:
        message = f"Meta tried {address} and did not get its challenge back."
        remedy = (
            "Mend what is said of the verify token and the way in, then run this again. Meta must reach the address from outside."
        )
        return CheckResult("fix", "bad", message, remedy)
    remedy = said.row.remedy if said.row else "Set it by hand in WhatsApp > Configuration, as docs/whatsapp.md shows."
    return CheckResult("fix", "bad", f"The app's callback could not be set. {said.reason()}", remedy)


async def _post(meta: Meta, options: WhatsAppOptions, address: str, fields: Sequence[str]) -> Said:
    body = {"object": ACCOUNT, "callback_url": address, "verify_token": options.verify_token.reveal(), "fields": ",".join(fields)}
    return await meta.change(f"{options.app_id}/subscriptions", body, as_app=True)


def _done(said: Said) -> bool:
    return said.good and said.value.get("success") is not False
