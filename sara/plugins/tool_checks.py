"""What a tool's definition must satisfy, and which tools a policy uses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sara.domain.options import Options
from sara.plugins.tool import Tool

_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")

HANDOFF = "handoff"


def chosen(names: Sequence[str], brought: Mapping[str, Tool]) -> list[Tool]:
    """The tools of a policy that plugins have brought."""
    return [brought[name] for name in names if name in brought]


def missing(names: Sequence[str], brought: Mapping[str, Any]) -> list[str]:
    """The tools of a policy that nobody brings."""
    return [name for name in names if name != HANDOFF and name not in brought]


def fault_of(tool: object, brought: Mapping[str, Tool]) -> str | None:
    """What keeps a plugin's tool from being used; None for nothing."""
    if not isinstance(tool, Tool):
        return f"it is a {type(tool).__name__}, not a Tool"
    name = getattr(tool, "name", "")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return f"its name {name!r} is not letters, digits and underscores"
    if name == HANDOFF or name in brought:
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
