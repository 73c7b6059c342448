"""The components of a template as a draft may give them: checked, and tidied where that changes nothing. Pure.

Fields are those of Meta's reference of template messages. A component that Meta would refuse costs the whole message, so one that
is not right makes none of them right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sara_whatsapp.send.content import address, degrees, items, said, tidy

_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
_BUTTONS = frozenset({"quick_reply", "url", "catalog", "flow", "copy_code"})
_LONGEST = 32_768
_AMOUNT = 2**31


def components_of(content: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The components, those without parameters left out; None where one of them is not as Meta wants it."""
    found = []
    for given in items(content, "components"):
        component = _component(given) if isinstance(given, Mapping) else None
        if component is None:
            return None
        if component["parameters"]:
            found.append(component)
    return found


def texts_of(content: Mapping[str, Any]) -> list[str]:
    """The body's parameters as texts, as far as they can be read: of `parameters`, else of the components."""
    if given := items(content, "parameters"):
        return [on_a_line(said(each)) for each in given]
    bodies = [each for each in items(content, "components") if isinstance(each, Mapping) and _word(each, "type") == "body"]
    parameters = [each for body in bodies[:1] for each in items(body, "parameters") if isinstance(each, Mapping)]
    return [on_a_line(said(each.get("text"))) for each in parameters]


def on_a_line(text: str) -> str:
    """A parameter's text: Meta takes no line breaks in one, and no empty one."""
    return " ".join(text.split())[:_LONGEST] or "–"


def _component(given: Mapping[str, Any]) -> dict[str, Any] | None:
    kind = _word(given, "type")
    parameters = _parameters(items(given, "parameters"), _OF_BUTTONS if kind == "button" else _OF_TEXTS)
    if parameters is None or (given.get("parameters") and not parameters):
        return None
    if kind in ("header", "body"):
        return {"type": kind, "parameters": parameters}
    sort, index = _word(given, "sub_type"), said(given.get("index"))
    if kind != "button" or sort not in _BUTTONS or not re.fullmatch("[0-9]", index):
        return None
    return {"type": kind, "sub_type": sort, "index": index, "parameters": parameters}


def _parameters(given: Sequence[Any], known: Mapping[str, Callable[[Any], Any]]) -> list[dict[str, Any]] | None:
    """The parameters; None where one is of no known type or has no value."""
    found = []
    for each in given:
        kind = _word(each, "type") if isinstance(each, Mapping) else ""
        value = known[kind](each.get(kind)) if kind in known else None
        if value is None:
            return None
        name = said(each.get("parameter_name"))
        if name and not _NAME.fullmatch(name):
            return None
        found.append({"type": kind, **({"parameter_name": name} if name else {}), kind: value})
    return found


def _word(given: Mapping[str, Any], key: str) -> str:
    return said(given.get(key)).lower()


# ── the value of each type of parameter; None where it has none ───────────────────────────────────────────────────────────


def _text(value: Any) -> str | None:
    return on_a_line(said(value)) if isinstance(value, str | int | float) and said(value) else None


def _currency(value: Any) -> dict[str, Any] | None:
    own = value if isinstance(value, Mapping) else {}
    shown, code, amount = said(own.get("fallback_value")), said(own.get("code")), own.get("amount_1000")
    whole = isinstance(amount, int) and not isinstance(amount, bool) and abs(amount) < _AMOUNT
    right = shown and re.fullmatch("[A-Z]{3}", code) and whole
    return {"fallback_value": on_a_line(shown), "code": code, "amount_1000": amount} if right else None


def _moment(value: Any) -> dict[str, Any] | None:
    shown = said(value.get("fallback_value")) if isinstance(value, Mapping) else ""
    return {"fallback_value": on_a_line(shown)} if shown else None


def _file(value: Any) -> dict[str, Any] | None:
    own = value if isinstance(value, Mapping) else {}
    name, link = said(own.get("id")), address(own, "link")
    if bool(name) == bool(link):
        return None
    filename = said(own.get("filename"))
    return {**({"id": name} if name else {"link": link}), **({"filename": filename} if filename else {})}


def _place(value: Any) -> dict[str, Any] | None:
    own = value if isinstance(value, Mapping) else {}
    latitude, longitude = degrees(own, "latitude", 90), degrees(own, "longitude", 180)
    if latitude is None or longitude is None:
        return None
    words = {key: on_a_line(said(own.get(key))) for key in ("name", "address") if said(own.get(key))}
    return {"latitude": latitude, "longitude": longitude, **words}


def _action(value: Any) -> dict[str, Any] | None:
    return tidy(value) if isinstance(value, Mapping) and value else None


_OF_TEXTS: Mapping[str, Callable[[Any], Any]] = {
    "text": _text,
    "currency": _currency,
    "date_time": _moment,
    **dict.fromkeys(("image", "video", "document"), _file),
    "location": _place,
}
_OF_BUTTONS: Mapping[str, Callable[[Any], Any]] = {"payload": _text, "text": _text, "coupon_code": _text, "action": _action}
