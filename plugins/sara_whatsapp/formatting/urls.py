"""Finds web and mail addresses: marks inside them belong to them, and they must not be cut."""

from __future__ import annotations

import re

_URL_CHARS = r"[!#-&*-;=?-Z\\^_a-z{}~]"
# Addresses that can be tapped. All repetitions are bounded, so that no text makes the search slow.
ADDRESS = re.compile(
    rf"(?:https?://|ftp://|www\.){_URL_CHARS}+"
    rf"|(?<![\w@.-])(?:[a-z0-9-]{{1,63}}\.){{1,6}}[a-z]{{2,24}}/{_URL_CHARS}*"
    r"|(?<![a-z0-9])[a-z0-9][\w.+-]{0,63}@(?:[a-z0-9-]{1,63}\.){1,6}[a-z]{2,24}",
    re.IGNORECASE,
)


def find_addresses(text: str) -> list[tuple[int, int]]:
    """Return the (start, end) of each address; marks and punctuation at its end belong to the sentence."""
    found = ((match.start(), match[0].rstrip(".,:;!?*_~\\")) for match in ADDRESS.finditer(text))
    return [(start, start + len(address)) for start, address in found]
