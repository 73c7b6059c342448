"""Chat Completions: the API that every compatible server speaks. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sara import RetryLater
from sara_openai.api.error_body import ErrorBody, error_in, withheld
from sara_openai.api.message_order import arranged
from sara_openai.api.result import Answer, ToolCall, echoed, field, shape, text_of, tool_calls, usage_of, was_cut
from sara_openai.options import OpenAIOptions
from sara_openai.prompt.messages import compose, sendable
from sara_openai.prompt.request import ModelRequest

if TYPE_CHECKING:
    from openai import AsyncOpenAI

# Newer models of OpenAI take only the new word for it, many other servers only the old one.
_NEW_WORD_HOSTS = (".openai.com", ".azure.com")

# Reasoning models of DeepSeek, Moonshot, OpenRouter and Google refuse to go on after a tool without what they sent beside the call.
_HANDED_BACK = ("reasoning_content", "reasoning_details")
_HANDED_BACK_IN_CALLS = ("extra_content",)


class Completions:
    """A question as messages, the answer as the first choice."""

    async def send(self, client: AsyncOpenAI, request: dict[str, Any]) -> object:
        """`POST /chat/completions`."""
        return await client.chat.completions.create(messages=(), model=request["model"], extra_body=request)

    def request(self, question: ModelRequest, options: OpenAIOptions) -> dict[str, Any]:
        """Options that were left out are not sent, so that servers which do not know them have nothing to refuse."""
        messages = arranged(compose(question), joined=question.joined, folded=question.folded)
        request: dict[str, Any] = {"model": options.model, "messages": [*messages, *question.since]}
        if question.tools:
            request["tools"] = [
                {
                    "type": "function",
                    "function": {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)},
                }
                for tool in question.tools
            ]
            if question.closing:
                request["tool_choice"] = "none"
        if options.temperature is not None and "temperature" not in question.unset:
            request["temperature"] = options.temperature
        if options.max_output_tokens is not None and "max_output_tokens" not in question.unset:
            host = "." + options.host.partition(":")[0]
            is_new = host.endswith(_NEW_WORD_HOSTS) != question.other_word
            request["max_completion_tokens" if is_new else "max_tokens"] = options.max_output_tokens
        return request

    def read(self, answered: object, model: str) -> Answer | ErrorBody:
        """What the first choice says. The legacy `function_call` was never offered and is not looked at."""
        choices = field(answered, "choices")
        if not isinstance(choices, list) or not choices:
            if (error := error_in(answered)) is not None:
                return error
            raise RetryLater(f"the server answered without a choice ({shape(answered)})")
        message, finish = field(choices[0], "message"), field(choices[0], "finish_reason")
        if isinstance(finish, str) and (refused := withheld(finish)) is not None:
            return error_in(choices[0]) or error_in(answered) or refused
        text = text_of(field(message, "content"), "text", "output_text")
        calls, asked = _calls(message)
        if not text and not calls and (field(choices[0], "error") or field(answered, "error")):
            return error_in(choices[0]) or error_in(answered) or ErrorBody()
        return Answer(
            text=text.strip(),
            refusal=text_of(field(message, "refusal")).strip(),
            calls=calls,
            echo=(_echo(message, text, asked),) if asked else (),
            cut=was_cut(finish),
            usage=usage_of(answered, model, "prompt_tokens", "completion_tokens"),
        )

    def echo(self, calls: Sequence[ToolCall]) -> tuple[Mapping[str, Any], ...]:
        """A message of the model with the calls in it."""
        return ({"role": "assistant", "content": None, "tool_calls": [_call(call) for call in calls]},)

    def result(self, call: ToolCall, text: str) -> Mapping[str, Any]:
        """A message of the role `tool`."""
        return {"role": "tool", "tool_call_id": call.id, "content": sendable(text)}


def _calls(message: object) -> tuple[tuple[ToolCall, ...], list[dict[str, Any]]]:
    """The calls that a message asks for, and those same calls as they are sent back."""
    sent = field(message, "tool_calls")
    given = sent if isinstance(sent, list) else []
    functions = [field(each, "function") for each in given]
    read = tool_calls(
        (field(each, "id"), field(function, "name"), field(function, "arguments"))
        for each, function in zip(given, functions, strict=True)
    )
    asked = [
        {**_call(call), **_kept(each, _HANDED_BACK_IN_CALLS)} for call, each in zip(read, given, strict=True) if call is not None
    ]
    return tuple(call for call in read if call is not None), asked


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": echoed(call)}}


def _echo(message: object, text: str, asked: list[dict[str, Any]]) -> Mapping[str, Any]:
    said = {"role": "assistant", "content": sendable(text) or None, "tool_calls": asked}
    return {**said, **_kept(message, _HANDED_BACK)}


def _kept(thing: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: sendable(value) for name in names if (value := field(thing, name)) is not None}
