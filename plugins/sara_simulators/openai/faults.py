"""Faults of the provider, planned for the next calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from sara_simulators.openai.refusals import error_body

FaultKind = Literal[
    "status",  # `status` with an error body; `retry_after` adds the header, `code` and `param` go into the body
    "rate_limit",  # 429, rate_limit_exceeded
    "quota",  # 429, insufficient_quota
    "unauthorized",  # 401
    "no_model",  # 404, model_not_found
    "too_long",  # 400, context_length_exceeded
    "reset",  # the connection is torn down without a byte of an answer
    "cut",  # the connection is torn down in the middle of the answer
    "hang",  # no answer at all
    "slow",  # the right answer, after `delay_ms`
    "html",  # 200 with a page, as a captive portal or a proxy sends it
    "garbage",  # 200 with JSON that cannot be read
    "body",  # 200 with `body` as JSON
    "no_choices",  # 200, choices (Responses: output): []
    "null_choices",  # 200, choices (Responses: output): null
    "null_content",  # 200, content: null (Responses: a message without parts)
    "truncated",  # `text`, or the first half of the right answer, with finish_reason length (Responses: incomplete)
    "refusal",  # content: null and `text` as the model's refusal
    "content_filter",  # finish_reason content_filter
    "failed",  # Responses: 200 with the status failed and `code`; Chat Completions: 500
    "say",  # `text` instead of the right answer
]

PAGE = "<!doctype html><title>Sign in</title><p>Please sign in to use this network.</p>"
"""The page that a captive portal returns for every request."""

_ERRORS: dict[str, tuple[int, str, str | None]] = {
    "rate_limit": (429, "Rate limit reached for requests.", "rate_limit_exceeded"),
    "quota": (429, "You exceeded your current quota, please check your plan and billing details.", "insufficient_quota"),
    "unauthorized": (401, "Incorrect API key provided.", "invalid_api_key"),
    "no_model": (404, "The model does not exist or you do not have access to it.", "model_not_found"),
    "too_long": (400, "This model's maximum context length is 8192 tokens.", "context_length_exceeded"),
}


@dataclass(slots=True)
class Fault:
    """A fault and the number of calls that it still hits; None: all, until the faults are cleared."""

    kind: FaultKind
    times: int | None = 1
    status: int = 500
    retry_after: float | None = None
    delay_ms: int = 1_000
    code: str | None = None
    param: str | None = None
    text: str = ""
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in get_args(FaultKind):
            raise ValueError(f"{self.kind} is no fault; there are {', '.join(get_args(FaultKind))}")


class Faults:
    """The planned faults, in order."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Plan a fault after those planned before."""
        self._waiting.append(fault)

    def clear(self) -> None:
        """Remove all planned faults."""
        self._waiting.clear()

    def take(self) -> Fault | None:
        """Return the fault of the present call, and count it down; None for no fault."""
        if not self._waiting:
            return None
        fault = self._waiting[0]
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._waiting.pop(0)
        return fault


def refusal(fault: Fault) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Return status, body and headers of a fault that is an error."""
    status, message, code = _ERRORS.get(fault.kind, (fault.status, fault.text or "Something went wrong.", None))
    headers = dict(fault.headers)
    if fault.retry_after is not None:
        headers["Retry-After"] = f"{fault.retry_after:g}"
    return status, error_body(status, message, code=fault.code or code, param=fault.param), headers
