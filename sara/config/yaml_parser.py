"""YAML text → nodes that know where they stand. Pure: no files are opened here.

What YAML 1.1 guesses about plain text is off: only `true`, `false`, `null`, `~`, nothing at all, and plain decimal numbers mean
anything but text. `no`, `on`, `0123`, `12:30:45`, `+5511999990000` and dates stay as they are written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import yaml
from yaml.parser import Parser
from yaml.reader import Reader, ReaderError
from yaml.scanner import Scanner

from sara.config.diagnostics import Diagnostic
from sara.config.nodes import TAGS, Entry, ListNode, MapNode, Node, Place, Scalar, Source, Value
from sara.domain.suggestions import make_key_printable, suggest

LARGEST = 256 * 1024
"""No file is read beyond this many bytes."""

DEEPEST = 50
"""No value is nested deeper than this many levels, included files counted in."""

_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,18}")
_WORDS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}


def split_lines(text: str) -> tuple[str, ...]:
    """Return the lines of a text as YAML counts them."""
    return tuple(_LINE_END.split(text))


def meaning(text: str) -> Value:
    """Return the meaning of a plain scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    return text


def whole_characters(text: str) -> str | None:
    """Return the text with halves of characters joined; None if one stays half, or is NUL: no file, database or log takes
    those."""
    try:
        joined = text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        return None
    return None if "\0" in joined else joined


def parse(text: str, file: Path) -> Source:
    """Parse one YAML file. Never raises: what is wrong stands in the findings, with as much of the tree as could be kept."""
    lines = split_lines(text)
    builder: _Builder | None = None
    root: Node | None = None
    findings: list[Diagnostic] = []
    try:
        builder = _Builder(text, file)
        root = builder.document()
    except yaml.MarkedYAMLError as error:
        findings.append(_syntax(error, file, builder.events.quoted if builder else None))
    except ReaderError as error:
        before = split_lines(text[: error.position])
        findings.append(Diagnostic("syntax", "a control character is not allowed here", file, len(before), len(before[-1]) + 1))
    except (ValueError, OverflowError):
        # PyYAML hands "\UFFFFFFFF" to chr() unchecked.
        reached = builder.events if builder else None
        line, column = (reached.line + 1, reached.column + 1) if reached else (1, 1)
        findings.append(Diagnostic("syntax", "an escape in quotes names a character that does not exist", file, line, column))
    if builder is None:
        return Source(file, lines, None, tuple(findings))
    return Source(file, lines, root, (*builder.findings, *findings), tuple(builder.scalars), tuple(builder.keys))


class _TooDeep(yaml.MarkedYAMLError):
    """Nested beyond DEEPEST."""


class _Unclosed(yaml.MarkedYAMLError):
    """A quotation mark that nothing closes in its line or in the indented ones below."""


class _Events(Reader, Scanner, Parser):
    """PyYAML's parser without its composer, which recurses. The scanner looks far ahead at nested brackets, so depth is
    bounded there already."""

    def __init__(self, text: str) -> None:
        self.quoted: tuple[Any, Any] | None = None  # where the last text in quotes begins and ends
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)

    def scan_flow_scalar(self, style: str) -> Any:
        """PyYAML takes every line up to the next quotation mark, also those of the keys that follow; YAML wants them indented."""
        begin, indent = self.get_mark(), self.indent
        token = super().scan_flow_scalar(style)
        end = self.get_mark()
        self.quoted = begin, end
        lines = split_lines(self.buffer[begin.pointer : end.pointer])[1:]
        if any(line.strip() and len(line) - len(line.lstrip(" ")) <= indent for line in lines):
            raise _Unclosed(problem_mark=begin)
        return token

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:  # PyYAML's own name
        self._bound()
        super().fetch_flow_collection_start(TokenClass)

    def add_indent(self, column: int) -> bool:
        self._bound()
        return bool(super().add_indent(column))

    def _bound(self) -> None:
        if self.flow_level + len(self.indents) > DEEPEST:
            raise _TooDeep(problem_mark=self.get_mark())


class _Builder:
    """Builds nodes from parse events. Faults that leave the structure clear are noted; others are PyYAML's exceptions."""

    def __init__(self, text: str, file: Path) -> None:
        self.events = _Events(text)
        self.file = file
        self.findings: list[Diagnostic] = []
        self.scalars: list[Scalar] = []
        self.keys: list[Scalar] = []

    def document(self) -> Node:
        """Return the file's one document; an empty file is a null."""
        self._next()
        if isinstance(self._peek(), yaml.StreamEndEvent):
            return Scalar(Place(self.file, 1, 1), (1, 1), None, "")
        self._next()
        root = self._node(self._next(), 1)
        self._next()
        if not isinstance(extra := self._peek(), yaml.StreamEndEvent):
            self._note(self._place(extra), "a second document begins here", "remove the line ---")
        return root

    def _next(self) -> Any:
        return self.events.get_event()  # type: ignore[no-untyped-call]

    def _peek(self) -> Any:
        return self.events.peek_event()  # type: ignore[no-untyped-call]

    def _place(self, event: Any) -> Place:
        return Place(self.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _end(self, event: Any) -> tuple[int, int]:
        return event.end_mark.line + 1, event.end_mark.column + 1

    def _note(self, place: Place, message: str, hint: str = "") -> None:
        self.findings.append(Diagnostic("syntax", message, place.file, place.line, place.column, hint=hint))

    def _node(self, event: Any, depth: int) -> Node:
        if depth > DEEPEST:
            raise _TooDeep(problem_mark=event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            hint = "write the value out, or put it in quotes if it is text"
            self._note(self._place(event), "aliases (*name) are not allowed", hint)
            return self._keep(event, None, "", origin="broken")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if event.tag is not None:
            self._bad_tag(event)
        if event.tag is not None or event.anchor is not None:
            self._keep(event, None, "", origin="broken")  # a password without quotes may look like a tag or an anchor
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Node] = []
            while not isinstance(inner := self._next(), yaml.SequenceEndEvent):
                items.append(self._node(inner, depth + 1))
            return ListNode(self._place(event), tuple(items))
        return self._map(event, depth)

    def _map(self, event: Any, depth: int) -> MapNode:
        entries: dict[str, Entry] = {}
        while not isinstance(key := self._next(), yaml.MappingEndEvent):
            place = self._place(key)
            name = self._key(key, depth)
            node = self._node(self._next(), depth + 1)
            if name is None:
                self._note(place, "a key must be a plain word")
            elif isinstance(node, Scalar) and (node.place.line, node.place.column) == self._end(key):
                # `{token:abc}` and `{token abc}` are all key.
                self._keep(key, None, "", origin="broken")
                self._note(place, "a colon with a space behind it is missing here")
            elif name in entries:
                first = entries[name].place
                hint = f"the first is at {first.file}:{first.line}:{first.column}"
                self._note(place, f"{make_key_printable(name)} is given twice", hint)
            else:
                entries[name] = Entry(place, node)
        return MapNode(self._place(event), MappingProxyType(entries))

    def _key(self, event: Any, depth: int) -> str | None:
        if not isinstance(event, yaml.ScalarEvent):
            self._node(event, depth + 1)
            return None
        self.keys.append(Scalar(self._place(event), self._end(event), event.value, event.value))
        if ":" in event.value:  # `token:abc: `
            self._keep(event, None, "", origin="broken")
        return (whole_characters(event.value) or None) if event.tag is None else None

    def _scalar(self, event: Any) -> Scalar:
        text = whole_characters(event.value)
        if text is None:
            self._note(self._place(event), "this text holds a character that does not exist", "look at its \\ escapes")
            return self._keep(event, None, "", origin="broken")
        tag = (event.tag or "").removeprefix("!")
        if event.style is None and len(text) > 1 and text[-1] in "\"'" and text.count(text[-1]) == 1:
            place = self._place(event)
            hint = "write another one before it, or put all of it between marks of the other kind"
            self.findings.append(Diagnostic("syntax", UNOPENED, place.file, place.line, place.column, "warning", hint))
        if event.tag in (None, "!", "tag:yaml.org,2002:str"):
            return self._keep(event, meaning(text) if event.implicit[0] else text, text)
        if event.tag == f"!{tag}" and tag in TAGS:
            return self._keep(event, None, text.strip(), tag=tag)
        self._bad_tag(event)
        return self._keep(event, None, "", origin="broken")

    def _keep(self, event: Any, value: Value, text: str, tag: str = "", origin: Literal["file", "broken"] = "file") -> Scalar:
        scalar = Scalar(self._place(event), self._end(event), value, text, tag, origin)
        self.scalars.append(scalar)
        return scalar

    def _bad_tag(self, event: Any) -> None:
        # The tag itself is not repeated: it may be the beginning of a password that should have been in quotes.
        tag = event.tag.removeprefix("!")
        if tag in TAGS:
            message, hint = f"!{tag} must be followed by a name on the same line", ""
        else:
            message = "this tag is not known; there are !secret, !env and !include"
            hint = suggest(tag, TAGS, "!") or _QUOTE_TAG
        self._note(self._place(event), message, hint)


UNCLOSED = "this quotation mark is never closed"
UNOPENED = "this text ends with a quotation mark, and none begins it"
BEHIND_QUOTE = "the text in quotes ends before this"
ABOUT_QUOTES = frozenset({UNCLOSED, UNOPENED, BEHIND_QUOTE})
"""Messages that hold nothing of the file."""

_INNER_QUOTE = 'a quotation mark within the text is missing its other half, or must be another: "it\'s", \'say "hello"\''
_QUOTE_TAG = "put text that begins with ! in quotes"

_FRIENDLY = (
    (r"'\\t' that cannot start", "a tab is not allowed here", "indent with spaces"),
    (r"that cannot start any token", "text cannot begin with this character", "put it in quotes"),
    (r"mapping values are not allowed", "a colon is not allowed here", "check the indentation, or put the text in quotes"),
    (r"could not find expected ':'", "a colon and a value are missing here", ""),
    (r"expected <block end>", "the indentation does not match the lines above", ""),
    (r"undefined tag handle", "this tag is not known; there are !secret, !env and !include", _QUOTE_TAG),
    (r"expected ',' or '[]}]'", "a bracket is not closed, or a comma is missing", ""),
    (r"unknown escape character", "this \\ escape does not exist", "use single quotes for text with backslashes"),
)


def _is_behind(mark: Any, end: Any, problem: str) -> bool:
    """Return whether the parser fails right behind a text in quotes. With a blank between them, a comma may be missing
    instead."""
    distance = mark.column - end.column if mark.line == end.line else -1
    return distance == 0 or (distance > 0 and problem.startswith("expected <block end>"))


_CLOSE = "write the second one at the end of the text"


def _syntax(error: yaml.MarkedYAMLError, file: Path, quoted: tuple[Any, Any] | None) -> Diagnostic:
    mark: Any = error.problem_mark or error.context_mark
    if isinstance(error, _Unclosed) or "found unexpected end of stream" in (error.problem or ""):
        begin = mark if isinstance(error, _Unclosed) else error.context_mark or mark
        return Diagnostic("syntax", UNCLOSED, file, begin.line + 1, begin.column + 1, hint=_CLOSE)
    if quoted and mark and _is_behind(mark, quoted[1], error.problem or ""):
        begin, end = quoted
        if begin.line < end.line:  # it went on to the next mark, which was to begin another text
            return Diagnostic("syntax", UNCLOSED, file, begin.line + 1, begin.column + 1, hint=_CLOSE)
        return Diagnostic("syntax", BEHIND_QUOTE, file, mark.line + 1, mark.column + 1, hint=_INNER_QUOTE)
    message, hint = f"this is not valid YAML: {error.problem or error.context}", ""
    if isinstance(error, _TooDeep):
        message = f"this is nested more than {DEEPEST} levels deep"
    for pattern, friendly, advice in _FRIENDLY:
        if re.search(pattern, error.problem or ""):
            message, hint = friendly, advice
            break
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return Diagnostic("syntax", message, file, line, column, hint=hint)
