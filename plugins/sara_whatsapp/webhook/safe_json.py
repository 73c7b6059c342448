"""Decodes JSON into values that every later step can handle.

`json.loads` accepts values that a database, a log or an encoder refuses: lone surrogates, NUL, integers beyond 64 bit, extreme
nesting. They are made harmless here, once, for everything that Meta sends.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

MAX_DEPTH = 50
"""Maximum depth of nesting. Meta's own events need about a dozen levels; deeper values are replaced by `TOO_DEEP`."""
TOO_DEEP = "[…]"

MAX_CONTAINERS = 100_000
MAX_VALUES = 500_000
"""Maximum number of objects and lists, and of commas, in a body. The fullest bodies that Meta sends (3 MB of messages or statuses)
hold about half as many; a body of little else would block the process for seconds."""

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
"""A JSON string, also an unterminated one: customers write braces and commas, too."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_INT64_LIMIT = 2**63


class InvalidJson(ValueError):
    """These bytes are not JSON."""


def decode(body: bytes) -> Any:
    """Decode JSON. Raises `InvalidJson` and nothing else."""
    if _has_too_many_elements(body):
        raise InvalidJson("too many elements")
    try:
        # Strict UTF-8 first: json.loads would guess UTF-16 and UTF-32 from the bytes.
        text = body.decode("utf-8")
        document = json.loads(
            text, parse_int=_parse_whole, parse_float=_parse_fraction, parse_constant=_reject_constant, object_hook=_return_object
        )
        return _sanitize(document, MAX_DEPTH)
    except UnicodeDecodeError as error:
        raise InvalidJson("not UTF-8") from error
    except RecursionError as error:
        raise InvalidJson("nested too deeply") from error
    except ValueError as error:
        raise InvalidJson("not JSON") from error


def _return_object(value: dict[str, Any]) -> dict[str, Any]:
    """Return an object unchanged.

    Calling Python code between two objects lets other threads run; otherwise a large body would block them for some 20 ms per
    megabyte.
    """
    return value


def _has_too_many_elements(body: bytes) -> bool:
    containers, values = _count_marks(body)
    if containers <= MAX_CONTAINERS and values <= MAX_VALUES:
        return False
    if body.count(b'"') > 2 * MAX_VALUES:
        return True
    # One string at a time, so that other threads can run.
    for text in _STRING.finditer(body):
        within = _count_marks(text[0])
        containers, values = containers - within[0], values - within[1]
    return containers > MAX_CONTAINERS or values > MAX_VALUES


def _count_marks(body: bytes) -> tuple[int, int]:
    return body.count(b"{") + body.count(b"["), body.count(b",")


def encode(value: Any) -> str:
    """Return a value that `decode` returned as compact JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def scrub(text: str) -> str:
    """Replace characters that cannot be stored or encoded by U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def to_dict(value: Any) -> dict[str, Any]:
    """Return `value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def to_list(value: Any) -> list[Any]:
    """Return `value` if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def to_text(value: Any) -> str:
    """Return a text, or a number as text; empty for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def read_id(value: Any, max_chars: int = 512) -> str | None:
    """Return an id, a text or a whole number of at most `max_chars` characters; None for anything else."""
    text = to_text(value).strip()
    return text if 0 < len(text) <= max_chars else None


def _parse_whole(digits: str) -> int | str:
    # An integer beyond 64 bit stays text; int() refuses thousands of digits.
    if len(digits) > 20:
        return digits
    number = int(digits)
    return number if -_INT64_LIMIT <= number < _INT64_LIMIT else digits


def _parse_fraction(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _reject_constant(word: str) -> Any:
    raise ValueError(word)


def _sanitize(value: Any, levels: int) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {scrub(key): _sanitize(item, levels - 1) for key, item in value.items()} if levels else TOO_DEEP
    if isinstance(value, list):
        return [_sanitize(item, levels - 1) for item in value] if levels else TOO_DEEP
    return value
