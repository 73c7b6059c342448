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
        """Return a reply to the customer's unanswered messages.

        `tools` are those that the model may call for this customer; None for no tools.

        Raises:
            RetryLater: the same call may work later; its `scope` says whether the failure concerns the whole provider.
            GiveUp: it never will.
        """

    def select_attachments(self, turn: Turn) -> Iterable[Attachment]:
        """Return the attachments of a turn that `answer` opens; the reply waits for these alone, within one limit for the turn.

        By default these are the attachments of the unanswered messages.
        """
        return [attachment for line in turn.messages for attachment in line.attachments]

    async def summarise(self, lines: Sequence[HistoryMessage], former: str, now: Instant) -> Summary:
        """Summarise `lines`, continuing the summary `former` of the messages before them (empty for none).

        Raises as `answer` does; GiveUp where the responder writes no summaries, which is the default.
        """
        raise GiveUp("this responder writes no summaries")


# ── the store ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class HistoryLimits:
    """Limits of the history that is read: at most `messages` messages, none before `since`, and the times of the last
    `counted` inbound messages.
    """

    messages: int = 40
    since: Instant = 0
    counted: int = 0
