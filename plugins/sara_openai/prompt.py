"""A turn → the messages of a Chat Completions request. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, TypedDict

from sara import Line


class Message(TypedDict):
    """One message as Chat Completions takes it."""

    role: Literal["system", "user", "assistant"]
    content: str


def estimate(text: str) -> int:
    """About how many tokens a message costs: a quarter of its UTF-8 bytes, rounded up, at least one, and four for its frame.

    Real tokenizers differ by model and language; this errs on the high side for most, and needs no vocabulary.
    """
    return max(1, -(-len(text.encode("utf-8", "surrogatepass")) // 4)) + 4


def cost(lines: Iterable[Line]) -> int:
    """About how many tokens these lines cost."""
    return sum(estimate(line.text) for line in lines)


def window(history: Sequence[Line], messages: Sequence[Line], budget: int) -> tuple[Line, ...]:
    """The newest lines of `history` that fit into `budget` tokens together with `messages`.

    Lines are kept whole and without a gap: the first one from the end that does not fit ends the window. `messages` are
    what has to be answered, so they are never dropped, and only take room from the history.
    """
    left = budget - cost(messages)
    start = len(history)
    while start and (left := left - estimate(history[start - 1].text)) >= 0:
        start -= 1
    return tuple(history[start:])


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
