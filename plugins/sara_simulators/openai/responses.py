"""Responses at the server: validation of requests, and the form of responses.

Nothing is stored here: whatever would have to be looked up by its id is refused, as OpenAI does with `store` off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sara_simulators.openai.refusals import (
    RequestRejected,
    missing,
    tools_of,
    validate_envelope,
    validate_function,
    validate_name,
    validate_number,
    wrong_type,
)

if TYPE_CHECKING:
    from sara_simulators.openai.protocol import Call, ModelOutput

SEALED = "reasoning.encrypted_content"

_ROLES = ("system", "developer", "user", "assistant")
_PARTS = ("input_text", "input_image", "output_text", "refusal")
_MOVED = {"messages": "input", "max_tokens": "max_output_tokens", "max_completion_tokens": "max_output_tokens"}
_ENDS = {"length": "max_output_tokens", "content_filter": "content_filter"}


def validate(body: Any, model: str | None, reasons: bool) -> None:
    """Raise unless OpenAI would take this request. `model` is the only one there is, None takes any; `reasons` is whether it thinks
    before it calls a tool."""
    request = validate_envelope(body, model)
    for old, new in _MOVED.items():
        if old in request:
            message = f"Unsupported parameter: '{old}'. In the Responses API, this parameter has moved to '{new}'."
            raise RequestRejected(400, message, code="unsupported_parameter", param=old)
    validate_number(request, "max_output_tokens", 16, 1_000_000)
    if SEALED in (request.get("include") or []) and not reasons:
        raise RequestRejected(400, "Encrypted content is not supported with this model.", param="include")
    if not isinstance(request.get("instructions"), str | None):
        raise wrong_type("instructions", "a string")
    for index, tool in enumerate(tools_of(request)):
        if not isinstance(tool, dict) or tool.get("type") != "function":
            raise RequestRejected(400, "Invalid value: expected 'function'.", code="invalid_value", param=f"tools[{index}].type")
        validate_function(tool, f"tools[{index}]")
    items = request.get("input")
    if isinstance(items, str) and items:
        return
    if not isinstance(items, list) or not items:
        raise missing("input")
    _validate_items(items, reasons)


def _validate_items(items: list[Any], reasons: bool) -> None:
    """Each item by itself, and that every call has its result, and the thought that led to it."""
    open_calls: dict[str, str] = {}
    thought = False
    for index, item in enumerate(items):
        where = f"input[{index}]"
        if not isinstance(item, dict):
            raise wrong_type(where, "an object")
        match item.get("type", "message"):
            case "message":
                thought = False
                _validate_message(item, where)
            case "reasoning":
                thought = True
                _validate_reasoning(item, where)
            case "function_call":
                open_calls[_validate_call(item, where, thought or not reasons)] = where
            case "function_call_output":
                _answer(open_calls, item, where)
            case kind:
                raise RequestRejected(400, f"Invalid value: '{kind}'.", code="invalid_value", param=f"{where}.type")
    for call, where in open_calls.items():
        raise RequestRejected(400, f"No tool output found for function call {call}.", param=where)


def _validate_message(item: Mapping[str, Any], where: str) -> None:
    role, content = item.get("role"), item.get("content")
    if role not in _ROLES:
        raise RequestRejected(400, f"Invalid value: '{role}'.", code="invalid_value", param=f"{where}.role")
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise wrong_type(f"{where}.content", "a string or an array")
    for index, part in enumerate(content):
        if not isinstance(part, dict) or part.get("type") not in _PARTS:
            message = f"Invalid value. Supported values are: {', '.join(_PARTS)}."
            raise RequestRejected(400, message, code="invalid_value", param=f"{where}.content[{index}]")


def _validate_reasoning(item: Mapping[str, Any], where: str) -> None:
    if not isinstance(item.get("encrypted_content"), str):
        told = f"Item with id '{item.get('id')}' not found. Items are not persisted when `store` is set to false."
        raise RequestRejected(404, told, param=where)
    if not isinstance(item.get("summary"), list):
        raise missing(f"{where}.summary")


def _validate_call(item: Mapping[str, Any], where: str, thought: bool) -> str:
    if not isinstance(item.get("call_id"), str) or not item["call_id"]:
        raise missing(f"{where}.call_id")
    validate_name(item.get("name"), f"{where}.name")
    if not isinstance(item.get("arguments"), str):
        raise wrong_type(f"{where}.arguments", "a string")
    if item.get("id") and not thought:  # an item that was never the server's has no thought that belongs to it
        told = f"Item '{item.get('id')}' of type 'function_call' was provided without its required 'reasoning' item."
        raise RequestRejected(400, told, param=where)
    return str(item["call_id"])


def _answer(open_calls: dict[str, str], item: Mapping[str, Any], where: str) -> None:
    if not isinstance(item.get("output"), str | list):
        raise missing(f"{where}.output")
    if open_calls.pop(str(item.get("call_id")), None) is None:
        told = f"No tool call found for function call output with call_id {item.get('call_id')}."
        raise RequestRejected(400, told, param=where)


def conversation(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Instructions and input items as the messages that they would be in Chat Completions."""
    messages: list[Mapping[str, Any]] = []
    if isinstance(told := body.get("instructions"), str):
        messages.append({"role": "system", "content": told})
    items = body.get("input")
    if isinstance(items, str):
        return [*messages, {"role": "user", "content": items}]
    for item in items if isinstance(items, list) else []:
        if not isinstance(item, dict):
            continue
        match item.get("type", "message"):
            case "message":
                messages.append({"role": item.get("role"), "content": item.get("content")})
            case "function_call":
                function = {"name": item.get("name"), "arguments": item.get("arguments")}
                call = {"id": item.get("call_id"), "type": "function", "function": function}
                messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
            case "function_call_output":
                messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": item.get("output")})
    return messages


def answer(call: Call, output: ModelOutput, now: int, asked: int, said: int, reasons: bool) -> dict[str, Any]:
    """Return a response as OpenAI sends it; `asked` and `said` are the tokens of both sides."""
    status = "failed" if output.failed else "completed" if output.ended == "stop" else "incomplete"
    return {
        "id": f"resp_simulated_{call.number}",
        "object": "response",
        "created_at": now,
        "status": status,
        "error": {"code": output.failed, "message": "The model failed."} if output.failed else None,
        "incomplete_details": {"reason": _ENDS[output.ended]} if status == "incomplete" else None,
        "model": call.body.get("model", ""),
        "output": [] if output.failed else _output(call, output, reasons),
        "parallel_tool_calls": True,
        "tool_choice": call.body.get("tool_choice", "auto"),
        "tools": call.body.get("tools", []),
        "usage": {
            "input_tokens": asked,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": said,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": asked + said,
        },
    }


def _output(call: Call, output: ModelOutput, reasons: bool) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if output.calls and reasons:
        sealed = f"sealed-{call.number}" if SEALED in (call.body.get("include") or []) else None
        items.append({"id": f"rs_simulated_{call.number}", "type": "reasoning", "summary": [], "encrypted_content": sealed})
    content: list[dict[str, Any]] = []
    if output.text is not None:
        content.append({"type": "output_text", "text": output.text, "annotations": [], "logprobs": []})
    if output.refusal is not None:
        content.append({"type": "refusal", "refusal": output.refusal})
    if content or not output.calls:
        message = {"id": f"msg_simulated_{call.number}", "type": "message", "role": "assistant", "status": "completed"}
        items.insert(0, {**message, "content": content})  # before the thought, which has to stand right before the calls
    return items + [
        {
            "id": f"fc_simulated_{call.number}_{index}",
            "type": "function_call",
            "status": "completed",
            "call_id": f"call_simulated_{call.number}_{index}",
            "name": name,
            "arguments": arguments,
        }
        for index, (name, arguments) in enumerate(output.calls, start=1)
    ]
