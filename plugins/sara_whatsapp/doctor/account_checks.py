"""What Meta says about the token and the number, as findings. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from sara import CheckResult, Instant
from sara_whatsapp.api.error_codes import CODES, look_up
from sara_whatsapp.doctor.graph_queries import Said
from sara_whatsapp.options import WhatsAppOptions
from sara_whatsapp.webhook.safe_json import listed, mapping, words

State = Literal["good", "note", "warning", "bad"]

SEND = "whatsapp_business_messaging"
MANAGE = "whatsapp_business_management"
MANUAL = "docs/whatsapp.md"

_DAY_S = 86_400
_SOON = 7
_GONE = frozenset({33, 100, 803})
_NEW_TOKEN = CODES[190].remedy
REACH = "Check that this machine reaches graph.facebook.com, and `graph_url`; else wait and run this again."
_APP = "Compare app_id and app_secret with App settings > Basic; after a reset the secret is another."
_SPEED: Mapping[str, int] = {"STANDARD": 80, "HIGH": 1_000}

_LIVE = frozenset({"CONNECTED", "LINKED"})
_UNREGISTERED = frozenset({"PENDING", "UNVERIFIED", "DISCONNECTED", "UNLINKED", "MIGRATED", "DELETED"})
_PUNISHED = frozenset({"BANNED", "RESTRICTED"})


def unanswered(check: str, said: Said, what: str, gone: str) -> CheckResult:
    """The finding for a question that got no good answer. `what` it was about; `gone` is the remedy where Meta does not know it."""
    if said.status == 0:
        return CheckResult(check, "bad", f"Meta could not be asked about {what}: {said.trouble}", said.remedy or REACH)
    if said.token_refused:
        return CheckResult(
            check, "warning", f"Meta tells nothing about {what} as long as it refuses the access token.", _NEW_TOKEN
        )
    if said.code in _GONE:
        return CheckResult(check, "bad", f"Meta knows no such {what}, or this token may not see it ({said.code}).", gone)
    return CheckResult(check, "bad", f"Meta tells nothing about {what}. {said.reason()}", said.row.remedy if said.row else REACH)


def unchecked(check: str, option: str, what: str) -> CheckResult:
    """The finding for what cannot be looked at, because the file does not say enough."""
    return CheckResult(
        check, "warning", f"Without `{option}` it cannot be checked {what}.", f"Add {option} to this channel in sara.yaml."
    )


# ── the token ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def token(options: WhatsAppOptions, heard: Mapping[str, Said], now: Instant) -> list[CheckResult]:
    """Whether the token works, whose it is, for how long, and for what."""
    refused = any(said.token_refused for name, said in heard.items() if name not in ("token", "subscriptions"))
    if (said := heard.get("token")) is None:
        missing = unchecked("token", "app_id", "whose the access token is, how long it lasts and what it may do")
        return [_refused_token() if refused else missing]
    if not said.good:
        return [_no_inspection(said), *([_refused_token()] if refused else [])]
    data = mapping(said.value.get("data"))
    if data.get("is_valid") is not True:
        return [_invalid(data)]
    found = [_owner(options, data), _lifetime(data, now), *_permissions(options, data)]
    return [_refused_token(), *found] if refused else found


def _refused_token() -> CheckResult:
    return CheckResult(
        "token", "bad", "Meta refuses the access token: it has expired, was revoked or was copied in part.", _NEW_TOKEN
    )


def _no_inspection(said: Said) -> CheckResult:
    if said.status == 0:
        return CheckResult("app", "bad", f"Meta could not be asked: {said.trouble}", said.remedy or REACH)
    if said.token_refused or said.code in _GONE or said.code == 101:
        return CheckResult(
            "app", "bad", "Meta does not accept app_id and app_secret together, so no event of this app can be verified.", _APP
        )
    return CheckResult("app", "bad", f"Meta does not tell about the app. {said.reason()}", said.row.remedy if said.row else _APP)


def _invalid(data: Mapping[str, Any]) -> CheckResult:
    error = mapping(data.get("error"))
    row = look_up(error["code"]) if isinstance(error.get("code"), int) else None
    why = row.meaning if row else "Meta says that it is not valid."
    expired = _time(data.get("expires_at"))
    when = f" It ended on {_date(expired)}." if expired else ""
    return CheckResult("token", "bad", f"The access token does not work. {why}{when}", _NEW_TOKEN)


def _owner(options: WhatsAppOptions, data: Mapping[str, Any]) -> CheckResult:
    app, kind = words(data.get("app_id")), words(data.get("type"))
    if app != options.app_id:
        return CheckResult(
            "token",
            "bad",
            f"The access token belongs to the app {app or 'nobody'}, not to {options.app_id}.",
            "Make the token for the app that app_id names, or name the token's app and its secret.",
        )
    if kind != "SYSTEM_USER":
        return CheckResult(
            "token",
            "warning",
            f"The access token is of the type {kind or 'unknown'}, not of a system user; such tokens end, the dashboard's within a day.",
            f"Make one of a system user in Business settings > Users > System users; {MANUAL} shows how.",
        )
    return CheckResult("token", "good", "The access token works and is a system user's; app_id and app_secret belong together.")


def _lifetime(data: Mapping[str, Any], now: Instant) -> CheckResult:
    ends = _time(data.get("expires_at"))
    if not ends:
        return CheckResult("expiry", "good", "The access token does not expire.")
    left = (ends - now // 1_000) / _DAY_S
    if left <= 0:
        return CheckResult("expiry", "bad", f"The access token ended on {_date(ends)}.", _NEW_TOKEN)
    if left < _SOON:
        return CheckResult(
            "expiry", "warning", f"The access token ends on {_date(ends)}, in less than {int(left) + 1} days.", _NEW_TOKEN
        )
    return CheckResult("expiry", "good", f"The access token lasts until {_date(ends)}.")


def _permissions(options: WhatsAppOptions, data: Mapping[str, Any]) -> Iterator[CheckResult]:
    scopes = {words(scope) for scope in listed(data.get("scopes"))}
    if missing := [scope for scope in (SEND, MANAGE) if scope not in scopes]:
        yield CheckResult(
            "permissions",
            "warning",
            f"The access token does not list {' and '.join(missing)}. Sometimes Meta lists less than works.",
            "Make the token anew with both permissions, if sending or the checks below fail.",
        )
        return
    for each in listed(data.get("granular_scopes")):
        targets = {words(target) for target in listed(mapping(each).get("target_ids"))}
        scope = words(mapping(each).get("scope"))
        if scope in (SEND, MANAGE) and targets and options.business_account_id not in {None, *targets}:
            yield CheckResult(
                "permissions",
                "warning",
                f"The access token has {scope} for other accounts than {options.business_account_id}.",
                "Assign this WhatsApp account to the system user with full control, and make the token anew.",
            )
            return
    yield CheckResult("permissions", "good", "The access token may send messages and look after the account.")


# ── the number ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def number(options: WhatsAppOptions, heard: Mapping[str, Said]) -> list[CheckResult]:
    """Whether there is such a number, and how it stands with Meta."""
    said = heard["number"]
    if not said.good:
        gone = "Compare phone_number_id with WhatsApp > API Setup: it is an id, not the phone number. Assign the account to the system user."
        return [unanswered("number", said, f"phone number id {options.phone_number_id}", gone)]
    node = said.value
    name = f"{words(node.get('display_phone_number'))} “{words(node.get('verified_name'))}”"
    return [
        CheckResult("number", "good", f"{name} is the number."),
        *_standing(node),
        *_speed(options, node),
        *_mode(heard.get("account_mode")),
        _registered(heard),
    ]


def _standing(node: Mapping[str, Any]) -> Iterator[CheckResult]:
    quality, verified = words(node.get("quality_rating")), words(node.get("code_verification_status"))
    name = words(node.get("name_status"))
    if quality in ("YELLOW", "RED"):
        yield CheckResult(
            "quality",
            "warning",
            f"Customers' feedback makes Meta rate this number {quality.lower()}.",
            "See WhatsApp Manager > Insights; fewer unasked messages and an easy way out help.",
        )
    else:
        rated = quality.lower() if quality not in ("", "NA", "UNKNOWN") else "not yet: too few have written"
        yield CheckResult("quality", "good", f"Meta rates the number {rated}.")
    if verified and verified != "VERIFIED":
        yield CheckResult(
            "verification",
            "warning",
            f"The number's verification is {verified.lower().replace('_', ' ')}; a number that is registered works all the same.",
            "Should it have to be registered again, verify it first, by SMS or call, in WhatsApp Manager > Phone numbers.",
        )
    if name and name not in ("APPROVED", "AVAILABLE_WITHOUT_REVIEW"):
        yield CheckResult(
            "display name",
            "warning",
            f"The display name is {name.lower().replace('_', ' ')}; customers may see the bare number, and some numbers may not send.",
            "Have a name approved in WhatsApp Manager > Phone numbers: your business's own name, as on your website.",
        )


def _speed(options: WhatsAppOptions, node: Mapping[str, Any]) -> Iterator[CheckResult]:
    level = words(mapping(node.get("throughput")).get("level"))
    granted = _SPEED.get(level)
    if granted is not None and options.throughput > granted:
        yield CheckResult(
            "throughput",
            "warning",
            f"`throughput` is {options.throughput} messages a second, but Meta grants this number {granted}.",
            f"Set throughput to {granted}.",
        )


def _mode(said: Said | None) -> Iterator[CheckResult]:
    if said is not None and said.good and words(said.value.get("account_mode")) == "SANDBOX":
        yield CheckResult(
            "mode",
            "warning",
            "This is a test number: it reaches at most five people, whom you have to enter by hand.",
            "For customers, add a number of your own in WhatsApp > API Setup.",
        )


def _registered(heard: Mapping[str, Said]) -> CheckResult:
    platform = words(_field(heard, "platform_type"))
    status = words(_field(heard, "status"))
    if status in _PUNISHED:
        return CheckResult("registered", "bad", f"Meta has the number {status.lower()}.", CODES[131031].remedy)
    if status in _UNREGISTERED or platform == "NOT_APPLICABLE":
        return CheckResult(
            "registered",
            "bad",
            f"The number is not registered for the Cloud API ({status.lower() or 'no platform'}); sending fails with 133010.",
            CODES[133010].remedy,
        )
    if platform == "CLOUD_API" or status in _LIVE:
        return CheckResult("registered", "good", "The number is registered for the Cloud API.")
    return CheckResult(
        "registered",
        "warning",
        "Meta does not say whether the number is registered; if it is not, the first message fails with 133010.",
        CODES[133010].remedy,
    )


def _field(heard: Mapping[str, Said], name: str) -> Any:
    said = heard.get(name)
    return said.value.get(name) if said is not None and said.good else None


# ── sending ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def sending(heard: Mapping[str, Said]) -> list[CheckResult]:
    """Whether Meta would let a message out, and what is in its way."""
    said = heard.get("health_status")
    if said is None or not heard["number"].good:
        return []
    if not said.good:
        remedy = said.remedy or "Nothing needs to be done; a message to a phone of your own tells."
        return [CheckResult("sending", "warning", f"Meta does not say whether the number can send. {said.reason()}", remedy)]
    health = mapping(said.value.get("health_status"))
    able = words(health.get("can_send_message"))
    if able == "AVAILABLE":
        return [CheckResult("sending", "good", "Number, account, business and app can send.")]
    state: State = "bad" if able == "BLOCKED" else "warning"
    told = "may not send" if able == "BLOCKED" else "can send only in part"
    hurdles = list(_hurdles(listed(health.get("entities"))))
    if not hurdles:
        return [CheckResult("sending", state, f"Meta says that this number {told}, but not why.", CODES[131031].remedy)]
    return [CheckResult("sending", state, f"The number {told}. {message}", remedy) for message, remedy in hurdles]


def _hurdles(entities: Sequence[Any]) -> Iterator[tuple[str, str]]:
    for entity in map(mapping, entities):
        if words(entity.get("can_send_message")) == "AVAILABLE":
            continue
        what = words(entity.get("entity_type")).lower().replace("_", " ")
        for error in map(mapping, listed(entity.get("errors"))):
            code = error.get("error_code")
            row = look_up(code) if isinstance(code, int) else None
            why = _line(error.get("error_description")) or (row.meaning if row else "")
            yield f"The {what}: {code}: {why}", _line(error.get("possible_solution")) or (row.remedy if row else "")
        for told in listed(entity.get("additional_info")):
            yield f"The {what}: {_line(told)}", "See WhatsApp Manager and Business settings."


def _line(value: Any) -> str:
    return " ".join(words(value).split())[:300]


def _time(value: Any) -> int:
    """Unix seconds; 0 where there are none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**11 else 0


def _date(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
