"""The question to a responder and its reply."""

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
    """Return a name without the differences in spelling that models make."""
    return re.sub(r"[\W_]+", "", name).casefold()


@dataclass(frozen=True, slots=True)
class Turn:
    """The question to a responder: the customer's unanswered messages, with the history before them.

    `summary` is a summary of the messages before that history, where there is one. `channel` is the channel's name in
    sara.yaml. `timezone` is that of the opening hours, empty where there are none.
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
    """Return whether a model that wrote `written` means the tool `name`."""
    bare = _NUMBERED.sub("", written.partition("<")[0].strip())
    return written == name or _letters(re.split(r"[./:]", bare)[-1]) == (_letters(name) or name)


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """The description of a tool for a model: `parameters` is a JSON Schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]

    def is_named(self, written: str) -> bool:
        """Return whether a model that wrote `written` means this tool.

        `functions.handoff`, `Hand-Off`, `handoff:0` and `handoff<|channel|>commentary` all mean `handoff`.
        """
        return is_tool_named(self.name, written)

    def is_named_in(self, text: str) -> bool:
        """Return whether `text` contains the name of this tool in any spelling."""
        return _letters(self.name) in _letters(text)


@dataclass(frozen=True, slots=True)
class ToolContext:
    """The customer whom a tool acts for: taken from the conversation, never from the model."""

    conversation: str
    account: str
    contact: Contact
    now: Instant


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of a reply, over all calls that it took."""

    input_tokens: int = 0
    output_tokens: int = 0
    model: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """A responder's reply; its parts are sent in this order.

    `transcripts` are texts that the responder read in attachments, by the id of the message (the words of a voice message,
    say): stored as that message's text, so that they are read once.
    """

    parts: tuple[OutgoingContent, ...]
    usage: Usage | None = None
    transcripts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary of messages and its usage."""

    text: str
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class ReplyView:
    """The data that a reply job decides on, from one query.

    `due` is when the debounce or a back-off ends. `attempts` counts the calls made for the waiting messages, `first_at` is the
    first of them. `delivery` is `clear`, or why a reply could not leave now: `in_doubt` or `backing_off`. `apologised` is set
    where the customer was told of an earlier failure and has had no reply since.

    `mode` says who answers, `mode_until` when SARA does again. `recent` are the times of arrival of messages that call for a
    reply, the waiting ones included, newest first, as many as were asked for; `on_channel` counts those of all people on the
    account: in the last `minute` and `day`. `said` is when each of SARA's own texts was last sent, by its key. `rethought`
    counts the discarded replies to these messages. `deferred` is since and until when a gate of a plugin defers the turn;
    earlier deferrals are counted in each message.
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
    """A limit of use in a period, named `2026-11-27` or `2026-11`; None for no limit. Money is in millionths."""

    period: str
    calls: int | None = None
    tokens: int | None = None
    money: int | None = None


@dataclass(frozen=True, slots=True)
class UsageReservation:
    """The highest possible cost of a call, reserved before it is made, with the limits that must allow it."""

    tokens: int
    money: int = 0
    ceilings: tuple[UsageLimit, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplySideEffects:
    """Changes stored together with a reply: its cost (millionths), a handoff, the time of the next timer job, and transcripts."""

    money: int = 0
    hand_over: Handoff | None = None
    timer: Instant | None = None
    transcripts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolRecord:
    """A recorded tool call. `result` is None while its outcome is not known."""

    id: int
    result: str | None
