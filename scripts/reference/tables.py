"""Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, without the columns that hold nothing."""
    body = list(rows)
    kept = [at for at in range(len(head)) if any(row[at] for row in body)]
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(_cell(line[at]) for at in kept)} |" for line in lines)


def code(text: str) -> str:
    """Return a text as code; nothing for an empty one."""
    return f"`{text}`" if text else ""


def codes(texts: Iterable[str]) -> str:
    """Return texts as code, separated by commas."""
    return ", ".join(code(each) for each in texts)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
