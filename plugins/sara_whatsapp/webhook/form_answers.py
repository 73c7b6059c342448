"""What a customer filled into a form (a flow, an address, whatever answers as `nfm_reply`). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sara_whatsapp.webhook.flat_text import is_file
from sara_whatsapp.webhook.safe_json import InvalidJson, decode, to_dict

MAX_FILES = 10
"""Files that one form may bring, as Meta documents it."""


def find_form_reply(message: Mapping[str, Any]) -> dict[str, Any] | None:
    """The part of a message that holds a filled-in form; None for any other message."""
    own = to_dict(message.get("interactive"))
    return to_dict(own.get("nfm_reply")) if own.get("type") == "nfm_reply" else None


def drop_answers(interactive: Any) -> Any:
    """The part of a message that brings a form, without the answers in their JSON text: `answers_of` reads them."""
    reply = to_dict(to_dict(interactive).get("nfm_reply"))
    return {**interactive, "nfm_reply": {key: value for key, value in reply.items() if key != "response_json"}}


def read_answers(reply: Mapping[str, Any]) -> Any:
    """The answers in a form, as the JSON value that they are. Text that is no JSON stays the text it is."""
    written = reply.get("response_json")
    if not isinstance(written, str):
        return written
    try:
        return decode(written.encode())
    except InvalidJson:
        return written


def find_files(answers: Any) -> list[dict[str, Any]]:
    """The files that a form's answers name, wherever they stand in it."""
    found = list(_walk_files(answers))
    return found[:MAX_FILES]


def _walk_files(value: Any) -> Iterator[dict[str, Any]]:
    if is_file(value):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _walk_files(item)
