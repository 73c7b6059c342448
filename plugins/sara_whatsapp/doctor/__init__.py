"""The live checks of `sara doctor` for a WhatsApp number, and what `--fix` mends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sara import CheckResult, Context
from sara_whatsapp.doctor import account_checks, repair, subscription_checks, template_checks, webhook_probe
from sara_whatsapp.doctor.graph_queries import Meta, Said
from sara_whatsapp.options import WhatsAppOptions

_TERMS = CheckResult(
    "terms",
    "note",
    "Meta lets a business answer its own customers with an AI, and forbids offering a general assistant; see Terms in docs/whatsapp.md.",
)


async def examine(options: WhatsAppOptions, context: Context, fix: bool) -> list[CheckResult]:
    """Ask Meta about the token, the number, the account and where events go, and try the public address ourselves."""
    address = None if context.public_url is None else context.public_url + options.webhook
    async with Meta(options, context.state, context.clock) as meta:
        heard = await meta.ask(anew=fix or _is_in_trouble(context))
        done = await _mended(meta, options, context, heard, address) if fix else []
        if done:
            heard |= await meta.ask(repair.CHANGED, anew=True)
    silence = _silence(heard)
    told = [silence] if silence else list(_judged(options, context, heard, address))
    return [*told, *await _way_in(options, address), *done, _TERMS]


def _is_in_trouble(context: Context) -> bool:
    """Whether the daemon has met something that keeps this channel from working: then no former answer of Meta's counts."""
    return any(problem.severity == "error" and context.name in problem.key.split(":") for problem in context.problems)


async def _mended(
    meta: Meta, options: WhatsAppOptions, context: Context, heard: Mapping[str, Said], address: str | None
) -> list[CheckResult]:
    """What was mended. An app has one callback: of two channels that want two addresses for it the first gets its own."""
    first = context.once(("callback", options.app_id), lambda: address)
    done = await repair.mend(meta, options, heard, address if first == address else None)
    if first != address:
        message = f"Another channel of the same app has its callback at {first}; an app can have one only."
        done.append(
            CheckResult("fix", "bad", message, "Give all channels of one app the same `webhook`: each takes what is its own.")
        )
    return done


def _judged(options: WhatsAppOptions, context: Context, heard: Mapping[str, Said], address: str | None) -> Iterable[CheckResult]:
    yield from _as_old_as(heard, ("token", "number"), account_checks.token(options, heard, context.clock()))
    yield from _as_old_as(heard, ("number", "platform_type", "status", "account_mode"), account_checks.number(options, heard))
    yield from _as_old_as(heard, ("health_status",), account_checks.sending(heard))
    yield from _as_old_as(heard, ("template",), template_checks.template(options, heard))
    yield from _as_old_as(heard, ("numbers",), [subscription_checks.account(options, heard)])
    if (subscription := subscription_checks.subscription(options, heard)) is not None:
        yield from _as_old_as(heard, ("subscribed",), [subscription])
    yield from _as_old_as(
        heard, ("subscriptions", "webhook_configuration"), subscription_checks.callback(options, heard, address)
    )
    yield from _as_old_as(heard, ("webhook_configuration", "subscribed"), subscription_checks.overrides(heard, address))


def _as_old_as(heard: Mapping[str, Said], names: Iterable[str], findings: Iterable[CheckResult]) -> Iterable[CheckResult]:
    """Mark findings that rest upon what a former run heard."""
    cached = any(heard[name].cached for name in names if name in heard)
    return [replace(finding, cached=True) for finding in findings] if cached else findings


def _silence(heard: Mapping[str, Said]) -> CheckResult | None:
    """One finding instead of many where Meta answered nothing at all."""
    if any(said.status for said in heard.values()):
        return None
    said = next(iter(heard.values()))
    return CheckResult("meta", "bad", f"Meta's Graph API cannot be asked. {said.trouble}", said.remedy or account_checks.REACH)


async def _way_in(options: WhatsAppOptions, address: str | None) -> list[CheckResult]:
    if address is not None:
        return await webhook_probe.look(options, address)
    message = "Without `public_url` the way from the internet to SARA cannot be tried."
    return [CheckResult("way in", "warning", message, "Set server.public_url in sara.yaml, e.g. https://bot.example.org.")]
