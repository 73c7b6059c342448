"""Converts a model request into the messages of Chat Completions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from sara import HistoryMessage
from sara_openai.api.visibility import explain_unavailable
from sara_openai.prompt.context import describe_message, extract_customer_words, format_block

if TYPE_CHECKING:
    from sara_openai.prompt.request import ModelRequest


class Message(TypedDict):
    """One message of Chat Completions: a text, or a list of texts and images."""

    role: Literal["system", "user", "assistant"]
    content: str | list[dict[str, Any]]


def compose_messages(model_request: ModelRequest, *, told: bool = True) -> list[Message]:
    """Return the system prompt (if `told`), the history, and each unanswered message in the customer's own words.

    What else is known about a message stands in a block before it. The role is `system` and not `developer`: OpenAI accepts both,
    most other servers only this one.
    """
    prompt: list[Message] = []
    if told and model_request.system_prompt.strip():
        prompt.append({"role": "system", "content": replace_surrogates(model_request.system_prompt)})
    lines = [*model_request.history, *model_request.messages]
    unseen = explain_unavailable(
        lines,
        model_request.shown_image_ids,
        model_request.transcripts,
        can_see=model_request.can_see,
        can_hear=model_request.can_hear,
    )
    for line in lines:
        prompt += _compose_line(model_request, line, unseen.get(line.id, ()))
    return prompt


def replace_surrogates(text: str) -> str:
    """Return `text` with lone surrogates, which UTF-8 cannot encode, replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def replace_surrogates_in(value: Any) -> Any:
    """Return a JSON value with lone surrogates replaced in all its texts."""
    if isinstance(value, str):
        return replace_surrogates(value)
    if isinstance(value, list):
        return [replace_surrogates_in(each) for each in value]
    if isinstance(value, dict):
        return {replace_surrogates(str(key)): replace_surrogates_in(each) for key, each in value.items()}
    return value


def _compose_line(model_request: ModelRequest, line: HistoryMessage, unseen: Sequence[str]) -> Iterator[Message]:
    """Yield the messages for one line of the conversation.

    A customer's message without words is represented by its block. An empty message of the business is skipped, because some
    servers refuse one.
    """
    text = model_request.transcripts.get(line.id, line.text)
    # The model, an operator and SARA's notices are one voice to the customer.
    if line.role != "customer":
        if text.strip() and not line.withdrawn:
            yield {"role": "assistant", "content": replace_surrogates(text)}
        return
    facts, words = describe_message(line, text, unseen), replace_surrogates(extract_customer_words(line, text))
    shown = model_request.shown_images.get(line.id, ())
    told = replace_surrogates(format_block(facts, model_request.code)) if facts else ""
    if told and words.strip():
        yield {"role": "user", "content": told}
    said = words if words.strip() or not told else told
    if not shown:
        yield {"role": "user", "content": said}
        return
    parts: list[dict[str, Any]] = [{"type": "text", "text": said}]
    yield {"role": "user", "content": parts + [{"type": "image_url", "image_url": {"url": url}} for url in shown]}
