"""Writes inline elements: words, links, images and tags."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import unquote

from sara_whatsapp.formatting.emphasis import resolve_emphasis
from sara_whatsapp.formatting.markup import CODE, PARTED, STYLES, UNBROKEN, Run, apply_marks
from sara_whatsapp.formatting.urls import find_addresses

if TYPE_CHECKING:
    from markdown_it.token import Token

_TAG = re.compile(
    r"</?([a-z][a-z0-9]*)(?:\s+(?:open|hidden|checked|disabled|[\w:.@-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'=<>`]+)))*\s*/?>",
    re.IGNORECASE,
)
_ANCHOR = re.compile(r"""<a(?:>|\s[^>]{0,200}?(?:href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'=<>`]+))|>))""", re.IGNORECASE)
_LINE_TAGS = re.compile(
    "address|article|aside|blockquote|br|caption|center|d[dlt]|details|div|fieldset|figcaption|figure|footer|form|h[1-6r]|header|li"
    "|main|nav|[ou]l|p|pre|section|summary|t(?:able|body|foot|head|r)"
)
_WORD_TAGS = re.compile(
    "a|abbr|audio|b|bd[io]|big|body|button|cite|code|col|colgroup|data|del|dfn|em|embed|font|head|html|i|iframe|img|input|ins|kbd"
    "|label|link|mark|meta|object|option|picture|q|s|samp|script|select|small|source|span|strike|strong|style|su[bp]|svg|textarea"
    "|time|title|tt|u|var|video|wbr"
)


def write_marked(tokens: Sequence[Token] | None, *marks: str) -> str:
    """Return the text with its marks, all of it within `marks`. It may have several lines, none of them empty."""
    lines: list[list[Run]] = [[]]
    for text, active in _list_runs(tokens or (), frozenset(marks)):
        first, *more = text.split("\n")
        lines[-1].append(Run(first, active))
        lines += [[Run(line, active)] for line in more]
    text = "\n".join(apply_marks([run for run in line if run.text]).strip() for line in lines)
    return UNBROKEN.sub(PARTED, re.sub(r"\n{2,}", "\n", text)).strip()


def write_plain(tokens: Sequence[Token]) -> str:
    """Return the text without marks, on one line."""
    return join_lines("".join(run.text for run in _list_runs(tokens)))


def join_lines(text: str) -> str:
    """Return several lines as one."""
    return " ".join(text.split("\n")).strip()


def _list_runs(tokens: Sequence[Token], marks: frozenset[str] = frozenset()) -> list[Run]:
    runs: list[Run] = []
    active = [*marks]
    links: list[tuple[int, str]] = []
    for token in resolve_emphasis(tokens):
        kind = token.type
        if kind == "text":
            runs += _mark_text(token.content, frozenset(active))
        elif kind.removesuffix("_open") in STYLES:
            active.append(STYLES[token.tag])
        elif kind.removesuffix("_close") in STYLES:
            active.remove(STYLES[token.tag])
        elif kind == "code_inline":
            runs.append(Run(token.content.strip(), frozenset({CODE})))
        elif kind == "link_open":
            links.append((len(runs), "" if token.markup == "autolink" else str(token.attrGet("href") or "")))
        elif kind == "html_inline" and (found := _ANCHOR.match(token.content)):
            links.append((len(runs), unescape(found[1] or found[2] or found[3] or "")))
        elif kind == "link_close" or token.content.lower() == "</a>":
            start, href = links.pop() if links else (len(runs), "")
            runs[start:] = _write_link(runs[start:], href)
        elif kind == "image":
            runs.append(Run(_join_label(write_plain(token.children or ()), str(token.attrGet("src") or ""), "{}: {}")))
        elif kind == "html_inline":
            runs.append(Run(_drop_tag(token.content)))
        else:
            runs.append(Run("\n"))
    return runs


def _mark_text(text: str, marks: frozenset[str]) -> Iterator[Run]:
    """Yield runs of the text, with addresses unmarked, because a mark that touches an address is taken for a part of it."""
    start = 0
    for begin, end in find_addresses(text) if marks else ():
        yield Run(text[start:begin], marks)
        yield Run(text[begin:end])
        start = end
    yield Run(text[start:], marks)


def _write_link(label: list[Run], href: str) -> list[Run]:
    text = "".join(run.text for run in label).strip()
    url = re.sub(r"^(?:mailto|tel):", "", href, flags=re.IGNORECASE)
    if not url or url.startswith("#"):
        return [Run(run.text) for run in label]
    joined = _join_label(text, url, "{} ({})")
    return [*label, Run(f" ({url})")] if text and len(joined) > len(text) and joined != url else [Run(joined)]


def _join_label(text: str, url: str, form: str) -> str:
    if not text or not url:
        return text or url
    if _normalise_address(text) != _normalise_address(url):
        return form.format(text, url)
    return text if "://" in text or "://" not in url else url


def _normalise_address(address: str) -> str:
    """Return an address in a form in which different spellings are equal."""
    address = re.sub(r"^(?:https?://|mailto:|tel:)?(?:www\.)?", "", unquote(address.strip()).casefold()).rstrip("/")
    return re.sub(r"[\s()/.-]", "", address) if re.fullmatch(r"\+?[\d\s()/.-]+", address) else address


def _drop_tag(tag: str) -> str:
    if tag.startswith("<!--"):
        return ""
    found = _TAG.fullmatch(tag)
    name = found[1].lower() if found else ""
    if _LINE_TAGS.fullmatch(name):
        return "\n"
    if name in {"td", "th"}:
        return " "
    return "" if _WORD_TAGS.fullmatch(name) else tag  # "<your name>" and "a<b and c>d" are no HTML
