"""Builds buttons and lists within WhatsApp's limits."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any, NamedTuple

from sara import OutgoingContent, split_text, utf16_length
from sara_whatsapp.send.content import list_items, to_plain_line, to_text

_MAX_BUTTONS, _MAX_BUTTON_UNITS, _MAX_BUTTON_ID_UNITS = 3, 20, 256
_MAX_ROWS, _MAX_ROW_UNITS, _MAX_ROW_ID_UNITS, _MAX_DESCRIPTION_UNITS, _MAX_SECTION_UNITS = 10, 24, 200, 72, 24
_MAX_EDGE_UNITS = 60  # header and footer
# Defaults for a missing button label and section title: symbols that need no language.
_DEFAULT_BUTTON, _DEFAULT_SECTION = "☰", "–"


class _Choice(NamedTuple):
    id: str
    title: str
    description: str


@dataclass(slots=True)
class Form:
    """Buttons or a list. `above` and `below` are lines around the body: the full text of what had to be cut."""

    kind: str
    content: dict[str, Any]
    above: list[str] = field(default_factory=list)
    below: list[str] = field(default_factory=list)


def build_form(draft: OutgoingContent) -> Form | None:
    """Return the choices of `draft` as WhatsApp can show them: up to three short ones as buttons, up to ten as a list.

    None if there is no choice, or too many.
    """
    groups = list(_read_groups(draft))
    choices = [choice for _, group in groups for choice in group]
    if draft.kind == "buttons" and _fit_buttons(choices):
        form = Form("buttons", {"buttons": [{"id": choice.id, "title": choice.title} for choice in choices]})
    elif choices and len(choices) <= _MAX_ROWS and all(utf16_length(choice.id) <= _MAX_ROW_ID_UNITS for choice in choices):
        form = _build_list(groups, to_plain_line(draft.content, "button") or _DEFAULT_BUTTON)
    else:
        return None
    for key, lines in (("header", form.above), ("footer", form.below)):
        text = to_plain_line(draft.content, key)
        if utf16_length(text) > _MAX_EDGE_UNITS:
            lines.append(text)
        elif text:
            form.content[key] = text
    return form


def shorten(text: str, limit: int, overflow: list[str]) -> str:
    """Return `text` cut to `limit` units; if it was cut, append all of it to `overflow`."""
    if utf16_length(text) > limit:
        overflow.append(text)
    return _truncate(text, limit)


def _truncate(text: str, limit: int) -> str:
    return text if utf16_length(text) <= limit else f"{split_text(text, limit - 1)[0]}…"


def _fit_buttons(choices: Sequence[_Choice]) -> bool:
    return 0 < len(choices) <= _MAX_BUTTONS and all(
        utf16_length(choice.title) <= _MAX_BUTTON_UNITS
        and utf16_length(choice.id) <= _MAX_BUTTON_ID_UNITS
        and not choice.description
        for choice in choices
    )


def _build_list(groups: Sequence[tuple[str, Sequence[_Choice]]], button: str) -> Form:
    form = Form("list", {})
    form.content["button"] = shorten(button, _MAX_BUTTON_UNITS, form.below)
    form.content["sections"] = sections = []
    for title, choices in groups:
        named = shorten(title or (_DEFAULT_SECTION if len(groups) > 1 else ""), _MAX_SECTION_UNITS, form.below)
        section: dict[str, Any] = {"title": named} if named else {}
        sections.append(section | {"rows": [_build_row(choice, form.below) for choice in choices]})
    return form


def _build_row(choice: _Choice, overflow: list[str]) -> dict[str, str]:
    title, description = choice.title, choice.description
    long = utf16_length(title) > _MAX_ROW_UNITS
    if long and not description:
        long, description = False, title  # the line below has room for most titles
    if long or utf16_length(description) > _MAX_DESCRIPTION_UNITS:
        overflow.append(f"- {title}: {choice.description}" if choice.description else f"- {title}")
    row = {"id": choice.id, "title": _truncate(title, _MAX_ROW_UNITS)}
    return row | {"description": _truncate(description, _MAX_DESCRIPTION_UNITS)} if description else row


# ── what the draft holds ──────────────────────────────────────────────────────────────────────────────────────────────────


def _read_groups(draft: OutgoingContent) -> Iterator[tuple[str, list[_Choice]]]:
    """Yield the choices by section title, each with a unique id and a unique label."""
    sections: Sequence[Any] = [draft.content] if draft.kind == "buttons" else list_items(draft.content, "sections")
    found: list[_Choice] = []
    for section in sections:
        if not isinstance(section, Mapping):
            continue
        start = len(found)
        for row in list_items(section, "buttons" if draft.kind == "buttons" else "rows"):
            choice = _read_choice(row)
            if choice and choice not in found:
                alike = {each.title for each in found if each.description == choice.description}
                found.append(
                    choice._replace(
                        id=_make_unique({each.id for each in found}, choice.id, "-{}"),
                        title=_make_unique(alike, choice.title, " ({})"),
                    )
                )
        if found[start:]:
            yield "" if draft.kind == "buttons" else to_plain_line(section, "title"), found[start:]


def _read_choice(row: Any) -> _Choice | None:
    content = row if isinstance(row, Mapping) else {"title": row}
    title, description, name = to_plain_line(content, "title"), to_plain_line(content, "description"), to_text(content.get("id"))
    if not title:
        title, description = description or to_plain_line(content, "id"), ""
    return _Choice(name or _truncate(title, _MAX_ROW_ID_UNITS - 10), title, description) if title else None


def _make_unique(taken: Collection[str], text: str, form: str) -> str:
    """Return `text`, numbered if it is among `taken`."""
    return next(each for each in chain([text], (text + form.format(n) for n in count(2))) if each not in taken)
