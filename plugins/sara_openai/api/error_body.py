"""Reads the body of an error, whichever of the known shapes a server uses.

Read are `{"error": {…}}`, the same in a list (Gemini), `error` as text beside a `code` (xAI, LM Studio), `message`, `detail` as
text or as a list (FastAPI), `errors` as a list (Cloudflare), `msg` (Zhipu), an error quoted as JSON inside another's message
(OpenRouter, LiteLLM), a page of HTML, and plain text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MAX_PARSED_CHARS = 200_000
"""Maximum length of a body that is parsed as JSON; of a longer one the beginning is read as text."""

MAX_MESSAGE_CHARS = 4_000
"""Maximum length of a server's message."""

_MAX_DEPTH = 6
_MAX_ENTRIES = 50
_WORDS = ("message", "error", "detail", "details", "msg", "error_description", "error_message", "title", "raw")
_CODES = ("code", "type", "status", "error_code", "error_type", "reason", "name")
_HOLDERS = ("error", "errors", "detail", "details", "metadata", "innererror", "response", "body", "cause")
_HOLDS_ERROR = ("error", "errors", "detail", "message", "msg")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_PAGE = re.compile(r"\s*<(!doctype|html|head|body)\b", re.IGNORECASE)
_TAG = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """A parsed error: the server's message, its codes and types in lower case, the parameter that it names, and its status.

    `status` is set where the body states one, as errors do that came with a 200 or through another server.
    """

    message: str = ""
    codes: frozenset[str] = frozenset()
    param: str = ""
    status: int | None = None

    @property
    def is_empty(self) -> bool:
        """Return whether the body contained no error."""
        return not self.message and not self.codes


CONTENT_FILTERED = ErrorBody(codes=frozenset({"content_filter"}), status=400)
"""The error for an answer that the provider's content filter withheld."""

_WITHHELD = ("content_filter", "safety", "prohibited", "sensitive", "blocklist", "recitation", "spii", "guardrail")
_INTERRUPTED = ("error", "network_error", "malformed_function_call")


def check_finish_reason(finish: str) -> ErrorBody | None:
    """Return the error that a finish reason stands for; None if it ends an answer."""
    reason = finish.strip().lower()
    if reason.startswith(_WITHHELD):
        return CONTENT_FILTERED
    return ErrorBody(codes=frozenset({reason})) if reason in _INTERRUPTED else None


def find_error(answered: object) -> ErrorBody | None:
    """Return the error in a body that came with status 200, decoded or as the client's object; None if there is none."""
    convert = getattr(answered, "to_dict", None)
    body = convert(exclude_unset=True, warnings=False) if callable(convert) else answered
    if isinstance(body, Mapping) and not any(body.get(key) for key in _HOLDS_ERROR):
        return None
    read = read_error(body) if isinstance(body, Mapping | list) else ErrorBody()
    return None if read.is_empty else read


def read_text(text: str) -> ErrorBody:
    """Read the error in the text of a response."""
    if len(text) <= MAX_PARSED_CHARS:
        try:
            return read_error(json.loads(text))
        except (ValueError, RecursionError):
            pass
    if _PAGE.match(text):
        title = _TITLE.search(text)
        text = title[1] if title else _TAG.sub(" ", text[:MAX_PARSED_CHARS])
    return ErrorBody(message=_to_one_line(text))


def read_error(body: object) -> ErrorBody:
    """Read the error in a decoded body; the result is empty if there is none."""
    if isinstance(body, str):
        return _read_quoted(body)
    words: list[str] = []
    codes: list[str] = []
    params: list[str] = []
    statuses: list[int] = []
    for key, value in _walk_entries(body, 0):
        if key in ("param", "loc"):
            params += [".".join(str(each) for each in value)] if isinstance(value, list) else [str(value)] if value else []
        elif key in _WORDS and isinstance(value, str):
            inner = _read_quoted(value)
            words.append(inner.message)
            codes += inner.codes
            params += [inner.param] if inner.param else []
        elif key in _CODES and isinstance(value, str | int) and not isinstance(value, bool):
            codes.append(str(value).lower())
            statuses += _find_status(value)
    said = " – ".join(dict.fromkeys(word for word in words if word))
    return ErrorBody(said[:MAX_MESSAGE_CHARS], frozenset(codes), next(iter(params), ""), next(iter(statuses), None))


def _walk_entries(value: object, depth: int) -> Iterator[tuple[str, object]]:
    """Yield every key with its value, outer keys first; quoted parts of the request are skipped."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, list):
        for each in value[:_MAX_ENTRIES]:
            if isinstance(each, str):
                yield "message", each
            else:
                yield from _walk_entries(each, depth + 1)
    elif isinstance(value, Mapping):
        known = [(str(key), each) for key, each in list(value.items())[:_MAX_ENTRIES]]
        yield from known
        for key, each in known:
            if key in _HOLDERS and isinstance(each, Mapping | list):
                yield from _walk_entries(each, depth + 1)


def _read_quoted(text: str) -> ErrorBody:
    """Read the error in a message that may contain another error as JSON."""
    start = min((at for at in (text.find('{"'), text.find("[{"), text.find("{\n")) if at >= 0), default=-1)
    if start >= 0 and len(text) <= MAX_PARSED_CHARS:
        try:
            inner, end = json.JSONDecoder().raw_decode(text[start:])
        except (ValueError, RecursionError):
            pass
        else:
            read = read_error(inner)
            if not read.is_empty:
                said = " ".join(part for part in (text[:start], read.message, text[start + end :]) if part.strip())
                return ErrorBody(_to_one_line(said), read.codes, read.param, read.status)
    return ErrorBody(message=_to_one_line(text))


def _find_status(value: str | int) -> list[int]:
    number = int(value) if isinstance(value, int) or (value.isascii() and value.isdigit() and len(value) == 3) else 0
    return [number] if 400 <= number < 600 else []


def _to_one_line(text: str) -> str:
    return " ".join(text[: MAX_MESSAGE_CHARS * 2].split())[:MAX_MESSAGE_CHARS]
