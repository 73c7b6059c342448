"""Keys of sara.yaml that have a new name. One release still reads the old one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from pydantic import BaseModel

from sara.config.introspection import keys_of
from sara.config.nodes import Entry, ListNode, MapNode, Node, Scalar
from sara.config.validation import Checker
from sara.domain.suggestions import make_key_printable

REMEDY = "write the new name; the next release does not read the old one"

_CONVERSATION = ("conversation", "channels.*.conversation")
_HANDOFF = tuple(f"{block}.handoff" for block in _CONVERSATION)
_RETRY = ("retry.reply", "retry.send")


@dataclass(frozen=True, slots=True)
class RenamedKey:
    """A key with a new name, or with values that have one.

    `sections` are the blocks that it stands in; `*` is any one name. `values` maps old values, or items of a list, to new ones; where
    only values are renamed, `old` and `new` are the same.
    """

    sections: Sequence[str]
    old: str
    new: str
    values: Mapping[str, str] = field(default_factory=dict)


RENAMED_KEYS: Sequence[RenamedKey] = (
    RenamedKey(_CONVERSATION, "quiet", "debounce"),
    RenamedKey(_CONVERSATION, "quiet_longest", "debounce_max"),
    RenamedKey(_CONVERSATION, "while_thinking", "on_new_message", {"answer_both": "queue", "think_again": "restart"}),
    RenamedKey(_CONVERSATION, "hand_over", "handoff"),
    RenamedKey(_HANDOFF, "back_after", "return_after"),
    RenamedKey(_CONVERSATION, "tools", "tools", {"hand_over": "handoff"}),
    RenamedKey(_CONVERSATION, "hours", "opening_hours"),
    RenamedKey(_CONVERSATION, "close_after", "session_timeout"),
    RenamedKey(_CONVERSATION, "unhealthy_after", "alert_after"),
    RenamedKey(_RETRY, "first", "initial_delay"),
    RenamedKey(_RETRY, "longest", "max_delay"),
    RenamedKey(_RETRY, "outlast", "max_duration"),
    RenamedKey(("media",), "largest", "max_size"),
    RenamedKey(("words",), "hand_over", "handoff"),
)

RENAMED_OPTIONS: Sequence[RenamedKey] = (RenamedKey(("channels.*",), "doubt_hold", "doubt_timeout"),)
"""Options of plugins. An option is renamed only where the plugin has the new name and not the old one."""


def rename_keys(root: MapNode, checker: Checker) -> MapNode:
    """Return the tree under the new names, and report each old one."""
    return _rename_below(root, (), checker)


def rename_options(node: MapNode, path: Sequence[str], model: type[BaseModel], checker: Checker) -> MapNode:
    """Return the section of a plugin under the new names of its options, and report each old one."""
    known = keys_of(model)
    rows = [row for row in _rows_of(RENAMED_OPTIONS, path) if row.new in known and row.old not in known]
    return _rename_block(node, path, rows, checker) if rows else node


def _rename_below(node: MapNode, path: tuple[str, ...], checker: Checker) -> MapNode:
    renamed = _rename_block(node, path, _rows_of(RENAMED_KEYS, path), checker)
    entries = {
        key: Entry(entry.place, _rename_below(entry.node, (*path, key), checker)) if isinstance(entry.node, MapNode) else entry
        for key, entry in renamed.entries.items()
    }
    return MapNode(node.place, MappingProxyType(entries))


def _rename_block(node: MapNode, path: Sequence[str], rows: Iterable[RenamedKey], checker: Checker) -> MapNode:
    by_key = {key: row for row in rows for key in (row.old, row.new)}
    entries: dict[str, Entry] = {}
    for key, entry in node.entries.items():
        row = by_key.get(key)
        if row is None:
            entries[key] = entry
            continue
        name = ".".join(map(make_key_printable, (*path, key)))
        if key != row.new:
            if row.new in node.entries:
                message = f"{name} is the old name of {row.new}, which this block has too"
                checker.note("renamed_key", message, entry.place, f"remove {row.old}")
                continue
            checker.add_caution("renamed_key", f"{name} is now called {row.new}", entry.place, REMEDY)
        entries[row.new] = replace(entry, node=_rename_values(entry.node, name, row.values, checker))
    return MapNode(node.place, MappingProxyType(entries))


def _rename_values(node: Node, name: str, values: Mapping[str, str], checker: Checker) -> Node:
    if isinstance(node, ListNode) and values:
        return replace(node, items=tuple(_rename_values(item, name, values, checker) for item in node.items))
    if not isinstance(node, Scalar) or node.origin in ("secret", "broken") or node.text not in values:
        return node
    new = values[node.text]
    checker.add_caution("renamed_key", f"{name}: {node.text} is now called {new}", node.place, REMEDY)
    checker.revealed.shown.add(node)
    return replace(node, text=new, value=new)


def _rows_of(rows: Iterable[RenamedKey], path: Sequence[str]) -> list[RenamedKey]:
    return [row for row in rows if any(_matches(section, path) for section in row.sections)]


def _matches(section: str, path: Sequence[str]) -> bool:
    pattern = section.split(".")
    return len(pattern) == len(path) and all(want in ("*", key) for want, key in zip(pattern, path, strict=True))
