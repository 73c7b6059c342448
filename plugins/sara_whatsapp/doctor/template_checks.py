"""Checks of the configured template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sara import CheckResult
from sara_whatsapp.doctor.account_checks import report_failed_query, report_missing_option
from sara_whatsapp.doctor.graph_queries import GraphAnswer
from sara_whatsapp.options import TemplateOptions, WhatsAppOptions
from sara_whatsapp.webhook.safe_json import to_dict, to_list, to_text

CHECK = "template"

_MANAGER_REMEDY = "See WhatsApp Manager > Message templates."
_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")
_PENDING_STATUSES = frozenset({"PENDING", "IN_APPEAL"})
"""Statuses that end without an action of the operator."""


def check_template(options: WhatsAppOptions, answers: Mapping[str, GraphAnswer]) -> list[CheckResult]:
    """Check that the template exists in its language, is approved, and fits the configured parameters."""
    wanted = options.template
    if wanted is None:
        return []
    if (answer := answers.get("template")) is None:
        return [report_missing_option(CHECK, "business_account_id", f"whether Meta has approved the template {wanted.name}")]
    if not answer.is_ok:
        gone = "Compare business_account_id with WhatsApp > API Setup; the token needs whatsapp_business_management."
        return [report_failed_query(CHECK, answer, f"the template {wanted.name}", gone)]
    nodes = [node for node in map(to_dict, to_list(answer.value.get("data"))) if to_text(node.get("name")) == wanted.name]
    node = next((node for node in nodes if to_text(node.get("language")) == wanted.language), None)
    if node is None:
        return [_report_missing(wanted, sorted(to_text(node.get("language")) for node in nodes))]
    return [_check_status(wanted, node), *_check_parameters(wanted, node), *_check_category(wanted, node)]


def _report_missing(wanted: TemplateOptions, languages: list[str]) -> CheckResult:
    if languages:
        message = f"The template {wanted.name} does not exist in {wanted.language}, only in {', '.join(languages)}."
        return CheckResult(CHECK, "bad", message, "Set template.language exactly as approved, or submit a translation.")
    message = f"The account has no template {wanted.name}: customers cannot be asked to write when the 24-hour window is closed."
    return CheckResult(CHECK, "bad", message, f"Submit it, or correct template.name. {_MANAGER_REMEDY}")


def _check_status(wanted: TemplateOptions, node: Mapping[str, Any]) -> CheckResult:
    status = to_text(node.get("status")).upper()
    named = f"The template {wanted.name} ({wanted.language})"
    if status == "APPROVED":
        return CheckResult(CHECK, "good", f"{named} is approved.")
    if status in _PENDING_STATUSES:
        message = f"{named} is not approved yet ({status.lower().replace('_', ' ')})."
        return CheckResult(CHECK, "warning", message, f"Wait for Meta's decision. {_MANAGER_REMEDY}")
    why = to_text(node.get("rejected_reason"))
    reason = f": {why.lower().replace('_', ' ')}" if why not in ("", "NONE") else ""
    message = f"{named} cannot be sent: it is {status.lower().replace('_', ' ') or 'not approved'}{reason}."
    return CheckResult(CHECK, "bad", message, f"Correct and submit it again, or configure another one. {_MANAGER_REMEDY}")


def _check_parameters(wanted: TemplateOptions, node: Mapping[str, Any]) -> list[CheckResult]:
    """Check that the options fill every placeholder of the template, because Meta refuses it otherwise."""
    parts = {to_text(part.get("type")).upper(): part for part in map(to_dict, to_list(node.get("components")))}
    places = list(dict.fromkeys(_PLACEHOLDER.findall(to_text(to_dict(parts.get("BODY")).get("text")))))
    if [place for place in places if not place.isdecimal()]:
        message = f"The template has named placeholders ({', '.join(places)}), which SARA cannot fill."
        return [CheckResult(CHECK, "bad", message, "Use numbered placeholders, {{1}}, {{2}} …, and submit it again.")]
    if len(places) != len(wanted.parameters):
        message = f"The template has {len(places)} placeholders, but sara.yaml sets {len(wanted.parameters)} parameters: Meta refuses it."
        return [CheckResult(CHECK, "bad", message, "Set one value per placeholder in template.parameters, in their order.")]
    header = to_dict(parts.get("HEADER"))
    if _PLACEHOLDER.search(to_text(header.get("text"))) or to_text(header.get("format")).upper() not in ("", "TEXT"):
        message = "The template's header has a placeholder or a file, which SARA cannot fill: Meta refuses it."
        return [CheckResult(CHECK, "bad", message, "Use a template without a header, or with a fixed text as its header.")]
    return []


def _check_category(wanted: TemplateOptions, node: Mapping[str, Any]) -> list[CheckResult]:
    approved = to_text(node.get("category")).lower()
    if approved in ("", wanted.category):
        return []
    message = f"Meta has approved the template as {approved}, but template.category is {wanted.category}."
    remedy = f"Set `category: {approved}`." if approved == "marketing" else "Set template.category to the category at Meta."
    return [CheckResult(CHECK, "warning", message, remedy)]
