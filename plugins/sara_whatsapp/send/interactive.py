"""What a customer can choose from, cut to what WhatsApp takes as buttons or as a list. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any, NamedTuple

from sara import OutgoingContent, split_text, utf16_length
from sara_whatsapp.send.content import items, line, said

_BUTTONS, _BUTTON, _BUTTON_ID = 3, 20, 256
_ROWS, _ROW, _ROW_ID, _DESCRIPTION, _SECTION = 10, 24, 200, 72, 24
_EDGE = 60  # header and footer
# Where the draft does not say what opens the list or what a section is called: signs that need no language.
_OPEN, _UNNAMED = "☰", "–"


class _Choice(NamedTuple):
    id: str
    title: str
    description: str


@dataclass(slots=True)
class Form:
    """Buttons or a list. `above` and `below` are lines to put around the body: in full whatever had to be cut in the form."""

    kind: str
    content: dict[str, Any]
    above: list[str] = field(default_factory=list)
    below: list[str] = field(default_factory=list)


def form_of(draft: OutgoingContent) -> Form | None:
    """What WhatsApp can show of the choices of `draft`: up to three short ones as buttons, up to ten as a list. None where
    there is no choice, or too much to choose from."""
    groups = list(_groups(draft))
    choices = [choice for _, group in groups for choice in group]
    if draft.kind == "buttons" and _are_buttons(choices):
        form = Form("buttons", {"buttons": [{"id": choice.id, "title": choice.title} for choice in choices]})
    elif choices and len(choices) <= _ROWS and all(utf16_length(choice.id) <= _ROW_ID for choice in choices):
        form = _list(groups, line(draft.content, "button") or _OPEN)
    else:
        return None
    for key, lines in (("header", form.above), ("footer", form.below)):
        text = line(draft.content, key)
        if utf16_length(text) > _EDGE:
            lines.append(text)
        elif text:
            form.content[key] = text
    return form


def shortened(text: str, limit: int, whole: list[str]) -> str:
    """`text` itself if it fits into `limit` units; else its beginning, and `whole` gets all of it."""
    if utf16_length(text) > limit:
        whole.append(text)
    return _beginning(text, limit)


def _beginning(text: str, limit: int) -> str:
    return text if utf16_length(text) <= limit else f"{split_text(text, limit - 1)[0]}…"


def _are_buttons(choices: Sequence[_Choice]) -> bool:
    return 0 < len(choices) <= _BUTTONS and all(
        utf16_length(choice.title) <= _BUTTON and utf16_length(choice.id) <= _BUTTON_ID and not choice.description
        for choice in choices
    )


def _list(groups: Sequence[tuple[str, Sequence[_Choice]]], button: str) -> Form:
    form = Form("list", {})
    form.content["button"] = shortened(button, _BUTTON, form.below)
    form.content["sections"] = sections = []
    for title, choices in groups:
        named = shortened(title or (_UNNAMED if len(groups) > 1 else ""), _SECTION, form.below)
        section: dict[str, Any] = {"title": named} if named else {}
        sections.append(section | {"rows": [_row(choice, form.below) for choice in choices]})
    return form


def _row(choice: _Choice, whole: list[str]) -> dict[str, str]:
    title, description = choice.title, choice.description
    long = utf16_length(title) > _ROW
    if long and not description:
        long, description = False, title  # the line below has room for most titles
    if long or utf16_length(description) > _DESCRIPTION:
        whole.append(f"- {title}: {choice.description}" if choice.description else f"- {title}")
    row = {"id": choice.id, "title": _beginning(title, _ROW)}
    return row | {"description": _beginning(description, _DESCRIPTION)} if description else row


# ── what the draft holds ──────────────────────────────────────────────────────────────────────────────────────────────────


def _groups(draft: OutgoingContent) -> Iterator[tuple[str, list[_Choice]]]:
    """The choices under the titles of their sections, each to be told from all others by its id and by its words."""
    sections: Sequence[Any] = [draft.content] if draft.kind == "buttons" else items(draft.content, "sections")
    found: list[_Choice] = []
    for section in sections:
        if not isinstance(section, Mapping):
            continue
        start = len(found)
        for row in items(section, "buttons" if draft.kind == "buttons" else "rows"):
            choice = _choice(row)
            if choice and choice not in found:
                alike = {each.title for each in found if each.description == choice.description}
                found.append(
                    choice._replace(
                        id=_other_than({each.id for each in found}, choice.id, "-{}"),
                        title=_other_than(alike, choice.title, " ({})"),
                    )
                )
        if found[start:]:
            yield "" if draft.kind == "buttons" else line(section, "title"), found[start:]


def _choice(row: Any) -> _Choice | None:
    content = row if isinstance(row, Mapping) else {"title": row}
    title, description, name = line(content, "title"), line(content, "description"), said(content.get("id"))
    if not title:
        title, description = description or line(content, "id"), ""
    return _Choice(name or _beginning(title, _ROW_ID - 10), title, description) if title else None


def _other_than(taken: Collection[str], text: str, form: str) -> str:
    """`text`, numbered if it is among `taken`."""
    return next(each for each in chain([text], (text + form.format(n) for n in count(2))) if each not in taken)
