"""What a model answered, whichever API it came by, and the words in it. Pure; trusts nothing, since servers differ."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sara import RetryLater, ToolSpec, Usage
from sara.helpers import is_visible
from sara_openai.api.markup import unmark
from sara_openai.api.written_calls import marked_calls, unmarked_calls
from sara_openai.prompt.messages import encodable

LONGEST_MODEL = 200
"""Characters of a model's name that are kept."""

LONGEST = 32_000
"""Characters after which an answer is cut: no customer reads more, and every part of it is paid for."""

_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\]*_]*(?=\s|$)|[。！？]|\n(?=[ \t]*\n)")
_LONGEST_WORD = 40


_LEAST = 20
"""Characters that an answer without a whole sentence must have to be worth sending."""

_CUT = frozenset(
    {"length", "max_tokens", "max_output_tokens", "max_length", "model_length", "token_limit", "max_new_tokens", "2"}
)

# A unit of up to so many characters that is repeated to the end of a text, and how long that has to be to be no answer any more.
_LONGEST_UNIT = 200
_RUNAWAY = 1_000
_RUNAWAY_TIMES = 10


class RanOut(RetryLater):
    """The model used all its output tokens before it said anything."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants called, with arguments as JSON text. `id` is what the result must name. `fault` is what the model is
    to be told where the call cannot be made at all."""

    id: str
    name: str
    arguments: str
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a model: words, or a refusal, or tools to call first.

    `echo` is what the model said in the API's own form, to be sent back before the results of its calls. `cut` is whether a limit
    ended it, `unfinished` whether it ended within its reasoning.
    """

    text: str = ""
    refusal: str = ""
    calls: tuple[ToolCall, ...] = ()
    echo: tuple[Mapping[str, Any], ...] = ()
    cut: bool = False
    unfinished: bool = False
    usage: Usage | None = None


_UNREADABLE = "?"
NO_SUCH_CALL = "This call could not be read, and nothing was done: it names no tool."
ODD_ARGUMENTS = "This call could not be read, and nothing was done: its arguments are no JSON object."


def tool_calls(asked: Iterable[tuple[object, object, object]]) -> tuple[ToolCall | None, ...]:
    """The calls in what a server sent as (id, name, arguments) each; None for what names no tool at all.

    Small servers leave the id out, or give the same one twice: then it gets one, so that its result can be told from others. Some
    send the arguments as an object, or none where the tool needs none. Names are as every server takes them back: what a template
    left before or behind them is dropped. Of a call that cannot be made, the model is told why.
    """
    calls: list[ToolCall | None] = []
    taken: set[str] = set()
    for number, (given, name, arguments) in enumerate(asked, start=1):
        if not isinstance(name, str) or not name:
            calls.append(None)
            continue
        known = encodable(given) if isinstance(given, str) and given else ""
        identity = known if known and known not in taken else f"call_sara_{number}"
        taken.add(identity)
        named, text = _tool_name(name), _arguments(arguments)
        if not named:
            calls.append(ToolCall(identity, "unknown", "{}", NO_SUCH_CALL))
        elif text is None:
            calls.append(ToolCall(identity, named, "{}", ODD_ARGUMENTS))
        else:
            calls.append(ToolCall(identity, named, encodable(text)))
    return tuple(calls)


def interpreted(answer: Answer, offered: Sequence[ToolSpec]) -> Answer:
    """The answer without a template's markup, and with the calls of tools that stand in its text; these have no echo yet."""
    if answer.calls or not answer.text:
        return answer
    read = unmark(answer.text)
    written: list[tuple[None, str, str]] = [(None, name, arguments) for name, arguments in read.named]
    if read.call:
        found = marked_calls(read.call, offered)
        written += [(None, call.name, call.arguments) for call in found] or [(None, _UNREADABLE, "")]
    if not written:
        written = [(None, call.name, call.arguments) for call in unmarked_calls(read.text, offered)]
    # Where none may be called, the call is dropped all the same: nobody but a program can read it.
    calls = tool_calls(written) if offered else ()
    return replace(answer, text=read.text, calls=tuple(call for call in calls if call is not None), unfinished=read.unfinished)


def echoed(call: ToolCall) -> str:
    """The arguments of a call as they go back to the server: some refuse a conversation in which these are no JSON object."""
    try:
        read = json.loads(call.arguments, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return "{}"
    return call.arguments if isinstance(read, dict) else "{}"


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def was_cut(finish: object) -> bool:
    """Whether the reason for which a model stopped is a limit to its length, in any server's words."""
    return isinstance(finish, str | int) and str(finish).rpartition(".")[2].lower().replace("-", "_") in _CUT


def words(answer: Answer) -> str:
    """What is to be said. An answer that was cut, or that ends in endless repetition, is said up to its last whole sentence.

    Raises:
        RanOut: its tokens went before it said anything.
        RetryLater: there is nothing in it; another call may bring something.
    """
    # A refusal is worded for the reader: it is the answer.
    text = answer.text or answer.refusal
    whole = without_runaway(text)
    if answer.unfinished or not is_visible(whole):
        if answer.cut:
            raise RanOut("the model used up its tokens before it said anything")
        if answer.unfinished:
            raise RetryLater("the model did not get beyond its reasoning")
        raise RetryLater("the model repeated itself without an end" if is_visible(text) else "the model answered nothing")
    if answer.cut or len(whole) < len(text) or len(whole) > LONGEST:
        whole = whole_sentences(whole[:LONGEST])
        if whole.endswith("…") and len(whole) < _LEAST and (answer.cut or len(text) > LONGEST):
            raise RanOut("the model used up its tokens before it said a whole sentence")
    return cleaned(whole)


def without_runaway(text: str) -> str:
    """`text` without an endless repetition that it ends in, as models fall into: of one character, a word or a sentence."""
    if len(text) < _RUNAWAY:
        return text
    end = len(text.rstrip())
    # The last period may be cut anywhere, so any of the last characters may end it: what recurs is looked for from the end.
    tail = text[max(0, end - 4 * _LONGEST_UNIT) : end]
    unit = next((size for size in range(1, _LONGEST_UNIT + 1) if tail[size:] == tail[:-size]), None)
    if unit is None:
        return text
    start = end - len(tail)
    while start >= unit and text[start - unit : start] == text[start : start + unit]:
        start -= unit
    while start > 0 and text[start - 1] == text[start - 1 + unit]:
        start -= 1
    return text[:start] if end - start >= max(_RUNAWAY, unit * _RUNAWAY_TIMES) else text


def cleaned(text: str) -> str:
    """`text` as every store takes it."""
    return encodable(text).replace("\x00", "")


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


def _tool_name(name: str) -> str:
    """A name as every server takes it back; empty where nothing is left of it. Namespaces before it, and numbers and tokens behind it,
    are a template's."""
    bare = re.sub(r":\d+$", "", name.partition("<")[0].strip())
    return re.sub(r"\W+", "_", re.split(r"[./:]", bare)[-1], flags=re.ASCII).strip("_")[:64]


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
