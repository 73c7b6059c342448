"""Check the definition of a tool, and select the tools that a configuration uses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sara.domain.options import Options
from sara.plugins.tool import Tool

_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")

HANDOFF_TOOL = "handoff"


def select_tools(names: Sequence[str], brought: Mapping[str, Tool]) -> list[Tool]:
    """Return those of the named tools that plugins have registered."""
    return [brought[name] for name in names if name in brought]


def find_missing_tools(names: Sequence[str], brought: Mapping[str, Any]) -> list[str]:
    """Return those of the named tools that no plugin registers."""
    return [name for name in names if name != HANDOFF_TOOL and name not in brought]


def find_tool_fault(tool: object, brought: Mapping[str, Tool]) -> str | None:
    """Return why a plugin's tool cannot be used; None where it can."""
    if not isinstance(tool, Tool):
        return f"it is a {type(tool).__name__}, not a Tool"
    name = getattr(tool, "name", "")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return f"its name {name!r} is not letters, digits and underscores"
    if name == HANDOFF_TOOL or name in brought:
        return f"the name {name} is taken"
    if not (isinstance(getattr(tool, "Arguments", None), type) and issubclass(tool.Arguments, Options)):
        return f"{name} declares no Arguments"
    if not isinstance(getattr(tool, "description", None), str) or not tool.description.strip():
        return f"{name} has no description"
    if isinstance(tool.timeout, bool) or not isinstance(tool.timeout, int) or tool.timeout <= 0:
        return f"the timeout of {name} is no number of milliseconds"
    try:
        tool.Arguments.model_json_schema()
    except Exception as error:
        return f"the Arguments of {name} have no JSON Schema ({type(error).__name__})"
    return None
