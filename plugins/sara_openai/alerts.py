"""Problems that one responder reports: setup errors, and features or options that its model refuses."""

from __future__ import annotations

from typing import Literal, get_args

from sara import Context, GiveUp, RetryLater
from sara_openai.api.errors import CallFailure, SetupError, SetupErrorKind

Feature = Literal["tools", "pictures"]

DAY_MS = 86_400_000

_UNSUPPORTED_FEATURES: dict[Feature, tuple[str, str]] = {
    "tools": (
        "refuses requests with tools, so the responder {name} answers without tools: it cannot hand a conversation over or look anything up.",
        "Choose a `model` that can call tools, let the server allow it (vLLM: `--enable-auto-tool-choice`, llama.cpp: "
        "`--jinja`), or remove the tools from `conversation.tools`; then reload.",
    ),
    "pictures": (
        "refuses requests with images, so the responder {name} answers without them.",
        "Choose a `model` that accepts images (llama.cpp: start it with `--mmproj`), or set `images: false`; then reload.",
    ),
}


class ResponderAlerts:
    """The problems of one responder.

    A call fails for one setup error at a time, so a new setup error replaces the former one.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def report_failure(self, failure: CallFailure) -> RetryLater | GiveUp:
        """Report the setup error of a failed call, if there is one, and return the exception to raise."""
        if failure.setup_error is not None:
            self.report(failure.setup_error)
        return failure.outcome

    def report(self, setup_error: SetupError) -> None:
        """Report a setup error and clear every other one."""
        self.clear(keep=setup_error.kind)
        self._context.problems.report(
            self._key(setup_error.kind),
            f"The responder {self._context.name} cannot answer: {setup_error.message}.",
            setup_error.remedy,
            detail=setup_error.detail,
        )

    def clear(self, keep: SetupErrorKind | None = None) -> None:
        """Clear all setup errors except the one of the kind `keep`."""
        for kind in get_args(SetupErrorKind):
            if kind != keep:
                self._context.problems.clear(self._key(kind))

    def report_unsupported(self, feature: Feature, host: str, detail: str) -> None:
        """Report a feature that the model does not support."""
        message, remedy = _UNSUPPORTED_FEATURES[feature]
        title = f"{host} {message.format(name=self._context.name)}"
        self._context.problems.report(self._key(feature), title, remedy, severity="warning", count=1, detail=detail)

    def clear_unsupported(self, feature: Feature) -> None:
        """Clear the report about a feature that the model supports now."""
        self._context.problems.clear(self._key(feature))

    def report_refused_option(self, option: str, host: str, detail: str) -> None:
        """Report an option of sara.yaml that is left out of requests because the server refused it."""
        self._context.problems.report(
            self._key(option),
            f"{host} refuses requests with this value of `{option}`, so the responder {self._context.name} leaves the option out.",
            f"Remove `{option}`, or set a value that the model accepts; then reload.",
            severity="warning",
            count=1,
            detail=detail,
        )

    def clear_refused_option(self, option: str) -> None:
        """Clear the report about an option that the server accepts now."""
        self._context.problems.clear(self._key(option))

    def report_refused_image(self, host: str, detail: str) -> None:
        """Report an image that the server could not read and that was left out."""
        self._context.problems.report(
            self._key("picture"),
            f"{host} could not read an image, so the responder {self._context.name} answered without it.",
            "No action is needed for a single image. If it happens often, check that `model` accepts JPEG, PNG, WebP and GIF.",
            severity="warning",
            lasts=DAY_MS,
            detail=detail,
        )

    def _key(self, kind: str) -> str:
        return f"responder:{self._context.name}:{kind}"
