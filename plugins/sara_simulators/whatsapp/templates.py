"""The business's message templates: their status and rendering."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from sara_simulators.whatsapp.errors import GraphError

_PLACE = re.compile(r"\{\{(\w+)\}\}")
_REFUSED = {"PAUSED": 132015, "DISABLED": 132016}


@dataclass(frozen=True, slots=True)
class Template:
    """A text that was approved beforehand; `{{1}}` or `{{name}}` in it are places for parameters. `buttons` are quick replies.

    `status` is Meta's word: APPROVED, PENDING, REJECTED, PAUSED, DISABLED.
    """

    name: str
    language: str = "en"
    body: str = ""
    category: str = "utility"
    buttons: tuple[str, ...] = ()
    footer: str = ""
    status: str = "APPROVED"
    id: str = ""

    @property
    def places(self) -> tuple[str, ...]:
        """Return the parameters of the body in the order of their first appearance."""
        return tuple(dict.fromkeys(_PLACE.findall(self.body)))


PRESET_TEMPLATES = (
    Template("hello_world", "en_US", "Hello World", footer="WhatsApp Business Platform sample message"),
    Template("answer_waiting", "en", "We have an answer to your question. May we send it to you?", buttons=("Yes, please", "No")),
    Template("order_ready", "en", "Hello {{1}}, your order {{2}} is ready to be picked up."),
)


@dataclass(slots=True)
class Templates:
    """All templates by name and language."""

    _known: dict[tuple[str, str], Template] = field(default_factory=dict)
    _ids: Iterator[int] = field(default_factory=lambda: count(880_000_000_000_001))

    def __post_init__(self) -> None:
        for template in PRESET_TEMPLATES:
            self.put(template)

    def __iter__(self) -> Iterator[Template]:
        return iter(list(self._known.values()))

    def put(self, template: Template) -> Template:
        """Add a template, or replace the one of that name and language."""
        known = self._known.get((template.name, template.language))
        kept = replace(template, id=known.id if known else str(next(self._ids)))
        self._known[template.name, template.language] = kept
        return kept

    def get(self, name: str, language: str) -> Template | None:
        """Return a template of any status."""
        return self._known.get((name, language))

    def check(self, wanted: Mapping[str, Any]) -> Template:
        """Return the template that a message's `template` object names. Raises `GraphError` where it may not be sent like
        that.
        """
        name, language = wanted["name"], wanted["language"]["code"]
        template = self.get(name, language)
        if template is None or template.status not in ("APPROVED", *_REFUSED):
            raise GraphError(132001, f"template name ({name}) does not exist in {language}")
        if template.status in _REFUSED:
            raise GraphError(_REFUSED[template.status], f"template {name} is {template.status.lower()}")
        given = _given(wanted)
        if len(given) != len(template.places):
            raise GraphError(
                132000,
                f"body: number of localizable_params ({len(given)}) does not match the expected number ({len(template.places)})",
            )
        for place, parameter in zip(template.places, given, strict=True):
            if place.isdigit() == ("parameter_name" in parameter):
                raise GraphError(132012, f"body: the parameter {place} is {'positional' if place.isdigit() else 'named'}")
            if not isinstance(parameter.get("text", parameter.get("currency", parameter.get("date_time"))), str | dict):
                raise GraphError(132012, f"body: the parameter {place} has no value")
        if {parameter.get("parameter_name") for parameter in given} - {None, *template.places}:
            raise GraphError(132012, "body: there is no parameter of that name")
        return template

    def render(self, template: Template, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Return the customer's view: body, footer, and buttons with the payload that each returns."""
        values = {
            str(parameter.get("parameter_name") or place): _words(parameter)
            for place, parameter in zip(template.places, _given(wanted), strict=True)
        }
        payloads = {
            str(part.get("index")): str(part["parameters"][0].get("payload", ""))
            for part in _components(wanted)
            if str(part.get("type")).lower() == "button"
            and str(part.get("sub_type")).lower() == "quick_reply"
            and part.get("parameters")
        }
        return {
            "body": _PLACE.sub(lambda found: values[found[1]], template.body),
            "footer": template.footer,
            "buttons": [{"id": payloads.get(str(index), text), "title": text} for index, text in enumerate(template.buttons)],
        }


def _components(wanted: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [part for part in wanted.get("components") or () if isinstance(part, dict)]


def _given(wanted: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    body = next((part for part in _components(wanted) if str(part.get("type")).lower() == "body"), {})
    return [parameter for parameter in body.get("parameters") or () if isinstance(parameter, dict)]


def _words(parameter: Mapping[str, Any]) -> str:
    for kind in ("currency", "date_time"):
        if isinstance(parameter.get(kind), dict):
            return str(parameter[kind].get("fallback_value", ""))
    return str(parameter.get("text", ""))
