"""A turn → the messages of a Chat Completions request. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

from sara import Line


class Message(TypedDict):
    """One message as Chat Completions takes it."""

    role: Literal["system", "user", "assistant"]
    content: str


def compose(instructions: str, history: Sequence[Line], messages: Sequence[Line]) -> list[Message]:
    """Instructions first, then what was said, then each unanswered message on its own, in the customer's own words.

    The role is `system` and not `developer`: OpenAI takes either, most other servers only this one.
    """
    prompt: list[Message] = []
    if instructions.strip():
        prompt.append({"role": "system", "content": encodable(instructions)})
    # An earlier message without words says nothing to the model, and some servers refuse it.
    prompt += [_message(line) for line in history if line.text.strip()]
    prompt += [_message(line) for line in messages]
    return prompt


def encodable(text: str) -> str:
    """`text` itself, save that lone halves of a surrogate pair, which no UTF-8 can carry, become replacement characters."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _message(line: Line) -> Message:
    # Whoever answered for the business (the model, a person, SARA itself) is one voice to the customer.
    return {"role": "user" if line.role == "customer" else "assistant", "content": encodable(line.text)}
