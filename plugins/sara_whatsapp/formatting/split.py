"""Splits a long text into parts."""

from __future__ import annotations

import re

from sara import split_text, utf16_length
from sara_whatsapp.formatting.markup import FENCE
from sara_whatsapp.formatting.split_markup import MAX_SEAM_CHARS, find_seam

_BLOCK = re.compile(r"```(\n?)(.*?)```", re.DOTALL)
_MIN_LIMIT = 32  # below this there is no room for closing and opening code blocks
# Places for a cut, from best to worst: between paragraphs, lines, sentences, words.
_GAPS = (re.compile(r"\n[^\S\n]*\n\s*"), re.compile(r"\n\s*"), re.compile(r"(?<=[.!?…。！？])\s+"), re.compile(r"\s+"))


def split(text: str, limit: int) -> list[str]:
    """Split WhatsApp text into parts of at most `limit` UTF-16 units.

    Code blocks, emphasis and quotes that are cut are closed and opened again. Cuts fall where `split_text` puts them, but before
    an address or a code block that would fit as a whole.
    """
    parts: list[str] = []
    text = text.strip()
    while utf16_length(text) > limit:
        part, text = _cut_part(text, limit)
        parts.append(part)
    return [part for part in [*parts, text] if part]


def split_off_end(text: str, limit: int) -> tuple[str, str]:
    """Split WhatsApp text in two, the second part as long as possible within `limit` UTF-16 units.

    It consists of whole paragraphs, else lines, sentences or words; code blocks stay whole. It is empty if nothing can be split
    off.
    """
    text = text.strip()
    if utf16_length(text) <= limit:
        return "", text
    blocks = [match.span() for match in _BLOCK.finditer(text)]
    for gap in _GAPS:
        for match in gap.finditer(text):
            end = match.end()
            if not len(text) - limit <= end < len(text) or any(start < end < stop for start, stop in blocks):
                continue
            cut, closing, opening = find_seam(text, end)
            head, tail = text[:cut].rstrip() + closing, opening + text[cut:].lstrip()
            if tail and head and utf16_length(tail) <= limit:
                return head, tail
    return text, ""


def _cut_part(text: str, limit: int) -> tuple[str, str]:
    end = _find_end(text, limit)
    block = next((match for match in _BLOCK.finditer(text) if match.end() > end), None) if limit >= _MIN_LIMIT else None
    if block and block.start() < end:
        # As in `split_text`: a part shorter than a third of the limit is not worth its price.
        if block.start() > limit // 3 and (utf16_length(block[0]) <= limit or end - block.start() < _MIN_LIMIT):
            end = block.start()
        else:
            return _cut_code(text, limit, block)
    else:
        end = _move_before_url(text, end, limit)
        if limit >= _MIN_LIMIT and (found := _cut_open_markup(text, end, limit)):
            return found
    return text[:end].rstrip(), text[end:].lstrip()


def _cut_open_markup(text: str, end: int, limit: int) -> tuple[str, str] | None:
    """Return the two pieces of a cut that leaves markup open; None if it leaves none open."""
    if not any(find_seam(text, end)[1:]):
        return None
    short = _find_end(text, limit - MAX_SEAM_CHARS)
    for place in (_move_before_url(text, short, limit - MAX_SEAM_CHARS), short):
        cut, closing, opening = find_seam(text, place)
        # If only marks stood before the cut, the loop would not end.
        if len(text[:cut].rstrip()) > len(opening):
            return text[:cut].rstrip() + closing, opening + text[cut:].lstrip()
    return None


def _cut_code(text: str, limit: int, block: re.Match[str]) -> tuple[str, str]:
    end = min(_find_end(text, limit - utf16_length(f"\n{FENCE}")), block.end(2))
    if end <= block.start(2):
        # Only the fence itself and blank lines fit before the cut.
        end = block.start()
        if end:
            return text[:end].rstrip(), text[end:]
        end = block.start(2)
    part = f"{text[:end].rstrip()}{block[1]}{FENCE}" if text[block.start(2) : end].strip() else text[: block.start()].rstrip()
    rest = text[end:]
    blank = re.match(r"(?:[^\S\n]*\n)+", rest)
    rest = rest[blank.end() :] if blank else rest.lstrip()
    if rest.lstrip().startswith(FENCE):
        return part, rest.lstrip().removeprefix(FENCE).lstrip()
    return part, f"{FENCE}{block[1]}{rest}"


def _move_before_url(text: str, end: int, limit: int) -> int:
    """Return `end`, or the start of the address that would be cut there if it fits into one part."""
    head, tail = text[:end].rsplit(None, 1), text[end : end + limit].split(None, 1)
    cut = head[-1] + tail[0] if tail and not text[end].isspace() else ""
    return end - len(head[-1]) if len(head) > 1 and "://" in cut and utf16_length(cut) <= limit else end


def _find_end(text: str, limit: int) -> int:
    """Return where the first piece of `text` ends, examining little more than `limit` characters."""
    return len(split_text(text[: limit + 64], limit)[0])
