"""Converts Markdown, as language models write it, into WhatsApp's marks, and splits long texts.

WhatsApp knows bold, italic, strike, code, lists and quotes, and has no way to escape a mark. What it cannot show becomes words,
and a mark that it would not recognise is never written.
"""

from __future__ import annotations

import re

from sara_whatsapp.formatting.blocks import BlockWriter
from sara_whatsapp.formatting.inline import write_plain
from sara_whatsapp.formatting.parser import parse, parse_line
from sara_whatsapp.formatting.split import split, split_off_end

__all__ = ["split", "split_off_end", "to_plain", "to_whatsapp"]


def to_whatsapp(markdown: str) -> str:
    """Return `markdown` with WhatsApp's marks; plain text stays unchanged, blank text becomes empty."""
    source = re.sub(r"\r\n?", "\n", markdown)
    try:
        return BlockWriter(source.split("\n")).blocks(parse(source)).strip()
    except RecursionError:
        # Hundreds of nested brackets are no Markdown.
        return source.strip()


def to_plain(markdown: str) -> str:
    """Return `markdown` on one line without marks, for places where WhatsApp shows none: titles, headers, footers."""
    source = " ".join(markdown.split())
    try:
        return " ".join(write_plain(parse_line(source)).split())
    except RecursionError:
        return source
