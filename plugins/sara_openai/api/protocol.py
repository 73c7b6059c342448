"""The interface of a model API."""

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
    """Converts model requests into requests of one API, and its responses into answers. Stateless."""

    async def send(self, client: AsyncOpenAI, request: dict[str, Any]) -> object:
        """Send the request and return the server's response.

        The request passes the client unchanged: comparing a long history with its types would take some milliseconds each time.
        """

    def build_request(self, model_request: ModelRequest, options: OpenAIOptions) -> dict[str, Any]:
        """Build the request body."""

    def parse_response(self, answered: object, model: str) -> Answer | ErrorBody:
        """Read the answer in a response of any shape, or the error that came in its place.

        An answer without text is valid here.
        Raises:
            RetryLater: the response has no shape that could contain an answer.
        """

    def format_calls(self, calls: Sequence[ToolCall]) -> tuple[Mapping[str, Any], ...]:
        """Return calls that the model wrote as text in the API's own form."""

    def format_result(self, call: ToolCall, text: str) -> Mapping[str, Any]:
        """Return the result of a call in the API's own form."""
