"""Results of `sara doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of `sara doctor`: the check, its state, and what to do about it.

    A `note` is information that is neither good nor bad. `cached` marks the result of an earlier run.
    """

    check: str
    state: Literal["good", "note", "warning", "bad"]
    message: str
    remedy: str = ""
    cached: bool = False
