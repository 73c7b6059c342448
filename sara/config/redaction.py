"""The lines of the file that findings show, with everything hidden that is or may be secret."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace

from sara.config.diagnostics import Diagnostic
from sara.config.introspection import SecretMap, looks_harmless
from sara.config.nodes import Scalar, Source

_HIDDEN = "***"
_LONGEST = 2_000
_KEY = re.compile(r"[ \t]*(?:- +)*[A-Za-z_][\w.-]*[ \t]*:(?=\s|$)")


class Lines:
    """The lines of one file. A value is shown only if it is known to be no secret, a key unless it stands where one belongs."""

    def __init__(self, source: Source, revealed: SecretMap) -> None:
        self._source = source
        self._hidden: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        self._code_ends: defaultdict[int, int] = defaultdict(int)
        for scalar in source.scalars:
            self._span(scalar, hidden=scalar not in revealed.shown and not scalar.tag)
        for key in source.keys:
            self._span(key, hidden=key.place in revealed.hidden_keys)

    def _span(self, scalar: Scalar, *, hidden: bool) -> None:
        (first, start), (last, end) = (scalar.place.line, scalar.place.column - 1), scalar.end
        for line in range(first, last + 1):
            # Behind the code there may be a comment. A text of several lines has none but at its beginning and its end.
            whole = len(self._text(line))
            code_end = end - 1 if line == last else start + 1 if line == first else whole
            self._code_ends[line] = max(self._code_ends[line], code_end)
            at, stop = start if line == first else 0, end - 1 if line == last else whole
            if hidden and at < stop:
                self._hidden[line].append((at, stop))

    def attach(self, finding: Diagnostic) -> Diagnostic:
        """Return the finding with its line of the file."""
        text = self._text(finding.line)
        if not text or len(text) > _LONGEST:
            return finding
        if self._source.root is None:
            # After a syntax error it is unknown which text is a value: only a key at the line's beginning is shown, and what looks
            # harmless behind it.
            match = _KEY.match(text)
            if not match:
                return finding
            value = re.split(r"(?:^|\s)#", text[match.end() :], maxsplit=1)[0].strip()
            harmless = looks_harmless(match[0].strip(" \t-:"), value.strip("\"'"))
            shown = match[0] if not value else f"{match[0]} {value if harmless else _HIDDEN}"
            return replace(finding, source=shown, caret=min(finding.column, len(shown) + 1))
        code_end = self._code_ends.get(finding.line, 0)
        comment = text.find("#", code_end)
        if comment >= 0:
            text = text[:comment]
        shown, at, caret = "", 0, finding.column
        for start, stop in sorted(self._hidden.get(finding.line, [])):
            if start < at:
                continue
            shown += text[at:start]
            if finding.column > stop:
                caret += len(_HIDDEN) - (stop - start)
            elif finding.column > start:
                caret = len(shown) + 1
            shown += _HIDDEN
            at = stop
        shown = (shown + text[at:]).rstrip()
        return replace(finding, source=shown, caret=min(caret, len(shown) + 1))

    def _text(self, line: int) -> str:
        lines = self._source.lines
        return lines[line - 1] if 0 < line <= len(lines) else ""
