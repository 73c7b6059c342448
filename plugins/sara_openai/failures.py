"""What a failed call means: when to ask again, and whether a person has to mend something. Pure.

Nothing that the server wrote ever gets into a message of ours, since it may quote the key or the customer; its words are only
looked at to tell one failure from another.
"""

from __future__ import annotations

import math
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from sara import GiveUp, Instant, Millis, TryLater

LONGEST_WAIT: Millis = 600_000
"""Servers that ask for a longer wait are asked again after this: limits are often lifted early."""

Kind = Literal["credentials", "quota", "model", "settings"]

# Said by OpenAI, Azure, vLLM, llama.cpp, LM Studio and OpenRouter, in this order.
_TOO_LONG = re.compile(
    r"context[_ ]length|maximum context|exceed_context_size|available context size|context (size|window|the overflow)"
    r"|prompt is too long|too many (input )?tokens",
    re.IGNORECASE,
)
_OWN_PARAMETERS = {
    "temperature": "temperature",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "max_output_tokens": "max_output_tokens",
}
# Said by Ollama ("does not support tools"), vLLM ("tool choice requires --enable-auto-tool-choice"), OpenRouter ("support tool use")
# and, of a schema that it does not like, OpenAI ("tools[0].function.parameters"); llama.cpp calls it a 500.
_NO_TOOLS = re.compile(r"(?<![a-z])tools?(?![a-z])|function[_ ]call", re.IGNORECASE)
_NO_TOOLS_500 = re.compile(r"tools param requires", re.IGNORECASE)
_BILLING = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "project_spend_limit_exceeded",
    }
)
_NO_SUCH_MODEL = frozenset({"model_not_found", "invalid_model", "DeploymentNotFound"})


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a person has to mend: which problem it is, what is wrong, what to do."""

    kind: Kind
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Failed:
    """What follows from a failed call. `too_long`, `no_tools` and `no_sealing` say what the server did not take: so much of a
    conversation, tools, or being asked for its reasoning in sealed form."""

    outcome: TryLater | GiveUp
    trouble: Trouble | None = None
    too_long: bool = False
    no_tools: bool = False
    no_sealing: bool = False


def understand(error: BaseException, host: str, now: Instant, *, tools: bool = False) -> Failed:
    """What follows from `error`, which a call to the server at `host` raised; `tools` is whether the call offered some."""
    response = getattr(error, "response", None)
    status = getattr(error, "status_code", None)
    if response is not None and isinstance(status, int) and not 200 <= status < 300:
        return _answered(status, _body(error), response.headers, host, now, tools)
    return Failed(TryLater(_broken(error, host), scope="responder"))


def _answered(status: int, body: Mapping[str, Any], headers: Mapping[str, str], host: str, now: Instant, tools: bool) -> Failed:
    code, kind, said = (str(body.get(key) or "") for key in ("code", "type", "message"))
    where = f"{host} answered {status}" + (f" ({code})" if re.fullmatch(r"[a-z0-9_]{1,40}", code) else "")
    if status in (400, 413, 422) and _TOO_LONG.search(f"{code} {kind} {said}"):
        return Failed(GiveUp(f"{where}: the conversation is too long for the model"), too_long=True)
    parameter = str(body.get("param") or "")
    if status == 400 and (parameter == "include" or "encrypted content" in said.lower()):
        return Failed(GiveUp(f"{where}: the model seals no reasoning"), no_sealing=True)
    if tools and _tools_refused(status, f"{code} {parameter} {said}"):
        return Failed(GiveUp(f"{where}: it takes no tools"), no_tools=True)
    if trouble := _trouble(status, {code, kind}, parameter, where):
        return Failed(TryLater(where, until_mended=True), trouble)
    if status in (408, 409, 425, 429) or status >= 500:
        return Failed(TryLater(where, after=wait_asked_for(headers, now), scope="responder"))
    return Failed(GiveUp(where))


def _tools_refused(status: int, told: str) -> bool:
    if status == 500:
        return _NO_TOOLS_500.search(told) is not None
    return status in (400, 404, 422) and _NO_TOOLS.search(told) is not None


def _trouble(status: int, codes: set[str], parameter: str, where: str) -> Trouble | None:
    if status == 402 or (status in (403, 429) and codes & _BILLING):
        return Trouble(
            "quota",
            f"{where}: the account may spend no more",
            "Add credit or raise the spending limit of the account that the key belongs to (OpenAI: "
            "https://platform.openai.com/settings/organization/billing). Waiting messages are answered by themselves afterwards.",
        )
    if status in (401, 403):
        return Trouble(
            "credentials",
            f"{where}: the key is {'refused' if status == 401 else 'not allowed to do this'}",
            "Put a valid key into `api_key` (OpenAI: https://platform.openai.com/api-keys), check that its project may use the "
            "model, and reload. Waiting messages are answered by themselves afterwards.",
        )
    if status == 404 or (status == 400 and codes & _NO_SUCH_MODEL):
        return Trouble(
            "model",
            f"{where}: there is no such model, or this API is not at this address",
            "Check `model` for a name that this key may use (`ollama pull` fetches a local one), that `base_url` ends as the "
            "server's manual says, usually in `/v1`, and that the server knows the `api`: every one knows `completions`.",
        )
    if status == 400 and parameter in _OWN_PARAMETERS:
        option = _OWN_PARAMETERS[parameter]
        remedy = f"Take `{option}` out, or give it a value that the model takes."
        return Trouble("settings", f"{where}: the model does not take this {option}", remedy)
    if 300 <= status < 400 or status == 405:
        return Trouble(
            "settings",
            f"{where}: this API is not at this address",
            "Write into `base_url` the address that the server really answers at; redirects are not followed, so that no "
            "conversation goes where nobody sent it. Often it is https instead of http, or `/v1` is missing.",
        )
    return None


def wait_asked_for(headers: Mapping[str, str], now: Instant) -> Millis | None:
    """How long the server asks to be left alone; None if it does not say."""
    waits = [_number(headers.get("retry-after-ms"), 1), _number(headers.get("retry-after"), 1_000)]
    waits.append(_until(headers.get("retry-after"), now))
    for what in ("requests", "tokens"):
        # Every answer says when each budget will be full again; only one that is used up makes us wait.
        if headers.get(f"x-ratelimit-remaining-{what}") == "0":
            waits.append(_span(headers.get(f"x-ratelimit-reset-{what}")))
    asked = [wait for wait in waits if wait is not None]
    return min(max(asked), LONGEST_WAIT) if asked else None


def _number(value: str | None, factor: int) -> Millis | None:
    try:
        wait = float(value or "") * factor
    except ValueError:
        return None
    return math.ceil(wait) if math.isfinite(wait) and wait >= 0 else None


def _until(value: str | None, now: Instant) -> Millis | None:
    try:
        return max(0, int(parsedate_to_datetime(value or "").timestamp() * 1_000) - now)
    except (ValueError, OverflowError):
        return None


def _span(value: str | None) -> Millis | None:
    """`6m0s`, `1.5s`, `20ms` → milliseconds."""
    if not value or not re.fullmatch(r"(\d+(\.\d+)?(ms|s|m|h|d))+", value):
        return None
    unit = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
    return math.ceil(sum(float(amount) * unit[name] for amount, name in re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", value)))


def _broken(error: BaseException, host: str) -> str:
    """What broke before there was an answer. The transport tells a refused connection as a time-out, so the causes decide."""
    causes = list(_causes(error))
    names = {name for cause in causes for name in (kind.__name__ for kind in type(cause).__mro__)}
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return f"{host} refused the connection"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return f"the name {host} could not be found"
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return f"no secure connection to {host} could be made"
    if any(isinstance(cause, ConnectionError) for cause in causes) or names & {"ServerDisconnectedError", "ClientPayloadError"}:
        return f"{host} broke off the connection"
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return f"{host} took too long"
    if isinstance(error, ValueError):
        return f"{host} answered with something that is not JSON"
    return f"the call to {host} failed ({type(error).__name__})"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _body(error: BaseException) -> Mapping[str, Any]:
    body = getattr(error, "body", None)
    if isinstance(body, str):
        return {"message": body}
    return body if isinstance(body, dict) else {}
