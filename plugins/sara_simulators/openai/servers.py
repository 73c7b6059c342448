"""The refusals of twenty AI servers, from `servers.json`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from sara_simulators.openai.protocol import Call

Aspect: TypeAlias = Literal["length", "pictures", "tools", "keys", "quota", "filters", "roles", "system", "options"]

ASPECTS: tuple[Aspect, ...] = ("length", "pictures", "tools", "keys", "quota", "filters", "roles", "system", "options")


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal as a server writes it: a body as JSON, or a text.

    `expect` is its consequence where that is not the usual one; `documented` is false where the wording is only a guess.
    """

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    expect: str = ""
    documented: bool = True


@dataclass(frozen=True, slots=True)
class Server:
    """A server and its refusals; an aspect without any is never refused."""

    key: str
    name: str
    refusals: Mapping[Aspect, tuple[Refusal, ...]]


@dataclass(slots=True)
class Condition:
    """The condition of a refusal: `longest` tokens, the word `banned`, or a picture whose data URL contains `picture` (empty:
    any).
    """

    aspect: Aspect
    refusal: Refusal
    longest: int = 100
    banned: str = ""
    picture: str = ""

    def matches(self, call: Call) -> bool:
        """Return whether a call is refused."""
        roles = [message.get("role") for message in call.messages]
        match self.aspect:
            case "length":
                return call.tokens > self.longest
            case "pictures":
                return any(self.picture in url for url in call.pictures)
            case "tools":
                return "tools" in call.body
            case "filters":
                return self.banned in json.dumps(call.body, ensure_ascii=False)
            case "roles":
                spoken = [role for role in roles if role not in ("system", "developer", "tool")]
                return any(spoken[at] != ("user", "assistant")[at % 2] for at in range(len(spoken)))
            case "system":
                return "system" in roles
            case "options":
                named = re.search(r"temperature|max_(?:completion_|output_)?tokens", json.dumps(self.refusal.body))
                return named is not None and named[0] in call.body
        return True


@cache
def load_servers() -> dict[str, Server]:
    """Return all known servers by their keys."""
    known = json.loads(Path(__file__).with_name("servers.json").read_text(encoding="utf-8"))
    return {
        key: Server(
            key, each["name"], {aspect: tuple(Refusal(**row) for row in rows) for aspect, rows in each["refusals"].items()}
        )
        for key, each in known.items()
    }
