"""The building blocks of checked options, for the core and for plugins."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr, WithJsonSchema

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNIT = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class Options(BaseModel):
    """Base of all options: unknown keys are errors, values never change, secrets never print."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Secret(SecretStr):
    """Text that never prints. `reveal()` gives it to the one place that needs it."""

    def reveal(self) -> str:
        """The text itself."""
        return self.get_secret_value()


def parse_duration(value: Any) -> int:
    """`250ms 1s 5m 12h 30d` → milliseconds. Raises ValueError for anything else, bare numbers included."""
    if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        return round(float(match[1]) * _UNIT[match[2]])
    raise ValueError("a duration is a number with a unit: 250ms, 1s, 5m, 12h or 30d")


def format_duration(millis: int) -> str:
    """Milliseconds in the largest unit that needs no fraction: 90000 → `90s`."""
    for unit in ("d", "h", "m", "s"):
        if millis and millis % _UNIT[unit] == 0:
            return f"{millis // _UNIT[unit]}{unit}"
    return f"{millis}ms"


def _duration(value: Any) -> int:
    # Defaults and values that were already parsed are whole milliseconds; only text comes from the file.
    return value if isinstance(value, int) and not isinstance(value, bool) else parse_duration(value)


Duration = Annotated[
    int,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h|d)$", "examples": ["1s", "5m", "12h"]}),
]
"""A length of time: written `250ms 1s 5m 12h 30d`, held as whole milliseconds."""
