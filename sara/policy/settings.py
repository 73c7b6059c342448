"""Settings of conversations and retries: the blocks `conversation:`, which a channel may override key by key, `retry:` and others."""

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
    """How much of the earlier conversation the responder reads."""

    messages: int = Field(default=40, ge=0, le=1_000, description="Maximum number of earlier messages.")
    tokens: int = Field(default=8_000, ge=0, le=10_000_000, description="Maximum number of tokens in them, estimated.")
    summarise: bool = Field(
        default=False, description="Have the responder summarise older messages from time to time, and read the summary."
    )


class Rate(Options):
    """How many messages are answered in a minute and a day."""

    minute: int | None = Field(default=None, ge=1, le=1_000_000, description="Maximum number of messages in a minute.")
    day: int | None = Field(default=None, ge=1, le=100_000_000, description="Maximum number of messages in 24 hours.")


class Limits(Options):
    """How many messages are answered. Messages above a limit are stored and not answered; the customer is told once an hour."""

    person: Rate = Field(default=Rate(), description="Messages of one customer.")
    channel: Rate = Field(default=Rate(), description="Messages of all customers on this channel together.")


class Notify(Options):
    """The operator to notify when a customer needs a person."""

    channel: str = Field(min_length=1, description="Name of the channel for the notification, as in this file.")
    to: Annotated[str, Placeholder("+49 171 5550000")] = Field(
        min_length=1, description="Phone number with country code, in quotes, or id on that channel."
    )


class HandoffSettings(Options):
    """How a conversation passes to a person and back."""

    words: bool = Field(
        default=True, description="Hand the conversation to a person when the customer writes `human`, `atendente`, `agent` …"
    )
    return_after: Duration | None = Field(
        default=43_200_000,
        ge=1_000,
        description="Time after the person's last message until SARA answers again. null: only by `sara resume`.",
    )
    notify: Notify | None = Field(default=None, description="Operator to notify.")
    late_after: Duration = Field(
        default=1_800_000,
        ge=1_000,
        description="Waiting time after which a customer without a person's answer is reported as a problem.",
    )


class FollowUp(Options):
    """One question after the customer stopped writing."""

    after: Duration = Field(ge=60_000, description="Time after the last answer.")
    text: str | None = Field(
        default=None, min_length=1, max_length=1_000, description="Text of the question; left out: SARA's own text."
    )


WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"([01]?\d|2[0-4]):([0-5]\d) *[-–] *([01]?\d|2[0-4]):([0-5]\d)")


def _spans(value: Any) -> tuple[tuple[int, int], ...]:
    """Read `9:00-12:30, 14:00-18:00` as minutes of the day. Raises ValueError for anything else."""
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
    """When the business is open. Outside these hours customers get one notice, and are answered when it opens."""

    timezone: Annotated[str, AfterValidator(_zone)] = Field(default="UTC", description="Time zone, e.g. Europe/Berlin.")
    mon: Spans = Field(default=(), description="Mondays, e.g. 9:00-18:00. A day that is left out is closed.")
    tue: Spans = Field(default=(), description="Tuesdays.")
    wed: Spans = Field(default=(), description="Wednesdays.")
    thu: Spans = Field(default=(), description="Thursdays.")
    fri: Spans = Field(default=(), description="Fridays.")
    sat: Spans = Field(default=(), description="Saturdays.")
    sun: Spans = Field(default=(), description="Sundays.")
    answer: bool = Field(default=False, description="Let the assistant answer at once all the same, after the notice.")

    @property
    def week(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """Return the spans of each day, Monday first, in minutes of the day."""
        return tuple(getattr(self, day) for day in WEEKDAYS)

    @model_validator(mode="after")
    def _opens_at_all(self) -> Self:
        if not any(self.week):
            raise ValueError("these hours never open; name at least one day, e.g. mon: 9:00-18:00, or leave out `opening_hours`")
        return self


class ConversationSettings(Options):
    """How conversations are answered. Times are milliseconds."""

    responder: str | None = Field(
        default=None, min_length=1, description="Responder that answers; not needed if there is only one."
    )
    fallback: tuple[str, ...] = Field(default=(), description="Responders to try in turn when the first fails.")
    debounce: Duration = Field(
        default=1_000,
        ge=0,
        description="Wait until the customer has written nothing for this time, then answer all messages at once.",
    )
    debounce_max: Duration = Field(default=15_000, ge=0, description="Maximum time that further messages delay an answer.")
    max_age: Duration = Field(
        default=43_200_000, ge=1_000, description="Maximum age of messages that are answered, e.g. after an outage."
    )
    apologise: bool = Field(default=False, description="Send one apology when a message could not be answered after all retries.")
    history: History = Field(default=History(), description="How much of the earlier conversation the responder reads.")
    on_new_message: Literal["queue", "restart"] = Field(
        default="queue",
        description="What to do when a message arrives while the AI is answering: `queue` sends the answer and answers the new message "
        "next; `restart` discards the answer and answers both together, at most twice.",
    )
    too_old: Literal["store", "apologise", "answer"] = Field(
        default="store", description="What to do with messages that are older than `max_age`."
    )
    language: str = Field(
        default="en",
        min_length=2,
        max_length=8,
        description="Language of SARA's own texts until the customer's language is known.",
    )
    limits: Limits = Field(default=Limits(), description="Maximum numbers of messages that are answered.")
    handoff: HandoffSettings = Field(default=HandoffSettings(), description="How a conversation passes to a person and back.")
    tools: tuple[str, ...] = Field(
        default=(), description="Tools that the model may use: `handoff`, and tools of plugins by their names."
    )
    opening_hours: OpeningHours | None = Field(default=None, description="When the business is open; left out: always.")
    follow_up: FollowUp | None = Field(
        default=None, description="Ask once more after the customer stopped writing, while the reply window is open."
    )
    session_timeout: Duration | None = Field(
        default=None,
        ge=60_000,
        description="Time without messages after which a new session begins: the AI does not read earlier messages.",
    )
    alert_after: Duration = Field(
        default=600_000, ge=1_000, description="Time without an answer after which a conversation is reported as unhealthy."
    )

    @model_validator(mode="after")
    def _debounce_fits(self) -> Self:
        if self.debounce_max < self.debounce:
            longest, shortest = format_duration(self.debounce_max), format_duration(self.debounce)
            raise ValueError(f"debounce_max ({longest}) must not be shorter than debounce ({shortest})")
        return self


class RetryPolicy(Options):
    """When a call is retried. Times are milliseconds; `attempts` counts calls."""

    attempts: int = Field(default=4, ge=1, le=100, description="Maximum number of calls; 4 calls wait 3 times.")
    initial_delay: Duration = Field(default=1_000, ge=1, description="Delay after the first call.")
    factor: float = Field(default=2, ge=1, le=10, allow_inf_nan=False, description="Factor between two delays.")
    max_delay: Duration = Field(default=300_000, ge=1, description="Maximum delay between two calls.")
    max_duration: Duration = Field(
        default=1_800_000, ge=0, description="How long to keep retrying while the other side is unavailable."
    )

    @model_validator(mode="after")
    def _waits_fit(self) -> Self:
        if self.max_delay < self.initial_delay:
            longest, shortest = format_duration(self.max_delay), format_duration(self.initial_delay)
            raise ValueError(f"max_delay ({longest}) must not be shorter than initial_delay ({shortest})")
        return self


class RetrySettings(Options):
    """When answering and sending are retried."""

    reply: RetryPolicy = Field(default=RetryPolicy(), description="Calls of the responders.")
    send: RetryPolicy = Field(default=RetryPolicy(max_duration=DAY), description="Sending; `max_duration` is 24h if left out.")

    @model_validator(mode="before")
    @classmethod
    def _send_for_a_day(cls, data: Any) -> Any:
        # An answer that exists is worth a longer wait, also where the file says something else about sending.
        if isinstance(data, Mapping) and isinstance(send := data.get("send"), Mapping) and "max_duration" not in send:
            return {**data, "send": {**send, "max_duration": format_duration(DAY)}}
        return data


class Price(Options):
    """Price of a model for a million tokens, in the account's currency."""

    input: float = Field(ge=0, le=1_000_000, allow_inf_nan=False, description="Price of input tokens.")
    output: float = Field(ge=0, le=1_000_000, allow_inf_nan=False, description="Price of output tokens.")


class UsageLimitSettings(Options):
    """Maximum use of the AI in a period. Messages above it are stored and not answered."""

    calls: int | None = Field(default=None, ge=1, description="Maximum number of calls.")
    tokens: int | None = Field(default=None, ge=1, description="Maximum number of tokens, input and output.")
    money: float | None = Field(
        default=None, gt=0, le=1_000_000_000, allow_inf_nan=False, description="Maximum cost, by `prices`."
    )


class BudgetSettings(Options):
    """Maximum use of the AI by all customers together."""

    day: UsageLimitSettings = Field(default=UsageLimitSettings(), description="In a day, by UTC.")
    month: UsageLimitSettings = Field(default=UsageLimitSettings(), description="In a month, by UTC.")
    prices: Mapping[str, Price] = Field(default={}, description="Prices by model name; the beginning of a name is enough.")

    @model_validator(mode="after")
    def _prices_are_known(self) -> Self:
        if (self.day.money or self.month.money) and not self.prices:
            raise ValueError("a limit of money needs `prices`, e.g. prices: {gpt-5-mini: {input: 0.25, output: 2}}")
        return self


class MediaSettings(Options):
    """Pictures, voice messages and other files of customers."""

    keep: Duration = Field(default=30 * DAY, ge=60_000, description="How long a file is kept after its message.")
    max_size: int = Field(default=25, ge=1, le=100, description="Maximum size of a file that is downloaded, in megabytes.")
