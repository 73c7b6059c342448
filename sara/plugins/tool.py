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
    """The tools of one turn, as a responder gets them. The core checks, journals and limits every call."""

    @property
    def specs(self) -> Sequence[ToolSpec]:
        """Return the tools that the model may call."""

    async def call(self, name: str, arguments: str) -> str:
        """Call the tool `name` with JSON text as the model wrote it, and return the result for the model.

        The result may be that the call was wrong, failed or is not repeated. Raises only where the whole reply is of no use
        any more.
        """


class Tool(ABC):
    """An action that the AI may take for the customer.

    A plugin registers tools by the hook `register_tools`; `conversation.tools` in sara.yaml names those in use.
    """

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
        """Act for the customer of `scope` with an object of `Arguments`; return the result for the model.

        Called at most once for the same thing: each call is recorded before it is made, and a retry of the turn gets the
        stored result. Raise SaraError with a sentence for the model where the action failed.
        """
