"""Checks of the access token and the number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from sara import CheckResult, Instant
from sara_whatsapp.api.error_codes import CODES, find_code
from sara_whatsapp.doctor.graph_queries import GraphAnswer
from sara_whatsapp.options import WhatsAppOptions
from sara_whatsapp.webhook.safe_json import to_dict, to_list, to_text

State = Literal["good", "note", "warning", "bad"]

SEND_PERMISSION = "whatsapp_business_messaging"
MANAGE_PERMISSION = "whatsapp_business_management"
MANUAL = "docs/whatsapp.md"

_DAY_S = 86_400
_EXPIRY_WARNING_DAYS = 7
_NOT_FOUND_CODES = frozenset({33, 100, 803})
_TOKEN_REMEDY = CODES[190].remedy
REACH_REMEDY = "Check that this machine reaches graph.facebook.com, and check `graph_url`; otherwise wait and run this again."
_APP_REMEDY = "Compare app_id and app_secret with App settings > Basic; a reset changes the secret."
_THROUGHPUT_BY_LEVEL: Mapping[str, int] = {"STANDARD": 80, "HIGH": 1_000}

_REGISTERED_STATUSES = frozenset({"CONNECTED", "LINKED"})
_UNREGISTERED_STATUSES = frozenset({"PENDING", "UNVERIFIED", "DISCONNECTED", "UNLINKED", "MIGRATED", "DELETED"})
_BANNED_STATUSES = frozenset({"BANNED", "RESTRICTED"})


def report_failed_query(check: str, answer: GraphAnswer, subject: str, not_found_remedy: str) -> CheckResult:
    """Return the result for a query without a usable answer.

    `subject` is what was asked about, `not_found_remedy` the remedy if Meta does not know it.
    """
    if answer.status == 0:
        return CheckResult(
            check, "bad", f"Meta could not be queried about {subject}: {answer.problem}", answer.remedy or REACH_REMEDY
        )
    if answer.is_token_rejected:
        return CheckResult(
            check, "warning", f"Meta answers no query about {subject} while it rejects the access token.", _TOKEN_REMEDY
        )
    if answer.code in _NOT_FOUND_CODES:
        return CheckResult(
            check, "bad", f"Meta does not know {subject}, or this token has no access to it ({answer.code}).", not_found_remedy
        )
    return CheckResult(
        check,
        "bad",
        f"Meta gave no information about {subject}. {answer.reason()}",
        answer.error_code.remedy if answer.error_code else REACH_REMEDY,
    )


def report_missing_option(check: str, option: str, subject: str) -> CheckResult:
    """Return the result for a check that needs an option that is not set."""
    return CheckResult(
        check, "warning", f"Without `{option}` it cannot be checked {subject}.", f"Add {option} to this channel in sara.yaml."
    )


# ── the token ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def check_token(options: WhatsAppOptions, answers: Mapping[str, GraphAnswer], now: Instant) -> list[CheckResult]:
    """Check the token's validity, owner, expiry and permissions."""
    refused = any(answer.is_token_rejected for name, answer in answers.items() if name not in ("token", "subscriptions"))
    if (answer := answers.get("token")) is None:
        missing = report_missing_option("token", "app_id", "the owner, the expiry and the permissions of the access token")
        return [_report_refused_token() if refused else missing]
    if not answer.is_ok:
        return [_report_failed_inspection(answer), *([_report_refused_token()] if refused else [])]
    data = to_dict(answer.value.get("data"))
    if data.get("is_valid") is not True:
        return [_report_invalid_token(data)]
    found = [_check_owner(options, data), _check_expiry(data, now), *_check_permissions(options, data)]
    return [_report_refused_token(), *found] if refused else found


def _report_refused_token() -> CheckResult:
    return CheckResult(
        "token", "bad", "Meta rejects the access token: it has expired, was revoked, or was copied incompletely.", _TOKEN_REMEDY
    )


def _report_failed_inspection(answer: GraphAnswer) -> CheckResult:
    if answer.status == 0:
        return CheckResult("app", "bad", f"Meta could not be queried: {answer.problem}", answer.remedy or REACH_REMEDY)
    if answer.is_token_rejected or answer.code in _NOT_FOUND_CODES or answer.code == 101:
        return CheckResult(
            "app", "bad", "Meta rejects app_id and app_secret together, so no event of this app can be verified.", _APP_REMEDY
        )
    return CheckResult(
        "app",
        "bad",
        f"Meta gave no information about the app. {answer.reason()}",
        answer.error_code.remedy if answer.error_code else _APP_REMEDY,
    )


def _report_invalid_token(data: Mapping[str, Any]) -> CheckResult:
    error = to_dict(data.get("error"))
    row = find_code(error["code"]) if isinstance(error.get("code"), int) else None
    why = row.meaning if row else "Meta reports it as invalid."
    expired = _read_time(data.get("expires_at"))
    when = f" It expired on {_format_date(expired)}." if expired else ""
    return CheckResult("token", "bad", f"The access token is invalid. {why}{when}", _TOKEN_REMEDY)


def _check_owner(options: WhatsAppOptions, data: Mapping[str, Any]) -> CheckResult:
    app, kind = to_text(data.get("app_id")), to_text(data.get("type"))
    if app != options.app_id:
        return CheckResult(
            "token",
            "bad",
            f"The access token belongs to the app {app or 'unknown'}, not to {options.app_id}.",
            "Create the token for the app in app_id, or set app_id and app_secret to the token's app.",
        )
    if kind != "SYSTEM_USER":
        return CheckResult(
            "token",
            "warning",
            f"The access token has the type {kind or 'unknown'} and not SYSTEM_USER; such tokens expire, the dashboard's within a day.",
            f"Create a system user token in Business settings > Users > System users; {MANUAL} describes how.",
        )
    return CheckResult("token", "good", "The access token is valid and belongs to a system user; app_id and app_secret match.")


def _check_expiry(data: Mapping[str, Any], now: Instant) -> CheckResult:
    ends = _read_time(data.get("expires_at"))
    if not ends:
        return CheckResult("expiry", "good", "The access token does not expire.")
    left = (ends - now // 1_000) / _DAY_S
    if left <= 0:
        return CheckResult("expiry", "bad", f"The access token expired on {_format_date(ends)}.", _TOKEN_REMEDY)
    if left < _EXPIRY_WARNING_DAYS:
        return CheckResult(
            "expiry",
            "warning",
            f"The access token expires on {_format_date(ends)}, in less than {int(left) + 1} days.",
            _TOKEN_REMEDY,
        )
    return CheckResult("expiry", "good", f"The access token is valid until {_format_date(ends)}.")


def _check_permissions(options: WhatsAppOptions, data: Mapping[str, Any]) -> Iterator[CheckResult]:
    scopes = {to_text(scope) for scope in to_list(data.get("scopes"))}
    if missing := [scope for scope in (SEND_PERMISSION, MANAGE_PERMISSION) if scope not in scopes]:
        yield CheckResult(
            "permissions",
            "warning",
            f"The access token does not list {' and '.join(missing)}. Meta sometimes lists fewer than it grants.",
            "Create a new token with both permissions if sending or the checks below fail.",
        )
        return
    for each in to_list(data.get("granular_scopes")):
        targets = {to_text(target) for target in to_list(to_dict(each).get("target_ids"))}
        scope = to_text(to_dict(each).get("scope"))
        if scope in (SEND_PERMISSION, MANAGE_PERMISSION) and targets and options.business_account_id not in {None, *targets}:
            yield CheckResult(
                "permissions",
                "warning",
                f"The access token has {scope} for other accounts than {options.business_account_id}.",
                "Assign this WhatsApp account to the system user with full control, and create a new token.",
            )
            return
    yield CheckResult("permissions", "good", "The access token may send messages and manage the account.")


# ── the number ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def check_number(options: WhatsAppOptions, answers: Mapping[str, GraphAnswer]) -> list[CheckResult]:
    """Check that the number exists, and its state at Meta."""
    answer = answers["number"]
    if not answer.is_ok:
        not_found_remedy = "Compare phone_number_id with WhatsApp > API Setup: it is an id, not the phone number. Assign the account to the system user."
        return [report_failed_query("number", answer, f"the phone number id {options.phone_number_id}", not_found_remedy)]
    node = answer.value
    name = f"{to_text(node.get('display_phone_number'))} “{to_text(node.get('verified_name'))}”"
    return [
        CheckResult("number", "good", f"The number is {name}."),
        *_check_standing(node),
        *_check_throughput(options, node),
        *_check_mode(answers.get("account_mode")),
        _check_registration(answers),
    ]


def _check_standing(node: Mapping[str, Any]) -> Iterator[CheckResult]:
    quality, verified = to_text(node.get("quality_rating")), to_text(node.get("code_verification_status"))
    name = to_text(node.get("name_status"))
    if quality in ("YELLOW", "RED"):
        yield CheckResult(
            "quality",
            "warning",
            f"Meta rates the quality of this number {quality.lower()} because of customers' feedback.",
            "See WhatsApp Manager > Insights; send fewer unsolicited messages and offer an easy opt-out.",
        )
    else:
        rated = quality.lower() if quality not in ("", "NA", "UNKNOWN") else "not yet: too few customers have written"
        yield CheckResult("quality", "good", f"Meta rates the quality of the number {rated}.")
    if verified and verified != "VERIFIED":
        yield CheckResult(
            "verification",
            "warning",
            f"The number's verification status is {verified.lower().replace('_', ' ')}; a registered number works nevertheless.",
            "Before a new registration, verify the number by SMS or call in WhatsApp Manager > Phone numbers.",
        )
    if name and name not in ("APPROVED", "AVAILABLE_WITHOUT_REVIEW"):
        yield CheckResult(
            "display name",
            "warning",
            f"The display name is {name.lower().replace('_', ' ')}; customers may see the number only, and Meta may block sending.",
            "Request approval in WhatsApp Manager > Phone numbers for your business's own name, as on your website.",
        )


def _check_throughput(options: WhatsAppOptions, node: Mapping[str, Any]) -> Iterator[CheckResult]:
    level = to_text(to_dict(node.get("throughput")).get("level"))
    granted = _THROUGHPUT_BY_LEVEL.get(level)
    if granted is not None and options.throughput > granted:
        yield CheckResult(
            "throughput",
            "warning",
            f"`throughput` is {options.throughput} messages a second, but Meta grants this number {granted}.",
            f"Set throughput to {granted}.",
        )


def _check_mode(answer: GraphAnswer | None) -> Iterator[CheckResult]:
    if answer is not None and answer.is_ok and to_text(answer.value.get("account_mode")) == "SANDBOX":
        yield CheckResult(
            "mode",
            "warning",
            "This is a test number: it reaches at most five people, whom you have to enter by hand.",
            "For customers, add a number of your own in WhatsApp > API Setup.",
        )


def _check_registration(answers: Mapping[str, GraphAnswer]) -> CheckResult:
    platform = to_text(_find_field(answers, "platform_type"))
    status = to_text(_find_field(answers, "status"))
    if status in _BANNED_STATUSES:
        return CheckResult("registered", "bad", f"Meta has set the number to {status.lower()}.", CODES[131031].remedy)
    if status in _UNREGISTERED_STATUSES or platform == "NOT_APPLICABLE":
        return CheckResult(
            "registered",
            "bad",
            f"The number is not registered for the Cloud API ({status.lower() or 'no platform'}); sending fails with 133010.",
            CODES[133010].remedy,
        )
    if platform == "CLOUD_API" or status in _REGISTERED_STATUSES:
        return CheckResult("registered", "good", "The number is registered for the Cloud API.")
    return CheckResult(
        "registered",
        "warning",
        "The registration of the number is unknown; if it is not registered, the first message fails with 133010.",
        CODES[133010].remedy,
    )


def _find_field(answers: Mapping[str, GraphAnswer], name: str) -> Any:
    answer = answers.get(name)
    return answer.value.get(name) if answer is not None and answer.is_ok else None


# ── sending ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def check_sending(answers: Mapping[str, GraphAnswer]) -> list[CheckResult]:
    """Check whether Meta allows sending, and list the obstacles."""
    answer = answers.get("health_status")
    if answer is None or not answers["number"].is_ok:
        return []
    if not answer.is_ok:
        remedy = answer.remedy or "No action is needed; send a message to your own phone to check it."
        return [
            CheckResult(
                "sending", "warning", f"Meta gave no information on whether the number can send. {answer.reason()}", remedy
            )
        ]
    health = to_dict(answer.value.get("health_status"))
    able = to_text(health.get("can_send_message"))
    if able == "AVAILABLE":
        return [CheckResult("sending", "good", "Number, account, business and app can send.")]
    state: State = "bad" if able == "BLOCKED" else "warning"
    limitation = "cannot send" if able == "BLOCKED" else "can send with limits"
    obstacles = list(_list_obstacles(to_list(health.get("entities"))))
    if not obstacles:
        return [
            CheckResult("sending", state, f"Meta reports that this number {limitation}, without a reason.", CODES[131031].remedy)
        ]
    return [CheckResult("sending", state, f"The number {limitation}. {message}", remedy) for message, remedy in obstacles]


def _list_obstacles(entities: Sequence[Any]) -> Iterator[tuple[str, str]]:
    for entity in map(to_dict, entities):
        if to_text(entity.get("can_send_message")) == "AVAILABLE":
            continue
        subject = to_text(entity.get("entity_type")).lower().replace("_", " ")
        for error in map(to_dict, to_list(entity.get("errors"))):
            code = error.get("error_code")
            row = find_code(code) if isinstance(code, int) else None
            why = _to_one_line(error.get("error_description")) or (row.meaning if row else "")
            yield f"The {subject}: {code}: {why}", _to_one_line(error.get("possible_solution")) or (row.remedy if row else "")
        for limitation in to_list(entity.get("additional_info")):
            yield f"The {subject}: {_to_one_line(limitation)}", "See WhatsApp Manager and Business settings."


def _to_one_line(value: Any) -> str:
    return " ".join(to_text(value).split())[:300]


def _read_time(value: Any) -> int:
    """Return Unix seconds; 0 if the value is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**11 else 0


def _format_date(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
