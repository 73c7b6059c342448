"""What a responder has learnt of its server from refusals, for a while: servers, models and settings change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal, TypeAlias

from sara import Instant, Milliseconds
from sara.helpers import Clock
from sara_openai.prompt.request import ModelRequest

HOUR: Milliseconds = 3_600_000
DAY: Milliseconds = 24 * HOUR

Fact: TypeAlias = Literal["no_tools", "no_pictures", "unsealed", "joined", "folded", "other_word"]

LASTS: dict[Fact, Milliseconds] = {
    "no_tools": HOUR,
    "no_pictures": HOUR,
    "unsealed": DAY,
    "joined": DAY,
    "folded": DAY,
    "other_word": DAY,
}
"""After so long it is tried again: what a customer notices sooner than the mere form of a request."""

REMEMBERED = 1_000
"""So many conversations are remembered of which something is left out, the newest."""

MOST_LINES = 200
"""So many lines and pictures of one conversation are remembered."""

ALIKE = 3
ALIKE_WITHIN: Milliseconds = 600_000
"""When so many conversations were refused in the same words in this time, and none was answered, it is no conversation's fault."""


class Learnt:
    """Lives as long as its responder; a restart asks again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._facts: dict[Fact, Instant] = {}
        self._fits: tuple[int, Instant] | None = None
        self._unset: dict[str, Instant] = {}
        self._left_out: dict[str, tuple[frozenset[str], Instant]] = {}
        self._refused: dict[str, dict[str, Instant]] = {}

    def knows(self, fact: Fact) -> bool:
        """Whether something was learnt, not too long ago."""
        until = self._facts.get(fact)
        now = self._clock()
        # A clock that was set back makes nothing last longer.
        return until is not None and now < until <= now + LASTS[fact]

    def learn(self, *facts: Fact) -> None:
        """Remember it from now on."""
        for fact in facts:
            self._facts[fact] = self._clock() + LASTS[fact]

    def fits(self, size: int | None) -> None:
        """No more tokens than so many are taken; None for nobody knows."""
        self._fits = None if size is None else (size, self._clock() + DAY)

    def unset(self, option: str) -> None:
        """This option of the file is not sent again."""
        self._unset[option] = self._clock() + DAY

    def leave_out(self, conversation: str, ids: Iterable[str]) -> None:
        """These pictures or lines of a conversation are not sent again."""
        if not conversation:
            return
        known = self._left_out.pop(conversation, (frozenset(), 0))[0]
        self._left_out[conversation] = frozenset([*known, *ids][-MOST_LINES:]), self._clock() + DAY
        while len(self._left_out) > REMEMBERED:
            del self._left_out[next(iter(self._left_out))]

    def applied(self, question: ModelRequest) -> ModelRequest:
        """The question without what is known to be refused, and in the form that is known to be taken."""
        left_out, until = self._left_out.get(question.conversation, (frozenset(), 0))
        if left_out and self._clock() < until:
            history = [line for line in question.history if line.id not in left_out]
            question = replace(question, history=history, hidden=question.hidden | left_out)
        if self.knows("no_pictures"):
            question = question.without_pictures()
        question = replace(
            question,
            tools=() if self.knows("no_tools") else question.tools,
            sealed=not self.knows("unsealed"),
            joined=self.knows("joined"),
            folded=self.knows("folded"),
            unset=frozenset(option for option, until in self._unset.items() if self._clock() < until),
            other_word=self.knows("other_word"),
        )
        if self._fits is not None and self._clock() < self._fits[1]:
            question = question.fitted(self._fits[0])
        return question

    def refused(self, conversation: str, words: str) -> bool:
        """Remember that a conversation was refused in these words; say whether so many were that it is a setting."""
        now = self._clock()
        some = {each: at for each, at in self._refused.get(words, {}).items() if now - at < ALIKE_WITHIN}
        some[conversation] = now
        self._refused = {each: others for each, others in self._refused.items() if others and each != words}
        while len(self._refused) >= MOST_LINES:
            del self._refused[next(iter(self._refused))]
        self._refused[words] = some
        return len(some) >= ALIKE

    def answered(self) -> None:
        """Some conversation was answered: whatever was refused before was its own fault."""
        self._refused.clear()
