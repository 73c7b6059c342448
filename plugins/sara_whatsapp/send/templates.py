"""Reads and checks the components of a template.

Fields are those of Meta's reference of template messages. Meta refuses a message with one wrong component, so one wrong component
makes all of them invalid.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sara_whatsapp.send.content import list_items, read_coordinate, read_url, to_json_value, to_text

_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
_BUTTON_TYPES = frozenset({"quick_reply", "url", "catalog", "flow", "copy_code"})
_MAX_PARAMETER_CHARS = 32_768
_MAX_AMOUNT = 2**31


def read_components(content: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the components that have parameters; None if one component is invalid."""
    found = []
    for given in list_items(content, "components"):
        component = _read_component(given) if isinstance(given, Mapping) else None
        if component is None:
            return None
        if component["parameters"]:
            found.append(component)
    return found


def read_texts(content: Mapping[str, Any]) -> list[str]:
    """Return the body's parameters as texts, from `parameters` or else from the components."""
    if given := list_items(content, "parameters"):
        return [to_one_line(to_text(each)) for each in given]
    bodies = [
        each for each in list_items(content, "components") if isinstance(each, Mapping) and _read_word(each, "type") == "body"
    ]
    parameters = [each for body in bodies[:1] for each in list_items(body, "parameters") if isinstance(each, Mapping)]
    return [to_one_line(to_text(each.get("text"))) for each in parameters]


def to_one_line(text: str) -> str:
    """Return a parameter's text on one line, never empty: Meta accepts neither line breaks nor empty texts."""
    return " ".join(text.split())[:_MAX_PARAMETER_CHARS] or "–"


def _read_component(given: Mapping[str, Any]) -> dict[str, Any] | None:
    kind = _read_word(given, "type")
    parameters = _read_parameters(list_items(given, "parameters"), _BUTTON_PARAMETERS if kind == "button" else _TEXT_PARAMETERS)
    if parameters is None or (given.get("parameters") and not parameters):
        return None
    if kind in ("header", "body"):
        return {"type": kind, "parameters": parameters}
    sort, index = _read_word(given, "sub_type"), to_text(given.get("index"))
    if kind != "button" or sort not in _BUTTON_TYPES or not re.fullmatch("[0-9]", index):
        return None
    return {"type": kind, "sub_type": sort, "index": index, "parameters": parameters}


def _read_parameters(given: Sequence[Any], known: Mapping[str, Callable[[Any], Any]]) -> list[dict[str, Any]] | None:
    """Return the parameters; None if one has an unknown type or no value."""
    found = []
    for each in given:
        kind = _read_word(each, "type") if isinstance(each, Mapping) else ""
        value = known[kind](each.get(kind)) if kind in known else None
        if value is None:
            return None
        name = to_text(each.get("parameter_name"))
        if name and not _NAME.fullmatch(name):
            return None
        found.append({"type": kind, **({"parameter_name": name} if name else {}), kind: value})
    return found


def _read_word(given: Mapping[str, Any], key: str) -> str:
    return to_text(given.get(key)).lower()


# ── the value of each type of parameter; None where it has none ───────────────────────────────────────────────────────────


def _read_text(value: Any) -> str | None:
    return to_one_line(to_text(value)) if isinstance(value, str | int | float) and to_text(value) else None


def _read_currency(value: Any) -> dict[str, Any] | None:
    own = value if isinstance(value, Mapping) else {}
    shown, code, amount = to_text(own.get("fallback_value")), to_text(own.get("code")), own.get("amount_1000")
    whole = isinstance(amount, int) and not isinstance(amount, bool) and abs(amount) < _MAX_AMOUNT
    right = shown and re.fullmatch("[A-Z]{3}", code) and whole
    return {"fallback_value": to_one_line(shown), "code": code, "amount_1000": amount} if right else None


def _read_date(value: Any) -> dict[str, Any] | None:
    shown = to_text(value.get("fallback_value")) if isinstance(value, Mapping) else ""
    return {"fallback_value": to_one_line(shown)} if shown else None


def _read_file(value: Any) -> dict[str, Any] | None:
    own = value if isinstance(value, Mapping) else {}
    name, link = to_text(own.get("id")), read_url(own, "link")
    if bool(name) == bool(link):
        return None
    filename = to_text(own.get("filename"))
    return {**({"id": name} if name else {"link": link}), **({"filename": filename} if filename else {})}


def _read_location(value: Any) -> dict[str, Any] | None:
    own = value if isinstance(value, Mapping) else {}
    latitude, longitude = read_coordinate(own, "latitude", 90), read_coordinate(own, "longitude", 180)
    if latitude is None or longitude is None:
        return None
    words = {key: to_one_line(to_text(own.get(key))) for key in ("name", "address") if to_text(own.get(key))}
    return {"latitude": latitude, "longitude": longitude, **words}


def _read_action(value: Any) -> dict[str, Any] | None:
    return to_json_value(value) if isinstance(value, Mapping) and value else None


_TEXT_PARAMETERS: Mapping[str, Callable[[Any], Any]] = {
    "text": _read_text,
    "currency": _read_currency,
    "date_time": _read_date,
    **dict.fromkeys(("image", "video", "document"), _read_file),
    "location": _read_location,
}
_BUTTON_PARAMETERS: Mapping[str, Callable[[Any], Any]] = {
    "payload": _read_text,
    "text": _read_text,
    "coupon_code": _read_text,
    "action": _read_action,
}
