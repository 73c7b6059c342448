"""Responses, OpenAI's newer API, in which reasoning models keep their reasoning between tool calls.

Nothing is stored with the provider (`store` is off), so the model's own items are sent back in every round of tools.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sara import RetryLater
from sara_openai.api.error_body import CONTENT_FILTERED, ErrorBody, find_error, read_error
from sara_openai.api.message_order import arrange_messages
from sara_openai.api.result import (
    Answer,
    ToolCall,
    arguments_to_return,
    describe_shape,
    get_field,
    join_text,
    parse_tool_calls,
    read_usage,
)
from sara_openai.options import OpenAIOptions
from sara_openai.prompt.messages import Message, compose_messages, replace_surrogates, replace_surrogates_in
from sara_openai.prompt.request import ModelRequest

if TYPE_CHECKING:
    from openai import AsyncOpenAI

# Errors that a repetition of the request would meet again; others may be temporary.
_PERMANENT_ERRORS = ("invalid_prompt", "image", "policy", "data_residency_mismatch")


class ResponsesApi:
    """Converts a model request into instructions and input items, and output items into an answer."""

    async def send(self, client: AsyncOpenAI, request: dict[str, Any]) -> object:
        """Send `POST /responses`."""
        return await client.responses.create(extra_body=request)

    def build_request(self, model_request: ModelRequest, options: OpenAIOptions) -> dict[str, Any]:
        """Build the request body.

        Options without a value are not sent. Encrypted reasoning is requested only where it may have to be sent back.
        """
        prompt = arrange_messages(
            compose_messages(model_request, told=model_request.fold_system),
            merge_roles=model_request.merge_roles,
            fold_system=model_request.fold_system,
        )
        items = [_format_item(message) for message in prompt]
        request: dict[str, Any] = {"model": options.model, "input": [*items, *model_request.tool_messages], "store": False}
        if model_request.system_prompt.strip() and not model_request.fold_system:
            request["instructions"] = replace_surrogates(model_request.system_prompt)
        if model_request.tools:
            request["tools"] = [
                {
                    "type": "function",
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": dict(tool.parameters),
                    "strict": False,
                }
                for tool in model_request.tools
            ]
            if model_request.final_round:
                request["tool_choice"] = "none"
            if model_request.encrypted_reasoning:
                request["include"] = ["reasoning.encrypted_content"]
        if options.temperature is not None and "temperature" not in model_request.omitted_options:
            request["temperature"] = options.temperature
        if options.max_output_tokens is not None and "max_output_tokens" not in model_request.omitted_options:
            request["max_output_tokens"] = options.max_output_tokens
        return request

    def parse_response(self, answered: object, model: str) -> Answer | ErrorBody:
        """Read the output items; the texts of all messages are joined."""
        if get_field(answered, "status") == "failed":
            return _read_failure(get_field(answered, "error"))
        output = get_field(answered, "output")
        if not isinstance(output, list):
            if (error := find_error(answered)) is not None:
                return error
            raise RetryLater(f"the server answered without an output ({describe_shape(answered)})")
        incomplete = get_field(answered, "status") == "incomplete"
        if incomplete and get_field(get_field(answered, "incomplete_details"), "reason") == "content_filter":
            return CONTENT_FILTERED
        calls, echo = _read_calls(output)
        contents = [get_field(item, "content") for item in output if get_field(item, "type") == "message"]
        return Answer(
            text="".join(join_text(content, "output_text", "text") for content in contents).strip(),
            refusal="".join(_read_refusal(content) for content in contents).strip(),
            calls=calls,
            echo=echo if calls else (),
            is_truncated=incomplete,
            usage=read_usage(answered, model, "input_tokens", "output_tokens"),
        )

    def format_calls(self, calls: Sequence[ToolCall]) -> tuple[Mapping[str, Any], ...]:
        """Return items of the type `function_call`."""
        return tuple(
            {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": arguments_to_return(call)}
            for call in calls
        )

    def format_result(self, call: ToolCall, text: str) -> Mapping[str, Any]:
        """Return an item of the type `function_call_output`."""
        return {"type": "function_call_output", "call_id": call.id, "output": replace_surrogates_in(text)}


def _format_item(message: Message) -> dict[str, Any]:
    content = message["content"]
    if isinstance(content, str):
        return {"role": message["role"], "content": content}
    return {"role": message["role"], "content": [_format_input(part) for part in content]}


def _format_input(part: Mapping[str, Any]) -> dict[str, Any]:
    if part["type"] == "text":
        return {"type": "input_text", "text": part["text"]}
    return {"type": "input_image", "image_url": part["image_url"]["url"], "detail": "auto"}


def _read_calls(output: list[Any]) -> tuple[tuple[ToolCall, ...], tuple[Mapping[str, Any], ...]]:
    """Return the calls among the items, and all items in the form in which they are sent back."""
    asking = [item for item in output if get_field(item, "type") == "function_call"]
    read = parse_tool_calls(
        (get_field(item, "call_id"), get_field(item, "name"), get_field(item, "arguments")) for item in asking
    )
    by_item = {id(item): call for item, call in zip(asking, read, strict=True)}
    echo: list[Mapping[str, Any]] = []
    for item in output:
        call = by_item.get(id(item))
        if call is not None:
            echo.append({**_copy_item(item), "call_id": call.id, "name": call.name, "arguments": arguments_to_return(call)})
        elif get_field(item, "type") in ("message", "reasoning") and _can_be_returned(item):
            echo.append(_copy_item(item))
    return tuple(call for call in read if call is not None), tuple(echo)


def _can_be_returned(item: object) -> bool:
    # Reasoning that is not encrypted would be looked up by its id, and nothing was stored.
    return get_field(item, "type") != "reasoning" or isinstance(get_field(item, "encrypted_content"), str)


def _copy_item(item: Any) -> dict[str, Any]:
    """Return an output item as it came, without empty fields."""
    sent = item if isinstance(item, dict) else item.to_dict(exclude_unset=True, exclude_none=True, warnings=False)
    return {replace_surrogates(key): replace_surrogates_in(value) for key, value in sent.items() if value is not None}


def _read_refusal(content: object) -> str:
    parts = content if isinstance(content, list) else []
    refusals = [get_field(part, "refusal") for part in parts if get_field(part, "type") == "refusal"]
    return "".join(refusal for refusal in refusals if isinstance(refusal, str))


def _read_failure(error: object) -> ErrorBody:
    """Return the error of a response with the status `failed`, with the HTTP status that it corresponds to."""
    code = get_field(error, "code")
    named = code if isinstance(code, str) else ""
    status = 400 if any(word in named for word in _PERMANENT_ERRORS) else 429 if "rate_limit" in named else 500
    read = read_error(error if isinstance(error, dict) else {"code": named, "message": get_field(error, "message")})
    return ErrorBody(read.message, read.codes, read.param, status)
