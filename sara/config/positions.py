"""Where things stand in the file, for findings that are made after it was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sara.config.diagnostics import Diagnostic, Kind
from sara.config.nodes import ListNode, MapNode, Node, Place, Scalar
from sara.config.redaction import Lines


@dataclass(frozen=True, slots=True)
class Positions:
    """The tree of a file that was read, and its lines with every secret hidden."""

    file: Path
    _root: Node | None = field(repr=False)
    _lines: Mapping[Path, Lines] = field(repr=False)

    def of(self, *keys: str) -> Place | None:
        """Return where the value at a path of keys stands; None if the file has none there."""
        node, place = self._root, None
        for key in keys:
            entry = node.entries.get(key) if isinstance(node, MapNode) else None
            if entry is None:
                return None
            node, place = entry.node, entry.place
        return node.place if isinstance(node, Scalar) and node.text else place

    def of_item(self, text: str, *keys: str) -> Place | None:
        """Return where an item stands in the list at a path of keys."""
        node = self._root
        for key in keys:
            entry = node.entries.get(key) if isinstance(node, MapNode) else None
            node = entry.node if entry is not None else None
        items = node.items if isinstance(node, ListNode) else ()
        return next((each.place for each in items if isinstance(each, Scalar) and each.text == text), None)

    def nearest(self, *keys: str) -> Place:
        """Return the place of the longest part of the path that the file has; the file as a whole if it has none of it."""
        for length in range(len(keys), 0, -1):
            if (place := self.of(*keys[:length])) is not None:
                return place
        return Place(self.file, 0, 0)

    def finding(self, kind: Kind, message: str, place: Place, hint: str = "", *, warning: bool = False) -> Diagnostic:
        """Return a finding at a place, with its line."""
        severity = "warning" if warning else "error"
        return self.attach(Diagnostic(kind, message, place.file, place.line, place.column, severity, hint))  # type: ignore[arg-type]

    def attach(self, finding: Diagnostic) -> Diagnostic:
        """Return a finding with its line of the file."""
        lines = self._lines.get(finding.file)
        return lines.attach(finding) if lines else finding
