"""The context that a plugin object is built with."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sara.domain.time import Instant
from sara.plugins.channel import media_directory

if TYPE_CHECKING:
    from sara.domain.problems import ProblemReporter


T = TypeVar("T")
Clock = Callable[[], Instant]
"""Tells the time in Unix milliseconds."""


@dataclass(slots=True)
class Context:
    """Everything that the core gives to a plugin object.

    `name` is the section's name in sara.yaml (`store` and `queue` for those). `state` is the state directory. `shared` is one
    mapping per plugin, so that sections of the same plugin can share an object: see `once`. A `read_only` store may be open in
    a daemon at the same time. `public_url` is the public listener's address on the internet, if sara.yaml names it. `timezone`
    is that of the opening hours, empty where there are none or where channels differ.
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
        """Return the folder of customers' files; files that a channel sends from this machine must be in it."""
        return media_directory(self.state)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the object that this plugin's sections share under `key`, made by the first caller."""
        if key not in self.shared:
            self.shared[key] = make()
        found: T = self.shared[key]
        return found
