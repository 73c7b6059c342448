"""Building blocks of checked options, for the core and for plugins."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretBytes, SecretStr, ValidationInfo, WithJsonSchema

FROM_FILE = "from_file"
"""Key of the validation context that says: the values come from sara.yaml, nothing is parsed yet."""

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_UNIT = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_LONGEST = 36_500 * _UNIT["d"]


@dataclass(frozen=True, slots=True, init=False)
class Placeholder:
    """Marks an option, within `Annotated`, whose example has to be replaced before it works.

    `sara check` names every value that still contains one of these texts.
    """

    texts: tuple[str, ...]

    def __init__(self, *texts: str) -> None:
        object.__setattr__(self, "texts", texts)


@dataclass(frozen=True, slots=True)
class Advice:
    """Advice about a value that is accepted and probably not meant. `option` is its key; empty for the whole section.

    With `works=False` the value certainly does not work: `sara check` counts it as an error. The daemon starts all the same.
    """

    option: str
    message: str
    remedy: str = ""
    works: bool = True


class Options(BaseModel):
    """Base of all options: unknown keys are errors, values never change, secrets never print."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    def advise(self) -> Iterable[Advice]:
        """Return advice about values that are accepted and probably not meant, for `sara check`."""
        return ()

    def billed_models(self) -> Sequence[str]:
        """Return the models whose use is paid for, as `Usage.model` names them, so that missing prices are noticed."""
        return ()


class Secret(SecretStr):
    """Text that never prints. `reveal()` gives it to the one place that needs it."""

    def reveal(self) -> str:
        """Return the text itself."""
        return self.get_secret_value()


def find_secrets(value: Any) -> Iterator[str]:
    """Yield every secret in options, at any depth."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, SecretBytes):
        yield value.get_secret_value().decode("utf-8", "replace")
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from find_secrets(getattr(value, name))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from find_secrets(inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from find_secrets(inner)


def parse_duration(value: Any) -> int:
    """Return the milliseconds of `250ms 1s 5m 12h 30d`. Raises ValueError for anything else, bare numbers included."""
    if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        millis = float(match[1]) * _UNIT[match[2]]
        if millis > _LONGEST:
            raise ValueError("a duration is at most 36500d")
        return round(millis)
    raise ValueError("a duration is a number with a unit: 250ms, 1s, 5m, 12h or 30d")


def format_duration(millis: int) -> str:
    """Return milliseconds in the largest unit that needs no fraction: 90000 → `90s`."""
    for unit in ("d", "h", "m", "s"):
        if millis and millis % _UNIT[unit] == 0:
            return f"{millis // _UNIT[unit]}{unit}"
    return f"{millis}ms"


def _duration(value: Any, info: ValidationInfo) -> int:
    # Code gives whole milliseconds; in the file a bare number would leave the reader to guess its unit.
    from_file = bool(info.context and info.context.get(FROM_FILE))
    return value if isinstance(value, int) and not isinstance(value, bool) and not from_file else parse_duration(value)


Duration = Annotated[
    int,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h|d)$", "examples": ["1s", "5m", "12h"]}),
]
"""A length of time: written `250ms 1s 5m 12h 30d`, held as whole milliseconds."""
