"""The configuration as the rest of SARA sees it: checked, complete, unchanging."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, InstanceOf, WithJsonSchema

from sara.domain.options import Duration, Options, Placeholder
from sara.domain.redaction import Redactor
from sara.domain.time import DAY
from sara.plugins.section import Section
from sara.policy.settings import BudgetSettings, ConversationSettings, MediaSettings, RetrySettings

_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a server listens. Port 0 is any free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Listen:
        """Read `127.0.0.1:8080`, `[::1]:8080` or `localhost:8080`. Raises ValueError for anything else."""
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
    """The public listener: the channels' webhooks and nothing else."""

    listen: Address = Field(default=Listen("127.0.0.1", 8080), description="Host and port of the public listener.")
    public_url: Annotated[Annotated[str, AfterValidator(_public_url)] | None, Placeholder("https://bot.example.org")] = Field(
        default=None, description="Public address of this listener. Only `sara doctor` uses it."
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
    """The operator's listener: health, metrics, API, dashboard."""

    listen: Address = Field(default=Listen("127.0.0.1", 8081), description="Host and port of the admin listener.")


class KeywordSettings(Options):
    """Additional keywords, as whole messages."""

    opt_out: tuple[str, ...] = Field(default=(), description="Keywords like STOP: no more messages.")
    opt_in: tuple[str, ...] = Field(default=(), description="Keywords like START: messages again.")
    handoff: tuple[str, ...] = Field(default=(), description="Keywords like `human`: a person should answer.")


class CoreSettings(Options):
    """The parts of sara.yaml that belong to no plugin."""

    plugins: tuple[str, ...] = Field(
        default=(), description="Plugins that bring no channel, responder, store or queue: gates, tools, hooks."
    )
    server: Server = Field(default=Server(), description="The public listener.")
    admin: Admin = Field(default=Admin(), description="The operator's listener.")
    state: str | None = Field(
        default=None,
        min_length=1,
        description="Folder for all data. Left out: `$STATE_DIRECTORY`, else `state` beside this file.",
    )
    conversation: ConversationSettings = Field(
        default=ConversationSettings(), description="How conversations are answered; channels may override any key."
    )
    retry: RetrySettings = Field(default=RetrySettings(), description="When calls are retried.")
    media: MediaSettings = Field(default=MediaSettings(), description="Files of customers.")
    retention: Duration | None = Field(
        default=None, ge=DAY, description="How long finished messages and their data are kept. Left out: for ever."
    )
    budget: BudgetSettings = Field(default=BudgetSettings(), description="Maximum use of the AI.")
    words: KeywordSettings = Field(default=KeywordSettings(), description="Additional keywords that take effect at once.")
    texts: Mapping[str, Mapping[str, str]] = Field(
        default={}, description="Replacements for SARA's own texts, by language and key."
    )


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
    conversation: ConversationSettings = field(default_factory=ConversationSettings)
    retry: RetrySettings = field(default_factory=RetrySettings)
    media: MediaSettings = field(default_factory=MediaSettings)
    retention: int | None = None
    budget: BudgetSettings = field(default_factory=BudgetSettings)
    words: KeywordSettings = field(default_factory=KeywordSettings)
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def timezone(self) -> str:
        """Return the time zone of the opening hours; empty where there are none, or where channels differ."""
        policies = [self.conversation, *(each.conversation for each in self.channels.values() if each.conversation)]
        zones = {each.opening_hours.timezone for each in policies if each.opening_hours is not None}
        return zones.pop() if len(zones) == 1 else ""

    @property
    def redactor(self) -> Redactor:
        """Return a redactor of the secrets of every section."""
        sections = (self.store, self.queue, *self.channels.values(), *self.responders.values())
        return Redactor(secret for section in sections for secret in section.secrets)
