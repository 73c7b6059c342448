"""What a person has to mend before a responder can answer, and what its model cannot do, told as problems."""

from __future__ import annotations

from typing import Literal, get_args

from sara import Context, GiveUp, RetryLater
from sara_openai.api.errors import Failed, Kind, SetupError

Ability = Literal["tools", "pictures"]

DAY = 86_400_000

_LACKS: dict[Ability, tuple[str, str]] = {
    "tools": (
        "refuses requests with tools, so the responder {name} answers without them: it can hand over to nobody and look nothing up.",
        "Choose a `model` that can call tools, let the server allow it (vLLM: `--enable-auto-tool-choice`, llama.cpp: "
        "`--jinja`), or take the tools out of `conversation.tools`; then reload.",
    ),
    "pictures": (
        "refuses requests with pictures, so the responder {name} answers without seeing them.",
        "Choose a `model` that can see (llama.cpp: give it its `--mmproj`), or write `images: false`; then reload.",
    ),
}


class ResponderAlerts:
    """The troubles of one responder, of which only the newest is true: each call meets the first that there is."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def outcome(self, failed: Failed) -> RetryLater | GiveUp:
        """What to raise for a failed call; what a person has to mend of it is reported."""
        if failed.trouble is not None:
            self.report(failed.trouble)
        return failed.outcome

    def report(self, trouble: SetupError) -> None:
        """Say what is wrong, in the place of what was wrong before."""
        self.mended(but=trouble.kind)
        self._context.problems.report(
            self._key(trouble.kind),
            f"The responder {self._context.name} cannot answer: {trouble.message}.",
            trouble.remedy,
            detail=trouble.detail,
        )

    def mended(self, but: Kind | None = None) -> None:
        """Say that nothing is wrong any more, save perhaps `but`."""
        for kind in get_args(Kind):
            if kind != but:
                self._context.problems.clear(self._key(kind))

    def lacks(self, ability: Ability, host: str, detail: str) -> None:
        """Say what the model cannot do."""
        message, remedy = _LACKS[ability]
        told = f"{host} {message.format(name=self._context.name)}"
        self._context.problems.report(self._key(ability), told, remedy, severity="warning", count=1, detail=detail)

    def has(self, ability: Ability) -> None:
        """Say that the model can do it."""
        self._context.problems.clear(self._key(ability))

    def refuses(self, option: str, host: str, detail: str) -> None:
        """Say that an option of the file is not sent, since the model does not take it."""
        self._context.problems.report(
            self._key(option),
            f"{host} refuses requests with this `{option}`, so the responder {self._context.name} asks without it.",
            f"Take `{option}` out, or give it a value that the model takes; then reload.",
            severity="warning",
            count=1,
            detail=detail,
        )

    def takes(self, option: str) -> None:
        """Say that an option of the file is taken."""
        self._context.problems.clear(self._key(option))

    def picture_refused(self, host: str, detail: str) -> None:
        """Say that a customer's picture was left out."""
        self._context.problems.report(
            self._key("picture"),
            f"{host} could not read a picture, so the responder {self._context.name} answered without it.",
            "Nothing has to be done if it is one picture; if it is many, see whether `model` takes JPEG, PNG, WebP and GIF.",
            severity="warning",
            lasts=DAY,
            detail=detail,
        )

    def _key(self, kind: str) -> str:
        return f"responder:{self._context.name}:{kind}"
