"""The body of an error, in whichever shape a server writes it. Pure; trusts nothing.

Read are `{"error": {…}}`, the same in a list (Gemini), `error` as text beside a `code` (xAI, LM Studio), `message`, `detail` as text
or as a list (FastAPI), `errors` as a list (Cloudflare), `msg` (Zhipu), an error quoted as JSON inside another's message (OpenRouter,
LiteLLM), a page of HTML, and plain text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MOST_READ = 200_000
"""Characters of a body that are parsed; an error that is longer is read as the text that it begins with."""

MOST_SAID = 4_000
"""Characters of a server's words that are kept."""

_DEEPEST = 6
_MOST_ENTRIES = 50
_WORDS = ("message", "error", "detail", "details", "msg", "error_description", "error_message", "title", "raw")
_CODES = ("code", "type", "status", "error_code", "error_type", "reason", "name")
_HOLDERS = ("error", "errors", "detail", "details", "metadata", "innererror", "response", "body", "cause")
_HOLDS_ERROR = ("error", "errors", "detail", "message", "msg")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_PAGE = re.compile(r"\s*<(!doctype|html|head|body)\b", re.IGNORECASE)
_TAG = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """An error as read: the server's words, its codes and types in lower case, the parameter it names, and the status that a body
    carries which came with a 200 or through another server."""

    said: str = ""
    codes: frozenset[str] = frozenset()
    param: str = ""
    status: int | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing of an error was found."""
        return not self.said and not self.codes


FILTERED = ErrorBody(codes=frozenset({"content_filter"}), status=400)
"""The provider withheld an answer that it had begun."""

_WITHHELD = ("content_filter", "safety", "prohibited", "sensitive", "blocklist", "recitation", "spii", "guardrail")
_BROKE_OFF = ("error", "network_error", "malformed_function_call")


def withheld(finish: str) -> ErrorBody | None:
    """What it means that an answer ended for this reason; None where it is an answer."""
    reason = finish.strip().lower()
    if reason.startswith(_WITHHELD):
        return FILTERED
    return ErrorBody(codes=frozenset({reason})) if reason in _BROKE_OFF else None


def error_in(answered: object) -> ErrorBody | None:
    """The error in what came with a 200, decoded or as the client's object; None where there is none."""
    convert = getattr(answered, "to_dict", None)
    body = convert(exclude_unset=True, warnings=False) if callable(convert) else answered
    if isinstance(body, Mapping) and not any(body.get(key) for key in _HOLDS_ERROR):
        return None
    read = read_error(body) if isinstance(body, Mapping | list) else ErrorBody()
    return None if read.empty else read


def read_text(text: str) -> ErrorBody:
    """The error in the text of a response."""
    if len(text) <= MOST_READ:
        try:
            return read_error(json.loads(text))
        except (ValueError, RecursionError):
            pass
    if _PAGE.match(text):
        title = _TITLE.search(text)
        text = title[1] if title else _TAG.sub(" ", text[:MOST_READ])
    return ErrorBody(said=_one_line(text))


def read_error(body: object) -> ErrorBody:
    """The error in a decoded body; an empty one where there is none."""
    if isinstance(body, str):
        return _quoted(body)
    words: list[str] = []
    codes: list[str] = []
    params: list[str] = []
    statuses: list[int] = []
    for key, value in _entries(body, 0):
        if key in ("param", "loc"):
            params += [".".join(str(each) for each in value)] if isinstance(value, list) else [str(value)] if value else []
        elif key in _WORDS and isinstance(value, str):
            inner = _quoted(value)
            words.append(inner.said)
            codes += inner.codes
            params += [inner.param] if inner.param else []
        elif key in _CODES and isinstance(value, str | int) and not isinstance(value, bool):
            codes.append(str(value).lower())
            statuses += _status(value)
    said = " – ".join(dict.fromkeys(word for word in words if word))
    return ErrorBody(said[:MOST_SAID], frozenset(codes), next(iter(params), ""), next(iter(statuses), None))


def _entries(value: object, depth: int) -> Iterator[tuple[str, object]]:
    """Every key with its value, the outer before the inner; what a server quotes of the request is not looked into."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for each in value[:_MOST_ENTRIES]:
            if isinstance(each, str):
                yield "message", each
            else:
                yield from _entries(each, depth + 1)
    elif isinstance(value, Mapping):
        known = [(str(key), each) for key, each in list(value.items())[:_MOST_ENTRIES]]
        yield from known
        for key, each in known:
            if key in _HOLDERS and isinstance(each, Mapping | list):
                yield from _entries(each, depth + 1)


def _quoted(text: str) -> ErrorBody:
    """The error in a message, which may hold another one as JSON, alone or behind some words."""
    start = min((at for at in (text.find('{"'), text.find("[{"), text.find("{\n")) if at >= 0), default=-1)
    if start >= 0 and len(text) <= MOST_READ:
        try:
            inner, end = json.JSONDecoder().raw_decode(text[start:])
        except (ValueError, RecursionError):
            pass
        else:
            read = read_error(inner)
            if not read.empty:
                said = " ".join(part for part in (text[:start], read.said, text[start + end :]) if part.strip())
                return ErrorBody(_one_line(said), read.codes, read.param, read.status)
    return ErrorBody(said=_one_line(text))


def _status(value: str | int) -> list[int]:
    number = int(value) if isinstance(value, int) or (value.isascii() and value.isdigit() and len(value) == 3) else 0
    return [number] if 400 <= number < 600 else []


def _one_line(text: str) -> str:
    return " ".join(text[: MOST_SAID * 2].split())[:MOST_SAID]
