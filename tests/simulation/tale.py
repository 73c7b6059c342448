"""A world in which nothing is left to chance: a test tells what happens, and when. The promises at the end are the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from sara import InboundMessage
from sara.helpers import Problem
from tests.simulation.provider import Taken
from tests.simulation.weather import Weather
from tests.simulation.world import World

FAIR: dict[str, Any] = {
    "shuffled": False,
    "channels": 1,
    "people": 3,
    "debounce": 1_000,
    "debounce_max": 5_000,
    "max_age": 43_200_000,
    "attempts": 4,
    "max_delay": 60_000,
    "max_duration": 600_000,
    "fallback": False,
    "doubt_timeout": 20_000,
    "on_doubt": "resend",
    "carries_attempt": True,
    "pair_limit": False,
    "covered": 1,
    "thinks": 1,
}
"""What a test may change; a fault that is not named never happens."""


class Tale(World):
    """One process at a time as always, but `tells` is all that happens to it."""

    def __init__(self, state: Path, tells: Callable[[Any], Awaitable[None]], **weather: Any) -> None:
        nothing = dict.fromkeys(Weather.__dataclass_fields__, 0)
        super().__init__(0, state, calm=True, weather=Weather(**{**nothing, **FAIR, **weather}))
        self._tells = tells
        self._slept = 0
        self.mishaps: set[str] = set()
        """Faults that happen each time they can."""

    async def _happens(self) -> None:
        await self.until(lambda: self.process is not None and self.process.serving)
        await self._tells(self)
        self.mishaps.clear()

    def happens(self, chance: float, what: str) -> bool:
        return what in self.mishaps

    def provider_time(self) -> int:
        return super().provider_time() + self._slept

    # ── what a test tells ─────────────────────────────────────────────────────────────────────────────────────────────────

    def says(self, customer: int, text: str = "") -> str:
        """A customer writes, words of no meaning unless `text` is given; the message's name in the provider's list."""
        name = f"in.{self.provider._next()}"
        who, account = self.provider.customers[customer], self.provider.accounts[0]
        message = InboundMessage(account, name, who.person(full=True), "text", text or f"says {name}", self.provider_time())
        self.provider.said[name] = who, message
        self.note("say", who.name, message.text)
        self.provider._post(message)
        return name

    async def until(self, what: Callable[[], object], within: float = 60) -> None:
        """Let time pass until something is so; that it comes to be in time is a promise."""
        began = self.loop.time()
        while not what():
            await asyncio.sleep(0.25)
            if self.loop.time() - began > within:
                self.broken("tale", f"after {within} s it is still not so")
                return

    def machine_sleeps(self, milliseconds: int) -> None:
        """Suspended: time passes for everybody, but no timer of the daemon runs on."""
        self.note("sleeps", milliseconds)
        self._slept += milliseconds

    def jump(self, by: int) -> None:
        """Set the daemon's clock."""
        self.note("clock jump", by)
        self._jumped += by

    async def restart(self, jump: int = 0) -> None:
        """The process dies and another starts; the clock may be set while nobody looks."""
        before = self.process
        assert before is not None
        before.die()
        await self.until(lambda: self.process is not before)
        self.jump(jump)
        await self.until(lambda: self.process is not None and self.process.serving)

    # ── what it may look at ───────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def problems(self) -> dict[str, Problem]:
        """What the operator is shown."""
        assert self.process is not None
        return {problem.key: problem for problem in self.process.daemon.problems}

    @property
    def tries(self) -> list[float]:
        """When a request left for the provider."""
        return sorted(self.provider.left.values())

    @property
    def taken(self) -> list[Taken]:
        """What the provider accepted."""
        return self.provider.taken

    def answered(self, name: str) -> bool:
        """Whether a message has an answer that the provider accepted."""
        found = self.disk.ask(
            "SELECT o.id FROM messages i JOIN messages o ON o.reply = i.reply AND o.direction = 'out' WHERE i.external_id = ?",
            name,
        )
        return bool({f"m{row['id']}" for row in found} & {taken.part for taken in self.taken})
