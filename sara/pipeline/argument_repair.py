"""Repair of tool arguments that a model wrote slightly wrong, where the intention is plain. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from pydantic import ValidationError

_FENCE = re.compile(r"\s*```(?:json)?\s*([\s\S]*?)\s*```\s*")
_SCALARS = (bool, int, float)


def read(arguments: str) -> dict[str, Any] | None:
    """Return the JSON object in the model's text: it may stand between fences, be a text that holds JSON, or the only item of a list.
    None where there is none."""
    fenced = _FENCE.fullmatch(arguments)
    text = fenced[1] if fenced else arguments
    for _ in range(2):
        try:
            value = json.loads(text.strip() or "{}")
        except (ValueError, RecursionError):
            return None
        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
            value = value[0]
        if not isinstance(value, str):
            break
        text = value
    if value is None:
        return {}
    return value if isinstance(value, dict) else None


def mended(given: Mapping[str, Any], fault: ValidationError) -> dict[str, Any] | None:
    """`given` with what `fault` complains of put right: unknown keys left out, long texts cut, values of a near type converted. None where
    nothing of it can be."""
    changed = deepcopy(dict(given))
    done = [_mend(changed, each) for each in fault.errors(include_url=False)]
    # Where the whole was the fault (a text instead of an object), reading it has mended it.
    return changed if any(done) or any(not each["loc"] for each in fault.errors(include_url=False)) else None


def _mend(root: dict[str, Any], error: Mapping[str, Any]) -> bool:
    """Mend one fault in place; False where it cannot be."""
    if not error["loc"]:
        return False
    *path, key = error["loc"]
    holder: Any = root
    for step in path:
        try:
            holder = holder[step]
        except (KeyError, IndexError, TypeError):
            return False  # the path leads through a choice of types, or something else is missing
    if not isinstance(holder, dict | list):
        return False
    try:
        value = holder[key]
    except (KeyError, IndexError, TypeError):
        return False
    kind, limits = error["type"], error.get("ctx") or {}
    if isinstance(holder, dict) and (kind == "extra_forbidden" or value is None):
        del holder[key]  # a key that is unknown, or left empty where it must not be: its default holds, if there is one
        return True
    new = _converted(kind, value, limits)
    if new is None:
        return False
    holder[key] = new
    return True


def _converted(kind: str, value: Any, limits: Mapping[str, Any]) -> Any:
    """Return the value that was plainly meant; None where that is not plain."""
    match kind:
        case "string_too_long" if isinstance(value, str):
            return value[: limits["max_length"]]
        case "string_type" if isinstance(value, _SCALARS):
            return json.dumps(value)
        case "string_type" if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return ", ".join(value)
        case "list_type" | "tuple_type" | "set_type" | "frozen_set_type" if isinstance(value, str) and value.lstrip()[:1] == "[":
            return _json(value, list)
        case "list_type" | "tuple_type" | "set_type" | "frozen_set_type" if not isinstance(value, list | dict):
            return [value]
        case "model_type" | "dict_type" | "model_attributes_type" if isinstance(value, str):
            return _json(value, dict)
        case "literal_error" | "enum" if isinstance(value, str):
            return _choice(value, str(limits.get("expected", "")))
        case "int_parsing" | "float_parsing" if isinstance(value, str):
            # "#1042" and "No. 1042" name one number; with two there is no telling.
            numbers = re.findall(r"-?\d+(?:\.\d+)?", value) if len(value) < 100 else []
            return numbers[0] if len(numbers) == 1 else None
    return None


def _json(text: str, kind: type) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, kind) else None


def _choice(value: str, expected: str) -> str | None:
    """Return the one choice that is spelt like `value` but for case, blanks and dashes."""
    wanted = re.sub(r"[\W_]+", "", value).casefold()
    choices = [each for each in re.findall(r"'([^']*)'", expected) if re.sub(r"[\W_]+", "", each).casefold() == wanted]
    return choices[0] if len(choices) == 1 else None
