"""Writes WhatsApp's marks, only where WhatsApp recognises them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

BOLD, _ITALIC, _STRIKE, CODE, FENCE = "*", "_", "~", "`", "```"
STYLES = {"strong": BOLD, "em": _ITALIC, "s": _STRIKE}
# Three backticks in a row would start or end a block; nothing but an invisible space keeps them apart.
UNBROKEN, PARTED = re.compile(r"``(?=`)"), "``\u200b"


class Run(NamedTuple):
    """A piece of text with the marks that apply to it."""

    text: str
    marks: frozenset[str] = frozenset()


def apply_marks(runs: Sequence[Run], before: str = "", after: str = "") -> str:
    """Return one line with its marks, the longest run outermost. `before` and `after` are the text around it."""
    line, start = "", 0
    while start < len(runs):
        text, marks = runs[start]
        end = start + 1
        if not marks:
            line += text
        elif CODE in marks:
            line += as_code(text)
        else:
            mark, end = max(((mark, _find_extent(runs, start, mark)) for mark in sorted(marks)), key=lambda found: found[1])
            inner = [Run(run.text, run.marks - {mark}) for run in runs[start:end]]
            following = runs[end].text if end < len(runs) else after
            line += _wrap(inner, mark, line[-1:] or before, following[:1])
        start = end
    return line


def _find_extent(runs: Sequence[Run], start: int, mark: str) -> int:
    return next((index for index in range(start, len(runs)) if mark not in runs[index].marks), len(runs))


def _wrap(runs: Sequence[Run], mark: str, before: str, after: str) -> str:
    text = "".join(run.text for run in runs)
    if (is_word(before) and not text[:1].isspace()) or (is_word(after) and not text[-1:].isspace()):
        return apply_marks(runs, before, after)
    inner = apply_marks(runs)
    core = inner.strip()
    # WhatsApp would end the mark at the first one that stands behind a word.
    ends_early = core.startswith(mark) or re.search(rf"(?<=\S){re.escape(mark)}(?!\w)", core)
    if ends_early or not any(is_word(char) or char > "\x7f" for char in core):
        return inner
    lead = inner[: len(inner) - len(inner.lstrip())]
    return f"{lead}{mark}{core}{mark}{inner[len(lead) + len(core) :]}"


def as_code(text: str) -> str:
    """Return `text` as code, unless it contains the code mark itself."""
    return text if CODE in text or not text.strip() else f"{CODE}{text}{CODE}"


def is_word(char: str) -> bool:
    """Return whether `char` is a letter, a combining mark or a digit."""
    return bool(char) and unicodedata.category(char)[0] in "LNM"
