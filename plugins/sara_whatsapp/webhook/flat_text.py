"""Writes nested values as one readable line.

The content of forms, cards and new message types can have any shape. Every value is written after its path: `dates.start:
2026-12-01; guests.1.name: Ana`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from sara_whatsapp.webhook.safe_json import to_text

MAX_FLAT_CHARS = 4_000
"""Maximum length of a flat text; the message's content keeps the values in full."""


def flatten(value: Any, skip: Collection[str] = ()) -> str:
    """Return all of `value` on one line, without the top-level keys in `skip`."""
    if isinstance(value, dict):
        value = {key: item for key, item in value.items() if key not in skip}
    text = "; ".join(f"{path}: {said}" if path else said for path, said in _walk_values(value, ""))
    return text if len(text) <= MAX_FLAT_CHARS else text[: MAX_FLAT_CHARS - 1] + "…"


def is_file(value: Any) -> bool:
    """Return whether `value` names a file that Meta keeps, as the pickers of a form do."""
    return isinstance(value, dict) and bool(to_text(value.get("id"))) and bool(to_text(value.get("mime_type")))


def _walk_values(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield each value with its path; plain values of one list stay together."""
    if is_file(value):
        yield path, format_value(value.get("file_name")) or format_value(value["mime_type"])
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _walk_values(item, _join_path(path, format_value(key)))
    elif isinstance(value, list):
        plain = [said for item in value if not isinstance(item, dict | list) and (said := format_value(item))]
        if plain:
            yield path, ", ".join(plain)
        nested = [item for item in value if isinstance(item, dict | list)]
        for number, item in enumerate(nested, 1):
            yield from _walk_values(item, path if len(nested) == 1 else _join_path(path, str(number)))
    elif said := format_value(value):
        yield path, said


def format_value(value: Any) -> str:
    """Return a plain value on one line; empty if there is none."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(to_text(value).split())


def _join_path(path: str, key: str) -> str:
    return f"{path}.{key}" if path and key else path or key
