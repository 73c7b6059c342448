"""The configuration as the rest of SARA sees it: checked, complete, unchanging."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, InstanceOf, WithJsonSchema, model_validator

from sara.config.options import Duration, Options, Placeholder, format_duration, secrets_in
from sara.config.policy import Conversation
from sara.redaction import Redactor

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


def _network(value: Any) -> IPv4Network | IPv6Network:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    try:
        return ip_network(value if isinstance(value, str) else "", strict=False)
    except ValueError:
        raise ValueError('an IP address or network is needed, e.g. 127.0.0.1, "::1" or 10.0.0.0/8') from None


Address = Annotated[
    InstanceOf[Listen],
    BeforeValidator(_listen),
    WithJsonSchema({"type": "string", "pattern": r"^.+:\d{1,5}$", "examples": ["127.0.0.1:8080", "[::1]:8080"]}),
]

Network = Annotated[
    InstanceOf[IPv4Network] | InstanceOf[IPv6Network],
    BeforeValidator(_network),
    WithJsonSchema({"type": "string", "examples": ["127.0.0.1", "::1", "10.0.0.0/8"]}),
]


class Server(Options):
    """What the internet may reach: the channels' webhooks and nothing else."""

    listen: Address = Field(default=Listen("127.0.0.1", 8080), description="Host and port of the public listener.")
    public_url: Annotated[Annotated[str, AfterValidator(_public_url)] | None, Placeholder("https://bot.example.org")] = Field(
        default=None, description="How the internet reaches this listener. Only `sara doctor` uses it."
    )
    connections_per_address: int = Field(
        default=256,
        ge=1,
        le=65_535,
        description="Maximum number of the 1,024 connections of a listener that one address may hold at a time.",
    )
    trusted_proxies: tuple[Network, ...] = Field(
        default=(), description="Addresses or networks of your web server; `connections_per_address` does not apply to them."
    )


class Admin(Options):
    """What only the operator may reach: health, metrics, API, dashboard."""

    listen: Address = Field(default=Listen("127.0.0.1", 8081), description="Host and port of the admin listener.")


class RetryPolicy(Options):
    """When something is tried again. Times are milliseconds; `attempts` counts calls."""

    attempts: int = Field(default=4, ge=1, le=100, description="How many calls are made; 4 calls wait 3 times.")
    first: Duration = Field(default=1_000, ge=1, description="The wait after the first call.")
    factor: float = Field(default=2, ge=1, le=10, allow_inf_nan=False, description="What each wait is multiplied by.")
    longest: Duration = Field(default=300_000, ge=1, description="The longest wait between two calls.")
    outlast: Duration = Field(default=1_800_000, ge=0, description="How long to go on while the other side is away.")

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


class Price(Options):
    """What a model costs, in the account's currency, for a million tokens."""

    input: float = Field(ge=0, le=1_000_000, allow_inf_nan=False, description="What it reads.")
    output: float = Field(ge=0, le=1_000_000, allow_inf_nan=False, description="What it writes.")


class Ceiling(Options):
    """How much the AI may be used in a while. What is above is kept and not answered."""

    calls: int | None = Field(default=None, ge=1, description="At most so many calls.")
    tokens: int | None = Field(default=None, ge=1, description="At most so many tokens, read and written.")
    money: float | None = Field(
        default=None, gt=0, le=1_000_000_000, allow_inf_nan=False, description="At most so much, by `prices`."
    )


class Budget(Options):
    """How much the AI may be used by everybody together."""

    day: Ceiling = Field(default=Ceiling(), description="In a day, by UTC.")
    month: Ceiling = Field(default=Ceiling(), description="In a month, by UTC.")
    prices: Mapping[str, Price] = Field(default={}, description="By the model's name; the beginning of a name is enough.")

    @model_validator(mode="after")
    def _prices_are_known(self) -> Self:
        if (self.day.money or self.month.money) and not self.prices:
            raise ValueError("a ceiling of money needs `prices`, e.g. prices: {gpt-5-mini: {input: 0.25, output: 2}}")
        return self


class MoreWords(Options):
    """Words that count beside those that SARA knows, as whole messages."""

    opt_out: tuple[str, ...] = Field(default=(), description="No more messages, like STOP.")
    opt_in: tuple[str, ...] = Field(default=(), description="Messages again, like START.")
    hand_over: tuple[str, ...] = Field(default=(), description="A person, please, like `human`.")


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
    budget: Budget = Field(default=Budget(), description="How much the AI may be used.")
    words: MoreWords = Field(default=MoreWords(), description="More words that take effect at once.")
    texts: Mapping[str, Mapping[str, str]] = Field(
        default={}, description="SARA's own words, by language and key, where they are to be others."
    )


@dataclass(frozen=True, slots=True)
class Section:
    """A channel, a responder, the store or the queue: which plugin, and that plugin's own checked options.

    `conversation` is there for channels: the common policy with this channel's overrides. `looked_up` are the texts in the section
    that `!secret` and `!env` brought.
    """

    name: str
    plugin: str
    options: Options
    conversation: Conversation | None = None
    looked_up: frozenset[str] = frozenset()

    @property
    def secrets(self) -> frozenset[str]:
        """What must not stand in any log, problem or finding."""
        return self.looked_up | frozenset(secrets_in(self.options))


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
    budget: Budget = field(default_factory=Budget)
    words: MoreWords = field(default_factory=MoreWords)
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def timezone(self) -> str:
        """The time zone of the opening hours; empty where there are none, or where channels differ."""
        policies = [self.conversation, *(each.conversation for each in self.channels.values() if each.conversation)]
        zones = {each.hours.timezone for each in policies if each.hours is not None}
        return zones.pop() if len(zones) == 1 else ""

    @property
    def redactor(self) -> Redactor:
        """Replaces the secrets of every section."""
        sections = (self.store, self.queue, *self.channels.values(), *self.responders.values())
        return Redactor(secret for section in sections for secret in section.secrets)
