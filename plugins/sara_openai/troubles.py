"""What a person has to mend before a responder can answer, told as problems."""

from __future__ import annotations

from typing import get_args

from sara import Context, GiveUp, TryLater
from sara_openai.failures import Failed, Kind, Trouble


class Troubles:
    """The troubles of one responder, of which only the newest is true: each call meets the first that there is."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def outcome(self, failed: Failed) -> TryLater | GiveUp:
        """What to raise for a failed call; what a person has to mend of it is reported."""
        if failed.trouble is not None:
            self.report(failed.trouble)
        return failed.outcome

    def report(self, trouble: Trouble) -> None:
        """Say what is wrong, in the place of what was wrong before."""
        self.mended(but=trouble.kind)
        self._context.problems.report(
            self._key(trouble.kind), f"The responder {self._context.name} cannot answer: {trouble.message}.", trouble.remedy
        )

    def mended(self, but: Kind | None = None) -> None:
        """Say that nothing is wrong any more, save perhaps `but`."""
        for kind in get_args(Kind):
            if kind != but:
                self._context.problems.clear(self._key(kind))

    def _key(self, kind: Kind) -> str:
        return f"responder:{self._context.name}:{kind}"
