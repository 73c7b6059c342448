"""The checks of `sara doctor` for a WhatsApp number, and the repairs of `--fix`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sara import CheckResult, Context
from sara_whatsapp.doctor import account_checks, repair, subscription_checks, template_checks, webhook_probe
from sara_whatsapp.doctor.graph_queries import GraphAnswer, GraphQueries
from sara_whatsapp.options import WhatsAppOptions

_TERMS = CheckResult(
    "terms",
    "note",
    "Meta allows a business to answer its own customers with an AI, and forbids general-purpose assistants; see Terms in docs/whatsapp.md.",
)


async def run_checks(options: WhatsAppOptions, context: Context, fix: bool) -> list[CheckResult]:
    """Check the token, the number, the account and the webhook settings at Meta, and request the public address."""
    address = None if context.public_url is None else context.public_url + options.webhook
    async with GraphQueries(options, context.state, context.clock) as graph:
        answers = await graph.ask(fresh=fix or _is_in_trouble(context))
        repaired = await _repair(graph, options, context, answers, address) if fix else []
        if repaired:
            answers |= await graph.ask(repair.CHANGED_QUERIES, fresh=True)
    unreachable = _check_graph_api(answers)
    findings = [unreachable] if unreachable else list(_check_account(options, context, answers, address))
    return [*findings, *await _check_webhook(options, address), *repaired, _TERMS]


def _is_in_trouble(context: Context) -> bool:
    """Return whether the channel has an error at the moment, so that cached answers of Meta must not be used."""
    return any(problem.severity == "error" and context.name in problem.key.split(":") for problem in context.problems)


async def _repair(
    graph: GraphQueries, options: WhatsAppOptions, context: Context, answers: Mapping[str, GraphAnswer], address: str | None
) -> list[CheckResult]:
    """Repair the settings at Meta and return the results.

    An app has one callback address: of two channels with different addresses the first one's is set.
    """
    first = context.once(("callback", options.app_id), lambda: address)
    repaired = await repair.apply_repairs(graph, options, answers, address if first == address else None)
    if first != address:
        message = f"Another channel of the same app uses the callback address {first}; an app can have only one."
        repaired.append(
            CheckResult(
                "fix",
                "bad",
                message,
                "Set the same `webhook` for all channels of one app: each reads the events of its own number.",
            )
        )
    return repaired


def _check_account(
    options: WhatsAppOptions, context: Context, answers: Mapping[str, GraphAnswer], address: str | None
) -> Iterable[CheckResult]:
    yield from _mark_cached(answers, ("token", "number"), account_checks.check_token(options, answers, context.clock()))
    yield from _mark_cached(
        answers, ("number", "platform_type", "status", "account_mode"), account_checks.check_number(options, answers)
    )
    yield from _mark_cached(answers, ("health_status",), account_checks.check_sending(answers))
    yield from _mark_cached(answers, ("template",), template_checks.check_template(options, answers))
    yield from _mark_cached(answers, ("numbers",), [subscription_checks.check_account(options, answers)])
    if (subscription := subscription_checks.check_subscription(options, answers)) is not None:
        yield from _mark_cached(answers, ("subscribed",), [subscription])
    yield from _mark_cached(
        answers, ("subscriptions", "webhook_configuration"), subscription_checks.check_callback(options, answers, address)
    )
    yield from _mark_cached(
        answers, ("webhook_configuration", "subscribed"), subscription_checks.check_overrides(answers, address)
    )


def _mark_cached(
    answers: Mapping[str, GraphAnswer], names: Iterable[str], findings: Iterable[CheckResult]
) -> Iterable[CheckResult]:
    """Mark results that rest on answers of an earlier run."""
    cached = any(answers[name].cached for name in names if name in answers)
    return [replace(finding, cached=True) for finding in findings] if cached else findings


def _check_graph_api(answers: Mapping[str, GraphAnswer]) -> CheckResult | None:
    """Return a single result if Meta answered no query at all, else None."""
    if any(answer.status for answer in answers.values()):
        return None
    answer = next(iter(answers.values()))
    return CheckResult(
        "meta", "bad", f"Meta's Graph API cannot be queried. {answer.problem}", answer.remedy or account_checks.REACH_REMEDY
    )


async def _check_webhook(options: WhatsAppOptions, address: str | None) -> list[CheckResult]:
    if address is not None:
        return await webhook_probe.probe_webhook(options, address)
    message = "Without `public_url` the way of webhooks to SARA cannot be checked."
    return [CheckResult("webhook", "warning", message, "Set server.public_url in sara.yaml, e.g. https://bot.example.org.")]
