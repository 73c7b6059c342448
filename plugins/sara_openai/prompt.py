"""A question → the messages of a Chat Completions request. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, TypedDict

from sara import Line

LONGEST_QUOTE = 300
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Message(TypedDict):
    """One message as Chat Completions takes it: a text, or texts and pictures."""

    role: Literal["system", "user", "assistant"]
    content: str | list[dict[str, Any]]


def compose(
    briefing: str,
    history: Sequence[Line],
    messages: Sequence[Line],
    pictures: Mapping[str, Sequence[str]] = _NOTHING,
    heard: Mapping[str, str] = _NOTHING,
) -> list[Message]:
    """The briefing first, then what was said, then each unanswered message on its own, in the customer's own words.

    `pictures` are data URLs and `heard` are transcripts, both by the line's id. The role is `system` and not `developer`: OpenAI
    takes either, most other servers only this one.
    """
    prompt: list[Message] = []
    if briefing.strip():
        prompt.append({"role": "system", "content": encodable(briefing)})
    # An earlier message without words says nothing to the model, and some servers refuse it.
    prompt += [_message(line, pictures, heard) for line in history if line.text.strip()]
    prompt += [_message(line, pictures, heard) for line in messages]
    return prompt


def encodable(text: str) -> str:
    """`text` itself, save that lone halves of a surrogate pair, which no UTF-8 can carry, become replacement characters."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def sendable(value: Any) -> Any:
    """Any JSON value with its texts `encodable`: what a server sent may have to go back to it."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, list):
        return [sendable(each) for each in value]
    if isinstance(value, dict):
        return {encodable(str(key)): sendable(each) for key, each in value.items()}
    return value


def _message(line: Line, pictures: Mapping[str, Sequence[str]], heard: Mapping[str, str]) -> Message:
    text = encodable(heard.get(line.id, line.text))
    # Whoever answered for the business (the model, a person, SARA itself) is one voice to the customer.
    if line.role != "customer":
        return {"role": "assistant", "content": text}
    if line.quoted:
        text = f"[in reply to: {encodable(_shortened(line.quoted))}]\n{text}"
    # What the channel knows beside the words: that they were forwarded, or which advertisement led here.
    if isinstance(note := line.content.get("note"), str) and note:
        text = f"{encodable(note)}\n{text}"
    shown = pictures.get(line.id)
    if not shown:
        return {"role": "user", "content": text}
    parts: list[dict[str, Any]] = [{"type": "text", "text": text}]
    return {"role": "user", "content": parts + [{"type": "image_url", "image_url": {"url": url}} for url in shown]}


def _shortened(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= LONGEST_QUOTE else one_line[:LONGEST_QUOTE].rstrip() + "…"
