"""A model's answer, independent of the API, and the cleaning of its text.

No field of a response is trusted, because servers differ.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sara import RetryLater, ToolSpec, Usage
from sara.helpers import is_visible
from sara_openai.api.markup import strip_markup
from sara_openai.api.written_calls import parse_marked_calls, parse_unmarked_calls
from sara_openai.prompt.messages import replace_surrogates

MAX_MODEL_NAME_CHARS = 200
"""Maximum length of a model's name."""

MAX_ANSWER_CHARS = 32_000
"""Maximum length of an answer: no customer reads more, and every message costs money."""

_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\]*_]*(?=\s|$)|[。！？]|\n(?=[ \t]*\n)")
_MAX_WORD_CHARS = 40


_MIN_FRAGMENT_CHARS = 20
"""Minimum length of an answer without a whole sentence."""

_LENGTH_LIMIT_REASONS = frozenset(
    {"length", "max_tokens", "max_output_tokens", "max_length", "model_length", "token_limit", "max_new_tokens", "2"}
)

# Endless repetition: maximum length of the repeated unit, minimum total length, minimum number of repetitions.
_MAX_REPEATED_CHARS = 200
_MIN_REPETITION_CHARS = 1_000
_MIN_REPETITIONS = 10


class OutputTokensExhausted(RetryLater):
    """The model used all its output tokens before it produced an answer."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call that the model asks for, with arguments as JSON text.

    `id` is the id that the result must name. `error` is the text that the model receives if the call cannot be made.
    """

    id: str
    name: str
    arguments: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a model: a text, a refusal, or tool calls.

    `echo` is the answer in the API's own form, sent back before the results of its calls. `is_truncated` is set if a limit ended
    it, `is_unfinished` if it ended within its reasoning.
    """

    text: str = ""
    refusal: str = ""
    calls: tuple[ToolCall, ...] = ()
    echo: tuple[Mapping[str, Any], ...] = ()
    is_truncated: bool = False
    is_unfinished: bool = False
    usage: Usage | None = None


_UNREADABLE = "?"
UNNAMED_CALL = "This call could not be read, and nothing was done: it names no tool."
INVALID_ARGUMENTS = "This call could not be read, and nothing was done: its arguments are no JSON object."


def parse_tool_calls(asked: Iterable[tuple[object, object, object]]) -> tuple[ToolCall | None, ...]:
    """Return the calls that a server sent as (id, name, arguments); None for each one without a name.

    Small servers leave the id out or repeat one: such a call gets an id of its own, so that its result can be matched. Some send
    the arguments as an object, or none where the tool needs none. Names are cleaned of what a template left around them. A call
    that cannot be made carries the error that the model receives.
    """
    calls: list[ToolCall | None] = []
    taken: set[str] = set()
    for number, (given, name, arguments) in enumerate(asked, start=1):
        if not isinstance(name, str) or not name:
            calls.append(None)
            continue
        known = replace_surrogates(given) if isinstance(given, str) and given else ""
        identity = known if known and known not in taken else f"call_sara_{number}"
        taken.add(identity)
        named, text = _clean_tool_name(name), _read_arguments(arguments)
        if not named:
            calls.append(ToolCall(identity, "unknown", "{}", UNNAMED_CALL))
        elif text is None:
            calls.append(ToolCall(identity, named, "{}", INVALID_ARGUMENTS))
        else:
            calls.append(ToolCall(identity, named, replace_surrogates(text)))
    return tuple(calls)


def extract_calls(answer: Answer, offered: Sequence[ToolSpec]) -> Answer:
    """Return the answer without template markup, with the tool calls found in its text; these have no echo yet."""
    if answer.calls or not answer.text:
        return answer
    read = strip_markup(answer.text)
    written: list[tuple[None, str, str]] = [(None, name, arguments) for name, arguments in read.named]
    if read.call:
        found = parse_marked_calls(read.call, offered)
        written += [(None, call.name, call.arguments) for call in found] or [(None, _UNREADABLE, "")]
    if not written:
        written = [(None, call.name, call.arguments) for call in parse_unmarked_calls(read.text, offered)]
    # If no tool is offered, the call is dropped all the same: it is not text for a reader.
    calls = parse_tool_calls(written) if offered else ()
    return replace(
        answer, text=read.text, calls=tuple(call for call in calls if call is not None), is_unfinished=read.is_unfinished
    )


def arguments_to_return(call: ToolCall) -> str:
    """Return a call's arguments as they are sent back: some servers refuse arguments that are no JSON object."""
    try:
        read = json.loads(call.arguments, parse_constant=_reject_constant)
    except (ValueError, RecursionError):
        return "{}"
    return call.arguments if isinstance(read, dict) else "{}"


def _reject_constant(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def is_length_limit(finish: object) -> bool:
    """Return whether a finish reason means that a length limit ended the answer, in any server's words."""
    return isinstance(finish, str | int) and str(finish).rpartition(".")[2].lower().replace("-", "_") in _LENGTH_LIMIT_REASONS


def answer_text(answer: Answer) -> str:
    """Return the text to send.

    A truncated answer, or one that ends in endless repetition, is cut after its last whole sentence.
    Raises:
        OutputTokensExhausted: the tokens were used up before there was a text.
        RetryLater: the answer has no text; another call may succeed.
    """
    # A refusal is addressed to the reader, so it is the answer.
    text = answer.text or answer.refusal
    whole = strip_repetition(text)
    if answer.is_unfinished or not is_visible(whole):
        if answer.is_truncated:
            raise OutputTokensExhausted("the model used up its output tokens before it produced an answer")
        if answer.is_unfinished:
            raise RetryLater("the model produced reasoning but no answer")
        raise RetryLater("the model repeated itself endlessly" if is_visible(text) else "the model returned an empty answer")
    if answer.is_truncated or len(whole) < len(text) or len(whole) > MAX_ANSWER_CHARS:
        whole = cut_to_sentence(whole[:MAX_ANSWER_CHARS])
        if whole.endswith("…") and len(whole) < _MIN_FRAGMENT_CHARS and (answer.is_truncated or len(text) > MAX_ANSWER_CHARS):
            raise OutputTokensExhausted("the model used up its output tokens before it completed a sentence")
    return clean_text(whole)


def strip_repetition(text: str) -> str:
    """Return `text` without the endless repetition of a character, word or sentence that it ends in."""
    if len(text) < _MIN_REPETITION_CHARS:
        return text
    end = len(text.rstrip())
    # The last repetition may be incomplete, so the repeated unit is searched from the end.
    tail = text[max(0, end - 4 * _MAX_REPEATED_CHARS) : end]
    unit = next((size for size in range(1, _MAX_REPEATED_CHARS + 1) if tail[size:] == tail[:-size]), None)
    if unit is None:
        return text
    start = end - len(tail)
    while start >= unit and text[start - unit : start] == text[start : start + unit]:
        start -= unit
    while start > 0 and text[start - 1] == text[start - 1 + unit]:
        start -= 1
    return text[:start] if end - start >= max(_MIN_REPETITION_CHARS, unit * _MIN_REPETITIONS) else text


def clean_text(text: str) -> str:
    """Return `text` without characters that a store cannot hold."""
    return replace_surrogates(text).replace("\x00", "")


def cut_to_sentence(text: str) -> str:
    """Cut a truncated text after its last sentence.

    If that would remove most of it, it is cut after the last word and gets an ellipsis.
    """
    text = text.rstrip()
    end = max((match.end() for match in _SENTENCE_END.finditer(text)), default=0)
    if end > len(text) // 3:
        return text[:end].rstrip()
    space = text.rfind(" ", max(0, len(text) - _MAX_WORD_CHARS))
    return f"{text[: space if space > 0 else len(text)].rstrip(' ,;:')}…"


def join_text(content: object, *kinds: str) -> str:
    """Return the text of a content: a string, or the parts of a list whose type is among `kinds`."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_read_text_part(part, kinds) for part in content)
    return ""


def get_field(thing: object, name: str) -> Any:
    """Return a field of a response, which the client returns as an object or as a dictionary."""
    return thing.get(name) if isinstance(thing, dict) else getattr(thing, name, None)


def add_usage(first: Usage | None, second: Usage | None) -> Usage | None:
    """Return the sum of two usages."""
    if first is None or second is None:
        return first or second
    return Usage(first.input_tokens + second.input_tokens, first.output_tokens + second.output_tokens, second.model)


def read_usage(answered: object, model: str, asked: str, said: str) -> Usage | None:
    """Read the token counts of a response.

    `asked` and `said` are the API's names of the counts, `model` is the requested model.
    """
    usage = get_field(answered, "usage")
    if usage is None:
        return None
    used = get_field(answered, "model")
    name = replace_surrogates(used).replace("\x00", "")[:MAX_MODEL_NAME_CHARS] if isinstance(used, str) and used else model
    return Usage(_read_count(get_field(usage, asked)), _read_count(get_field(usage, said)), name)


def describe_shape(answered: object) -> str:
    """Describe an invalid response without quoting it."""
    return "a page of text instead of JSON" if isinstance(answered, str) else f"a {type(answered).__name__}"


def _clean_tool_name(name: str) -> str:
    """Return a tool name in the form that every server accepts; empty if nothing is left of it.

    Namespaces before it, and numbers and tokens behind it, come from a template.
    """
    bare = re.sub(r":\d+$", "", name.partition("<")[0].strip())
    return re.sub(r"\W+", "_", re.split(r"[./:]", bare)[-1], flags=re.ASCII).strip("_")[:64]


def _read_arguments(arguments: object) -> str | None:
    if arguments is None or isinstance(arguments, str):
        return arguments or "{}"
    return json.dumps(arguments) if isinstance(arguments, dict) else None


def _read_text_part(part: object, kinds: tuple[str, ...]) -> str:
    text = get_field(part, "text") if get_field(part, "type") in kinds else None
    return text if isinstance(text, str) else ""


def _read_count(value: object) -> int:
    """Return a count of tokens as an integer, 0 if it is none; the core judges whether it is plausible."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        return 0
    return int(value)
