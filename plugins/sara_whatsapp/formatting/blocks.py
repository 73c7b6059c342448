"""Writes block elements: paragraphs, headings, lists, quotes and code."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sara_whatsapp.formatting.inline import write_marked, write_plain
from sara_whatsapp.formatting.markup import BOLD, FENCE, PARTED, UNBROKEN, as_code
from sara_whatsapp.formatting.tables import write_columns, write_list

if TYPE_CHECKING:
    from markdown_it.token import Token

_LANGUAGE = re.compile(r"[\w+#.:/-]*(?:\s*\{.*\}|(?:\s+[\w-]+=\S+)*)")
_TASK = re.compile(r"\[([ xX])\](?=\s|$)")


class BlockWriter:
    """Writes one block after the other; `depth` counts the lists around a block."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines

    def blocks(self, tokens: Sequence[Token], depth: int = 0, *, quoted: bool = False) -> str:
        """Return the text of a sequence of blocks, with the source's blank lines. `quoted` blocks stand in a quote."""
        page, apart = "", False
        for token, inner in _group_tokens(tokens):
            apart = apart or token.type == "hr" or self._is_after_blank_line(token)
            if text := self._block(token, inner, depth, quoted):
                page += ("\n\n" if apart else "\n") + text if page else text
                apart = False
        return page

    def _is_after_blank_line(self, token: Token) -> bool:
        """Return whether a blank line precedes the token, because a chat keeps line breaks as they were typed."""
        return bool(token.map and token.map[0] and not self._lines[token.map[0] - 1].strip("> \t"))

    def _block(self, token: Token, inner: Sequence[Token], depth: int, quoted: bool) -> str:
        indent = "  " * max(0, depth - 1)
        match token.type:
            case "paragraph_open":
                return _indent(write_marked(inner[0].children), indent)
            case "heading_open":
                return _indent(write_marked(inner[0].children, BOLD), indent)
            case "bullet_list_open" | "ordered_list_open":
                return self._write_list(inner, depth, quoted)
            case "blockquote_open":
                lines = self.blocks(inner, quoted=True).split("\n")
                return "\n".join(f"> {line}" for line in lines if line.strip())
            case "fence":
                return _write_fence(token, quoted)
            case "table_open":
                return self._write_table(token, inner, quoted)
        return ""

    def _write_list(self, tokens: Sequence[Token], depth: int, quoted: bool) -> str:
        entries = list(_group_tokens(tokens))
        counted = len(entries) > 1 and len({item.info for item, _ in entries}) == 1
        page = ""
        for index, (item, inner) in enumerate(entries):
            number = str(int(item.info) + index) if item.info and counted else item.info
            _replace_task_box(inner)
            body = self.blocks(inner, depth + 1, quoted=quoted).lstrip(" ")
            if item.info:
                marker = number + item.markup
            elif not body:
                continue
            elif item.markup == "+" and (len(entries) == 1 or body[0].isdigit() or unicodedata.category(body[0]) == "Sc"):
                marker = "+"  # a sum or a telephone number
            else:
                marker = "–" if depth else "-"
            first = inner[0].type if inner else ""
            if first == "bullet_list_open" and body.startswith("–"):
                body = f"-{body[1:]}"  # "5. - 7. May" is a list only to a parser
            gap = "\n" if first in {"fence", "table_open"} else " "
            line = "  " * depth + f"{marker}{gap}{body}".rstrip()
            page += ("\n\n" if self._is_after_blank_line(item) else "\n") + line if page else line
        return page

    def _write_table(self, token: Token, inner: Sequence[Token], quoted: bool) -> str:
        rows: list[list[list[Token]]] = []
        aligned: list[str] = []
        for cell in inner:
            if cell.type == "tr_open":
                rows.append([])
            elif cell.type == "th_open":
                aligned.append(str(cell.attrGet("style") or ""))
            elif cell.type == "inline":
                rows[-1].append(cell.children or [])
        start, end = token.map or (0, 0)
        source = [line.strip("> \t") for line in self._lines[start:end]]
        if any(len(re.findall(r"(?<!\\)\|", line.strip("|"))) >= len(aligned) for line in source):
            return "\n".join(source)  # some row has more cells than there are columns, and a parser drops them
        texts = [[write_plain(cell) for cell in row] for row in rows]
        if not quoted and len(rows) > 1 and (grid := write_columns(texts, aligned)):
            return f"{FENCE}\n{grid}\n{FENCE}"
        return write_list(rows)


def _group_tokens(tokens: Sequence[Token]) -> Iterator[tuple[Token, Sequence[Token]]]:
    """Yield each token of the outermost level with the tokens inside it."""
    start = 0
    while start < len(tokens):
        token, end = tokens[start], start
        if token.nesting == 1:
            end = next(i for i in range(start + 1, len(tokens)) if tokens[i].level == token.level and tokens[i].nesting == -1)
        yield token, tokens[start + 1 : end]
        start = end + 1


def _indent(text: str, indent: str) -> str:
    return "\n".join(indent + line for line in text.split("\n")) if text else ""


def _write_fence(token: Token, quoted: bool) -> str:
    body = token.content.rstrip().removeprefix("\n")
    if not _LANGUAGE.fullmatch(token.info.strip()) or not body.strip():
        body = f"{token.info.strip()}\n{body}".rstrip()  # words, in the place where Markdown has the language
    if not body.strip():
        return ""
    if quoted:
        # A block runs over lines and would end the quote.
        return "\n".join(as_code(line) for line in body.split("\n"))
    return f"{FENCE}\n{UNBROKEN.sub(PARTED, body)}\n{FENCE}"


def _replace_task_box(item: Sequence[Token]) -> None:
    """Replace the `[ ]` or `[x]` of a task by a box character."""
    children = item[1].children if len(item) > 1 and item[0].type == "paragraph_open" else None
    if children and children[0].type == "text":
        content = children[0].content
        if box := _TASK.match(content):
            children[0].content = ("☐" if box[1] == " " else "☑") + content[box.end() :]
