"""What a failed call means: when to ask again, and whether a person has to mend something. Pure.

What the server wrote never gets into a message of ours; an excerpt of it, without keys and without what the customer wrote, stands
beside it.
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
from sara_openai.api.error_kinds import ErrorKind, kind_of, parameter_of

LONGEST_WAIT: Milliseconds = 600_000
"""Servers that ask for a longer wait are asked again after this: limits are often lifted early."""

Extent = Literal["conversation", "responder"]
Kind = Literal["credentials", "quota", "model", "settings", "timeout"]

_MEANINGS: Mapping[ErrorKind, str] = {
    "length": "the conversation is too long for the model",
    "no_pictures": "the model takes no pictures",
    "picture": "it cannot read a picture",
    "tools": "it takes no tools",
    "tool_call": "the model failed to call a tool",
    "roles": "it does not take messages in this order",
    "system": "the model takes no system message",
    "sealing": "the model seals no reasoning",
    "parameter": "the model does not take an option of the file",
    "filter": "the provider's content filter refused it",
}


@dataclass(frozen=True, slots=True)
class SetupError:
    """What a person has to mend: which problem it is, what is wrong, what to do, and what the server said."""

    kind: Kind
    message: str
    remedy: str
    detail: str = ""


class TooLong(GiveUp):
    """The conversation is longer than the model takes."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a request held, as far as its refusal depends on it: `options` are those of the file, by the names under which they were
    sent; `excerpt` makes words of a server fit to be shown."""

    tools: bool = False
    pictures: bool = False
    options: frozenset[str] = frozenset()
    excerpt: Callable[[str], str] = lambda said: ""


@dataclass(frozen=True, slots=True)
class Failed:
    """What follows from a failed call: what to raise, what was refused, and what the server said, as it was and as it may be shown.

    `options` are the names under which options of the file were sent, `option` is the one that was refused, by its name in the file.
    """

    outcome: RetryLater | GiveUp
    kind: ErrorKind = "busy"
    trouble: SetupError | None = None
    status: int | None = None
    said: str = ""
    detail: str = ""
    options: frozenset[str] = frozenset()
    option: str | None = None

    def repeats(self, other: Failed) -> bool:
        """Whether this is the same refusal once more: then what was changed in between was not what the server minded."""
        return (self.status, self.said) == (other.status, other.said)


def understand(error: BaseException, host: str, now: Instant, sent: Sent | None = None) -> Failed:
    """What follows from `error`, which a call to the server at `host` raised."""
    response = getattr(error, "response", None)
    status = getattr(error, "status_code", None)
    if response is not None and isinstance(status, int) and not 200 <= status < 300:
        return refusal(status, _body(error), response.headers, host, now, sent)
    return Failed(RetryLater(_broken(error, host), scope="responder"))


def refusal(
    status: int,
    body: ErrorBody,
    headers: Mapping[str, str],
    host: str,
    now: Instant,
    sent: Sent | None = None,
    *,
    scope: Extent = "responder",
) -> Failed:
    """What follows from an error that a server answered with; `scope` is whom it concerns where the server is said to be unwell."""
    sent = sent or Sent()
    kind = kind_of(status, body, tools=sent.tools, pictures=sent.pictures, options=sent.options)
    codes = sorted(code for code in body.codes if re.fullmatch(r"[a-z][a-z0-9_]{2,39}", code))
    where = f"{host} answered {status}" + (f" ({codes[0]})" if codes else "")
    detail = sent.excerpt(body.said)
    trouble = _trouble(kind, status, where, detail)
    if trouble is not None:
        outcome = RetryLater(trouble.message, until_mended=True, detail=detail)
        return Failed(outcome, kind, trouble, status, body.said, detail)
    option = parameter_of(body, sent.options) if kind == "parameter" else None
    if kind == "busy" or (kind != "parameter" and (status in (402, 429) or status >= 500)):
        waits = wait_asked_for(headers, now)
        after = waits if waits is not None else _stated_wait(body.said)
        # What was refused of one request says nothing about the next one.
        concerns: Extent = scope if kind == "busy" else "conversation"
        outcome = RetryLater(where, after=after, scope=concerns, detail=detail)
        return Failed(outcome, kind, None, status, body.said, detail, sent.options)
    message = f"{where}: {_MEANINGS[kind]}" if kind in _MEANINGS else where
    raised = ContentRefused if kind == "filter" else TooLong if kind == "length" else GiveUp
    return Failed(raised(message, detail=detail), kind, None, status, body.said, detail, sent.options, option)


def unsettled(failed: Failed, host: str, what: str, remedy: str) -> Failed:
    """A refusal that is no message's fault: the same would be refused in every conversation."""
    message = f"{host} refuses {what}"
    outcome = RetryLater(message, until_mended=True, detail=failed.detail)
    trouble = SetupError("settings", message, remedy, failed.detail)
    return Failed(outcome, failed.kind, trouble, failed.status, failed.said, failed.detail)


def _trouble(kind: ErrorKind, status: int, where: str, detail: str) -> SetupError | None:
    match kind:
        case "quota":
            return SetupError(
                "quota",
                f"{where}: the account may spend no more",
                "Add credit or raise the spending limit of the account that the key belongs to (OpenAI: "
                "https://platform.openai.com/settings/organization/billing). Waiting messages are answered by themselves afterwards.",
                detail,
            )
        case "credentials":
            return SetupError(
                "credentials",
                f"{where}: the key is {'not allowed to do this' if status == 403 else 'refused'}",
                "Put a valid key into `api_key` (OpenAI: https://platform.openai.com/api-keys), check that its project may use the "
                "model, and reload. Waiting messages are answered by themselves afterwards.",
                detail,
            )
        case "model":
            return SetupError(
                "model",
                f"{where}: there is no such model, or this API is not at this address",
                "Check `model` for a name that this key may use (`ollama pull` fetches a local one), that `base_url` ends as the "
                "server's manual says, usually in `/v1`, and that the server knows the `api`: every one knows `completions`.",
                detail,
            )
        case "address":
            return SetupError(
                "settings",
                f"{where}: this API is not at this address",
                "Write into `base_url` the address that the server really answers at; redirects are not followed, so that no "
                "conversation goes where nobody sent it. Often it is https instead of http, or `/v1` is missing.",
                detail,
            )
    return None


def wait_asked_for(headers: Mapping[str, str], now: Instant) -> Milliseconds | None:
    """How long the server asks to be left alone; None if it does not say."""
    waits = [_number(headers.get("retry-after-ms"), 1), _number(headers.get("retry-after"), 1_000)]
    waits.append(_until(headers.get("retry-after"), now))
    for what in ("requests", "tokens"):
        # Every answer says when each budget will be full again; only one that is used up makes us wait.
        if headers.get(f"x-ratelimit-remaining-{what}") == "0":
            waits.append(_span(headers.get(f"x-ratelimit-reset-{what}")))
    asked = [wait for wait in waits if wait is not None]
    return min(max(asked), LONGEST_WAIT) if asked else None


def _stated_wait(said: str) -> Milliseconds | None:
    """The wait that stands in the words: `retry in 34.07s`, `try again in 8m22.4s`, `retry after 26 seconds`."""
    found = re.search(
        r"(?:try|retry)[^.]{0,20} (?:again )?(?:in|after) (\d+(?:\.\d+)?) ?((?:ms|s|m|h)\S*|seconds?|minutes?)?", said, re.I
    )
    if found is None:
        return None
    unit = (found[2] or "s").lower()
    if unit.startswith(("sec", "min")):
        unit = unit[0]
    whole = re.match(r"(?:(\d+(?:\.\d+)?)(ms|s|m|h))+", f"{found[1]}{unit}")
    wait = _span(whole[0]) if whole else None
    return None if wait is None else min(wait, LONGEST_WAIT)


def _number(value: str | None, factor: int) -> Milliseconds | None:
    try:
        wait = float(value or "") * factor
    except ValueError:
        return None
    return math.ceil(wait) if math.isfinite(wait) and wait >= 0 else None


def _until(value: str | None, now: Instant) -> Milliseconds | None:
    try:
        return max(0, int(parsedate_to_datetime(value or "").timestamp() * 1_000) - now)
    except (ValueError, OverflowError):
        return None


def _span(value: str | None) -> Milliseconds | None:
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


def _body(error: BaseException) -> ErrorBody:
    """The whole body, since the client keeps only what stands under `error` of it."""
    text = getattr(getattr(error, "response", None), "text", None)
    if isinstance(text, str):
        return read_text(text)
    return read_error(getattr(error, "body", None))
