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
    """Its name for the model and in sara.yaml: letters, digits and underscores, at most 64."""

    description: ClassVar[str]
    """An explanation for the model of the tool's effect and use."""

    Arguments: ClassVar[type[Options]]
    """The arguments from the model, checked before `run` is called. Never a person or a conversation: `scope` has those."""

    timeout: ClassVar[Milliseconds] = 10_000
    """The time limit of a call. A longer one is abandoned with an unknown outcome, and not repeated."""

    @abstractmethod
    async def run(self, arguments: Any, scope: ToolContext) -> str:
        """Act for the customer of `scope` with an object of `Arguments`; return the result for the model.

        Called at most once for the same thing: each call is recorded before it is made, and a retry of the turn gets the
        stored result. Raise SaraError with a sentence for the model where the action failed.
        """
