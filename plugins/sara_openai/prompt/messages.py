"""A question → the messages of a Chat Completions request. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from sara import HistoryMessage
from sara_openai.api.visibility import unavailable
from sara_openai.prompt.context import block, facts_of, words_of

if TYPE_CHECKING:
    from sara_openai.prompt.request import ModelRequest


class Message(TypedDict):
    """One message as Chat Completions takes it: a text, or texts and pictures."""

    role: Literal["system", "user", "assistant"]
    content: str | list[dict[str, Any]]


def compose(question: ModelRequest, *, told: bool = True) -> list[Message]:
    """The briefing first (with `told`), then what was said, then each unanswered message on its own, in the customer's own words; before
    a message, what else is known of it.

    The role is `system` and not `developer`: OpenAI takes either, most other servers only this one.
    """
    prompt: list[Message] = []
    if told and question.briefing.strip():
        prompt.append({"role": "system", "content": encodable(question.briefing)})
    lines = [*question.history, *question.messages]
    unseen = unavailable(lines, question.shown_ids, question.heard, sees=question.sees, hears=question.hears)
    for line in lines:
        prompt += _messages(question, line, unseen.get(line.id, ()))
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


def _messages(question: ModelRequest, line: HistoryMessage, unseen: Sequence[str]) -> Iterator[Message]:
    """What is told of one line. A message without words is told by what is known of it; an earlier one of ours, which some servers
    refuse, not at all."""
    text = question.heard.get(line.id, line.text)
    # Whoever answered for the business (the model, a person, SARA itself) is one voice to the customer.
    if line.role != "customer":
        if text.strip() and not line.withdrawn:
            yield {"role": "assistant", "content": encodable(text)}
        return
    facts, words = facts_of(line, text, unseen), encodable(words_of(line, text))
    shown = question.shown.get(line.id, ())
    told = encodable(block(facts, question.code)) if facts else ""
    if told and words.strip():
        yield {"role": "user", "content": told}
    said = words if words.strip() or not told else told
    if not shown:
        yield {"role": "user", "content": said}
        return
    parts: list[dict[str, Any]] = [{"type": "text", "text": said}]
    yield {"role": "user", "content": parts + [{"type": "image_url", "image_url": {"url": url}} for url in shown]}
