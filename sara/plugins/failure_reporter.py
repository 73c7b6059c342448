"""Report and clean what goes wrong in the calls of one plugin object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import structlog

from sara.domain.errors import FailureScope, NotSent, SaraError, SendScope, WrongType
from sara.domain.text import sanitize_text
from sara.plugins.call_guard import describe_failure
from sara.plugins.type_check import check_type

if TYPE_CHECKING:
    from sara.domain.problems import ProblemReporter

log = structlog.get_logger("sara.plugins.loader")

MAX_ERROR_LENGTH = 2_000
"""Characters of an error's text that are kept."""

REPORT_TO_AUTHOR = "report it to the plugin's author, or use another version of the plugin"


def clean_error(error: SaraError, redact: Callable[[str], str]) -> SaraError:
    """Return the error with a text and values that can be logged, shown and stored, without secrets."""
    try:
        said = str(error)
    except Exception:
        said = f"{type(error).__name__} without a text"
    text = redact(sanitize_text(said))[:MAX_ERROR_LENGTH]
    if said != text:
        error.args = (text,)
    for name in ("after", "scope", "message_at_fault", "until_mended", "remedy", "details", "detail"):
        if hasattr(error, name):
            setattr(error, name, _clean_value(error, name, getattr(error, name), redact))
    return error


def _clean_value(error: SaraError, name: str, value: Any, redact: Callable[[str], str]) -> Any:
    if name in ("remedy", "details", "detail"):
        return redact(sanitize_text(value))[:MAX_ERROR_LENGTH] if isinstance(value, str) else ""
    if name == "scope":
        allowed = get_args(SendScope if isinstance(error, NotSent) else FailureScope)
        return value if value in allowed else allowed[0]
    if name in ("message_at_fault", "until_mended"):
        return value is True
    try:
        return max(0, check_type(value, int, "after"))
    except (WrongType, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class FailureReporter:
    """Problems of one plugin object: each of its methods has one, reported when it fails and cleared when it works."""

    kind: str
    name: str
    plugin: str
    problems: ProblemReporter

    @property
    def called(self) -> str:
        """Return the plugin as problem texts name it."""
        return f"the plugin {self.plugin} of the {self.kind} {self.name}"

    def report(self, method: str, error: BaseException, then: str = "") -> None:
        """Report the failure of a method; `then` says what SARA does instead."""
        told = self.problems.redact(f"{self.called} {describe_failure(error)} in `{method}`{then}")
        log.error(
            "plugin_failed", plugin=self.plugin, section=self.name, method=method, told=describe_failure(error), exc_info=error
        )
        self.problems.report(f"{self.kind}:{self.name}:{method}", told, REPORT_TO_AUTHOR)

    def clear(self, method: str) -> None:
        """Clear the problem of a method that worked."""
        self.problems.clear(f"{self.kind}:{self.name}:{method}")

    def clean(self, error: SaraError) -> SaraError:
        """Return an error of the contract without the secrets of the configuration."""
        return clean_error(error, self.problems.redact)
