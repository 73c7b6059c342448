"""Results of `sara doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of `sara doctor`: what was looked at, how it is, and what to do about it.

    A `note` is nothing that could be good or bad, only to be known. `cached` says that it is what a former run saw.
    """

    check: str
    state: Literal["good", "note", "warning", "bad"]
    message: str
    remedy: str = ""
    cached: bool = False
