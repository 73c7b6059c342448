"""Reads the answers in a form (a flow, an address, anything that arrives as `nfm_reply`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sara_whatsapp.webhook.flat_text import is_file
from sara_whatsapp.webhook.safe_json import InvalidJson, decode, to_dict

MAX_FILES = 10
"""Maximum number of files in one form, as Meta documents it."""


def find_form_reply(message: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the part of a message that holds a form's answers; None for any other message."""
    own = to_dict(message.get("interactive"))
    return to_dict(own.get("nfm_reply")) if own.get("type") == "nfm_reply" else None


def drop_answers(interactive: Any) -> Any:
    """Return the part of a message that holds a form, without the JSON text of the answers, which `read_answers` reads."""
    reply = to_dict(to_dict(interactive).get("nfm_reply"))
    return {**interactive, "nfm_reply": {key: value for key, value in reply.items() if key != "response_json"}}


def read_answers(reply: Mapping[str, Any]) -> Any:
    """Return the answers of a form as a JSON value; text that is no JSON stays text."""
    written = reply.get("response_json")
    if not isinstance(written, str):
        return written
    try:
        return decode(written.encode())
    except InvalidJson:
        return written


def find_files(answers: Any) -> list[dict[str, Any]]:
    """Return the files in a form's answers, wherever they stand."""
    found = list(_walk_files(answers))
    return found[:MAX_FILES]


def _walk_files(value: Any) -> Iterator[dict[str, Any]]:
    if is_file(value):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _walk_files(item)
