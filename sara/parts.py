"""How to split a long text into parts. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sara.model import Draft

# From the best place to cut to the worst: between paragraphs, lines, sentences, words.
_CUTS = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"(?<=[.!?…。！？])\s+"), re.compile(r"\s+"))


# The kinds of characters that show nothing by themselves, and characters of other kinds: fillers of Hangul and Braille, the inherent vowels of Khmer.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Mn", "Mc", "Me", "Zs", "Zl", "Zp"})
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0\u17b4\u17b5\ufffc")


def is_visible(text: str) -> bool:
    """Whether a reader sees anything of `text`: not of white space, characters of no width, or marks without a letter. What is not
    assigned yet may be a newer emoji."""
    return any(char not in _BLANK and unicodedata.category(char) not in _UNSEEN for char in text)


def utf16_length(text: str) -> int:
    """The length in UTF-16 code units, the safest reading of a provider's "characters"."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def storable(text: str) -> str:
    """`text` without what no database and no log can take: halves of surrogate pairs and NUL characters."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def split_text(text: str, limit: int) -> list[str]:
    """Cut `text` into pieces of at most `limit` UTF-16 units, at a paragraph, line, sentence or word where possible.

    Joined again the pieces hold every word of the text; only white space at the cuts is dropped. Text of which nothing can be seen gives no piece.
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
    """How many characters of `text` fit into `limit` units, without parting a character from its combining marks."""
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
    """Whether the characters either side of `index` belong together on the screen: marks, vowel signs, skin tones, flags and
    whatever a joiner joins."""
    char, before = text[index], text[index - 1]
    if char in _JOINING or before == "\u200d" or unicodedata.category(char)[0] == "M":
        return True
    if "\U0001f3fb" <= char <= "\U0001f3ff" or "\U000e0020" <= char <= "\U000e007f":
        return True
    return _is_regional(char) and _regionals_before(text, index) % 2 == 1


# A joiner, the emoji form, and two vowel signs (Thai, Lao) that are written as letters of their own.
_JOINING = "\u200d\ufe0f\u0e33\u0eb3"


def _is_regional(char: str) -> bool:
    """Two such letters make a flag."""
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


# ── what a rich draft says in plain words ─────────────────────────────────────────────────────────────────────────────────


def plain(draft: Draft) -> str:
    """A draft of any kind as text, for a channel that lacks the kind. Nothing that people should read is left out; what
    is of a wrong type is passed over."""
    content = draft.content
    match draft.kind:
        case "text" | "ask_location" | "ask_contact":
            blocks = [draft.text]
        case "template":
            blocks = [draft.text] if draft.text.strip() else _texts(content, "parameters")
        case "buttons":
            blocks = [_said(content, "header"), draft.text, *_choices([content], "buttons"), _said(content, "footer")]
        case "list":
            sections = [each for each in _items(content, "sections") if isinstance(each, Mapping)]
            blocks = [_said(content, "header"), draft.text, *_choices(sections, "rows"), _said(content, "footer")]
        case "link":
            blocks = [draft.text, _joined(": ", _said(content, "title"), _said(content, "url"))]
        case "location":
            place = _joined(", ", _said(content, "name"), _said(content, "address"))
            point = _joined(", ", _said(content, "latitude"), _said(content, "longitude"))
            blocks = [draft.text, _joined("\n", place, point)]
        case "contact":
            blocks = [draft.text, _joined(": ", _said(content, "name"), ", ".join(_texts(content, "phones")))]
        case "reaction":
            blocks = [draft.text, _said(content, "emoji")]
        case _:
            blocks = [draft.text, _joined(": ", _said(content, "name"), _said(content, "url"))]
    return "\n\n".join(block.strip() for block in blocks if block.strip())


def _choices(groups: Iterable[Mapping[str, Any]], key: str) -> Iterator[str]:
    """The rows of each group under its title, numbered throughout."""
    number = 0
    for group in groups:
        lines = [_said(group, "title")] if key == "rows" else []
        for row in _items(group, key):
            if words := _choice(row):
                number += 1
                lines.append(f"{number}. {words}")
        yield _joined("\n", *lines)


def _choice(row: Any) -> str:
    if not isinstance(row, Mapping):
        return _word(row)
    return _joined(": ", _said(row, "title"), _said(row, "description")) or _said(row, "id")


def _items(content: Mapping[str, Any], key: str) -> Sequence[Any]:
    found = content.get(key)
    return found if isinstance(found, list | tuple) else ()


def _texts(content: Mapping[str, Any], key: str) -> list[str]:
    return [_word(each) for each in _items(content, key) if _word(each)]


def _said(content: Mapping[str, Any], key: str) -> str:
    return _word(content.get(key))


def _word(value: Any) -> str:
    """A text or a number as it is said; empty for anything else."""
    return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _joined(between: str, *words: str) -> str:
    return between.join(word for word in words if word)
