"""Requests to the simulator and the outputs of its model."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sara.helpers import estimated_tokens
from sara_simulators.openai import responses

Api: TypeAlias = Literal["completions", "responses"]


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """Tools to call instead of a text: the name of each and its arguments, as an object or as the text that a model would write.

    `text` is said beside them.
    """

    calls: Sequence[tuple[str, Mapping[str, Any] | str]]
    text: str | None = None

    def written(self) -> list[tuple[str, str]]:
        """Return each call with its arguments as text."""
        return [
            (name, arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False))
            for name, arguments in self.calls
        ]


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """An output of the model, before it takes the form of an API.

    `ended` is why the model stopped; `failed` is the code of the error that it stopped with, which only Responses can report
    in a 200.
    """

    text: str | None = None
    calls: Sequence[tuple[str, str]] = ()
    refusal: str | None = None
    ended: Literal["stop", "length", "content_filter"] = "stop"
    failed: str | None = None


@dataclass(slots=True)
class Call:
    """A request to the model and the status of its response: None while it waits, 0 where the connection was reset."""

    number: int
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    status: int | None = None
    api: Api = "completions"

    @property
    def messages(self) -> list[Mapping[str, Any]]:
        """Return the messages of the request, in order; those of Responses as Chat Completions has them."""
        messages = responses.conversation(self.body) if self.api == "responses" else self.body.get("messages")
        return [message for message in messages if isinstance(message, dict)] if isinstance(messages, list) else []

    @property
    def system(self) -> str:
        """Return the instructions to the model."""
        told = [text_of(message.get("content")) for message in self.messages if message.get("role") in ("system", "developer")]
        return "\n\n".join(told)

    @property
    def asked(self) -> tuple[str, ...]:
        """Return the customer's unanswered messages: all that follow the last message of the assistant.

        Tool calls and their results are no part of the conversation, nor are the blocks that describe messages (see
        `context`).
        """
        asked: list[str] = []
        for message in reversed([message for message in self.messages if not _about_tools(message)]):
            if message.get("role") != "user":
                break
            text = text_of(message.get("content"))
            if not self._is_context(text):
                asked.append(text)
        return tuple(reversed(asked))

    @property
    def context(self) -> tuple[Mapping[str, Any], ...]:
        """Return the contents of the blocks that describe messages and carry the code given in the instructions, in order."""
        texts = [text_of(message.get("content")) for message in self.messages if message.get("role") == "user"]
        return tuple(json.loads(text.split("\n")[1]) for text in texts if self._is_context(text))

    def _is_context(self, text: str) -> bool:
        code = _CODE.search(self.system)
        return code is not None and text.startswith(f"{code[0]}\n") and text.endswith(f"</{code[0][1:]}")

    @property
    def is_first_contact(self) -> bool:
        """Return whether the assistant has said nothing to this customer before."""
        return all(message.get("role") != "assistant" or _about_tools(message) for message in self.messages)

    @property
    def pictures(self) -> tuple[str, ...]:
        """Return the data URLs of the pictures in the request."""
        parts = [part for message in self.messages for part in _parts(message.get("content"))]
        shown = [part.get("image_url") for part in parts if part.get("type") in ("image_url", "input_image")]
        return tuple(str(each.get("url") if isinstance(each, dict) else each) for each in shown)

    @property
    def tools(self) -> tuple[str, ...]:
        """Return the names of the tools that may be called now."""
        tools = self.body.get("tools")
        if not isinstance(tools, list) or self.body.get("tool_choice") == "none":
            return ()
        functions = [tool.get("function", tool) for tool in tools if isinstance(tool, dict)]
        return tuple(str(function.get("name")) for function in functions if isinstance(function, dict))

    @property
    def results(self) -> tuple[str, ...]:
        """Return the results of the tools called since the customer's last message."""
        return tuple(text_of(message.get("content")) for message in self.messages if message.get("role") == "tool")

    @property
    def is_summary_request(self) -> bool:
        """Return whether this asks for a summary, by the plugin's own instructions."""
        return self.system.startswith(SUMMARY_BEGINNING)

    @property
    def tokens(self) -> int:
        """Return the approximate number of input tokens."""
        return sum(estimated_tokens(text_of(message.get("content"))) for message in self.messages)


SUMMARY_BEGINNING = "You keep the memory of a business's conversation with one customer."
"""The beginning of the bundled responder's instructions for a summary."""

_CODE = re.compile(r'<context id="[0-9a-f]+">')


def tokens_of(output: ModelOutput) -> int:
    """Return the approximate number of output tokens."""
    return estimated_tokens((output.text or "") + "".join(name + arguments for name, arguments in output.calls))


def text_of(content: Any) -> str:
    """Return the text of a message's content."""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _parts(content: Any) -> list[Mapping[str, Any]]:
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _about_tools(message: Mapping[str, Any]) -> bool:
    return message.get("role") == "tool" or bool(message.get("tool_calls"))
