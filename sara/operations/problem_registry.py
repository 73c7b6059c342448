"""Current problems with their remedies: one list for logs, health, doctor, API and dashboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Literal

import structlog

from sara.domain.problems import Problem
from sara.domain.redaction import Redactor
from sara.domain.time import Instant, Milliseconds

log = structlog.get_logger("sara.operations.problem_registry")


class ProblemRegistry:
    """The problems of this moment. Reporting a known one counts it; clearing an unknown one does nothing."""

    def __init__(self, clock: Callable[[], Instant], redactor: Redactor | None = None) -> None:
        self._clock = clock
        self._redact = redactor or Redactor()
        self._now: dict[str, Problem] = {}
        self._until: dict[str, Instant] = {}

    @property
    def redact(self) -> Redactor:
        """Return the redactor, which replaces the secrets of the configuration in a text."""
        return self._redact

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
        self._forget_old()
        message, remedy, detail = self._redact(message), self._redact(remedy), self._redact(detail)
        known = self._now.get(key)
        shown = f'{message} It said: "{detail}"' if detail else message
        if lasts is not None:
            self._until[key] = self._clock() + lasts
        if known is None:
            self._now[key] = Problem(key, shown, remedy, self._clock(), severity, 1 if count is None else count)
            log.warning("problem_reported", key=key, problem=message, remedy=remedy)
        else:
            total = known.count + 1 if count is None else count
            self._now[key] = replace(known, message=shown, remedy=remedy, severity=severity, count=total)

    def clear(self, key: str) -> None:
        """Remove a problem that is solved."""
        self._until.pop(key, None)
        if self._now.pop(key, None) is not None:
            log.info("problem_cleared", key=key)

    def _forget_old(self) -> None:
        now = self._clock()
        for key in [key for key, until in self._until.items() if until <= now]:
            del self._until[key], self._now[key]

    def __iter__(self) -> Iterator[Problem]:
        self._forget_old()
        return iter(sorted(self._now.values(), key=lambda problem: problem.since))

    def __len__(self) -> int:
        self._forget_old()
        return len(self._now)

    def __contains__(self, key: str) -> bool:
        self._forget_old()
        return key in self._now
