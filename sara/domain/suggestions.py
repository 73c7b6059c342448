"""Print untrusted names, and suggest the known name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def make_printable(name: str, longest: int = 60) -> str:
    """Return a text on one line, shortened, without control characters."""
    shown = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def make_key_printable(key: str) -> str:
    """Return a printable key without the text after a colon, which was meant to be a value."""
    name, colon, _ = key.partition(":")
    return f"{make_printable(name)}:…" if colon else make_printable(key)


def suggest(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Return `did you mean access_token?`, or nothing if no known name comes near."""
    near = difflib.get_close_matches(name[:100], sorted(known), 1)
    return f"did you mean {prefix}{make_printable(near[0])}?" if near else ""
