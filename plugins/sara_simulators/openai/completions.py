"""Chat Completions at the server: validation of requests, and the form of responses."""

from __future__ import annotations

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

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


def validate(body: Any, model: str | None) -> None:
    """Raise unless OpenAI would take this request; `model` is the only one there is, None takes any."""
    request = validate_envelope(body, model)
    messages = request.get("messages")
    if not isinstance(messages, list):
        raise missing("messages")
    if not messages:
        raise RequestRejected(400, "Invalid 'messages': empty array.", code="empty_array", param="messages")
    for name in ("max_tokens", "max_completion_tokens"):
        validate_number(request, name, 1, 1_000_000)
    for index, tool in enumerate(tools_of(request)):
        if not isinstance(tool, dict) or tool.get("type") != "function":
            raise RequestRejected(400, "Invalid value: expected 'function'.", code="invalid_value", param=f"tools[{index}].type")
        validate_function(tool.get("function"), f"tools[{index}].function")
    _validate_messages(messages)


def _validate_messages(messages: list[Any]) -> None:
    """Each message by itself, and that calls of tools and their results follow each other."""
    open_calls: dict[str, str] = {}
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        _validate_message(message, where)
        if message["role"] == "tool":
            _answer(open_calls, message, where)
            continue
        _none_open(open_calls)
        for number, call in enumerate(message.get("tool_calls") or []):
            open_calls[_validate_call(call, f"{where}.tool_calls[{number}]")] = where
    _none_open(open_calls)


def _answer(open_calls: dict[str, str], message: Any, where: str) -> None:
    if not isinstance(message.get("tool_call_id"), str):
        raise missing(f"{where}.tool_call_id")
    if open_calls.pop(message["tool_call_id"], None) is None:
        told = "messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
        raise RequestRejected(400, f"Invalid parameter: {told}", param=f"{where}.role")


def _none_open(open_calls: dict[str, str]) -> None:
    if open_calls:
        told = "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        unanswered = f"The following tool_call_ids did not have response messages: {', '.join(open_calls)}"
        raise RequestRejected(400, told + unanswered, param=next(iter(open_calls.values())))


def _validate_call(call: Any, where: str) -> str:
    if not isinstance(call, dict):
        raise wrong_type(where, "an object")
    if not isinstance(call.get("id"), str) or not call["id"]:
        raise missing(f"{where}.id")
    if call.get("type") != "function":
        raise RequestRejected(400, f"Invalid value: '{call.get('type')}'.", code="invalid_value", param=f"{where}.type")
    function = call.get("function")
    if not isinstance(function, dict):
        raise missing(f"{where}.function")
    validate_name(function.get("name"), f"{where}.function.name")
    if not isinstance(function.get("arguments"), str):
        raise wrong_type(f"{where}.function.arguments", "a string")
    return str(call["id"])


def _validate_message(message: Any, where: str) -> None:
    if not isinstance(message, dict):
        raise wrong_type(where, "an object")
    role, content, calls = message.get("role"), message.get("content"), message.get("tool_calls")
    if role is None:
        raise missing(f"{where}.role")
    if role not in _ROLES:
        raise RequestRejected(400, f"Invalid value: '{role}'.", code="invalid_value", param=f"{where}.role")
    if calls is not None:
        if role != "assistant":
            raise RequestRejected(400, "'tool_calls' is only allowed for the role 'assistant'.", param=f"{where}.tool_calls")
        if not isinstance(calls, list) or not calls:
            raise RequestRejected(
                400, f"Invalid '{where}.tool_calls': empty array.", code="empty_array", param=f"{where}.tool_calls"
            )
    # Only an assistant may have said nothing, when it called a tool.
    if not isinstance(content, str | list) and not (role == "assistant" and calls):
        raise wrong_type(f"{where}.content", "a string")


def answer(call: Call, output: ModelOutput, now: int, asked: int, said: int) -> dict[str, Any]:
    """Return a response as OpenAI sends it; `asked` and `said` are the tokens of both sides."""
    message: dict[str, Any] = {"role": "assistant", "content": output.text, "refusal": output.refusal}
    if output.calls:
        message["tool_calls"] = [
            {
                "id": f"call_simulated_{call.number}_{index}",
                "type": "function",
                "function": {"name": name, "arguments": arguments},
            }
            for index, (name, arguments) in enumerate(output.calls, start=1)
        ]
    finish = "tool_calls" if output.calls and output.ended == "stop" else output.ended
    return {
        "id": f"chatcmpl-simulated-{call.number}",
        "object": "chat.completion",
        "created": now,
        "model": call.body.get("model", ""),
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said},
    }
