"""Separates intended emphasis from marks in sums, words and emoticons that a Markdown parser also takes for emphasis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sara_whatsapp.formatting.markup import STYLES, is_word

if TYPE_CHECKING:
    from markdown_it.token import Token


def resolve_emphasis(tokens: Sequence[Token]) -> list[Token]:
    """Return the tokens with unintended emphasis turned back into characters, and emphasis inside a word removed."""
    tokens = [token for token in tokens if token.type != "text" or token.content]
    open_at: list[int] = []
    removed: set[int] = set()
    for index, token in enumerate(tokens):
        if token.tag not in STYLES:
            continue
        if token.nesting == 1:
            open_at.append(index)
            continue
        start = open_at.pop()
        decision = _decide(tokens, start, index)
        if decision == "drop":
            removed |= {start, index}
        elif decision == "restore":
            for end in (tokens[start], token):
                end.type, end.tag, end.nesting, end.content = "text", "", 0, end.markup
    return [token for index, token in enumerate(tokens) if index not in removed]


def _decide(tokens: Sequence[Token], start: int, end: int) -> str:
    single = len(tokens[start].markup) == 1
    if not any(_has_content(token, lone=single) for token in tokens[start + 1 : end]):
        return "restore"  # a face, e.g. *_*
    before, after = _find_edge(tokens, start - 1, -1), _find_edge(tokens, end + 1, 0)
    first, last = _find_edge(tokens, start + 1, 0), _find_edge(tokens, end - 1, -1)
    left, right = is_word(before), is_word(after)
    if not left and not right:
        return "keep"
    if single:
        return "restore" if first else "drop"  # 2*3*4
    numbers = (left and before.isdigit() and first.isdigit()) or (right and after.isdigit() and last.isdigit())
    spaced = left and right and any(" " in token.content for token in tokens[start + 1 : end])
    return "restore" if numbers or spaced else "drop"  # 2**3**4 and f**k that s**t; but wunder**bar**


def _has_content(token: Token, *, lone: bool) -> bool:
    if token.type not in {"text", "code_inline"}:
        return token.type == "image"
    return any(is_word(char) or char > "\x7f" or not (lone or char in "*_~ ") for char in token.content)


def _find_edge(tokens: Sequence[Token], index: int, side: int) -> str:
    """Return the character that a mark touches; empty at an end of the text or next to another mark."""
    if not 0 <= index < len(tokens) or tokens[index].type != "text":
        return ""
    return tokens[index].content[side]
