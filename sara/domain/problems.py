"""A problem that an operator should know about, and how components report one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from sara.domain.redaction import Redactor
from sara.domain.time import Instant, Milliseconds


@dataclass(frozen=True, slots=True)
class Problem:
    """A fact that an operator should know, and what to do about it. `key` is made by `problem_key`."""

    key: str
    message: str
    remedy: str
    since: Instant
    severity: Literal["warning", "error"] = "error"
    count: int = 1


DAY: Milliseconds = 86_400_000


def problem_key(area: str, name: str, what: str) -> str:
    """Return the stable key of a problem: the part of SARA it is in, the one of its kind, and what is wrong with it.

    A key is cleared by the module that reported it, and by no other.
    """
    return f"{area}:{name}:{what}"


class ProblemReporter(Protocol):
    """Where components say what is wrong. Reporting a known problem counts it; clearing an unknown one does nothing."""

    @property
    def redact(self) -> Redactor:
        """Replaces the secrets of the configuration in a text."""

    def report(
        self,
        key: str,
        message: str,
        remedy: str = "",
        *,
        severity: Literal["warning", "error"] = "error",
        count: int | None = None,
        lasts: Milliseconds | None = None,
        detail: str = "",
    ) -> None:
        """Report that something is wrong. `count` sets how often or how many; without it, each report adds one. What has happened
        and cannot be mended is shown for `lasts` milliseconds after the last report. `detail` is what another side said of it: shown
        behind the message, and never logged."""

    def clear(self, key: str) -> None:
        """Report that it is mended."""

    def __iter__(self) -> Iterator[Problem]:
        """The problems that stand, oldest first."""

    def __contains__(self, key: str) -> bool:
        """Whether the problem stands."""
