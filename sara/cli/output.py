"""Printing: JSON for programs, tables for people."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sara.model import Instant


def print_json(value: Any) -> None:
    """One JSON document."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def fail(message: str, code: int = 1) -> int:
    """Say on standard error what is the matter; the exit code to end with."""
    print(f"sara: {message}", file=sys.stderr)
    return code


def iso(at: Instant | None) -> str | None:
    """An instant as ISO 8601 in UTC, to the millisecond."""
    if at is None:
        return None
    try:
        return datetime.fromtimestamp(at / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return f"{at} ms"


def local(at: Instant | None) -> str:
    """An instant as people here read it."""
    if at is None:
        return ""
    try:
        return datetime.fromtimestamp(at / 1_000).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return f"{at} ms"


def byte_count(count: int) -> str:
    """A number of bytes as people read it: `12 B`, `3.4 kB`, `5.6 MB`."""
    if count < 1_000:
        return f"{count} B"
    return f"{count / 1_000_000:,.1f} MB" if count >= 1_000_000 else f"{count / 1_000:,.1f} kB"


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """Rows under their headings; `empty` where there are none. Nothing in a cell is taken for markup or terminal codes."""
    if not rows:
        print(empty)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(printable(cell)) for cell in row))
    console = Console(soft_wrap=False, width=None if sys.stdout.isatty() else 160)
    console.print(shown)


def printable(value: object) -> str:
    """Text as a terminal may show it: what it would obey, or what would turn the text around, becomes visible."""
    text = "" if value is None else str(value)
    return "".join(char if _harmless(char) else "\N{REPLACEMENT CHARACTER}" for char in text)


def _harmless(char: str) -> bool:
    """Printable characters, spaces of any script, and the joiners that some scripts and emoji are written with."""
    return char.isprintable() or char in "\n\u200c\u200d" or unicodedata.category(char) == "Zs"


def pairs(values: Mapping[str, object]) -> None:
    """Names and values below each other."""
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        print(f"{name.ljust(width)}  {printable(value)}")


def agreed(question: str) -> bool:
    """Whether whoever sits at the terminal says yes."""
    try:
        return input(f"{question} Type yes: ").strip().lower() == "yes"
    except (EOFError, KeyboardInterrupt):
        print()
        return False
