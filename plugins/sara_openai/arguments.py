"""Arguments of tool calls as they go back to a server. Pure."""

from __future__ import annotations

import json


def echoed(arguments: str) -> str:
    """The arguments of a call as a server takes them back: JSON of an object, which is what every template parses. The tool's result
    tells the model what was wrong with any other."""
    try:
        read = json.loads(arguments, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return "{}"
    return arguments if isinstance(read, dict) else "{}"


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
