"""What the model is asked, whichever API carries it, and what to leave out where that is too much for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sara import GiveUp, Line, ToolSpec
from sara_openai.failures import Failed


@dataclass(frozen=True, slots=True)
class Question:
    """A question to the model.

    `briefing` comes before everything; `pictures` are data URLs and `heard` are transcripts, both by the line's id; `sees` and `hears`
    say whether there could be any. `code` tells the blocks of context from what customers write; it is made for this question.
    `tools` are what the model may call. `since` is what was said since the question was first put, in the API's own form: the model's calls
    and their results. `closing` says that it has to answer now, without calling anything. `sealed` asks for its reasoning in a form
    that can be handed back.
    """

    briefing: str
    messages: Sequence[Line]
    history: Sequence[Line] = ()
    pictures: Mapping[str, Sequence[str]] = field(default_factory=dict)
    heard: Mapping[str, str] = field(default_factory=dict)
    sees: bool = False
    hears: bool = False
    code: str = ""
    tools: Sequence[ToolSpec] = ()
    since: tuple[Mapping[str, Any], ...] = ()
    closing: bool = False
    sealed: bool = True
    halved: bool = False

    def simpler(self, failed: Failed) -> Question | None:
        """The same with less, where `failed` gives hope that the model takes that; None where it does not."""
        if failed.too_long and self.history and not self.halved:
            return replace(self, history=self.history[(len(self.history) + 1) // 2 :], halved=True)
        if failed.no_sealing and self.sealed:
            return replace(self, sealed=False)
        if failed.no_tools and self.tools:
            # Without tools the server could make nothing of former calls, save where it only minds that there may be no more.
            return replace(self, tools=(), since=self.since if self.closing else ())
        if self.pictures and isinstance(failed.outcome, GiveUp):
            # It may be the pictures that the server does not take; an answer to the words is better than none.
            return replace(self, pictures={})
        return None
