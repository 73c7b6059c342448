"""Orders messages for strict servers: alternating roles, beginning with the customer.

Templates of Mistral, Gemma and others refuse two consecutive messages of one role, and some accept no system message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sara_openai.prompt.messages import Message

OPENING_MESSAGE = "(We wrote first.)"
"""The first user message for a server that refuses a conversation beginning with the business."""


def arrange_messages(prompt: Sequence[Message], *, merge_roles: bool, fold_system: bool) -> list[Message]:
    """Return the prompt in the order that a strict server takes.

    `merge_roles` merges consecutive messages of one role, `fold_system` puts the system message into the first user message.
    """
    system = [message for message in prompt if message["role"] == "system"]
    conversation = [message for message in prompt if message["role"] != "system"]
    if merge_roles:
        conversation = _merge_roles(conversation)
        if conversation and conversation[0]["role"] == "assistant":
            conversation.insert(0, {"role": "user", "content": OPENING_MESSAGE})
    if not fold_system or not system:
        return [*system, *conversation]
    instructions = "\n\n".join(str(message["content"]) for message in system)
    if not conversation or conversation[0]["role"] != "user":
        return [{"role": "user", "content": instructions}, *conversation]
    first: Message = {"role": "user", "content": _concatenate(instructions, conversation[0]["content"])}
    return [first, *conversation[1:]]


def _merge_roles(messages: Sequence[Message]) -> list[Message]:
    merged: list[Message] = []
    for message in messages:
        if merged and merged[-1]["role"] == message["role"]:
            merged[-1] = {"role": message["role"], "content": _concatenate(merged[-1]["content"], message["content"])}
        else:
            merged.append(message)
    return merged


def _concatenate(first: str | list[dict[str, Any]], second: str | list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Return two contents as one: a text, or a list of texts and images."""
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n\n{second}"
    return [*_to_parts(first), *_to_parts(second)]


def _to_parts(content: str | list[dict[str, Any]]) -> list[Mapping[str, Any]] | list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content
