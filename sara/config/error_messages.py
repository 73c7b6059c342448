"""What pydantic found, in words for people who never heard of it. Values are not repeated: the line of the file shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails

from sara.config.nodes import ListNode, Node, Scalar
from sara.domain.options import format_duration, parse_duration
from sara.domain.suggestions import make_printable, suggest

_EXPECTED = {
    "string_type": "text",
    "string_sub_type": "text",
    "path_type": "a path",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "decimal_type": "a number",
    "decimal_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "iterable_type": "a list",
    "dict_type": "a block of keys and values",
    "mapping_type": "a block of keys and values",
    "model_type": "a block of keys and values",
    "model_attributes_type": "a block of keys and values",
    "dataclass_type": "a block of keys and values",
    "none_required": "empty",
}

_COMPARED = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
    "multiple_of": ("multiple_of", "a multiple of"),
}

_LENGTHS = {
    "string_too_short": ("min_length", "must have at least {} character{s}"),
    "string_too_long": ("max_length", "must have at most {} character{s}"),
    "too_short": ("min_length", "needs at least {} entr{y}"),
    "too_long": ("max_length", "may have at most {} entr{y}"),
}


def expectation(kind: str) -> str | None:
    """Return what was expected, for an error about the type of a value; None for other errors."""
    return _EXPECTED.get(kind)


def found(node: Node) -> str:
    """Name the value's type in YAML's words."""
    if isinstance(node, ListNode):
        return "a list"
    if not isinstance(node, Scalar):
        return "a block of keys and values"
    if node.value is None:
        return "empty"
    if isinstance(node.value, bool):
        return "true or false"
    return "text" if isinstance(node.value, str) else "a number"


def mismatch(expected: Sequence[str], node: Node) -> tuple[str, str]:
    """Return the words behind the name of a value of the wrong type, and a hint."""
    choices = list(dict.fromkeys(expected))
    hint = ""
    if "text" in choices and isinstance(node, Scalar) and isinstance(node.value, bool):
        hint = "put it in quotes if text is meant"
    what = found(node)
    clause = f"but is {what}" if what not in choices else "which this is not"
    return f" must be {' or '.join(choices)}, {clause}", hint


def explain(error: ErrorDetails, node: Node) -> tuple[str, str]:
    """Return the words behind the name of a value for any other error, and a hint: ` must be at least 1`."""
    kind, context = error["type"], error.get("ctx", {})
    if kind in _COMPARED:
        key, words = _COMPARED[kind]
        return f" must be {words} {_amount(context.get(key), node)}", ""
    if kind in _LENGTHS:
        key, words = _LENGTHS[kind]
        count = context.get(key, 0)
        one = count == 1
        return " " + words.format(count, s="" if one else "s", y="y" if one else "ies"), ""
    if kind in ("literal_error", "enum"):
        return _choices(context, node)
    if kind == "string_pattern_mismatch":
        return " has the wrong form", ""
    if kind == "extra_forbidden":
        return " is not an option here", ""
    # A validator's own words; pydantic puts its name for the error in front.
    text = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return f": {make_printable(' '.join(text.split()), 400) or 'this is not accepted'}", ""


def _choices(context: Mapping[str, Any], node: Node) -> tuple[str, str]:
    # pydantic gives the choices as one text: 'resend' or 'hold'
    text = str(context.get("expected", "something else"))
    words = [word.strip(" '") for word in text.replace(" or ", ",").split(",")]
    hint = suggest(node.text, words) if isinstance(node, Scalar) and node.origin == "file" else ""
    return f" must be {text.replace(chr(39), '')}", hint


def _amount(limit: Any, node: Node) -> str:
    """Write a limit in the unit in which the value is written."""
    if isinstance(node, Scalar) and isinstance(limit, int):
        try:
            parse_duration(node.text)
        except ValueError:
            return str(limit)
        return format_duration(limit) if limit else "0s"
    return str(limit)
