"""A problem that an operator should know about, and the interface by which components report one."""

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
    """The interface for reporting problems. Reporting a known problem counts it; clearing an unknown one does nothing."""

    @property
    def redact(self) -> Redactor:
        """Return the function that replaces the secrets of the configuration in a text."""

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
        """Report a problem.

        `count` sets its number; without it, each report adds one. A problem that cannot be repaired is shown for `lasts`
        milliseconds after the last report. `detail` is the other side's explanation: shown after the message, and never
        logged.
        """

    def clear(self, key: str) -> None:
        """Clear a problem that is solved."""

    def __iter__(self) -> Iterator[Problem]:
        """Iterate over the active problems, oldest first."""

    def __contains__(self, key: str) -> bool:
        """Return whether the problem is active."""
