"""What a file says that is allowed and cannot be meant: examples left in it, secrets that are damaged or stand in the open.

A finding of this module does not stop the daemon.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from pydantic import BaseModel

from sara.config.introspection import Models, holds_secret, keys_of, models_below, scalars
from sara.config.nodes import Entry, ListNode, MapNode, Node, Scalar, every_node
from sara.domain.options import Advice, Options, Placeholder
from sara.domain.suggestions import make_key_printable

_RESERVED_HOST = re.compile(
    r"(?:^|[/@.\s])(?:example\.(?:com|org|net|edu)|[\w-]+\.example|(?:your|my)[-.]?(?:own[-.]?)?(?:domain|site|server|host|shop|company|business)"
    r"(?:\.[a-z]{2,})?)(?:$|[/:?\s])",
    re.IGNORECASE,
)
"""Names that RFC 2606 keeps for examples, and those that manuals invent."""

_STANDS_FOR = re.compile(
    r"<[^<>]+>|\{\{?[^{}]+\}?\}|(?-i:\[[A-Z][A-Z_ -]+\])|[\w.-]*(?:…|\.\.\.)|[\w-]*x{4,}|\*{3,}|_{3,}|"
    r"(?:insert|put|enter|paste)[-_ ].*[-_ ]here|[\w-]+[-_]goes[-_]here|your[-_].{2,40}|(?-i:YOUR .{2,40})|"
    r"my[-_](?:\w+[-_])?(?:token|key|secret|password|id|number)|"
    r"change[-_ ]?(?:me|this)|replace[-_ ]?(?:me|this|it)|to[-_]?do|tbd|fix[-_]?me|place[-_ ]?holder|"
    r"(\d)\1{6,}|1234567\d*",
    re.IGNORECASE,
)
"""Texts that stand for one that is to be filled in. They are compared with the whole value."""

_QUOTES = "\"'“”„‘’`«»"


def is_stand_in(text: str) -> bool:
    """Return whether a value is one that manuals and examples use, and no real one."""
    trimmed = text.strip()
    return bool(trimmed) and "\n" not in trimmed and bool(_STANDS_FOR.fullmatch(trimmed) or _RESERVED_HOST.search(trimmed))


def find_placeholder(text: str, placeholders: Iterable[Placeholder]) -> str | None:
    """Return the first of an option's own example texts that its value still holds."""
    return next((each for marked in placeholders for each in marked.texts if _holds(text, each)), None)


def _holds(text: str, example: str) -> bool:
    folded, wanted = " ".join(text.split()), " ".join(example.split())
    return re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", folded) is not None


def fault_of_secret(text: str) -> str | None:
    """Describe what was copied along with a secret and is no part of it; None for one that looks whole. The secret is not
    repeated."""
    lines = text.rstrip("\r\n")
    if lines != lines.lstrip():
        return "begins with a blank"
    if lines != lines.rstrip():
        return "ends with a blank"
    for place, char in (("begins", lines[:1]), ("ends", lines[-1:])):
        if char and unicodedata.category(char) in ("Cf", "Cc"):
            return f"{place} with a character that cannot be seen"
    if len(lines) > 1 and lines[0] in _QUOTES and lines[-1] in _QUOTES:
        return "stands in quotation marks that are part of it"
    if re.match(r"bearer\s", lines, re.IGNORECASE):
        return "begins with the word Bearer, which is no part of it"
    return None


def found_fields(
    models: Models, node: MapNode, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Sequence[object], Entry]]:
    """Every option of a block that has a value, however deep: its path, the fields that may declare it, and its entry."""
    for name, entry in node.entries.items():
        fields = [keys[name] for keys in map(keys_of, models) if name in keys]
        yield (*path, name), fields, entry
        inner = models_below(fields) if fields else models
        if isinstance(entry.node, MapNode) and inner:
            yield from found_fields(inner, entry.node, (*path, name))
        elif isinstance(entry.node, ListNode) and inner:
            for item in entry.node.items:
                if isinstance(item, MapNode):
                    yield from found_fields(inner, item, (*path, name))


def examples_in(models: Models, node: MapNode) -> Iterator[tuple[tuple[str, ...], Scalar, str]]:
    """Yield values of a block that an option's declaration calls an example: path, value, and the text that gives it away."""
    for path, fields, entry in found_fields(models, node):
        marked = [each for info in fields for each in getattr(info, "metadata", ()) if isinstance(each, Placeholder)]
        if not marked:
            continue
        for scalar in scalars(entry.node):
            if scalar.origin != "broken" and (found := find_placeholder(scalar.text, marked)) is not None:
                yield path, scalar, found


def stand_ins(node: Node, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Scalar]]:
    """Yield all values at and below a node that stand for real ones. Secrets from elsewhere are judged where they stand."""
    if isinstance(node, Scalar):
        if isinstance(node.value, str) and node.origin in ("file", "env") and is_stand_in(node.text):
            yield path, node
    elif isinstance(node, ListNode):
        for item in node.items:
            yield from stand_ins(item, path)
    else:
        for name, entry in node.entries.items():
            yield from stand_ins(entry.node, (*path, make_key_printable(name)))


def open_secrets(models: Models, node: MapNode) -> Iterator[tuple[tuple[str, ...], Scalar]]:
    """Yield secrets that are written into the file itself."""
    for path, fields, entry in found_fields(models, node):
        if any(holds_secret(getattr(info, "annotation", None)) for info in fields):
            for scalar in every_node(entry.node):
                if isinstance(scalar, Scalar) and scalar.origin == "file" and scalar.text:
                    yield path, scalar


def advice_of(options: BaseModel, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Advice]]:
    """Yield the advice of checked options and of those within them, with the path of each."""
    if isinstance(options, Options):
        for advice in options.advise():
            yield (*path, *filter(None, advice.option.split("."))), advice
    for name in type(options).model_fields:
        value = getattr(options, name)
        if isinstance(value, BaseModel):
            yield from advice_of(value, (*path, name))
