"""Closes and reopens the emphasis and quotes that a cut within a line leaves open."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from sara_whatsapp.formatting.markup import BOLD, CODE, STYLES, is_word

MAX_SEAM_CHARS = 8
"""Maximum number of characters that closing and reopening adds to a piece."""

_MAX_LOOKAHEAD = 1 << 14  # no mark is closed later than that
_QUOTE = re.compile("> ?")
_CODE = re.compile(f"{CODE}[^{CODE}\n]+{CODE}")
_BOLD_FIRST = (BOLD, *(mark for mark in STYLES.values() if mark != BOLD))


class Seam(NamedTuple):
    """The place of a cut, with the text that closes the first piece and the text that opens the second."""

    cut: int
    closing: str = ""
    opening: str = ""


def find_seam(text: str, cut: int) -> Seam:
    """Return the seam at `cut`, moved so that no mark is separated from its words."""
    start, stop = text.rfind("\n", 0, cut) + 1, text.find("\n", cut, cut + _MAX_LOOKAHEAD)
    line, at = text[start : stop if stop >= 0 else cut + _MAX_LOOKAHEAD], cut - start
    if not line[:at].strip() or not line[at:].strip():
        return Seam(cut)
    quote = _QUOTE.match(line)
    worn = [(begin, end, mark) for begin, end, mark in sorted(_find_spans(line)) if begin < at <= end]
    while worn and not line[worn[-1][0] + 1 : at].strip():
        at = worn.pop()[0]
    while worn and not line[at : worn[-1][1]].strip():
        at = worn.pop()[1] + 1
    marks = [mark for _, _, mark in worn]
    return Seam(start + at, "".join(reversed(marks)), (quote[0] if quote else "") + "".join(marks))


def _find_spans(line: str) -> Iterator[tuple[int, int, str]]:
    """Yield (begin, end, mark) of all emphasis, as WhatsApp reads it."""
    codes = [match.span() for match in _CODE.finditer(line)]
    yield from ((begin, end - 1, CODE) for begin, end in codes)
    starts = [begin for begin, _ in codes]
    for mark in _BOLD_FIRST:
        places = [match.start() for match in re.finditer(re.escape(mark), line) if not _is_within(codes, starts, match.start())]
        ends = [place for place in places if _can_close(line, place)]
        free = 0
        for place in places:
            if place < free or not _can_open(line, place, mark):
                continue
            index = bisect_right(ends, place + 1)
            if index < len(ends):
                yield place, ends[index], mark
                free = ends[index] + 1


def _is_within(codes: list[tuple[int, int]], starts: list[int], place: int) -> bool:
    index = bisect_right(starts, place) - 1
    return index >= 0 and place < codes[index][1]


def _can_open(line: str, place: int, mark: str) -> bool:
    before, after = line[place - 1 : place] if place else "", line[place + 1 : place + 2]
    return not is_word(before) and bool(after.strip()) and after != mark


def _can_close(line: str, place: int) -> bool:
    before, after = line[place - 1 : place] if place else "", line[place + 1 : place + 2]
    return bool(before.strip()) and not is_word(after)
