"""What an API has to bring so that the model can be asked through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from sara_openai.api.error_body import ErrorBody
from sara_openai.api.result import Answer, ToolCall
from sara_openai.options import OpenAIOptions
from sara_openai.prompt.request import ModelRequest

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class ModelApi(Protocol):
    """One way to put a question into a request and to find the answer in a response. Holds nothing: all methods are functions."""

    async def send(self, client: AsyncOpenAI, request: dict[str, Any]) -> object:
        """What the server answers to the request. The client sends it as it is: comparing a long history with its types, field by
        field, would take it some milliseconds each time."""

    def request(self, question: ModelRequest, options: OpenAIOptions) -> dict[str, Any]:
        """The request for a question."""

    def read(self, answered: object, model: str) -> Answer | ErrorBody:
        """The answer in what the server sent, which may be anything, or the error that it sent instead. Empty words are an answer,
        too: it is not this one's to judge.

        Raises:
            TryLater: it has no shape that an answer could be in.
        """

    def echo(self, calls: Sequence[ToolCall]) -> tuple[Mapping[str, Any], ...]:
        """Calls that the model wrote as text, as the API would have told of them."""

    def result(self, call: ToolCall, text: str) -> Mapping[str, Any]:
        """What a call came to, in the form in which the model is told."""
