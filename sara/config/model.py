"""The configuration as the rest of SARA sees it: checked, complete, unchanging."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, InstanceOf, WithJsonSchema, model_validator

from sara.config.options import Duration, Options, format_duration

DAY = 86_400_000
"""Milliseconds."""

_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a server listens. Port 0 is any free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Listen:
        """`127.0.0.1:8080`, `[::1]:8080` or `localhost:8080`. Raises ValueError for anything else."""
        if not (match := _ADDRESS.fullmatch(text.strip())) or (port := int(match["port"])) > 65_535:
            raise ValueError('an address is a host and a port, e.g. 127.0.0.1:8080, or "[::1]:8080" in quotes')
        return cls(match["v6"] or match["host"], port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _listen(value: Any) -> Listen:
    return value if isinstance(value, Listen) else Listen.parse(value if isinstance(value, str) else "")


def _public_url(url: str) -> str:
    parts = urlsplit(url.strip())
    _ = parts.port  # raises ValueError for a port that is none
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("an address of the web is needed, e.g. https://bot.example.org")
    return url.strip().rstrip("/")


Address = Annotated[
    InstanceOf[Listen],
    BeforeValidator(_listen),
    WithJsonSchema({"type": "string", "pattern": r"^.+:\d{1,5}$", "examples": ["127.0.0.1:8080", "[::1]:8080"]}),
]


class Server(Options):
    """What the internet may reach: the channels' webhooks and nothing else."""

    listen: Address = Field(default=Listen("127.0.0.1", 8080), description="Host and port of the public listener.")
    public_url: Annotated[str, AfterValidator(_public_url)] | None = Field(
        default=None, description="How the internet reaches this listener. Only `sara doctor` uses it."
    )


class Admin(Options):
    """What only the operator may reach: health, metrics, API, dashboard."""

    listen: Address = Field(default=Listen("127.0.0.1", 8081), description="Host and port of the admin listener.")


class History(Options):
    """How much of a conversation the responder is shown besides what it has to answer."""

    messages: int = Field(default=40, ge=0, le=1_000, description="At most so many earlier messages.")
    tokens: int = Field(default=8_000, ge=0, le=10_000_000, description="At most so many tokens of them, estimated.")


class Conversation(Options):
    """How conversations are held. Times are milliseconds."""

    responder: str | None = Field(default=None, min_length=1, description="Who answers; not needed if there is only one.")
    fallback: tuple[str, ...] = Field(default=(), description="Responders tried in turn when the first fails.")
    quiet: Duration = Field(
        default=1_000, ge=0, description="How long a customer must be silent before an answer is begun. A burst is one turn."
    )
    quiet_longest: Duration = Field(default=15_000, ge=0, description="The longest that further messages put off an answer.")
    max_age: Duration = Field(
        default=43_200_000, ge=1_000, description="Older unanswered messages, after an outage, are stored and not answered."
    )
    apologise: bool = Field(
        default=False, description="Say sorry, once, when a message could not be answered however often it was tried."
    )
    history: History = Field(default=History(), description="How much of a conversation the responder is shown.")

    @model_validator(mode="after")
    def _quiet_windows_fit(self) -> Self:
        if self.quiet_longest < self.quiet:
            longest, quiet = format_duration(self.quiet_longest), format_duration(self.quiet)
            raise ValueError(f"quiet_longest ({longest}) must not be shorter than quiet ({quiet})")
        return self


class RetryPolicy(Options):
    """When something is tried again. Times are milliseconds; `attempts` counts calls."""

    attempts: int = Field(default=4, ge=1, le=100, description="How many calls are made; 4 calls wait 3 times.")
    first: Duration = Field(default=1_000, ge=1, description="The wait after the first call.")
    factor: float = Field(default=2, ge=1, le=10, allow_inf_nan=False, description="What each wait is multiplied by.")
    longest: Duration = Field(default=300_000, ge=1, description="The longest wait between two calls.")
    outlast: Duration = Field(
        default=1_800_000, ge=0, description="How long to go on at the longest wait while the other side is away."
    )

    @model_validator(mode="after")
    def _waits_fit(self) -> Self:
        if self.longest < self.first:
            longest, first = format_duration(self.longest), format_duration(self.first)
            raise ValueError(f"longest ({longest}) must not be shorter than first ({first})")
        return self


class Retry(Options):
    """When asking a responder and sending are tried again."""

    reply: RetryPolicy = Field(default=RetryPolicy(), description="Asking the responders.")
    send: RetryPolicy = Field(default=RetryPolicy(outlast=DAY), description="Sending; `outlast` is 24h if left out.")

    @model_validator(mode="before")
    @classmethod
    def _sending_outlasts(cls, data: Any) -> Any:
        # An answer that exists is worth a longer wait, also where the file says something else about sending.
        if isinstance(data, Mapping) and isinstance(send := data.get("send"), Mapping) and "outlast" not in send:
            return {**data, "send": {**send, "outlast": format_duration(DAY)}}
        return data


class Media(Options):
    """Pictures, voice messages and other files that customers send."""

    keep: Duration = Field(default=30 * DAY, ge=60_000, description="How long a file is kept after its message.")
    largest: int = Field(default=25, ge=1, le=100, description="The largest file that is fetched, in megabytes.")


class Basics(Options):
    """All of sara.yaml that no plugin has a say in."""

    plugins: tuple[str, ...] = Field(
        default=(), description="Plugins that bring no channel, responder, store or queue: gates, tools, hooks."
    )
    server: Server = Field(default=Server(), description="The public listener.")
    admin: Admin = Field(default=Admin(), description="The operator's listener.")
    state: str | None = Field(
        default=None,
        min_length=1,
        description="The folder for all that SARA keeps. Left out: `$STATE_DIRECTORY`, else `state` beside this file.",
    )
    conversation: Conversation = Field(default=Conversation(), description="The policy; channels may override any key.")
    retry: Retry = Field(default=Retry(), description="When something is tried again.")
    media: Media = Field(default=Media(), description="Files that customers send.")
    retention: Duration | None = Field(
        default=None, ge=DAY, description="How long settled messages are kept, with all that belongs to them. Left out: for ever."
    )


@dataclass(frozen=True, slots=True)
class Section:
    """A channel, a responder, the store or the queue: which plugin, and that plugin's own checked options.

    `conversation` is there for channels: the common policy with this channel's overrides.
    """

    name: str
    plugin: str
    options: Options
    conversation: Conversation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole file. `state` is absolute.

    A channel or responder whose plugin cannot be had is left out, so a conversation's `responder` and `fallback` may name
    one that is not in `responders`.
    """

    state: Path
    store: Section
    queue: Section
    channels: Mapping[str, Section] = field(default_factory=lambda: MappingProxyType({}))
    responders: Mapping[str, Section] = field(default_factory=lambda: MappingProxyType({}))
    plugins: tuple[str, ...] = ()
    server: Server = field(default_factory=Server)
    admin: Admin = field(default_factory=Admin)
    conversation: Conversation = field(default_factory=Conversation)
    retry: Retry = field(default_factory=Retry)
    media: Media = field(default_factory=Media)
    retention: int | None = None
