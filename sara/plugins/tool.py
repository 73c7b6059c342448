"""The contract of a tool."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from sara.domain.replies import ToolContext, ToolSpec
from sara.domain.time import Milliseconds

if TYPE_CHECKING:
    from sara.domain.options import Options


# ── tools ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


class ToolCaller(Protocol):
    """The tools of one turn, as a responder gets them. The core checks, journals and bounds every call."""

    @property
    def specs(self) -> Sequence[ToolSpec]:
        """What the model may be told of."""

    async def call(self, name: str, arguments: str) -> str:
        """Call the tool `name` with JSON text as the model wrote it; return what the model is to read, which may be that the call
        was wrong, failed or is not to be repeated. Raises only where the whole answer is of no use any more."""


class Tool(ABC):
    """Something that the AI may do for the person it talks to. A plugin brings tools by the hook `register_tools`; which of them
    may be used says `conversation.tools` in the file."""

    name: ClassVar[str]
    """What the model and the file call it: letters, digits and underscores, at most 64."""

    description: ClassVar[str]
    """Tells the model what it does, and when to use it."""

    Arguments: ClassVar[type[Options]]
    """What the model must give: checked before `run` is called. Never a person or a conversation: those are the scope's."""

    timeout: ClassVar[Milliseconds] = 10_000
    """A call that takes longer is given up, its outcome unknown; it is not made again."""

    @abstractmethod
    async def run(self, arguments: Any, scope: ToolContext) -> str:
        """Do it for the person of `scope`, with an object of `Arguments`; return what the model is to read. Called at most once
        for the same thing: each call is written down before it is made, and a retry of the turn gets the result that was kept.
        Raise SaraError with a sentence for the model where it could not be done."""
