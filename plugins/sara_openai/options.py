"""Options of a responder with `plugin: openai`."""

from __future__ import annotations

import difflib
import zoneinfo
from collections.abc import Iterable, Sequence
from datetime import UTC, tzinfo
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from sara import Duration, Options, Secret
from sara.helpers import Advice, Placeholder

OPENAI_URL = "https://api.openai.com/v1"
PLACEHOLDER_KEY = "none"
"""The key for servers that need none, because the client requires one."""

HOSTS_WITHOUT_VERSION = ("api.deepseek.com", "api.perplexity.ai")
"""Servers that answer without a version in the path."""

ENDPOINTS = ("/chat/completions", "/completions", "/responses", "/models", "/embeddings")
"""Paths that the client appends to `base_url`, and that are often copied along with it."""


class OpenAIOptions(Options):
    """Options of a responder: the server, the model and its instructions."""

    model: str = Field(default="gpt-5-mini", min_length=1, description="Name of the model, as the server lists it.")
    api_key: Secret | None = Field(
        default=None,
        description="API key of the account that pays. Not needed with `base_url` if that server requires none. "
        "It is not read from the environment automatically: write `!env OPENAI_API_KEY` for that.",
    )
    base_url: str | None = Field(
        default=None,
        description="Address of an OpenAI-compatible server, usually ending in `/v1`, e.g. http://127.0.0.1:11434/v1 for "
        "Ollama. Default: OpenAI.",
    )
    api: Literal["completions", "responses"] = Field(
        default="completions",
        description="API of the server: Chat Completions, which every compatible server offers, or OpenAI's newer "
        "Responses, in which reasoning models keep their reasoning between tool calls. Nothing is stored with the provider.",
    )
    instructions: Annotated[str, Placeholder("Write here what your customers ask about", "12 Example Street, Exampletown")] = (
        Field(
            default="",
            description="Instructions to the model before every conversation: whom it speaks for, the facts, the tone. "
            "{now}, {date}, {time}, {channel}, {notes} and {language} are filled in; {name} becomes a reference to the customer's "
            "name, because a name is the customer's own text.",
        )
    )
    facts: bool = Field(
        default=True,
        description="Add the time, the customer's name, language and notes to the instructions, as far as they are known and "
        "`instructions` has no placeholder for them, and tell the model to answer in the customer's language.",
    )
    timezone: str | None = Field(
        default=None,
        description="Time zone of the times in the instructions, e.g. Europe/Lisbon. Default: that of the opening hours, else UTC.",
    )
    summary_instructions: str = Field(
        default="",
        description="Instructions to the model for summarising the older part of a conversation. Default: SARA's own text.",
    )
    timeout: Duration = Field(default=60_000, gt=0, description="Maximum duration of one answer, tool calls included.")
    tool_rounds: int = Field(
        default=5,
        ge=1,
        le=20,
        description="Maximum number of rounds of tool calls in one answer; after that the model has to answer.",
    )
    temperature: float | None = Field(
        default=None,
        ge=0,
        le=2,
        description="Randomness of the answers. Default: the model's own; some models accept no other value.",
    )
    max_output_tokens: int | None = Field(
        default=None,
        ge=1,
        description="Maximum length of an answer in tokens, hidden reasoning included. Default: the model's own.",
    )

    images: bool | None = Field(
        default=None, description="Show the customer's images to the model. Default: true for OpenAI, false for other servers."
    )
    transcribe_with: str | None = Field(
        default=None,
        min_length=1,
        description="Model that transcribes voice messages, e.g. gpt-4o-mini-transcribe. Default: none; voice messages are not transcribed.",
    )

    def advise(self) -> Iterable[Advice]:
        """Yield advice about a `base_url` that no compatible server answers at."""
        if self.base_url is None:
            return
        parts = urlsplit(self.base_url)
        endpoint = next((each for each in ENDPOINTS if parts.path.endswith(each)), None)
        if endpoint is not None:
            remedy = f"write {self.base_url.removesuffix(endpoint)}"
            yield Advice("base_url", f"ends with {endpoint}, which is added to it", remedy, works=False)
        elif not parts.path and parts.hostname not in HOSTS_WITHOUT_VERSION:
            yield Advice("base_url", "has no path, but most servers answer below /v1", f"write {self.base_url}/v1 if yours does")

    def billed_models(self) -> Sequence[str]:
        """Return the models that cost money: the one that answers and summarises."""
        return (self.model,)

    @property
    def shows_images(self) -> bool:
        """Return whether images are sent to the model."""
        return self.base_url is None if self.images is None else self.images

    @property
    def url(self) -> str:
        """The server's address without a slash at the end."""
        return self.base_url or OPENAI_URL

    @property
    def key(self) -> str:
        """The API key that is sent to the server."""
        return self.api_key.reveal() if self.api_key else PLACEHOLDER_KEY

    @property
    def host(self) -> str:
        """The server's host and port, for messages to operators."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    def zone(self, *defaults: str) -> tzinfo:
        """Return the time zone of the options, else the first of `defaults` that is not blank, else UTC."""
        return _find_zone(next(filter(None, (self.timezone, *defaults)), "UTC"))

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, value: str | None) -> str | None:
        if value is None:
            return None
        _find_zone(value.strip())
        return value.strip()

    @field_validator("api_key")
    @classmethod
    def _check_key(cls, value: Secret | None) -> Secret | None:
        # A key read from a file ends with a line break; other invalid characters would fail later with an unclear error.
        if value is None:
            return None
        key = value.reveal().strip()
        if not key:
            raise ValueError("the key is empty; set the secret that it refers to")
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError("the key contains characters that are invalid in a key; copy it again")
        return Secret(key)

    @field_validator("base_url")
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be a complete address, e.g. http://127.0.0.1:11434/v1")
        if parts.query or parts.fragment:
            raise ValueError("must not contain `?` or `#`")
        _ = parts.port  # raises a ValueError of its own if it is no port
        return value.strip().rstrip("/")

    @model_validator(mode="after")
    def _require_key_or_url(self) -> Self:
        if self.api_key is None and self.base_url is None:
            raise ValueError(
                "api_key is missing: set `api_key: !secret openai_api_key` with a key from "
                "https://platform.openai.com/api-keys, or `base_url` for a server that needs none"
            )
        return self


def _find_zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC  # also on machines without time zone data
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        pass
    known = zoneinfo.available_timezones()
    if not known:
        raise ValueError("this machine has no time zone data: install the package tzdata, or remove the option for UTC")
    folded = {each.casefold(): each for each in known} | {each.rpartition("/")[2].casefold(): each for each in sorted(known)}
    near = difflib.get_close_matches(name.replace(" ", "_").casefold(), folded, n=1, cutoff=0.7)
    hint = f"did you mean {folded[near[0]]}?" if near else "write one as in Europe/Lisbon or America/Sao_Paulo"
    raise ValueError(f"unknown time zone; {hint}")
