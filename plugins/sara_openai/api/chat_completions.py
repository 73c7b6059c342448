"""Chat Completions, the API that every compatible server offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sara import RetryLater
from sara_openai.api.error_body import ErrorBody, check_finish_reason, find_error
from sara_openai.api.message_order import arrange_messages
from sara_openai.api.result import (
    Answer,
    ToolCall,
    arguments_to_return,
    describe_shape,
    get_field,
    is_length_limit,
    join_text,
    parse_tool_calls,
    read_usage,
)
from sara_openai.options import OpenAIOptions
from sara_openai.prompt.messages import compose_messages, replace_surrogates_in
from sara_openai.prompt.request import ModelRequest

if TYPE_CHECKING:
    from openai import AsyncOpenAI

# OpenAI's newer models accept only `max_completion_tokens`, many other servers only `max_tokens`.
_MAX_COMPLETION_TOKENS_HOSTS = (".openai.com", ".azure.com")

# Reasoning models of DeepSeek, Moonshot, OpenRouter and Google require these fields back after a tool call.
_RETURNED_FIELDS = ("reasoning_content", "reasoning_details")
_RETURNED_CALL_FIELDS = ("extra_content",)


class ChatCompletionsApi:
    """Converts a model request into chat messages, and the first choice of a response into an answer."""

    async def send(self, client: AsyncOpenAI, request: dict[str, Any]) -> object:
        """Send `POST /chat/completions`."""
        return await client.chat.completions.create(messages=(), model=request["model"], extra_body=request)

    def build_request(self, model_request: ModelRequest, options: OpenAIOptions) -> dict[str, Any]:
        """Build the request body.

        Options without a value are not sent, because some servers refuse options that they do not know.
        """
        messages = arrange_messages(
            compose_messages(model_request), merge_roles=model_request.merge_roles, fold_system=model_request.fold_system
        )
        request: dict[str, Any] = {"model": options.model, "messages": [*messages, *model_request.tool_messages]}
        if model_request.tools:
            request["tools"] = [
                {
                    "type": "function",
                    "function": {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)},
                }
                for tool in model_request.tools
            ]
            if model_request.final_round:
                request["tool_choice"] = "none"
        if options.temperature is not None and "temperature" not in model_request.omitted_options:
            request["temperature"] = options.temperature
        if options.max_output_tokens is not None and "max_output_tokens" not in model_request.omitted_options:
            host = "." + options.host.partition(":")[0]
            is_new = host.endswith(_MAX_COMPLETION_TOKENS_HOSTS) != model_request.swap_limit_name
            request["max_completion_tokens" if is_new else "max_tokens"] = options.max_output_tokens
        return request

    def parse_response(self, answered: object, model: str) -> Answer | ErrorBody:
        """Read the first choice.

        The legacy field `function_call` is ignored: it is never offered.
        """
        choices = get_field(answered, "choices")
        if not isinstance(choices, list) or not choices:
            if (error := find_error(answered)) is not None:
                return error
            raise RetryLater(f"the server answered without a choice ({describe_shape(answered)})")
        message, finish = get_field(choices[0], "message"), get_field(choices[0], "finish_reason")
        if isinstance(finish, str) and (refused := check_finish_reason(finish)) is not None:
            return find_error(choices[0]) or find_error(answered) or refused
        text = join_text(get_field(message, "content"), "text", "output_text")
        calls, asked = _read_calls(message)
        if not text and not calls and (get_field(choices[0], "error") or get_field(answered, "error")):
            return find_error(choices[0]) or find_error(answered) or ErrorBody()
        return Answer(
            text=text.strip(),
            refusal=join_text(get_field(message, "refusal")).strip(),
            calls=calls,
            echo=(_format_echo(message, text, asked),) if asked else (),
            is_truncated=is_length_limit(finish),
            usage=read_usage(answered, model, "prompt_tokens", "completion_tokens"),
        )

    def format_calls(self, calls: Sequence[ToolCall]) -> tuple[Mapping[str, Any], ...]:
        """Return an assistant message that contains the calls."""
        return ({"role": "assistant", "content": None, "tool_calls": [_format_call(call) for call in calls]},)

    def format_result(self, call: ToolCall, text: str) -> Mapping[str, Any]:
        """Return a message of the role `tool`."""
        return {"role": "tool", "tool_call_id": call.id, "content": replace_surrogates_in(text)}


def _read_calls(message: object) -> tuple[tuple[ToolCall, ...], list[dict[str, Any]]]:
    """Return the tool calls of a message, and the same calls in the form in which they are sent back."""
    sent = get_field(message, "tool_calls")
    given = sent if isinstance(sent, list) else []
    functions = [get_field(each, "function") for each in given]
    read = parse_tool_calls(
        (get_field(each, "id"), get_field(function, "name"), get_field(function, "arguments"))
        for each, function in zip(given, functions, strict=True)
    )
    asked = [
        {**_format_call(call), **_pick_fields(each, _RETURNED_CALL_FIELDS)}
        for call, each in zip(read, given, strict=True)
        if call is not None
    ]
    return tuple(call for call in read if call is not None), asked


def _format_call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments_to_return(call)}}


def _format_echo(message: object, text: str, asked: list[dict[str, Any]]) -> Mapping[str, Any]:
    said = {"role": "assistant", "content": replace_surrogates_in(text) or None, "tool_calls": asked}
    return {**said, **_pick_fields(message, _RETURNED_FIELDS)}


def _pick_fields(thing: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: replace_surrogates_in(value) for name in names if (value := get_field(thing, name)) is not None}
