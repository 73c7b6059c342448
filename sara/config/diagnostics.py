"""What is wrong with a configuration, where, and how it is shown. No secret ever gets into a finding."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal[
    "file", "syntax", "include", "secret", "env", "plugin", "unknown_key", "renamed_key", "missing", "value", "example", "advice"
]

_WIDEST = 120


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that is wrong with the configuration.

    Lines and columns count from 1; line 0 means the file as a whole. A `warning` does not stop `sara run`: an unknown key, or
    a channel or responder whose plugin is missing. `source` is the line of the file with every value hidden that is or may
    be secret, and `caret` the column in it to point at.
    """

    kind: Kind
    message: str
    file: Path
    line: int = 0
    column: int = 0
    severity: Literal["error", "warning"] = "error"
    hint: str = ""
    source: str = ""
    caret: int = 0

    @property
    def where(self) -> str:
        """Return the place as `sara.yaml:14:5`."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else str(self.file)

    def render(self) -> str:
        """Return the finding as people read it: one line, then the line of the file with a caret below."""
        headline = f"{self.where}: {self.message}" + (f"; {self.hint}" if self.hint else "")
        if not self.source.strip():
            return headline
        line, caret = _window(self.source, self.caret)
        # Seen as a terminal would show it: no escape sequence and no reversed text gets through.
        line = "".join(letter if letter.isprintable() or letter == "\t" else "\N{REPLACEMENT CHARACTER}" for letter in line)
        indent = "".join("\t" if letter == "\t" else " " * _cells(letter) for letter in line[: max(caret - 1, 0)])
        return f"{headline}\n  {line}\n  {indent}^"

    def __str__(self) -> str:
        return self.render()

    def as_json(self) -> dict[str, str | int]:
        """Return the finding as programs read it."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "message": self.message,
            "hint": self.hint,
            "file": str(self.file),
            "line": self.line,
            "column": self.column,
            "source": self.source,
        }


def _window(line: str, caret: int) -> tuple[str, int]:
    """Return the part of a long line around the caret."""
    if len(line) <= _WIDEST:
        return line, caret
    start = max(0, min(caret - _WIDEST // 2, len(line) - _WIDEST))
    return line[start : start + _WIDEST], caret - start


def _cells(letter: str) -> int:
    """Return how many cells of a terminal a letter takes."""
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
