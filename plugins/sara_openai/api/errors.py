"""Decides what a failed call leads to: an exception with its retry time, and a setup error if an operator must act.

Messages never quote the server. An excerpt of its words, without keys and without the customer's text, is kept beside them.
"""

from __future__ import annotations

import math
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Literal

from sara import ContentRefused, GiveUp, Instant, Milliseconds, RetryLater
from sara_openai.api.error_body import ErrorBody, read_error, read_text
from sara_openai.api.error_kinds import ErrorKind, classify_error, find_refused_option

MAX_WAIT_MS: Milliseconds = 600_000
"""Maximum wait that a server can ask for: limits are often lifted early."""

Scope = Literal["conversation", "responder"]
SetupErrorKind = Literal["credentials", "quota", "model", "settings", "timeout"]

_MEANINGS: Mapping[ErrorKind, str] = {
    "length": "the conversation is too long for the model",
    "no_pictures": "the model accepts no images",
    "picture": "it cannot read an image",
    "tools": "it accepts no tools",
    "tool_call": "the model produced an invalid tool call",
    "roles": "it does not accept messages in this order",
    "system": "the model accepts no system message",
    "encrypted_reasoning": "the model returns no encrypted reasoning",
    "parameter": "the model does not accept an option of sara.yaml",
    "filter": "the provider's content filter refused it",
}


@dataclass(frozen=True, slots=True)
class SetupError:
    """An error that an operator must correct: its kind, what is wrong, what to do, and an excerpt of the server's message."""

    kind: SetupErrorKind
    message: str
    remedy: str
    detail: str = ""


class TooLong(GiveUp):
    """The conversation is longer than the model accepts."""


@dataclass(frozen=True, slots=True)
class SentRequest:
    """The properties of a request that its refusal can be about.

    `options` are the parameter names under which options of sara.yaml were sent; `excerpt` redacts a server's message for
    display.
    """

    tools: bool = False
    images: bool = False
    options: frozenset[str] = frozenset()
    excerpt: Callable[[str], str] = lambda said: ""


@dataclass(frozen=True, slots=True)
class CallFailure:
    """The result of a failed call: the exception to raise, what was refused, and the server's message in full and redacted.

    `options` are the parameter names under which options of sara.yaml were sent, `option` is the refused one by its name in the
    file.
    """

    outcome: RetryLater | GiveUp
    kind: ErrorKind = "busy"
    setup_error: SetupError | None = None
    status: int | None = None
    message: str = ""
    detail: str = ""
    options: frozenset[str] = frozenset()
    option: str | None = None

    def is_same_as(self, other: CallFailure) -> bool:
        """Return whether both are the same refusal: then the change between the two requests did not remove its cause."""
        return (self.status, self.message) == (other.status, other.message)


def classify_exception(error: BaseException, host: str, now: Instant, sent: SentRequest | None = None) -> CallFailure:
    """Return the failure that an exception of a call to the server at `host` stands for."""
    response = getattr(error, "response", None)
    status = getattr(error, "status_code", None)
    if response is not None and isinstance(status, int) and not 200 <= status < 300:
        return classify_response(status, _read_body(error), response.headers, host, now, sent)
    return CallFailure(RetryLater(_describe_disconnect(error, host), scope="responder"))


def classify_response(
    status: int,
    body: ErrorBody,
    headers: Mapping[str, str],
    host: str,
    now: Instant,
    sent: SentRequest | None = None,
    *,
    scope: Scope = "responder",
) -> CallFailure:
    """Return the failure that an error response stands for.

    `scope` is what a server error affects: this conversation or the whole responder.
    """
    sent = sent or SentRequest()
    kind = classify_error(status, body, tools=sent.tools, images=sent.images, options=sent.options)
    codes = sorted(code for code in body.codes if re.fullmatch(r"[a-z][a-z0-9_]{2,39}", code))
    where = f"{host} answered {status}" + (f" ({codes[0]})" if codes else "")
    detail = sent.excerpt(body.message)
    setup_error = _find_setup_error(kind, status, where, detail)
    if setup_error is not None:
        outcome = RetryLater(setup_error.message, until_mended=True, detail=detail)
        return CallFailure(outcome, kind, setup_error, status, body.message, detail)
    option = find_refused_option(body, sent.options) if kind == "parameter" else None
    if kind == "busy" or (kind != "parameter" and (status in (402, 429) or status >= 500)):
        waits = read_retry_after(headers, now)
        after = waits if waits is not None else _find_stated_wait(body.message)
        # A refused request says nothing about requests of other conversations.
        concerns: Scope = scope if kind == "busy" else "conversation"
        outcome = RetryLater(where, after=after, scope=concerns, detail=detail)
        return CallFailure(outcome, kind, None, status, body.message, detail, sent.options)
    message = f"{where}: {_MEANINGS[kind]}" if kind in _MEANINGS else where
    raised = ContentRefused if kind == "filter" else TooLong if kind == "length" else GiveUp
    return CallFailure(raised(message, detail=detail), kind, None, status, body.message, detail, sent.options, option)


def as_setup_error(failed: CallFailure, host: str, what: str, remedy: str) -> CallFailure:
    """Return a refusal as a setup error, because every conversation would be refused."""
    message = f"{host} refuses {what}"
    outcome = RetryLater(message, until_mended=True, detail=failed.detail)
    setup_error = SetupError("settings", message, remedy, failed.detail)
    return CallFailure(outcome, failed.kind, setup_error, failed.status, failed.message, failed.detail)


def _find_setup_error(kind: ErrorKind, status: int, where: str, detail: str) -> SetupError | None:
    match kind:
        case "quota":
            return SetupError(
                "quota",
                f"{where}: the account has used up its credit or spending limit",
                "Add credit or raise the spending limit of the account that the key belongs to (OpenAI: "
                "https://platform.openai.com/settings/organization/billing). Waiting messages are answered automatically afterwards.",
                detail,
            )
        case "credentials":
            return SetupError(
                "credentials",
                f"{where}: the API key is {'not allowed to do this' if status == 403 else 'refused'}",
                "Set a valid key as `api_key` (OpenAI: https://platform.openai.com/api-keys), check that its project may use the "
                "model, and reload. Waiting messages are answered automatically afterwards.",
                detail,
            )
        case "model":
            return SetupError(
                "model",
                f"{where}: the model does not exist, or the API is not at this address",
                "Check that `model` is a name that this key may use (`ollama pull` fetches a local model), that `base_url` ends as the "
                "server's manual says, usually in `/v1`, and that the server supports the `api`: every server supports `completions`.",
                detail,
            )
        case "address":
            return SetupError(
                "settings",
                f"{where}: the API is not at this address",
                "Set `base_url` to the final address of the server. Redirects are not followed, so that no "
                "conversation is sent to another host. Often the address needs https instead of http, or `/v1` is missing.",
                detail,
            )
    return None


def read_retry_after(headers: Mapping[str, str], now: Instant) -> Milliseconds | None:
    """Return the wait that the headers ask for; None if they state none."""
    waits = [_parse_number(headers.get("retry-after-ms"), 1), _parse_number(headers.get("retry-after"), 1_000)]
    waits.append(_parse_date(headers.get("retry-after"), now))
    for what in ("requests", "tokens"):
        # Every response states when each limit is reset; only a limit that is used up requires a wait.
        if headers.get(f"x-ratelimit-remaining-{what}") == "0":
            waits.append(_parse_span(headers.get(f"x-ratelimit-reset-{what}")))
    asked = [wait for wait in waits if wait is not None]
    return min(max(asked), MAX_WAIT_MS) if asked else None


def _find_stated_wait(said: str) -> Milliseconds | None:
    """Return the wait that a message states: `retry in 34.07s`, `try again in 8m22.4s`, `retry after 26 seconds`."""
    found = re.search(
        r"(?:try|retry)[^.]{0,20} (?:again )?(?:in|after) (\d+(?:\.\d+)?) ?((?:ms|s|m|h)\S*|seconds?|minutes?)?", said, re.I
    )
    if found is None:
        return None
    unit = (found[2] or "s").lower()
    if unit.startswith(("sec", "min")):
        unit = unit[0]
    whole = re.match(r"(?:(\d+(?:\.\d+)?)(ms|s|m|h))+", f"{found[1]}{unit}")
    wait = _parse_span(whole[0]) if whole else None
    return None if wait is None else min(wait, MAX_WAIT_MS)


def _parse_number(value: str | None, factor: int) -> Milliseconds | None:
    try:
        wait = float(value or "") * factor
    except ValueError:
        return None
    return math.ceil(wait) if math.isfinite(wait) and wait >= 0 else None


def _parse_date(value: str | None, now: Instant) -> Milliseconds | None:
    try:
        return max(0, int(parsedate_to_datetime(value or "").timestamp() * 1_000) - now)
    except (ValueError, OverflowError):
        return None


def _parse_span(value: str | None) -> Milliseconds | None:
    """Convert `6m0s`, `1.5s` or `20ms` into milliseconds."""
    if not value or not re.fullmatch(r"(\d+(\.\d+)?(ms|s|m|h|d))+", value):
        return None
    unit = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
    return math.ceil(sum(float(amount) * unit[name] for amount, name in re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", value)))


def _describe_disconnect(error: BaseException, host: str) -> str:
    """Return why no response arrived.

    The transport reports a refused connection as a time-out, so the chain of causes decides.
    """
    causes = list(_walk_causes(error))
    names = {name for cause in causes for name in (kind.__name__ for kind in type(cause).__mro__)}
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return f"{host} refused the connection"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return f"the host name {host} could not be resolved"
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return f"no TLS connection to {host} could be established"
    if any(isinstance(cause, ConnectionError) for cause in causes) or names & {"ServerDisconnectedError", "ClientPayloadError"}:
        return f"{host} closed the connection"
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return f"{host} did not answer in time"
    if isinstance(error, ValueError):
        return f"{host} answered with a body that is not JSON"
    return f"the call to {host} failed ({type(error).__name__})"


def _walk_causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _read_body(error: BaseException) -> ErrorBody:
    """Read the whole body, because the client keeps only what it finds under `error`."""
    text = getattr(getattr(error, "response", None), "text", None)
    if isinstance(text, str):
        return read_text(text)
    return read_error(getattr(error, "body", None))
