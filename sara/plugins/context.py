"""What a plugin is given when it is built."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sara.domain.time import Instant
from sara.plugins.channel import media_in

if TYPE_CHECKING:
    from sara.domain.problems import ProblemReporter


T = TypeVar("T")
Clock = Callable[[], Instant]
"""Tells the time in Unix milliseconds."""


@dataclass(slots=True)
class Context:
    """What the core gives to every plugin object it builds.

    `name` is the section's name in sara.yaml (`store` and `queue` for those). `state` is the state directory. `shared` is one
    mapping per plugin, so that sections of the same plugin can share an object: see `once`. `read_only` stores are only
    looked at, possibly while a daemon has them open. `public_url` is where the internet reaches the public listener, if the file
    says so. `timezone` is that of the opening hours, empty where there are none or where channels differ.
    """

    name: str
    state: Path
    clock: Clock
    problems: ProblemReporter
    shared: dict[Hashable, Any] = field(default_factory=dict)
    read_only: bool = False
    public_url: str | None = None
    timezone: str = ""

    @property
    def media(self) -> Path:
        """The folder of customers' files; what a channel sends from this machine must lie there."""
        return media_in(self.state)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """The object that this plugin's sections share under `key`, made by whoever asks first."""
        if key not in self.shared:
            self.shared[key] = make()
        found: T = self.shared[key]
        return found
