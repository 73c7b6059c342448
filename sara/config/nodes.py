"""The tree of a YAML file: values that know where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

from sara.config.diagnostics import Diagnostic

TAGS = ("secret", "env", "include")

Value: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in a file; lines and columns count from 1."""

    file: Path
    line: int
    column: int


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """One value. `text` is what was written, `value` what it means.

    `tag` is one of TAGS while that is still to be looked up. `origin` is where the value came from; `broken` is one whose fault
    is already reported, so that it is reported once. `end` is the line and column just behind it.
    """

    place: Place
    end: tuple[int, int]
    value: Value
    text: str
    tag: str = ""
    origin: Literal["file", "secret", "env", "include", "broken"] = "file"


@dataclass(frozen=True, slots=True, eq=False)
class ListNode:
    """Values in order."""

    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A value under a key; `place` is the key's."""

    place: Place
    node: Node


@dataclass(frozen=True, slots=True, eq=False)
class MapNode:
    """Values by key, in the order of the file."""

    place: Place
    entries: Mapping[str, Entry] = field(default_factory=lambda: MappingProxyType({}))


Node: TypeAlias = Scalar | ListNode | MapNode


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed file. `root` is None if it could not be parsed. `scalars` are all values in it, also those that were dropped,
    and `keys` all keys: a line is shown by what is known to be harmless on it."""

    file: Path
    lines: tuple[str, ...]
    root: Node | None
    findings: tuple[Diagnostic, ...]
    scalars: tuple[Scalar, ...] = ()
    keys: tuple[Scalar, ...] = ()


def every_node(node: Node) -> Iterator[Node]:
    """Yield a node and all below it."""
    yield node
    children = [entry.node for entry in node.entries.values()] if isinstance(node, MapNode) else []
    children += node.items if isinstance(node, ListNode) else []
    for child in children:
        yield from every_node(child)


def merge(base: MapNode, over: MapNode) -> MapNode:
    """Return `over` with what it leaves out taken from `base`, block by block."""
    entries = dict(base.entries)
    for key, entry in over.entries.items():
        below = base.entries[key].node if key in base.entries else None
        both = isinstance(below, MapNode) and isinstance(entry.node, MapNode)
        entries[key] = Entry(entry.place, merge(below, entry.node)) if both else entry  # type: ignore[arg-type]
    return MapNode(over.place, MappingProxyType(entries))
