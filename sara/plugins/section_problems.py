"""The problems as the plugin of one section may report and clear them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sara.domain.problems import Problem, ProblemReporter
    from sara.domain.redaction import Redactor
    from sara.domain.time import Milliseconds


class SectionProblems:
    """A `ProblemReporter` for one section: it reports and clears only keys that begin with the section's own `kind:name:`, and
    puts that in front of any other key."""

    def __init__(self, problems: ProblemReporter, kind: str, name: str) -> None:
        self._problems = problems
        self._prefix = f"{kind}:{name}:"

    @property
    def redact(self) -> Redactor:
        """Replaces the secrets of the configuration in a text."""
        return self._problems.redact

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
        """Report a problem of the section."""
        self._problems.report(self._own(key), message, remedy, severity=severity, count=count, lasts=lasts, detail=detail)

    def clear(self, key: str) -> None:
        """Clear a problem of the section."""
        self._problems.clear(self._own(key))

    def __iter__(self) -> Iterator[Problem]:
        """Iterate over all active problems, oldest first."""
        return iter(self._problems)

    def __contains__(self, key: str) -> bool:
        """Return whether a problem is active."""
        return key in self._problems

    def _own(self, key: str) -> str:
        return key if key.startswith(self._prefix) else self._prefix + key
