"""The contract of a responder plugin."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sara.domain.errors import GiveUp
from sara.domain.messages import Attachment, HistoryMessage
from sara.domain.replies import Reply, Summary, Turn
from sara.domain.time import Instant, Milliseconds
from sara.plugins.base import PluginObject
from sara.plugins.tool import ToolCaller

# ── responders ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Responder(PluginObject):
    """Answers a turn. Never sees a channel."""

    timeout: Milliseconds = 60_000
    """The whole call is given up after this."""

    @abstractmethod
    async def answer(self, turn: Turn, tools: ToolCaller | None = None) -> Reply:
        """Answer the customer's unanswered messages. `tools` are what a model that can call tools may do for this person; None for
        nothing.

        Raises:
            TryLater: the same call may work later; its `scope` says whether the failure tells about the whole other side.
            GiveUp: it never will.
        """

    def select_attachments(self, turn: Turn) -> Iterable[Attachment]:
        """Choose the files of a turn that `answer` opens: the answer waits for these, within one bound for the whole turn, and for
        no others. By default all that the unanswered messages bring."""
        return [attachment for line in turn.messages for attachment in line.attachments]

    async def summarise(self, lines: Sequence[HistoryMessage], former: str, now: Instant) -> Summary:
        """Say in short what was said in `lines`, going on from the summary `former` of what was said before them (empty for
        none). Raises as `answer` does; GiveUp where the responder cannot, which is the default."""
        raise GiveUp("this responder writes no summaries")


# ── the store ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class HistoryLimits:
    """How much of a conversation is read back: at most so many messages, not before `since`; and the times of the last `counted`
    messages that came."""

    messages: int = 40
    since: Instant = 0
    counted: int = 0
