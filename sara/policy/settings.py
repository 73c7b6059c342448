"""How conversations are held: the block `conversation:`, which a channel may override key by key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, InstanceOf, WithJsonSchema, model_validator

from sara.domain.options import Duration, Options, Placeholder, format_duration
from sara.domain.time import DAY


class History(Options):
    """How much of a conversation the responder is shown besides what it has to answer."""

    messages: int = Field(default=40, ge=0, le=1_000, description="At most so many earlier messages.")
    tokens: int = Field(default=8_000, ge=0, le=10_000_000, description="At most so many tokens of them, estimated.")
    summarise: bool = Field(
        default=False, description="Have the responder sum up, now and then, what is older than that, and show it the summary."
    )


class Rate(Options):
    """How many messages may come before no answer is made any more."""

    minute: int | None = Field(default=None, ge=1, le=1_000_000, description="At most so many within a minute.")
    day: int | None = Field(default=None, ge=1, le=100_000_000, description="At most so many within 24 hours.")


class Limits(Options):
    """How many messages are answered. What is above is kept and not answered; the customer is told, once an hour."""

    person: Rate = Field(default=Rate(), description="The messages of one customer.")
    channel: Rate = Field(default=Rate(), description="The messages of everybody on this channel together.")


class Notify(Options):
    """Who is told when a customer needs a person."""

    channel: str = Field(min_length=1, description="The channel by which they are told, by its name in this file.")
    to: Annotated[str, Placeholder("+49 171 5550000")] = Field(
        min_length=1, description="Their number, with the country code, in quotes; or their id on that channel."
    )


class HandoffSettings(Options):
    """How a conversation passes to a person, and back."""

    words: bool = Field(default=True, description="Whether a customer who writes `human`, `atendente`, `agent` … gets one.")
    return_after: Duration | None = Field(
        default=43_200_000, ge=1_000, description="SARA answers again so long after the person's last word. null: only by hand."
    )
    notify: Notify | None = Field(default=None, description="Who is told.")
    late_after: Duration = Field(
        default=1_800_000, ge=1_000, description="A customer who waits longer for the person is shown as a problem."
    )


class FollowUp(Options):
    """One question after the customer fell silent."""

    after: Duration = Field(ge=60_000, description="How long after our last answer.")
    text: str | None = Field(
        default=None, min_length=1, max_length=1_000, description="What is asked; left out: SARA's own words."
    )


WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"([01]?\d|2[0-4]):([0-5]\d) *[-–] *([01]?\d|2[0-4]):([0-5]\d)")


def _spans(value: Any) -> tuple[tuple[int, int], ...]:
    """`9:00-12:30, 14:00-18:00` → minutes of the day. Raises ValueError for anything else."""
    if isinstance(value, tuple):
        return value
    written = "" if value is None else value.strip() if isinstance(value, str) else "?"
    spans = []
    for piece in written.split(",") if written.casefold() not in ("", "closed") else ():
        if not (match := _SPAN.fullmatch(piece.strip())):
            raise ValueError("opening hours are written 9:00-18:00, or 9:00-12:30, 14:00-18:00, or closed")
        start, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
        if not start < end <= 1_440:
            raise ValueError("opening hours end later on the same day; write the hours after midnight with the next day")
        spans.append((start, end))
    spans.sort()
    if any(former[1] > later[0] for former, later in pairwise(spans)):
        raise ValueError("these opening hours overlap")
    return tuple(spans)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("this is no time zone; write one such as Europe/Berlin, America/Sao_Paulo or UTC") from error
    return name


Spans = Annotated[
    InstanceOf[tuple],  # type: ignore[type-arg]  # pydantic takes the bare class
    BeforeValidator(_spans),
    WithJsonSchema({"type": "string", "examples": ["9:00-18:00", "9:00-12:30, 14:00-18:00", "closed"]}),
]


class OpeningHours(Options):
    """When somebody is there. Outside these hours customers are told so, once, and answered when it is time again."""

    timezone: Annotated[str, AfterValidator(_zone)] = Field(default="UTC", description="In which time zone, e.g. Europe/Berlin.")
    mon: Spans = Field(default=(), description="Mondays, e.g. 9:00-18:00. A day that is left out is closed.")
    tue: Spans = Field(default=(), description="Tuesdays.")
    wed: Spans = Field(default=(), description="Wednesdays.")
    thu: Spans = Field(default=(), description="Thursdays.")
    fri: Spans = Field(default=(), description="Fridays.")
    sat: Spans = Field(default=(), description="Saturdays.")
    sun: Spans = Field(default=(), description="Sundays.")
    answer: bool = Field(default=False, description="Whether the assistant answers all the same, after the away text.")

    @property
    def week(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """The spans of each day, Monday first, in minutes of the day."""
        return tuple(getattr(self, day) for day in WEEKDAYS)

    @model_validator(mode="after")
    def _opens_at_all(self) -> Self:
        if not any(self.week):
            raise ValueError("these hours never open; name at least one day, e.g. mon: 9:00-18:00, or leave out `opening_hours`")
        return self


class ConversationSettings(Options):
    """How conversations are held. Times are milliseconds."""

    responder: str | None = Field(default=None, min_length=1, description="Who answers; not needed if there is only one.")
    fallback: tuple[str, ...] = Field(default=(), description="Responders tried in turn when the first fails.")
    debounce: Duration = Field(
        default=1_000, ge=0, description="How long a customer must be silent before an answer is begun. A burst is one turn."
    )
    debounce_max: Duration = Field(default=15_000, ge=0, description="The longest that further messages put off an answer.")
    max_age: Duration = Field(
        default=43_200_000, ge=1_000, description="Older unanswered messages, after an outage, are stored and not answered."
    )
    apologise: bool = Field(
        default=False, description="Say sorry, once, when a message could not be answered however often it was tried."
    )
    history: History = Field(default=History(), description="How much of a conversation the responder is shown.")
    on_new_message: Literal["queue", "restart"] = Field(
        default="queue",
        description="What becomes of an answer in the making when the customer writes more: it is sent and the new message is "
        "answered, too; or it is dropped and thought about again, at most twice.",
    )
    too_old: Literal["store", "apologise", "answer"] = Field(
        default="store", description="What is done with messages that are older than `max_age`."
    )
    language: str = Field(
        default="en", min_length=2, max_length=8, description="SARA's own words until it is known what the customer writes."
    )
    limits: Limits = Field(default=Limits(), description="How many messages are answered.")
    handoff: HandoffSettings = Field(default=HandoffSettings(), description="How a conversation passes to a person, and back.")
    tools: tuple[str, ...] = Field(
        default=(), description="What the model may do: `handoff`, and the tools that plugins bring, by their names."
    )
    opening_hours: OpeningHours | None = Field(default=None, description="When somebody is there; left out: always.")
    follow_up: FollowUp | None = Field(
        default=None, description="Ask once more after the customer fell silent, within the time in which we may write freely."
    )
    session_timeout: Duration | None = Field(
        default=None,
        ge=60_000,
        description="A conversation in which nothing was said for so long is closed: what was said before is not read any more.",
    )
    alert_after: Duration = Field(
        default=600_000, ge=1_000, description="A message that is not answered for so long makes its conversation unhealthy."
    )

    @model_validator(mode="after")
    def _debounce_fits(self) -> Self:
        if self.debounce_max < self.debounce:
            longest, shortest = format_duration(self.debounce_max), format_duration(self.debounce)
            raise ValueError(f"debounce_max ({longest}) must not be shorter than debounce ({shortest})")
        return self


class RetryPolicy(Options):
    """When something is tried again. Times are milliseconds; `attempts` counts calls."""

    attempts: int = Field(default=4, ge=1, le=100, description="How many calls are made; 4 calls wait 3 times.")
    initial_delay: Duration = Field(default=1_000, ge=1, description="The wait after the first call.")
    factor: float = Field(default=2, ge=1, le=10, allow_inf_nan=False, description="What each wait is multiplied by.")
    max_delay: Duration = Field(default=300_000, ge=1, description="The longest wait between two calls.")
    max_duration: Duration = Field(default=1_800_000, ge=0, description="How long to go on while the other side is away.")

    @model_validator(mode="after")
    def _waits_fit(self) -> Self:
        if self.max_delay < self.initial_delay:
            longest, shortest = format_duration(self.max_delay), format_duration(self.initial_delay)
            raise ValueError(f"max_delay ({longest}) must not be shorter than initial_delay ({shortest})")
        return self


class RetrySettings(Options):
    """When asking a responder and sending are tried again."""

    reply: RetryPolicy = Field(default=RetryPolicy(), description="Asking the responders.")
    send: RetryPolicy = Field(default=RetryPolicy(max_duration=DAY), description="Sending; `max_duration` is 24h if left out.")

    @model_validator(mode="before")
    @classmethod
    def _send_for_a_day(cls, data: Any) -> Any:
        # An answer that exists is worth a longer wait, also where the file says something else about sending.
        if isinstance(data, Mapping) and isinstance(send := data.get("send"), Mapping) and "max_duration" not in send:
            return {**data, "send": {**send, "max_duration": format_duration(DAY)}}
        return data


class Price(Options):
    """What a model costs, in the account's currency, for a million tokens."""

    input: float = Field(ge=0, le=1_000_000, allow_inf_nan=False, description="What it reads.")
    output: float = Field(ge=0, le=1_000_000, allow_inf_nan=False, description="What it writes.")


class UsageLimitSettings(Options):
    """How much the AI may be used in a while. What is above is kept and not answered."""

    calls: int | None = Field(default=None, ge=1, description="At most so many calls.")
    tokens: int | None = Field(default=None, ge=1, description="At most so many tokens, read and written.")
    money: float | None = Field(
        default=None, gt=0, le=1_000_000_000, allow_inf_nan=False, description="At most so much, by `prices`."
    )


class BudgetSettings(Options):
    """How much the AI may be used by everybody together."""

    day: UsageLimitSettings = Field(default=UsageLimitSettings(), description="In a day, by UTC.")
    month: UsageLimitSettings = Field(default=UsageLimitSettings(), description="In a month, by UTC.")
    prices: Mapping[str, Price] = Field(default={}, description="By the model's name; the beginning of a name is enough.")

    @model_validator(mode="after")
    def _prices_are_known(self) -> Self:
        if (self.day.money or self.month.money) and not self.prices:
            raise ValueError("a ceiling of money needs `prices`, e.g. prices: {gpt-5-mini: {input: 0.25, output: 2}}")
        return self


class MediaSettings(Options):
    """Pictures, voice messages and other files that customers send."""

    keep: Duration = Field(default=30 * DAY, ge=60_000, description="How long a file is kept after its message.")
    max_size: int = Field(default=25, ge=1, le=100, description="The largest file that is fetched, in megabytes.")
