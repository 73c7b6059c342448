"""A responder whose answers name what they answer, and that fails in every way a responder can."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from sara import GiveUp, Options, OutgoingContent, Reply, Responder, RetryLater, ToolCaller, Turn, Usage
from tests.simulation.disk import Died

if TYPE_CHECKING:
    from tests.simulation.process import Process


class SimulatedResponder(Responder):
    """Says `re m1,m2 1/2`: which messages it saw, and which part of how many this is."""

    Options = Options

    def __init__(self, process: Process, name: str) -> None:
        self._process = process
        self._name = name
        self.timeout = process.world.answered_within

    async def answer(self, turn: Turn, tools: ToolCaller | None = None) -> Reply:
        if self._process.dead:
            raise Died
        world = self._process.world
        chance, weather = world.chance, world.weather
        asked = [line.id for line in turn.messages]
        world.note("asks", self._name, *asked)
        world.tally["asked"] += 1
        for ident in asked:
            [row] = world.disk.ask("SELECT state FROM messages WHERE id = ?", int(ident[1:]))
            if row["state"] == "answered":
                world.broken("I2", f"the AI is asked for {ident}, whose answer is stored")
        if world.is_silent():
            async with asyncio.timeout(self.timeout / 1_000):
                await asyncio.Event().wait()
        await asyncio.sleep(weather.thinks * chance.random())
        if (refusal := world.refusal(turn)) is not None:
            raise refusal
        if world.happens(weather.later, "try later"):
            raise RetryLater("busy", after=chance.choice((None, None, 3_000)), scope=chance.choice((None, "responder")))
        if world.happens(weather.gives_up, "gives up"):
            raise GiveUp("never")
        if world.happens(weather.hangs, "hangs"):
            await self._hang()
        if world.happens(weather.breaks, "breaks"):
            return self._break()
        parts = chance.choice((1, 1, 1, 2, 3))
        names = ",".join(asked)
        return Reply(tuple(OutgoingContent(f"re {names} {n}/{parts}") for n in range(1, parts + 1)), Usage(1, 1, "simulated"))

    async def _hang(self) -> None:
        """Far longer than its time-out; half of the time deaf to the first cancellation as well."""
        if self._process.world.chance.random() < 0.5:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(120)
            if self._process.dead:
                raise Died
        else:
            await asyncio.sleep(120)

    def _break(self) -> Reply:
        wrong: Any = self._process.world.chance.choice((None, 42, Reply(()), Reply((OutgoingContent("  "),))))
        if wrong is None:
            raise RuntimeError("a bug")
        return wrong  # type: ignore[no-any-return]  # that is the point
