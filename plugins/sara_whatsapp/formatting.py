"""From Markdown, as language models write it, to WhatsApp's own few marks; and the cut into parts. Pure.

WhatsApp knows bold, italic, strike, code, lists and quotes, and has no way to escape a mark. What it cannot show becomes
words, and a mark that it would not recognise is never written.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from sara import split_text, utf16_length

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

_BOLD, _ITALIC, _STRIKE, _CODE, _FENCE = "*", "_", "~", "`", "```"
_STYLES = {"strong": _BOLD, "em": _ITALIC, "s": _STRIKE}
_NARROW = 30
_DEEPEST = 12
# Three backticks in a row would start or end a block; nothing but an invisible space keeps them apart.
_UNBROKEN, _PARTED = re.compile(r"``(?=`)"), "``\u200b"
_URL_CHARS = r"[!#-&*-;=?-Z\\^_a-z{}~]"
# Addresses that people can tap. Bounded throughout, so that no text makes the search slow.
_ADDRESS = re.compile(
    rf"(?:https?://|ftp://|www\.){_URL_CHARS}+"
    rf"|(?<![\w@.-])(?:[a-z0-9-]{{1,63}}\.){{1,6}}[a-z]{{2,24}}/{_URL_CHARS}*"
    r"|(?<![a-z0-9])[a-z0-9][\w.+-]{0,63}@(?:[a-z0-9-]{1,63}\.){1,6}[a-z]{2,24}",
    re.IGNORECASE,
)
_LANGUAGE = re.compile(r"[\w+#.:/-]*(?:\s*\{.*\}|(?:\s+[\w-]+=\S+)*)")
_TASK = re.compile(r"\[([ xX])\](?=\s|$)")
_TAG = re.compile(
    r"</?([a-z][a-z0-9]*)(?:\s+(?:open|hidden|checked|disabled|[\w:.@-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'=<>`]+)))*\s*/?>",
    re.IGNORECASE,
)
_LINE_TAGS = re.compile(
    "address|article|aside|blockquote|br|caption|center|d[dlt]|details|div|fieldset|figcaption|figure|footer|form|h[1-6r]|header|li"
    "|main|nav|[ou]l|p|pre|section|summary|t(?:able|body|foot|head|r)"
)
_WORD_TAGS = re.compile(
    "a|abbr|audio|b|bd[io]|big|body|button|cite|code|col|colgroup|data|del|dfn|em|embed|font|head|html|i|iframe|img|input|ins|kbd"
    "|label|link|mark|meta|object|option|picture|q|s|samp|script|select|small|source|span|strike|strong|style|su[bp]|svg|textarea"
    "|time|title|tt|u|var|video|wbr"
)


class _Run(NamedTuple):
    """A stretch of text in one dress: WhatsApp's marks that it is to wear."""

    text: str
    marks: frozenset[str] = frozenset()


def to_whatsapp(markdown: str) -> str:
    """`markdown` as WhatsApp shows it best. Ordinary text comes out as it went in; blank text comes out empty."""
    source = re.sub(r"\r\n?", "\n", markdown)
    try:
        return _Page(source.split("\n")).blocks(_parser().parse(source, {})).strip()
    except RecursionError:
        # Brackets nested by the hundred are no Markdown that anybody meant.
        return source.strip()


def split(text: str, limit: int) -> list[str]:
    """Cut WhatsApp text into parts of at most `limit` UTF-16 units; a code block that is cut is closed and opened again.

    Cuts fall where `split_text` puts them, but before an address or a code block that would fit as a whole.
    """
    parts: list[str] = []
    text = text.strip()
    while utf16_length(text) > limit:
        part, text = _cut(text, limit)
        parts.append(part)
    return [part for part in [*parts, text] if part]


# ── parts ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

_BLOCK = re.compile(r"```(\n?)(.*?)```", re.DOTALL)
_SMALLEST = 32  # below this there is no room for closing and opening code blocks


def _cut(text: str, limit: int) -> tuple[str, str]:
    end = _end(text, limit)
    block = next((match for match in _BLOCK.finditer(text) if match.end() > end), None) if limit >= _SMALLEST else None
    if block and block.start() < end:
        # The same economy as in `split_text`: a part of less than a third is not worth its price.
        if block.start() > limit // 3 and (utf16_length(block[0]) <= limit or end - block.start() < _SMALLEST):
            end = block.start()
        else:
            return _cut_code(text, limit, block)
    else:
        end = _before_address(text, end, limit)
    return text[:end].rstrip(), text[end:].lstrip()


def _cut_code(text: str, limit: int, block: re.Match[str]) -> tuple[str, str]:
    end = min(_end(text, limit - utf16_length(f"\n{_FENCE}")), block.end(2))
    if end <= block.start(2):
        # Only the fence itself and blank lines fit before the cut.
        end = block.start()
        if end:
            return text[:end].rstrip(), text[end:]
        end = block.start(2)
    part = f"{text[:end].rstrip()}{block[1]}{_FENCE}" if text[block.start(2) : end].strip() else text[: block.start()].rstrip()
    rest = text[end:]
    blank = re.match(r"(?:[^\S\n]*\n)+", rest)
    rest = rest[blank.end() :] if blank else rest.lstrip()
    if rest.lstrip().startswith(_FENCE):
        return part, rest.lstrip().removeprefix(_FENCE).lstrip()
    return part, f"{_FENCE}{block[1]}{rest}"


def _before_address(text: str, end: int, limit: int) -> int:
    """`end` itself, or the start of the address that would be cut there and fits into a part of its own."""
    head, tail = text[:end].rsplit(None, 1), text[end : end + limit].split(None, 1)
    cut = head[-1] + tail[0] if tail and not text[end].isspace() else ""
    return end - len(head[-1]) if len(head) > 1 and "://" in cut and utf16_length(cut) <= limit else end


def _end(text: str, limit: int) -> int:
    """Where the first piece of `text` ends. It depends on little more than `limit` characters."""
    return len(split_text(text[: limit + 64], limit)[0])


# ── blocks ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Page:
    """Writes block after block. `depth` counts the lists around a block."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines

    def blocks(self, tokens: Sequence[Token], depth: int = 0, *, quoted: bool = False) -> str:
        page, apart = "", False
        for token, inner in _nested(tokens):
            apart = apart or token.type == "hr" or self._after_blank(token)
            if text := self._block(token, inner, depth, quoted):
                page += ("\n\n" if apart else "\n") + text if page else text
                apart = False
        return page

    def _after_blank(self, token: Token) -> bool:
        """Whether the writer left a line free before this. A chat keeps line breaks as they were typed."""
        return bool(token.map and token.map[0] and not self._lines[token.map[0] - 1].strip("> \t"))

    def _block(self, token: Token, inner: Sequence[Token], depth: int, quoted: bool) -> str:
        indent = "  " * max(0, depth - 1)
        match token.type:
            case "paragraph_open":
                return _indented(_inline(inner[0].children), indent)
            case "heading_open":
                return _indented(_inline(inner[0].children, _BOLD), indent)
            case "bullet_list_open" | "ordered_list_open":
                return self._list(inner, depth, quoted)
            case "blockquote_open":
                lines = self.blocks(inner, quoted=True).split("\n")
                return "\n".join(f"> {line}" for line in lines if line.strip())
            case "fence":
                return _fence(token, quoted)
            case "table_open":
                return self._table(token, inner, quoted)
        return ""

    def _list(self, tokens: Sequence[Token], depth: int, quoted: bool) -> str:
        items = list(_nested(tokens))
        counted = len(items) > 1 and len({item.info for item, _ in items}) == 1
        page = ""
        for index, (item, inner) in enumerate(items):
            number = str(int(item.info) + index) if item.info and counted else item.info
            _tick(inner)
            body = self.blocks(inner, depth + 1, quoted=quoted).lstrip(" ")
            if item.info:
                marker = number + item.markup
            elif not body:
                continue
            elif item.markup == "+" and (len(items) == 1 or body[0].isdigit() or unicodedata.category(body[0]) == "Sc"):
                marker = "+"  # a sum or a telephone number
            else:
                marker = "–" if depth else "-"
            first = inner[0].type if inner else ""
            if first == "bullet_list_open" and body.startswith("–"):
                body = f"-{body[1:]}"  # "5. - 7. May" is a list only to a parser
            gap = "\n" if first in {"fence", "table_open"} else " "
            line = "  " * depth + f"{marker}{gap}{body}".rstrip()
            page += ("\n\n" if self._after_blank(item) else "\n") + line if page else line
        return page

    def _table(self, token: Token, inner: Sequence[Token], quoted: bool) -> str:
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
        words = [[_plain(cell) for cell in row] for row in rows]
        if not quoted and len(rows) > 1 and (grid := _grid(words, aligned)):
            return f"{_FENCE}\n{grid}\n{_FENCE}"
        return _rows(rows)


def _nested(tokens: Sequence[Token]) -> Iterator[tuple[Token, Sequence[Token]]]:
    """Each token of the outermost level with the tokens inside it."""
    start = 0
    while start < len(tokens):
        token, end = tokens[start], start
        if token.nesting == 1:
            end = next(i for i in range(start + 1, len(tokens)) if tokens[i].level == token.level and tokens[i].nesting == -1)
        yield token, tokens[start + 1 : end]
        start = end + 1


def _indented(text: str, indent: str) -> str:
    return "\n".join(indent + line for line in text.split("\n")) if text else ""


def _fence(token: Token, quoted: bool) -> str:
    body = token.content.rstrip().removeprefix("\n")
    if not _LANGUAGE.fullmatch(token.info.strip()) or not body.strip():
        body = f"{token.info.strip()}\n{body}".rstrip()  # words, in the place where Markdown has the language
    if not body.strip():
        return ""
    if quoted:
        # A block runs over lines and would end the quote.
        return "\n".join(_code(line) for line in body.split("\n"))
    return f"{_FENCE}\n{_UNBROKEN.sub(_PARTED, body)}\n{_FENCE}"


def _tick(item: Sequence[Token]) -> None:
    """Make the `[ ]` or `[x]` of a task a box."""
    children = item[1].children if len(item) > 1 and item[0].type == "paragraph_open" else None
    if children and children[0].type == "text":
        content = children[0].content
        if box := _TASK.match(content):
            children[0].content = ("☐" if box[1] == " " else "☑") + content[box.end() :]


def _grid(rows: Sequence[Sequence[str]], aligned: Sequence[str]) -> str:
    """The table in columns; empty if it is too wide, or holds an address, which could not be tapped in code."""
    widths = [max(1, *(_width(cell) for cell in column)) for column in zip(*rows, strict=True)]
    if sum(widths) + 2 * (len(widths) - 1) > _NARROW or any(_ADDRESS.search(cell) for row in rows for cell in row):
        return ""
    head, *body = rows
    lines = [head, ["-" * width for width in widths], *body] if any(head) else body
    padded = (
        "  ".join(
            " " * (width - _width(cell)) + cell if "right" in style else cell + " " * (width - _width(cell))
            for cell, width, style in zip(line, widths, aligned, strict=True)
        ).rstrip()
        for line in lines
    )
    return _UNBROKEN.sub(_PARTED, "\n".join(padded))


def _width(text: str) -> int:
    """The columns that `text` takes in type of one width."""
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _rows(rows: Sequence[Sequence[list[Token]]]) -> str:
    """The table as a list: every cell behind the name of its column."""
    names = [_flat(_inline(cell, _BOLD)) for cell in rows[0]]
    if len(rows) == 1:
        return f"- {'; '.join(filter(None, names))}" if any(names) else ""
    lines = []
    for row in rows[1:]:
        cells = [_flat(_inline(cell)) for cell in row]
        named = [f"{name}: {cell or '–'}" if name else cell for name, cell in zip(names, cells, strict=True)]
        if any(cells):
            lines.append(f"- {'; '.join(filter(None, named))}")
    return "\n".join(lines)


# ── inline ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _inline(tokens: Sequence[Token] | None, *marks: str) -> str:
    lines: list[list[_Run]] = [[]]
    for text, worn in _runs(tokens or (), frozenset(marks)):
        first, *more = text.split("\n")
        lines[-1].append(_Run(first, worn))
        lines += [[_Run(line, worn)] for line in more]
    text = "\n".join(_marked([run for run in line if run.text]).strip() for line in lines)
    return _UNBROKEN.sub(_PARTED, re.sub(r"\n{2,}", "\n", text)).strip()


def _plain(tokens: Sequence[Token]) -> str:
    return _flat("".join(run.text for run in _runs(tokens)))


def _flat(text: str) -> str:
    return " ".join(text.split("\n")).strip()


def _runs(tokens: Sequence[Token], marks: frozenset[str] = frozenset()) -> list[_Run]:
    runs: list[_Run] = []
    worn = [*marks]
    link: tuple[int, Token] | None = None  # links are never nested
    for token in _settled(tokens):
        kind = token.type
        if kind == "text":
            runs += _dressed(token.content, frozenset(worn))
        elif kind.removesuffix("_open") in _STYLES:
            worn.append(_STYLES[token.tag])
        elif kind.removesuffix("_close") in _STYLES:
            worn.remove(_STYLES[token.tag])
        elif kind == "code_inline":
            runs.append(_Run(token.content.strip(), frozenset({_CODE})))
        elif kind == "link_open":
            link = len(runs), token
        elif kind == "link_close" and link:
            start, opening = link
            runs[start:] = _linked(runs[start:], opening)
        elif kind == "image":
            runs.append(_Run(_joined(_plain(token.children or ()), str(token.attrGet("src") or ""), "{}: {}")))
        elif kind == "html_inline":
            runs.append(_Run(_unhtml(token.content)))
        else:
            runs.append(_Run("\n"))
    return runs


def _dressed(text: str, marks: frozenset[str]) -> Iterator[_Run]:
    """Addresses wear nothing: a mark that touches one is easily taken for a part of it."""
    start = 0
    for begin, end in _addresses(text) if marks else ():
        yield _Run(text[start:begin], marks)
        yield _Run(text[begin:end])
        start = end
    yield _Run(text[start:], marks)


def _linked(label: list[_Run], opening: Token) -> list[_Run]:
    text = "".join(run.text for run in label).strip()
    url = re.sub(r"^(?:mailto|tel):", "", str(opening.attrGet("href") or ""), flags=re.IGNORECASE)
    if opening.markup == "autolink" or url.startswith("#"):
        return [_Run(run.text) for run in label]
    joined = _joined(text, url, "{} ({})")
    return [*label, _Run(f" ({url})")] if text and len(joined) > len(text) and joined != url else [_Run(joined)]


def _joined(text: str, url: str, form: str) -> str:
    if not text or not url:
        return text or url
    if _bare(text) != _bare(url):
        return form.format(text, url)
    return text if "://" in text or "://" not in url else url


def _bare(address: str) -> str:
    """What two ways to write an address have in common."""
    address = re.sub(r"^(?:https?://|mailto:|tel:)?(?:www\.)?", "", unquote(address.strip()).casefold()).rstrip("/")
    return re.sub(r"[\s()/.-]", "", address) if re.fullmatch(r"\+?[\d\s()/.-]+", address) else address


def _unhtml(tag: str) -> str:
    if tag.startswith("<!--"):
        return ""
    found = _TAG.fullmatch(tag)
    name = found[1].lower() if found else ""
    if _LINE_TAGS.fullmatch(name):
        return "\n"
    if name in {"td", "th"}:
        return " "
    return "" if _WORD_TAGS.fullmatch(name) else tag  # "<your name>" and "a<b and c>d" are no HTML


# ── marks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _settled(tokens: Sequence[Token]) -> list[Token]:
    """The tokens with emphasis that nobody meant turned back into its characters, and emphasis inside a word removed."""
    tokens = [token for token in tokens if token.type != "text" or token.content]
    open_at: list[int] = []
    removed: set[int] = set()
    for index, token in enumerate(tokens):
        if token.tag not in _STYLES:
            continue
        if token.nesting == 1:
            open_at.append(index)
            continue
        start = open_at.pop()
        fate = _fate(tokens, start, index)
        if fate == "drop":
            removed |= {start, index}
        elif fate == "restore":
            for end in (tokens[start], token):
                end.type, end.tag, end.nesting, end.content = "text", "", 0, end.markup
    return [token for index, token in enumerate(tokens) if index not in removed]


def _fate(tokens: Sequence[Token], start: int, end: int) -> str:
    single = len(tokens[start].markup) == 1
    if not any(_says(token, lone=single) for token in tokens[start + 1 : end]):
        return "restore"  # a face, e.g. *_*
    before, after = _edge(tokens, start - 1, -1), _edge(tokens, end + 1, 0)
    first, last = _edge(tokens, start + 1, 0), _edge(tokens, end - 1, -1)
    left, right = _is_word(before), _is_word(after)
    if not left and not right:
        return "keep"
    if single:
        return "restore" if first else "drop"  # 2*3*4
    numbers = (left and before.isdigit() and first.isdigit()) or (right and after.isdigit() and last.isdigit())
    spaced = left and right and any(" " in token.content for token in tokens[start + 1 : end])
    return "restore" if numbers or spaced else "drop"  # 2**3**4 and f**k that s**t; but wunder**bar**


def _says(token: Token, *, lone: bool) -> bool:
    if token.type not in {"text", "code_inline"}:
        return token.type == "image"
    return any(_is_word(char) or char > "\x7f" or not (lone or char in "*_~ ") for char in token.content)


def _edge(tokens: Sequence[Token], index: int, side: int) -> str:
    """The character that a mark touches; empty at an end of the text or next to another mark."""
    if not 0 <= index < len(tokens) or tokens[index].type != "text":
        return ""
    return tokens[index].content[side]


def _marked(runs: Sequence[_Run], before: str = "", after: str = "") -> str:
    """One line with its marks, the longest stretch outside. `before` and `after` are what stands around it."""
    line, start = "", 0
    while start < len(runs):
        text, marks = runs[start]
        end = start + 1
        if not marks:
            line += text
        elif _CODE in marks:
            line += _code(text)
        else:
            mark, end = max(((mark, _extent(runs, start, mark)) for mark in sorted(marks)), key=lambda found: found[1])
            inner = [_Run(run.text, run.marks - {mark}) for run in runs[start:end]]
            following = runs[end].text if end < len(runs) else after
            line += _wrapped(inner, mark, line[-1:] or before, following[:1])
        start = end
    return line


def _extent(runs: Sequence[_Run], start: int, mark: str) -> int:
    return next((index for index in range(start, len(runs)) if mark not in runs[index].marks), len(runs))


def _wrapped(runs: Sequence[_Run], mark: str, before: str, after: str) -> str:
    text = "".join(run.text for run in runs)
    if (_is_word(before) and not text[:1].isspace()) or (_is_word(after) and not text[-1:].isspace()):
        return _marked(runs, before, after)
    inner = _marked(runs)
    core = inner.strip()
    # WhatsApp would end the mark at the first one that stands behind a word.
    ends_early = core.startswith(mark) or re.search(rf"(?<=\S){re.escape(mark)}(?!\w)", core)
    if ends_early or not any(_is_word(char) or char > "\x7f" for char in core):
        return inner
    lead = inner[: len(inner) - len(inner.lstrip())]
    return f"{lead}{mark}{core}{mark}{inner[len(lead) + len(core) :]}"


def _code(text: str) -> str:
    return text if _CODE in text or not text.strip() else f"{_CODE}{text}{_CODE}"


def _is_word(char: str) -> bool:
    return bool(char) and unicodedata.category(char)[0] in "LNM"


# ── the parser ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def _parser() -> MarkdownIt:
    """Markdown with tables and strikethrough, less whatever swallows ordinary text. Imported late: it is slow to import."""
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import blockquote, lheading, list_block

    def quote(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        return (
            state.level < _DEEPEST
            and bool(re.match(r">+(?:\s|$)", _line(state, start)))
            and blockquote(state, start, end, silent)
        )

    def listing(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        return state.level < _DEEPEST and list_block(state, start, end, silent)

    def underlined(state: StateBlock, start: int, end: int, silent: bool) -> bool:
        # Three hyphens are a rule, even right below a line.
        line = _line(state, start + 1) if start + 1 < end else ""
        return bool(re.fullmatch(r"(?:={3,}|-{4,})\s*", line)) and lheading(state, start, end, silent)

    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    # Indented text is no code in a chat, "[Note]: Monday" is not the target of a link, and tags are judged one by one.
    parser.disable(["code", "reference", "html_block"])
    parser.block.ruler.at("blockquote", quote, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    parser.block.ruler.at("list", listing, {"alt": ["paragraph", "reference", "blockquote"]})
    parser.block.ruler.at("lheading", underlined)
    parser.inline.ruler.before("escape", "literal", _literal)
    parser.normalizeLink = lambda url: url.replace(" ", "%20")  # type: ignore[method-assign]  # people are to read it
    return parser


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]]


def _literal(state: StateInline, silent: bool) -> bool:
    """Marks inside an address are part of it, and the shrug keeps its arm."""
    start = end = state.pos
    char = state.src[start]
    if char in "*_~":
        if state.src not in state.env:
            state.env[state.src] = _addresses(state.src)
        if last := next((last for first, last in state.env[state.src] if first <= start < last), 0):
            end = last - len(state.src[start:last].lstrip(char))
    elif char == "\\" and state.src[start - 1 : start] == "¯":
        end += 1
    if not silent:
        state.pending += state.src[start:end]
    state.pos = end
    return end > start


def _addresses(text: str) -> list[tuple[int, int]]:
    """Where addresses begin and end. Marks and stops at the end of one belong to the sentence."""
    found = ((match.start(), match[0].rstrip(".,:;!?*_~\\")) for match in _ADDRESS.finditer(text))
    return [(start, start + len(address)) for start, address in found]
