"""Printing: JSON for programs, tables for people."""

from __future__ import annotations

import json
import shutil
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from sara.domain.time import Instant

WIDE = 110
"""Columns of a terminal from which on tables show more."""

_ENDLESS = 1_000_000
"""A width in which no line is ever cut or folded."""


def print_json(value: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def fail(message: str, code: int = 1) -> int:
    """Print an error on standard error and return the exit code."""
    print(f"sara: {message}", file=sys.stderr)
    return code


def iso(at: Instant | None) -> str | None:
    """Return an instant as ISO 8601 in UTC, to the millisecond."""
    if at is None:
        return None
    try:
        return datetime.fromtimestamp(at / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return f"{at} ms"


def local(at: Instant | None) -> str:
    """Return an instant in local time."""
    if at is None:
        return ""
    try:
        return datetime.fromtimestamp(at / 1_000).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return f"{at} ms"


def number_of(phone: str | None) -> str:
    """Return a phone number with its plus sign."""
    return f"+{phone}" if phone else ""


def age(at: Instant | None, now: Instant) -> str:
    """Return how long ago an instant was: `now`, `4 min`, `3 h`, `2 d`, and a date from a week on."""
    if at is None:
        return ""
    minutes = max(0, now - at) // 60_000
    if minutes < 1:
        return "now"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h"
    return f"{minutes // (24 * 60)} d" if minutes < 7 * 24 * 60 else local(at)[:10]


def byte_count(count: int) -> str:
    """Return a number of bytes as people read it: `12 B`, `3.4 kB`, `5.6 MB`."""
    if count < 1_000:
        return f"{count} B"
    return f"{count / 1_000_000:,.1f} MB" if count >= 1_000_000 else f"{count / 1_000:,.1f} kB"


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """Print rows under their headings; `empty` where there are none. Cells are never read as markup or terminal codes."""
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


def is_wide() -> bool:
    """Return whether there is room for more than the most needed columns: anywhere but on a narrow terminal."""
    return not sys.stdout.isatty() or shutil.get_terminal_size().columns >= WIDE


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `lines`: its heading, and how many characters it gets at most; None for what the others leave."""

    heading: str
    width: int | None
    right: bool = False


Cell: TypeAlias = str | tuple[str, str]
"""A text, or one with its style."""


def lines(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], empty: str) -> None:
    """Print rows of one line each. On a terminal long cells end in an ellipsis, and styles are shown unless NO_COLOR is set;
    elsewhere nothing is cut or styled."""
    if not rows:
        print(empty)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    on_terminal = sys.stdout.isatty()
    shown = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0), expand=on_terminal)
    for column in columns:
        shown.add_column(
            column.heading,
            no_wrap=True,
            overflow="ellipsis" if on_terminal else "ignore",
            max_width=column.width if on_terminal else None,
            min_width=8 if column.width is None else None,
            ratio=1 if column.width is None and on_terminal else None,
            justify="right" if column.right else "left",
        )
    for row in rows:
        cells = ((each, "") if isinstance(each, str) else each for each in row)
        shown.add_row(*(Text(printable(" ".join(text.split())), style=style) for text, style in cells))
    console = Console(width=None if on_terminal else _ENDLESS, force_terminal=None if on_terminal else False)
    with console.capture() as capture:
        console.print(shown)
    for line in capture.get().splitlines():
        print(line if on_terminal else line.rstrip())


def printable(value: object) -> str:
    """Text as a terminal may show it: what it would obey, or what would turn the text around, becomes visible."""
    text = "" if value is None else str(value)
    return "".join(char if _harmless(char) else "\N{REPLACEMENT CHARACTER}" for char in text)


def _harmless(char: str) -> bool:
    """Printable characters, spaces of any script, and the joiners that some scripts and emoji are written with."""
    return char.isprintable() or char in "\n\u200c\u200d" or unicodedata.category(char) == "Zs"


def pairs(values: Mapping[str, object]) -> None:
    """Print names and values below each other."""
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        print(f"{name.ljust(width)}  {printable(value)}")


def confirm(question: str) -> bool:
    """Return whether the user confirms."""
    try:
        return input(f"{question} Type yes: ").strip().lower() == "yes"
    except (EOFError, KeyboardInterrupt):
        print()
        return False
