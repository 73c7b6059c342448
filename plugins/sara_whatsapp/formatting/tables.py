"""Writes tables, which WhatsApp does not know, as columns in code if they are narrow, else as a list."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sara_whatsapp.formatting.inline import join_lines, write_marked
from sara_whatsapp.formatting.markup import BOLD, PARTED, UNBROKEN
from sara_whatsapp.formatting.urls import ADDRESS

if TYPE_CHECKING:
    from markdown_it.token import Token

_MAX_WIDTH = 30


def write_columns(rows: Sequence[Sequence[str]], aligned: Sequence[str]) -> str:
    """Return the table in columns; empty if it is too wide or contains an address, which cannot be tapped in code."""
    widths = [max(1, *(_measure(cell) for cell in column)) for column in zip(*rows, strict=True)]
    if sum(widths) + 2 * (len(widths) - 1) > _MAX_WIDTH or any(ADDRESS.search(cell) for row in rows for cell in row):
        return ""
    head, *body = rows
    lines = [head, ["-" * width for width in widths], *body] if any(head) else body
    padded = (
        "  ".join(
            " " * (width - _measure(cell)) + cell if "right" in style else cell + " " * (width - _measure(cell))
            for cell, width, style in zip(line, widths, aligned, strict=True)
        ).rstrip()
        for line in lines
    )
    return UNBROKEN.sub(PARTED, "\n".join(padded))


def _measure(text: str) -> int:
    """Return the number of monospace columns that `text` takes."""
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def write_list(rows: Sequence[Sequence[list[Token]]]) -> str:
    """Return the table as a list, each cell behind the name of its column."""
    names = [join_lines(write_marked(cell, BOLD)) for cell in rows[0]]
    if len(rows) == 1:
        return f"- {'; '.join(filter(None, names))}" if any(names) else ""
    lines = []
    for row in rows[1:]:
        cells = [join_lines(write_marked(cell)) for cell in row]
        named = [f"{name}: {cell or '–'}" if name else cell for name, cell in zip(names, cells, strict=True)]
        if any(cells):
            lines.append(f"- {'; '.join(filter(None, named))}")
    return "\n".join(lines)
