"""The order of messages that strict servers want: one message after the other from each side, the customer's first. Pure.

Templates of Mistral, Gemma and others refuse two messages of one role in a row, and some know no system message at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sara_openai.prompt.messages import Message

OPENING = "(We wrote first.)"
"""Stands before a conversation that begins with our own words, where a server wants the customer's first."""


def arranged(prompt: Sequence[Message], *, joined: bool, folded: bool) -> list[Message]:
    """The prompt with neighbours of one role `joined`, and with the system message `folded` into the first message."""
    system = [message for message in prompt if message["role"] == "system"]
    spoken = [message for message in prompt if message["role"] != "system"]
    if joined:
        spoken = _joined(spoken)
        if spoken and spoken[0]["role"] == "assistant":
            spoken.insert(0, {"role": "user", "content": OPENING})
    if not folded or not system:
        return [*system, *spoken]
    told = "\n\n".join(str(message["content"]) for message in system)
    if not spoken or spoken[0]["role"] != "user":
        return [{"role": "user", "content": told}, *spoken]
    first: Message = {"role": "user", "content": _together(told, spoken[0]["content"])}
    return [first, *spoken[1:]]


def _joined(messages: Sequence[Message]) -> list[Message]:
    joined: list[Message] = []
    for message in messages:
        if joined and joined[-1]["role"] == message["role"]:
            joined[-1] = {"role": message["role"], "content": _together(joined[-1]["content"], message["content"])}
        else:
            joined.append(message)
    return joined


def _together(first: str | list[dict[str, Any]], second: str | list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Two contents as one: a text, or texts and pictures."""
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n\n{second}"
    return [*_parts(first), *_parts(second)]


def _parts(content: str | list[dict[str, Any]]) -> list[Mapping[str, Any]] | list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content
