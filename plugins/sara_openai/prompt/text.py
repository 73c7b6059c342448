"""Shortening of texts in a prompt."""

from __future__ import annotations


def shorten(text: str, max_chars: int) -> str:
    """Return `text`, or its beginning with an ellipsis if it is longer than `max_chars`."""
    return text if len(text) <= max_chars else text[: max_chars - 1].rstrip() + "…"
