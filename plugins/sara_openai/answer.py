"""What a model answered, whichever API it came by, and the words in it. Pure; trusts nothing, since servers differ."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sara import TryLater, Usage
from sara_openai.prompt import encodable

LONGEST_MODEL = 200
"""Characters of a model's name that are kept."""

LONGEST = 32_000
"""Characters after which an answer is cut: no customer reads more, and every part of it is paid for."""

_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\]*_]*(?=\s|$)|[。！？]|\n(?=[ \t]*\n)")
_LONGEST_WORD = 40
_TOOL_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


class RanOut(TryLater):
    """The model used all its output tokens before it said anything."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants called, with arguments as JSON text. `id` is what the result must name."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a model: words, or a refusal, or tools to call first.

    `echo` is what the model said in the API's own form, to be sent back before the results of its calls. `cut` is whether a limit
    ended it.
    """

    text: str = ""
    refusal: str = ""
    calls: tuple[ToolCall, ...] = ()
    echo: tuple[Mapping[str, Any], ...] = ()
    cut: bool = False
    usage: Usage | None = None


def tool_calls(asked: Iterable[tuple[object, object, object]]) -> tuple[ToolCall | None, ...]:
    """The calls in what a server sent as (id, name, arguments) each; None for one that cannot be made.

    Small servers leave the id out, or give the same one twice: then it gets one, so that its result can be told from others. Some
    send the arguments as an object, or none where the tool needs none.
    """
    calls: list[ToolCall | None] = []
    taken: set[str] = set()
    for number, (given, name, arguments) in enumerate(asked, start=1):
        text = _arguments(arguments)
        if not isinstance(name, str) or not _TOOL_NAME.fullmatch(name) or text is None:
            calls.append(None)
            continue
        known = encodable(given) if isinstance(given, str) and given else ""
        identity = known if known and known not in taken else f"call_sara_{number}"
        taken.add(identity)
        calls.append(ToolCall(identity, name, encodable(text)))
    return tuple(calls)


def words(answer: Answer) -> str:
    """What is to be said.

    Raises:
        RanOut: its tokens went before it said anything.
        TryLater: there is nothing in it; another call may bring something.
    """
    # A refusal is worded for the reader: it is the answer.
    text = answer.text or answer.refusal
    if not text:
        if answer.cut:
            raise RanOut("the model used up its tokens before it said anything")
        raise TryLater("the model answered nothing")
    if answer.cut or len(text) > LONGEST:
        text = whole_sentences(text[:LONGEST])
    return cleaned(text)


def cleaned(text: str) -> str:
    """`text` as every store takes it."""
    return encodable(text).replace("\x00", "")


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


def text_of(content: object, *kinds: str) -> str:
    """The words of a content, which is a text, or a list of typed parts of which those of `kinds` are words."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_part(part, kinds) for part in content)
    return ""


def field(thing: object, name: str) -> Any:
    """A field of something that a server sent: the client makes objects of what it knows, and leaves the rest as it came."""
    return thing.get(name) if isinstance(thing, dict) else getattr(thing, name, None)


def added(first: Usage | None, second: Usage | None) -> Usage | None:
    """What both cost together."""
    if first is None or second is None:
        return first or second
    return Usage(first.input_tokens + second.input_tokens, first.output_tokens + second.output_tokens, second.model)


def usage_of(answered: object, model: str, asked: str, said: str) -> Usage | None:
    """What a call cost; `asked` and `said` are what the API calls the counts, `model` is what was asked for."""
    usage = field(answered, "usage")
    if usage is None:
        return None
    used = field(answered, "model")
    name = encodable(used).replace("\x00", "")[:LONGEST_MODEL] if isinstance(used, str) and used else model
    return Usage(_count(field(usage, asked)), _count(field(usage, said)), name)


def shape(answered: object) -> str:
    """What came instead of an answer, in a few words that quote nothing of it."""
    return "a page of text instead of JSON" if isinstance(answered, str) else f"a {type(answered).__name__}"


def _arguments(arguments: object) -> str | None:
    if arguments is None or isinstance(arguments, str):
        return arguments or "{}"
    return json.dumps(arguments) if isinstance(arguments, dict) else None


def _part(part: object, kinds: tuple[str, ...]) -> str:
    text = field(part, "text") if field(part, "type") in kinds else None
    return text if isinstance(text, str) else ""


def _count(value: object) -> int:
    """A count of tokens, whatever a server counts; whether it can be believed is for the core to judge."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        return 0
    return int(value)
