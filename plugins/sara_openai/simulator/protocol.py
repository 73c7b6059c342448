"""Chat Completions as the server's end speaks it: what is refused, and the shape of errors and answers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sara import estimated_tokens

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


class Rejected(Exception):
    """A request that the server refuses, with the error it answers."""

    def __init__(self, status: int, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = error_body(status, message, code=code, param=param)


def error_body(status: int, message: str, *, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """An error as OpenAI words it."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    if status == 429:
        kind = "insufficient_quota" if code == "insufficient_quota" else "requests"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


@dataclass(slots=True)
class Call:
    """A request to Chat Completions as it came, and the status it was answered with: None while it waits, 0 where the
    connection was torn down."""

    number: int
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    status: int | None = None

    @property
    def messages(self) -> list[Mapping[str, Any]]:
        """The messages of the request, in order."""
        messages = self.body.get("messages")
        return [message for message in messages if isinstance(message, dict)] if isinstance(messages, list) else []

    @property
    def asked(self) -> tuple[str, ...]:
        """The customer's messages that want an answer: all that come after the last thing said to them."""
        asked: list[str] = []
        for message in reversed(self.messages):
            if message.get("role") != "user":
                break
            asked.append(text_of(message.get("content")))
        return tuple(reversed(asked))

    @property
    def first(self) -> bool:
        """Whether nothing was said to this customer before."""
        return all(message.get("role") != "assistant" for message in self.messages)


def text_of(content: Any) -> str:
    """The words of a message's content."""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def authorize(authorization: str | None, api_key: str | None) -> None:
    """Raise unless the key is right; without `api_key` any is, and none."""
    if api_key is None:
        return
    if not authorization:
        raise Rejected(401, "You didn't provide an API key.")
    if authorization != f"Bearer {api_key}":
        raise Rejected(401, "Incorrect API key provided.", code="invalid_api_key")


def validate(body: Any, model: str | None) -> None:
    """Raise unless OpenAI would take this request; `model` is the only one there is, None takes any."""
    if not isinstance(body, dict):
        raise Rejected(400, "We could not parse the JSON body of your request.")
    wanted, messages = body.get("model"), body.get("messages")
    if not isinstance(wanted, str) or not wanted:
        raise Rejected(400, "you must provide a model parameter")
    if not isinstance(messages, list):
        raise Rejected(400, "Missing required parameter: 'messages'.", code="missing_required_parameter", param="messages")
    if not messages:
        raise Rejected(400, "Invalid 'messages': empty array.", code="empty_array", param="messages")
    for index, message in enumerate(messages):
        _validate_message(message, f"messages[{index}]")
    _validate_number(body, "temperature", 0, 2)
    for name in ("max_tokens", "max_completion_tokens"):
        _validate_number(body, name, 1, 1_000_000)
    if body.get("stream"):
        raise Rejected(400, "This simulator does not stream.", code="unsupported_value", param="stream")
    if model is not None and wanted != model:
        raise Rejected(404, f"The model `{wanted}` does not exist or you do not have access to it.", code="model_not_found")


_SOUNDS = ("flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm")


def validate_sound(model: Any, file: Any) -> Any:
    """The uploaded file of a transcription; raise unless OpenAI would take it. The format goes by the file's name alone."""
    if not isinstance(model, str) or not model:
        raise Rejected(400, "you must provide a model parameter", param="model")
    name = getattr(file, "filename", None)
    if not isinstance(name, str):
        raise Rejected(400, "Missing required parameter: 'file'.", code="missing_required_parameter", param="file")
    if name.rpartition(".")[2] not in _SOUNDS:
        raise Rejected(400, "Invalid file format.", code="unsupported_value", param="file")
    return file


def _validate_message(message: Any, where: str) -> None:
    if not isinstance(message, dict):
        raise Rejected(400, f"Invalid type for '{where}': expected an object.", code="invalid_type", param=where)
    role, content = message.get("role"), message.get("content")
    if role is None:
        raise Rejected(
            400, f"Missing required parameter: '{where}.role'.", code="missing_required_parameter", param=f"{where}.role"
        )
    if role not in _ROLES:
        raise Rejected(400, f"Invalid value: '{role}'.", code="invalid_value", param=f"{where}.role")
    # Only an assistant may have said nothing, when it called a tool.
    if not isinstance(content, str | list) and not (role == "assistant" and message.get("tool_calls")):
        raise Rejected(
            400, f"Invalid type for '{where}.content': expected a string.", code="invalid_type", param=f"{where}.content"
        )


def _validate_number(body: Mapping[str, Any], name: str, least: float, most: float) -> None:
    value = body.get(name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Rejected(400, f"Invalid type for '{name}': expected a number.", code="invalid_type", param=name)
    if not least <= value <= most:
        raise Rejected(400, f"Invalid '{name}': expected {least} to {most}.", code="out_of_range", param=name)


def completion_body(call: Call, text: str | None, now: int, **special: Any) -> dict[str, Any]:
    """An answer as OpenAI sends it. `special` may hold `finish_reason` and `refusal`."""
    asked = sum(estimated_tokens(text_of(message.get("content"))) for message in call.messages)
    said = estimated_tokens(text or "")
    return {
        "id": f"chatcmpl-simulated-{call.number}",
        "object": "chat.completion",
        "created": now,
        "model": call.body.get("model", ""),
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": special.get("refusal")},
                "logprobs": None,
                "finish_reason": special.get("finish_reason", "stop"),
            }
        ],
        "usage": {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said},
    }
