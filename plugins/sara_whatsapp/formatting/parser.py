"""The Markdown parser, without the rules that would alter ordinary text."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from sara_whatsapp.formatting.urls import find_addresses

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

_MAX_DEPTH = 12
# Bold that a parser overlooks, since a mark between a sign and a letter counts as closing nothing, or as opening nothing:
# "**Note:**text", and where words are written without spaces. WhatsApp would not see it either.
_UNSEEN_BOLD = re.compile(
    r"(?<![\w*])\*\*(?=\S)[^*\n]{0,500}[^\w\s*]\*\*(?=\w)"
    r"|(?<=[^\W\x00-\x7f])\*\*(?=[^\w\s*])[^*\n]{0,500}[^\s*]\*\*"
)


def parse(source: str) -> list[Token]:
    """Parse a text into block tokens. Raises RecursionError for hundreds of nested brackets."""
    return _make_parser().parse(source, {})


def parse_line(source: str) -> list[Token]:
    """Parse a line into inline tokens, without block rules. Raises RecursionError as `parse` does."""
    return _make_parser().parseInline(source, {})[0].children or []


@cache
def _make_parser() -> MarkdownIt:
    """Return the parser, with tables and strikethrough. Imported late, because the import is slow."""
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import blockquote, lheading, list_block

    def quote(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        return (
            state.level < _MAX_DEPTH
            and bool(re.match(r">+(?:\s|$)", _get_line(state, start)))
            and blockquote(state, start, end, silent)
        )

    def listing(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        return state.level < _MAX_DEPTH and list_block(state, start, end, silent)

    def underlined(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        # Three hyphens are a rule, even right below a line.
        line = _get_line(state, start + 1) if start + 1 < end else ""
        return bool(re.fullmatch(r"(?:={3,}|-{4,})\s*", line)) and lheading(state, start, end, silent)

    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    # Indented text is no code in a chat, "[Note]: Monday" is not the target of a link, and tags are judged one by one.
    parser.disable(["code", "reference", "html_block"])
    parser.block.ruler.at("blockquote", quote, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    parser.block.ruler.at("list", listing, {"alt": ["paragraph", "reference", "blockquote"]})
    parser.block.ruler.at("lheading", underlined)
    parser.inline.ruler.before("escape", "literal", _keep_literal)
    parser.inline.ruler.before("literal", "overlooked", _drop_unseen_bold)
    parser.normalizeLink = lambda url: url.replace(" ", "%20")  # type: ignore[method-assign]  # people are to read it
    return parser


def _get_line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]]


def _keep_literal(state: StateInline, silent: bool) -> bool:
    """Keep marks inside an address, and the arm of the shrug emoticon, as text."""
    start = end = state.pos
    char = state.src[start]
    if char in "*_~":
        if state.src not in state.env:
            state.env[state.src] = find_addresses(state.src)
        if last := next((last for first, last in state.env[state.src] if first <= start < last), 0):
            end = last - len(state.src[start:last].lstrip(char))
    elif char == "\\" and state.src[start - 1 : start] == "¯":
        end += 1
    if not silent:
        state.pending += state.src[start:end]
    state.pos = end
    return end > start


def _drop_unseen_bold(state: StateInline, silent: bool) -> bool:
    """Skip the marks of bold that neither the parser nor WhatsApp would recognise."""
    if not state.src.startswith("**", state.pos):
        return False
    key = f"overlooked in {state.src}"
    if key not in state.env:
        found = [match.span() for match in _UNSEEN_BOLD.finditer(state.src)]
        state.env[key] = {start for start, _ in found} | {end - 2 for _, end in found}
    if state.pos not in state.env[key]:
        return False
    state.pos += 2
    return True
