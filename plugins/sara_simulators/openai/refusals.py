"""The common validation of both APIs: errors, the key, and invalid values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]+")
_LONGEST_NAME = 64
_MOST_TOOLS = 128
_CHOICES = ("none", "auto", "required")
_SOUNDS = ("flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm")


class RequestRejected(Exception):
    """A request that the server refuses, with the error it answers."""

    def __init__(self, status: int, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = error_body(status, message, code=code, param=param)


def error_body(status: int, message: str, *, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """Return an error as OpenAI words it."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    if status == 429:
        kind = "insufficient_quota" if code == "insufficient_quota" else "requests"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def missing(where: str) -> RequestRejected:
    """Return the error for a missing value."""
    return RequestRejected(400, f"Missing required parameter: '{where}'.", code="missing_required_parameter", param=where)


def wrong_type(where: str, expected: str) -> RequestRejected:
    """Return the error for a value of a wrong type."""
    return RequestRejected(400, f"Invalid type for '{where}': expected {expected}.", code="invalid_type", param=where)


def authorize(authorization: str | None, api_key: str | None) -> None:
    """Raise unless the key is right; without `api_key` any is, and none."""
    if api_key is None:
        return
    if not authorization:
        raise RequestRejected(401, "You didn't provide an API key.")
    if authorization != f"Bearer {api_key}":
        raise RequestRejected(401, "Incorrect API key provided.", code="invalid_api_key")


def validate_envelope(body: Any, model: str | None) -> Mapping[str, Any]:
    """Return the body of either API; raise unless the model exists (None accepts any) and every feature is supported."""
    if not isinstance(body, dict):
        raise RequestRejected(400, "We could not parse the JSON body of your request.")
    wanted = body.get("model")
    if not isinstance(wanted, str) or not wanted:
        raise RequestRejected(400, "you must provide a model parameter")
    validate_number(body, "temperature", 0, 2)
    if body.get("stream"):
        raise RequestRejected(400, "This simulator does not stream.", code="unsupported_value", param="stream")
    if model is not None and wanted != model:
        raise RequestRejected(
            404, f"The model `{wanted}` does not exist or you do not have access to it.", code="model_not_found"
        )
    return body


def validate_number(body: Mapping[str, Any], name: str, least: float, most: float) -> None:
    """Raise unless the value, where there is one, is a number in these limits."""
    value = body.get(name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(name, "a number")
    if not least <= value <= most:
        raise RequestRejected(400, f"Invalid '{name}': expected {least} to {most}.", code="out_of_range", param=name)


def tools_of(body: Mapping[str, Any]) -> list[Any]:
    """Return the tools of a request, none if it offers none; raise unless they are a valid list."""
    tools = body.get("tools")
    if tools is None:
        if body.get("tool_choice") is not None:
            raise RequestRejected(400, "'tool_choice' is only allowed when 'tools' are specified.", param="tool_choice")
        return []
    if not isinstance(tools, list):
        raise wrong_type("tools", "an array")
    if not 1 <= len(tools) <= _MOST_TOOLS:
        raise RequestRejected(400, f"Invalid 'tools': expected 1 to {_MOST_TOOLS} of them.", code="array_length", param="tools")
    choice = body.get("tool_choice")
    if choice is not None and not isinstance(choice, dict) and choice not in _CHOICES:
        raise RequestRejected(400, f"Invalid value: '{choice}'.", code="invalid_value", param="tool_choice")
    return tools


def validate_function(function: Any, where: str) -> None:
    """Raise unless a function may be offered like this."""
    if not isinstance(function, dict):
        raise missing(where)
    validate_name(function.get("name"), f"{where}.name")
    parameters = function.get("parameters")
    if parameters is None:
        return
    if not isinstance(parameters, dict) or parameters.get("type") != "object":
        message = "Invalid schema for function: schema must be a JSON Schema of 'type: \"object\"'."
        raise RequestRejected(400, message, code="invalid_function_parameters", param=f"{where}.parameters")


def validate_name(name: Any, where: str) -> None:
    """Raise unless a function may be called this."""
    if not isinstance(name, str):
        raise missing(where)
    if not _TOOL_NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        message = f"Invalid '{where}': string does not match pattern. Expected '^[a-zA-Z0-9_-]+$', at most {_LONGEST_NAME}."
        raise RequestRejected(400, message, code="invalid_value", param=where)


def validate_sound(model: Any, file: Any) -> Any:
    """Return the uploaded file of a transcription; raise unless OpenAI would accept it. The file's name decides its format."""
    if not isinstance(model, str) or not model:
        raise RequestRejected(400, "you must provide a model parameter", param="model")
    name = getattr(file, "filename", None)
    if not isinstance(name, str):
        raise missing("file")
    if name.rpartition(".")[2] not in _SOUNDS:
        raise RequestRejected(400, "Invalid file format.", code="unsupported_value", param="file")
    return file
