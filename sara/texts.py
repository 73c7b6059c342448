"""What SARA says in its own words. Pure."""

from __future__ import annotations

from collections.abc import Mapping

ENGLISH: Mapping[str, str] = {
    "opted_out": "You will get no more messages from us. Send START to hear from us again.",
    "apology": "Sorry, we cannot answer you right now. Your message is kept, and somebody will look at it.",
    "opted_in": "Welcome back! You will get our answers again.",
}


def text(key: str) -> str:
    """The sentence under `key`. Raises KeyError for one that does not exist."""
    return ENGLISH[key]
