"""What the model is asked, whichever API carries it, and what to leave out where that is too much for it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sara import GiveUp, HistoryMessage, ToolSpec
from sara.helpers import estimated_tokens
from sara_openai.api.error_kinds import OWN_PARAMETERS
from sara_openai.api.errors import Failed
from sara_openai.media.image_files import Picture

SHORTEST = 200
"""Characters of a message that are never cut."""

_TOO_MANY = re.compile(r"too many|at most \d|more than \d|maximum number", re.IGNORECASE)

_UNKNOWN_WORD = re.compile(
    r"unsupported parameter|unrecogni[sz]ed|unknown|unexpected|not supported|does ?n[o']t support|extra|not permitted|not allowed|use ['\"`]?max_",
    re.IGNORECASE,
)
_LIMIT_WORDS = frozenset({"max_tokens", "max_completion_tokens"})

LEFT_OUT = "\n[… the middle of this message is left out: it was too long …]\n"


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """A question to the model.

    `briefing` comes before everything, `plain` is what it says in every conversation, `private` what nobody else may read of it, and
    `names` what the customer is called. `pictures` and the transcripts `heard` are by the line's id, and pictures whose id is `hidden`
    are not shown; `sees` and `hears` say whether there could be any. `code` tells the blocks of context from what customers write; it is
    made for this question. `tools` are what the model may call. `since` is what was said since the question was first put, in the
    API's own form: the model's calls and their results. `closing` says that it has to answer now, without calling anything. `sealed`
    asks for its reasoning in a form that can be handed back. `whole` forbids to cut the messages. `joined` makes one message of
    neighbours of one role, `folded` puts the briefing into the first message. `unset` are options of the file that are not sent;
    `other_word` sends the limit of the answer under the other of its two names.
    """

    briefing: str
    messages: Sequence[HistoryMessage]
    history: Sequence[HistoryMessage] = ()
    pictures: Mapping[str, Sequence[Picture]] = field(default_factory=dict)
    heard: Mapping[str, str] = field(default_factory=dict)
    sees: bool = False
    hears: bool = False
    code: str = ""
    tools: Sequence[ToolSpec] = ()
    since: tuple[Mapping[str, Any], ...] = ()
    closing: bool = False
    sealed: bool = True
    conversation: str = ""
    plain: str | None = None
    private: str = ""
    names: Sequence[str] = ()
    hidden: frozenset[str] = frozenset()
    whole: bool = False
    joined: bool = False
    folded: bool = False
    unset: frozenset[str] = frozenset()
    other_word: bool = False

    @property
    def shown(self) -> dict[str, list[str]]:
        """The pictures that are shown, as data URLs by line."""
        urls = {line: [each.url for each in some if each.id not in self.hidden] for line, some in self.pictures.items()}
        return {line: some for line, some in urls.items() if some}

    @property
    def shown_ids(self) -> frozenset[str]:
        """The ids of the pictures that are shown."""
        return frozenset(each.id for some in self.pictures.values() for each in some) - self.hidden

    @property
    def picture_ids(self) -> list[str]:
        """The pictures there are, the newest first."""
        lines = [line.id for line in (*self.history, *self.messages)]
        return [each.id for line in reversed(lines) for each in reversed(self.pictures.get(line, ()))]

    @property
    def size(self) -> int:
        """About how many tokens the conversation takes, without what came of tools."""
        lines = (*self.history, *self.messages)
        return estimated_tokens(self.briefing) + sum(estimated_tokens(self.heard.get(line.id, line.text)) for line in lines)

    def simpler(self, failed: Failed) -> ModelRequest | None:
        """The same with less, where `failed` gives hope that the model takes that; None where it does not."""
        match failed.kind:
            case "length":
                shorter = self.shorter(pictures_first=failed.status == 413 and "token" not in failed.said.lower())
                return shorter or self._without_option("max_output_tokens", failed)
            case "parameter" if failed.option is not None:
                return self._without_option(failed.option, failed)
            case "sealing" if self.sealed:
                return replace(self, sealed=False)
            case "tools" | "tool_call" if self.tools:
                return self._without_tools()
            case "roles" if not self.joined:
                return replace(self, joined=True)
            case "roles" | "system" if not self.folded:
                return replace(self, joined=True, folded=True)
            case "no_pictures" if self.shown:
                return self.without_pictures()
            case "picture" if self.shown:
                return self._with_half_the_pictures() if _TOO_MANY.search(failed.said) else self._without_one_picture()
            case "filter":
                return self._without_what_others_lack()
        return self._plainer(failed) if isinstance(failed.outcome, GiveUp) else None

    def shorter(self, *, pictures_first: bool = False) -> ModelRequest | None:
        """Half the history, until only the waiting messages are left; then those, and what tools said, without their middles."""
        if pictures_first and self.shown:
            return self.without_pictures()
        if self.history:
            return replace(self, history=self.history[(len(self.history) + 1) // 2 :])
        if self.shown:
            return self.without_pictures()
        if self.whole:
            return None
        longest = max((len(self.heard.get(line.id, line.text)) for line in self.messages), default=0)
        if longest > SHORTEST:
            most = max(SHORTEST, longest // 2)
            heard = {line: shortened(text, most) for line, text in self.heard.items()}
            return replace(self, messages=[replace(line, text=shortened(line.text, most)) for line in self.messages], heard=heard)
        since = tuple(_with_less(each) for each in self.since)
        if since != self.since:
            return replace(self, since=since)
        if len(self.messages) > 1:
            return replace(self, messages=self.messages[(len(self.messages) + 1) // 2 :])
        return None

    def fitted(self, most: int) -> ModelRequest:
        """The same in at most so many tokens, as far as can be."""
        question = self
        while question.size > most and question.history:
            question = replace(question, history=question.history[1:])
        while question.size > most and (less := question.shorter()) is not None:
            question = less
        return question

    def without_pictures(self) -> ModelRequest:
        """The same without any picture."""
        return replace(self, hidden=frozenset(self.picture_ids))

    def probe(self) -> ModelRequest:
        """The least that is asked in every conversation, to find out whether it is this one that the server minds."""
        line = HistoryMessage("probe", "customer", "Hello", self.messages[-1].at if self.messages else 0)
        briefing = self.briefing if self.plain is None else self.plain
        return ModelRequest(
            briefing,
            [line],
            plain=briefing,
            sealed=self.sealed,
            joined=self.joined,
            folded=self.folded,
            unset=self.unset,
            other_word=self.other_word,
        )

    def _without_tools(self) -> ModelRequest:
        # Without tools the server could make nothing of former calls, save where it only minds that there may be no more.
        return replace(self, tools=(), since=self.since if self.closing else ())

    def _without_option(self, option: str, failed: Failed) -> ModelRequest | None:
        """Without an option of the file; where only its name is unknown, under the other one first."""
        names = {name for name in failed.options if OWN_PARAMETERS[name] == option}
        if not names:
            return None
        if names & _LIMIT_WORDS and not self.other_word and _UNKNOWN_WORD.search(failed.said):
            return replace(self, other_word=True)
        return replace(self, unset=self.unset | {option})

    def _with_half_the_pictures(self) -> ModelRequest:
        """The newer half of the pictures that are shown."""
        shown = [each for each in self.picture_ids if each not in self.hidden]
        return replace(self, hidden=self.hidden | set(shown[len(shown) // 2 :]))

    def _without_one_picture(self) -> ModelRequest:
        """One picture after the other is left out, the newest first; all of them where it is none of them alone."""
        shown = [each for each in self.picture_ids if each not in self.hidden]
        left_out = [each for each in self.picture_ids if each in self.hidden]
        if len(left_out) > 1 or len(shown) + len(left_out) == 1:
            return self.without_pictures()
        at = self.picture_ids.index(left_out[0]) + 1 if left_out else 0
        return self.without_pictures() if at == len(self.picture_ids) else replace(self, hidden=frozenset([self.picture_ids[at]]))

    def _without_what_others_lack(self) -> ModelRequest | None:
        """Without what this conversation has besides the waiting messages: that may be what a filter minds."""
        if self.history:
            return replace(self, history=())
        if self.shown:
            return self.without_pictures()
        if self.plain is not None and self.plain != self.briefing:
            return replace(self, briefing=self.plain)
        return None

    def _plainer(self, failed: Failed) -> ModelRequest | None:
        """Step by step without everything that a server could mind, where nobody can tell what it is."""
        if self.shown:
            return self.without_pictures()
        if not self.folded:
            return replace(self, joined=True, folded=True)
        if self.tools:
            return self._without_tools()
        if options := {OWN_PARAMETERS[name] for name in failed.options}:
            return replace(self, unset=self.unset | options)
        return self._without_what_others_lack()


def shortened(text: str, most: int) -> str:
    """The beginning and the end of a text, so that it has about `most` characters; where it was cut, it says so."""
    if len(text) <= most:
        return text
    end = most // 3
    return text[: most - end].rstrip() + LEFT_OUT + text[len(text) - end :].lstrip()


def _with_less(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """A result of a tool in half of its length."""
    for key in ("content", "output"):
        text = said.get(key)
        if isinstance(text, str) and len(text) > SHORTEST + len(LEFT_OUT) and "tool_calls" not in said:
            return {**said, key: shortened(text, max(SHORTEST, len(text) // 2))}
    return said
