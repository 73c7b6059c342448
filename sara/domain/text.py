"""Measure, clean and split texts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# From the best place to cut to the worst: between paragraphs, lines, sentences, words.
_CUTS = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"(?<=[.!?…。！？])\s+"), re.compile(r"\s+"))


# The kinds of characters that show nothing by themselves, and characters of other kinds: fillers of Hangul and Braille, the inherent vowels of Khmer.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Mn", "Mc", "Me", "Zs", "Zl", "Zp"})
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0\u17b4\u17b5\ufffc")


def is_visible(text: str) -> bool:
    """Return whether a reader sees anything of `text`: more than white space, characters of no width, or marks without a letter.

    Unassigned characters count as visible: they may be newer emoji.
    """
    return any(char not in _BLANK and unicodedata.category(char) not in _UNSEEN for char in text)


def utf16_length(text: str) -> int:
    """Return the length in UTF-16 code units, the strictest unit in which providers count characters."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def sanitize_text(text: str) -> str:
    """Return `text` without characters that databases and logs reject: halves of surrogate pairs and NUL."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def split_text(text: str, limit: int) -> list[str]:
    """Split `text` into pieces of at most `limit` UTF-16 units, at a paragraph, line, sentence or word where possible.

    Together the pieces contain every word of the text; only white space at the cuts is dropped. Text without a visible
    character gives no piece.
    """
    return [piece for piece in _split(text.strip(), limit) if is_visible(piece)]


def _split(text: str, limit: int) -> Iterator[str]:
    while utf16_length(text) > limit:
        head = _longest_prefix(text, limit)
        cut = _best_cut(text, head)
        yield text[:cut].rstrip()
        text = text[cut:].lstrip()
    yield text


def _longest_prefix(text: str, limit: int) -> int:
    """Return how many characters of `text` fit into `limit` units without parting a character from its combining marks."""
    units = 0
    for index, char in enumerate(text):
        units += 2 if ord(char) > 0xFFFF else 1
        if units > limit:
            return max(1, _grapheme_start(text, index))
    return len(text)


def _grapheme_start(text: str, index: int) -> int:
    start = index
    while start > 1 and _joins(text, start) and index - start < 32:
        start -= 1
    return start if not _joins(text, start) else index


def _joins(text: str, index: int) -> bool:
    """Return whether the characters either side of `index` belong together on the screen: marks, vowel signs, skin tones,
    flags and sequences with a joiner.
    """
    char, before = text[index], text[index - 1]
    if char in _JOINING or before == "\u200d" or unicodedata.category(char)[0] == "M":
        return True
    if "\U0001f3fb" <= char <= "\U0001f3ff" or "\U000e0020" <= char <= "\U000e007f":
        return True
    return _is_regional(char) and _regionals_before(text, index) % 2 == 1


# A joiner, the emoji form, and two vowel signs (Thai, Lao) that are written as letters of their own.
_JOINING = "\u200d\ufe0f\u0e33\u0eb3"


def _is_regional(char: str) -> bool:
    """Return whether a character is a regional indicator; two of them make a flag."""
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _regionals_before(text: str, index: int) -> int:
    count = 0
    while index - count > 0 and _is_regional(text[index - count - 1]):
        count += 1
    return count


def _best_cut(text: str, head: int) -> int:
    for pattern in _CUTS:
        ends = [match.end() for match in pattern.finditer(text, 0, min(len(text), head + 1)) if match.start() <= head]
        # A cut in the first third would make many small parts, and every part costs money.
        if ends and ends[-1] > head // 3:
            return ends[-1]
    return head
