"""Render structured content as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sara.domain.messages import OutgoingContent


# ── what a rich draft says in plain words ─────────────────────────────────────────────────────────────────────────────────


def render_plain_text(draft: OutgoingContent) -> str:
    """Return content of any kind as text, for a channel that lacks the kind.

    All text for the reader is included; values of a wrong type are left out.
    """
    content = draft.content
    match draft.kind:
        case "text" | "ask_location" | "ask_contact":
            blocks = [draft.text]
        case "template":
            blocks = [draft.text] if draft.text.strip() else _texts(content, "parameters")
        case "buttons":
            blocks = [_said(content, "header"), draft.text, *_choices([content], "buttons"), _said(content, "footer")]
        case "list":
            sections = [each for each in _items(content, "sections") if isinstance(each, Mapping)]
            blocks = [_said(content, "header"), draft.text, *_choices(sections, "rows"), _said(content, "footer")]
        case "link":
            blocks = [draft.text, _joined(": ", _said(content, "title"), _said(content, "url"))]
        case "location":
            place = _joined(", ", _said(content, "name"), _said(content, "address"))
            point = _joined(", ", _said(content, "latitude"), _said(content, "longitude"))
            blocks = [draft.text, _joined("\n", place, point)]
        case "contact":
            blocks = [draft.text, _joined(": ", _said(content, "name"), ", ".join(_texts(content, "phones")))]
        case "reaction":
            blocks = [draft.text, _said(content, "emoji")]
        case _:
            blocks = [draft.text, _joined(": ", _said(content, "name"), _said(content, "url"))]
    return "\n\n".join(block.strip() for block in blocks if block.strip())


def _choices(groups: Iterable[Mapping[str, Any]], key: str) -> Iterator[str]:
    """Yield the rows of each group under its title, numbered throughout."""
    number = 0
    for group in groups:
        lines = [_said(group, "title")] if key == "rows" else []
        for row in _items(group, key):
            if words := _choice(row):
                number += 1
                lines.append(f"{number}. {words}")
        yield _joined("\n", *lines)


def _choice(row: Any) -> str:
    if not isinstance(row, Mapping):
        return _word(row)
    return _joined(": ", _said(row, "title"), _said(row, "description")) or _said(row, "id")


def _items(content: Mapping[str, Any], key: str) -> Sequence[Any]:
    found = content.get(key)
    return found if isinstance(found, list | tuple) else ()


def _texts(content: Mapping[str, Any], key: str) -> list[str]:
    return [_word(each) for each in _items(content, key) if _word(each)]


def _said(content: Mapping[str, Any], key: str) -> str:
    return _word(content.get(key))


def _word(value: Any) -> str:
    """Return a text or a number as text; empty for anything else."""
    return str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _joined(between: str, *words: str) -> str:
    return between.join(word for word in words if word)
