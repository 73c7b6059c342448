"""What the server sent back → the reply. Pure; trusts nothing, since servers that speak this protocol differ."""

from __future__ import annotations

import re
from typing import Any

from sara import Draft, GiveUp, Reply, TryLater, Usage
from sara_openai.prompt import encodable

LONGEST = 32_000
"""Characters after which an answer is cut: no customer reads more, and every part of it is paid for."""

_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\]*_]*(?=\s|$)|[。！？]|\n(?=[ \t]*\n)")
_LONGEST_WORD = 40


class RanOut(TryLater):
    """The model used all its output tokens before it said anything."""


def read(completion: object, model: str) -> Reply:
    """The reply in a completion.

    Raises:
        TryLater: nothing in it can be said to a customer; another call may bring something.
        GiveUp: the provider withheld the answer.
    """
    choices = getattr(completion, "choices", None)
    if not isinstance(choices, list) or not choices:
        raise TryLater(f"the server answered without a choice ({_shape(completion)})")
    message = getattr(choices[0], "message", None)
    finish = getattr(choices[0], "finish_reason", None)
    if finish == "content_filter":
        raise GiveUp("the provider's content filter withheld the answer")
    text = without_reasoning(_text(getattr(message, "content", None))).strip()
    # A refusal is worded for the reader: it is the answer.
    text = text or _text(getattr(message, "refusal", None)).strip()
    if not text:
        raise (
            RanOut("the model used up its tokens before it said anything")
            if finish == "length"
            else TryLater("the model answered nothing")
        )
    if finish == "length" or len(text) > LONGEST:
        text = whole_sentences(text[:LONGEST])
    return Reply(parts=(Draft(text=_clean(text)),), usage=_usage(completion, model))


def without_reasoning(text: str) -> str:
    """`text` without the `<think>…</think>` blocks that local models write before they answer.

    Some templates write the opening tag into the prompt, so that only the closing one comes back; a block that was never
    closed is dropped only where nothing stands before it.
    """
    *closed, rest = text.split("</think>")
    kept = [block.partition("<think>")[0] for block in closed]
    if closed and "<think>" not in closed[0]:
        kept[0] = ""
    said = "".join(kept)
    if not said.strip() and rest.lstrip().startswith("<think>"):
        return ""
    return said + rest


def whole_sentences(text: str) -> str:
    """A text that was cut somewhere, up to the end of its last sentence; where that would lose most of it, up to the last
    word, with an ellipsis."""
    text = text.rstrip()
    end = max((match.end() for match in _SENTENCE_END.finditer(text)), default=0)
    if end > len(text) // 3:
        return text[:end].rstrip()
    space = text.rfind(" ", max(0, len(text) - _LONGEST_WORD))
    return f"{text[: space if space > 0 else len(text)].rstrip(' ,;:')}…"


def _text(content: object) -> str:
    """The words of a content, which is a text, or for some servers a list of typed parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_part(part) for part in content)
    return ""


def _part(part: Any) -> str:
    kind, text = (part.get(key) if isinstance(part, dict) else getattr(part, key, None) for key in ("type", "text"))
    return text if kind in ("text", "output_text") and isinstance(text, str) else ""


def _clean(text: str) -> str:
    return encodable(text).replace("\x00", "")


def _usage(completion: object, model: str) -> Usage | None:
    usage = getattr(completion, "usage", None)
    if usage is None:
        return None
    used = getattr(completion, "model", None)
    return Usage(
        input_tokens=_count(getattr(usage, "prompt_tokens", 0)),
        output_tokens=_count(getattr(usage, "completion_tokens", 0)),
        model=used if isinstance(used, str) and used else model,
    )


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _shape(completion: object) -> str:
    return "a page of text instead of JSON" if isinstance(completion, str) else f"a {type(completion).__name__}"
