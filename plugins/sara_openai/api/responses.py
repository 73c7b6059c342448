"""Responses: OpenAI's newer API, in which reasoning models keep their train of thought between tool calls. Pure.

Nothing is left with the provider (`store` is off), so the model's own items go back to it with every round of tools.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sara import RetryLater
from sara_openai.api.error_body import FILTERED, ErrorBody, error_in, read_error
from sara_openai.api.message_order import arranged
from sara_openai.api.result import Answer, ToolCall, echoed, field, shape, text_of, tool_calls, usage_of
from sara_openai.options import OpenAIOptions
from sara_openai.prompt.messages import Message, compose, encodable, sendable
from sara_openai.prompt.request import ModelRequest

if TYPE_CHECKING:
    from openai import AsyncOpenAI

# Failures that the same request would meet again; any other may pass.
_LASTING = ("invalid_prompt", "image", "policy", "data_residency_mismatch")


class Responses:
    """A question as instructions and input items, the answer as output items."""

    async def send(self, client: AsyncOpenAI, request: dict[str, Any]) -> object:
        """`POST /responses`."""
        return await client.responses.create(extra_body=request)

    def request(self, question: ModelRequest, options: OpenAIOptions) -> dict[str, Any]:
        """Options that were left out are not sent; sealed reasoning is asked for only where it may have to be handed back."""
        prompt = arranged(compose(question, told=question.folded), joined=question.joined, folded=question.folded)
        items = [_item(message) for message in prompt]
        request: dict[str, Any] = {"model": options.model, "input": [*items, *question.since], "store": False}
        if question.briefing.strip() and not question.folded:
            request["instructions"] = encodable(question.briefing)
        if question.tools:
            request["tools"] = [
                {
                    "type": "function",
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": dict(tool.parameters),
                    "strict": False,
                }
                for tool in question.tools
            ]
            if question.closing:
                request["tool_choice"] = "none"
            if question.sealed:
                request["include"] = ["reasoning.encrypted_content"]
        if options.temperature is not None and "temperature" not in question.unset:
            request["temperature"] = options.temperature
        if options.max_output_tokens is not None and "max_output_tokens" not in question.unset:
            request["max_output_tokens"] = options.max_output_tokens
        return request

    def read(self, answered: object, model: str) -> Answer | ErrorBody:
        """What the output items say, all messages among them together."""
        if field(answered, "status") == "failed":
            return _failed(field(answered, "error"))
        output = field(answered, "output")
        if not isinstance(output, list):
            if (error := error_in(answered)) is not None:
                return error
            raise RetryLater(f"the server answered without an output ({shape(answered)})")
        incomplete = field(answered, "status") == "incomplete"
        if incomplete and field(field(answered, "incomplete_details"), "reason") == "content_filter":
            return FILTERED
        calls, echo = _calls(output)
        contents = [field(item, "content") for item in output if field(item, "type") == "message"]
        return Answer(
            text="".join(text_of(content, "output_text", "text") for content in contents).strip(),
            refusal="".join(_refusal(content) for content in contents).strip(),
            calls=calls,
            echo=echo if calls else (),
            cut=incomplete,
            usage=usage_of(answered, model, "input_tokens", "output_tokens"),
        )

    def echo(self, calls: Sequence[ToolCall]) -> tuple[Mapping[str, Any], ...]:
        """Items of the type `function_call`."""
        return tuple(
            {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": echoed(call)} for call in calls
        )

    def result(self, call: ToolCall, text: str) -> Mapping[str, Any]:
        """An item of the type `function_call_output`."""
        return {"type": "function_call_output", "call_id": call.id, "output": sendable(text)}


def _item(message: Message) -> dict[str, Any]:
    content = message["content"]
    if isinstance(content, str):
        return {"role": message["role"], "content": content}
    return {"role": message["role"], "content": [_input(part) for part in content]}


def _input(part: Mapping[str, Any]) -> dict[str, Any]:
    if part["type"] == "text":
        return {"type": "input_text", "text": part["text"]}
    return {"type": "input_image", "image_url": part["image_url"]["url"], "detail": "auto"}


def _calls(output: list[Any]) -> tuple[tuple[ToolCall, ...], tuple[Mapping[str, Any], ...]]:
    """The calls among the items, and all items as they are sent back."""
    asking = [item for item in output if field(item, "type") == "function_call"]
    read = tool_calls((field(item, "call_id"), field(item, "name"), field(item, "arguments")) for item in asking)
    by_item = {id(item): call for item, call in zip(asking, read, strict=True)}
    echo: list[Mapping[str, Any]] = []
    for item in output:
        call = by_item.get(id(item))
        if call is not None:
            echo.append({**_as_sent(item), "call_id": call.id, "name": call.name, "arguments": echoed(call)})
        elif field(item, "type") in ("message", "reasoning") and _can_go_back(item):
            echo.append(_as_sent(item))
    return tuple(call for call in read if call is not None), tuple(echo)


def _can_go_back(item: object) -> bool:
    # Reasoning that is not sealed would be looked up by its id, and nothing was stored.
    return field(item, "type") != "reasoning" or isinstance(field(item, "encrypted_content"), str)


def _as_sent(item: Any) -> dict[str, Any]:
    """An item of the output as it came, without fields that the client or the server left empty."""
    sent = item if isinstance(item, dict) else item.to_dict(exclude_unset=True, exclude_none=True, warnings=False)
    return {encodable(key): sendable(value) for key, value in sent.items() if value is not None}


def _refusal(content: object) -> str:
    parts = content if isinstance(content, list) else []
    refusals = [field(part, "refusal") for part in parts if field(part, "type") == "refusal"]
    return "".join(refusal for refusal in refusals if isinstance(refusal, str))


def _failed(error: object) -> ErrorBody:
    """The error that an answer of the status `failed` carries: as a server refuses a request, or as one that is unwell."""
    code = field(error, "code")
    named = code if isinstance(code, str) else ""
    status = 400 if any(word in named for word in _LASTING) else 429 if "rate_limit" in named else 500
    read = read_error(error if isinstance(error, dict) else {"code": named, "message": field(error, "message")})
    return ErrorBody(read.said, read.codes, read.param, status)
