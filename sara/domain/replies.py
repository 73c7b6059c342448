"""What a responder is asked and what it answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sara.domain.contacts import Contact
from sara.domain.conversations import Handoff
from sara.domain.messages import HistoryMessage, OutgoingContent
from sara.domain.states import Mode
from sara.domain.time import Instant

_NUMBERED = re.compile(r":\d+$")


def _letters(name: str) -> str:
    """A name as those compare that spell it differently."""
    return re.sub(r"[\W_]+", "", name).casefold()


@dataclass(frozen=True, slots=True)
class Turn:
    """What a responder is asked: the customer's unanswered messages, each on its own, after the history before them.

    `summary` is what was said before that history, in short, where it was summarised. `channel` is the channel's name in the
    file. `timezone` is that of the opening hours, empty where
    there are none.
    """

    conversation: str
    account: str
    contact: Contact
    messages: tuple[HistoryMessage, ...]
    history: tuple[HistoryMessage, ...] = ()
    now: Instant = 0
    channel: str = ""
    summary: str = ""
    timezone: str = ""


def is_tool_named(name: str, written: str) -> bool:
    """Whether a model that wrote `written` means the tool `name`."""
    bare = _NUMBERED.sub("", written.partition("<")[0].strip())
    return written == name or _letters(re.split(r"[./:]", bare)[-1]) == (_letters(name) or name)


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model is told of it: `parameters` is a JSON Schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]

    def is_named(self, written: str) -> bool:
        """Whether a model that wrote `written` means this tool: `functions.handoff`, `Hand-Off`, `handoff:0` and
        `handoff<|channel|>commentary` are all `handoff`."""
        return is_tool_named(self.name, written)

    def is_named_in(self, text: str) -> bool:
        """Whether `text` holds the name of this tool in any spelling."""
        return _letters(self.name) in _letters(text)


@dataclass(frozen=True, slots=True)
class ToolContext:
    """For whom a tool works: taken from the conversation, never from the model."""

    conversation: str
    account: str
    contact: Contact
    now: Instant


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer cost, in tokens, over all calls that it took."""

    input_tokens: int = 0
    output_tokens: int = 0
    model: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """A responder's answer, in the order in which its parts are to be said.

    `readings` are texts that the responder found in what the customer sent, by the line's id (the transcript of a voice message,
    say): kept as that message's text, so that nobody has to find them again.
    """

    parts: tuple[OutgoingContent, ...]
    usage: Usage | None = None
    transcripts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Summary:
    """What was said, in short, and what it cost to say so."""

    text: str
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class ReplyView:
    """All that a reply job needs to decide, from one query.

    `due` is when the quiet window or a back-off ends. `attempts` counts the calls made for the waiting messages, `first_at` is
    the first of them. `delivery` is `clear`, or why an answer could not leave now: `in_doubt` or `backing_off`. `apologised` says
    that the customer was told of an earlier failure and has had no answer since.

    `mode` is who answers, `mode_until` when SARA does again. `recent` are the times of arrival of the messages that call for an
    answer, the waiting ones included, newest first, as many as were asked for; `on_channel` counts those of everybody on the
    account: in the last `minute` and `day`. `said` is when each of SARA's own texts was last said, by its key. `rethought` counts
    the answers to these messages that were dropped because more was written. `deferred` is since and until when a gate of a plugin
    puts the turn off; what it put off before stands with each line.
    """

    conversation: str
    account: str
    contact: Contact
    opted_out: bool
    waiting: tuple[HistoryMessage, ...]
    history: tuple[HistoryMessage, ...]
    due: Instant | None
    attempts: int
    first_at: Instant | None
    delivery: Literal["clear", "in_doubt", "backing_off"]
    apologised: bool = False
    mode: Mode = Mode.BOT
    mode_until: Instant | None = None
    recent: tuple[Instant, ...] = ()
    on_channel: Mapping[str, int] = field(default_factory=dict)
    said: Mapping[str, Instant] = field(default_factory=dict)
    rethought: int = 0
    summary: str = ""
    deferred: tuple[Instant, Instant] | None = None


@dataclass(frozen=True, slots=True)
class UsageLimit:
    """What may be used within a period, named `2026-11-27` or `2026-11`; None for no end. Money is in millionths."""

    period: str
    calls: int | None = None
    tokens: int | None = None
    money: int | None = None


@dataclass(frozen=True, slots=True)
class UsageReservation:
    """What a call may cost at most, set aside before it is made; the ceilings that must hold it."""

    tokens: int
    money: int = 0
    ceilings: tuple[UsageLimit, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplySideEffects:
    """What is kept together with an answer: what it really cost (millionths), that a person takes over from here, and when to
    look at the conversation's timers."""

    money: int = 0
    hand_over: Handoff | None = None
    timer: Instant | None = None


@dataclass(frozen=True, slots=True)
class ToolRecord:
    """A call of a tool as it was written down. `result` is None while its outcome is not known."""

    id: int
    result: str | None
