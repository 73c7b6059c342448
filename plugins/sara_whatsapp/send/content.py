"""Reads fields of neutral content and replaces invalid values by empty ones."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from sara_whatsapp.formatting import to_plain
from sara_whatsapp.webhook.safe_json import scrub

_WEB = re.compile(r"https?://[^\s/?#]\S*", re.IGNORECASE)
_MAX_DEPTH = 20


def to_text(value: Any) -> str:
    """Return a text or a number as text; empty for anything else."""
    if isinstance(value, str | PurePath):
        return scrub(str(value)).strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63 else ""


def to_plain_line(content: Mapping[str, Any], key: str) -> str:
    """Return the text under `key` on one line without Markdown, for places where WhatsApp shows no marks."""
    return to_plain(to_text(content.get(key)))


def list_items(content: Mapping[str, Any], key: str) -> Sequence[Any]:
    """Return the list under `key`; empty for anything else."""
    found = content.get(key)
    return found if isinstance(found, list | tuple) else ()


def read_url(content: Mapping[str, Any], key: str) -> str:
    """Return the web address under `key`; empty for anything that Meta cannot open."""
    found = to_text(content.get(key))
    return found if _WEB.fullmatch(found) else ""


def read_coordinate(content: Mapping[str, Any], key: str, limit: float) -> float | None:
    """Return the coordinate under `key`, a number or its text; None for anything outside ±`limit`."""
    try:
        value = float(to_text(content.get(key)))
    except ValueError:
        return None
    return value if abs(value) <= limit else None


def to_json_value(value: Any, levels: int = _MAX_DEPTH) -> Any:
    """Return `value` in a form that JSON can hold; what is nested too deeply or is no JSON type becomes None."""
    if isinstance(value, str | PurePath):
        return scrub(str(value))
    if isinstance(value, Mapping) and levels:
        return {scrub(str(key)): to_json_value(item, levels - 1) for key, item in value.items()}
    if isinstance(value, list | tuple) and levels:
        return [to_json_value(item, levels - 1) for item in value]
    whole = isinstance(value, int) and abs(value) < 2**63
    return value if whole or (isinstance(value, float) and math.isfinite(value)) else None
