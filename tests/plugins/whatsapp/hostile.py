"""Webhook bodies that Meta should never send: sample bodies with anything in any place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

BODIES = Path(__file__).parents[2] / "data" / "webhooks"
SEEDS = [json.loads(path.read_bytes()) for path in sorted(BODIES.glob("*.json")) if path.stat().st_size < 5_000]

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def text(body: str = "hello", **changes: Any) -> dict[str, Any]:
    """A message of a customer."""
    return {"from": "15550001111", "id": "wamid.1", "timestamp": "1795308000", "type": "text", "text": {"body": body}} | changes


def messages(*elements: Any, **value: Any) -> dict[str, Any]:
    """A whole body with these messages in it."""
    inner = {"metadata": {"phone_number_id": "109000000000555"}, "messages": list(elements)} | value
    return {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{"field": "messages", "value": inner}]}]}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document, but for the document itself."""
    if path:
        yield path
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield from places(value[key], (*path, key))


def value_at(document: Any, path: tuple[Any, ...]) -> Any:
    """Return what stands in a place."""
    for key in path:
        document = document[key]
    return document


def put(document: Any, path: tuple[Any, ...], value: Any) -> None:
    """Put something in a place."""
    for key in path[:-1]:
        document = document[key]
    document[path[-1]] = value
