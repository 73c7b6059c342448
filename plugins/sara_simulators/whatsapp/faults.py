"""Faults of the simulated provider, one switch each.

simulator.faults.error_code.on(131056, times=2)   # the next two sends
simulator.faults.server_error.on(chance=0.2)      # every fifth, by the simulator's seed
simulator.faults.reset_after_accept.on()          # every one, until
simulator.faults.reset_after_accept.off()
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import Any, Literal

from sara import SimulatorSwitch

Kind = Literal["switch", "number", "choice"]


class Fault:
    """One switch. `value` is its parameter, `hits` how often it struck."""

    def __init__(
        self,
        name: str,
        label: str,
        hint: str,
        chance: random.Random,
        changed: Callable[[], None],
        value: Any = None,
        choices: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.label = label
        self.hint = hint
        self.value = value
        self.choices = choices
        self.hits = 0
        self._kind: Kind = "choice" if choices else "switch" if value is None else "number"
        self._active = False
        self._times: int | None = None
        self._chance: float | None = None
        self._random = chance
        self.changed = changed
        self._over = asyncio.Event()

    def on(self, value: Any = None, *, times: int | None = None, chance: float | None = None) -> None:
        """Switch on: for the next `times` requests, or with probability `chance`, or until `off`."""
        if value is not None:
            self.value = self._checked(value)
        if times is not None and times < 1:
            raise ValueError("times must be at least 1")
        if chance is not None and not 0 <= chance <= 1:
            raise ValueError("chance must lie between 0 and 1")
        self._active, self._times, self._chance = True, times, chance
        self._over.clear()
        self.changed()

    def off(self) -> None:
        """Switch off."""
        self._active, self._times, self._chance = False, None, None
        self._over.set()
        self.changed()

    @property
    def active(self) -> bool:
        """Return whether it may strike."""
        return self._active

    def strikes(self) -> bool:
        """Return whether it hits this time; count down."""
        if not self._active or (self._chance is not None and self._random.random() >= self._chance):
            return False
        self.hits += 1
        if self._times is not None:
            self._times -= 1
            if self._times == 0:
                self._active, self._times = False, None
        self.changed()
        return True

    async def over(self) -> None:
        """Return once it is switched off."""
        await self._over.wait()

    def state(self) -> dict[str, Any]:
        """Return the switch as the page shows it."""
        return {
            "name": self.name,
            "label": self.label,
            "hint": self.hint,
            "kind": self._kind,
            "choices": list(self.choices),
            "active": self._active,
            "value": self.value,
            "times": self._times,
            "chance": self._chance,
            "hits": self.hits,
        }

    def _checked(self, value: Any) -> Any:
        if self._kind == "switch":
            raise ValueError(f"{self.name} takes no value")
        if self._kind == "choice" and value not in self.choices:
            raise ValueError(f"{self.name} is one of {', '.join(self.choices)}")
        if self._kind == "number" and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise ValueError(f"{self.name} takes a whole number")
        return value


class Faults:
    """All the switches. Those about sending strike sends only, never a read mark or a typing indicator."""

    def __init__(self, chance: random.Random, changed: Callable[[], None] = lambda: None) -> None:
        def fault(name: str, label: str, hint: str, value: Any = None, choices: tuple[str, ...] = ()) -> Fault:
            return Fault(name, label, hint, chance, changed, value, choices)

        self.error_code = fault("error_code", "Refuse with a code", "Answer a send with this Graph error", 131056)
        self.server_error = fault(
            "server_error", "Server error", "Answer 5xx without a code; the message is not accepted", "html", ("html", "json")
        )
        self.error_after_accept = fault(
            "error_after_accept", "Server error after accepting", "Accept the message, answer 502 all the same"
        )
        self.reset_before = fault(
            "reset_before", "Drop before accepting", "ConnectionCut the connection; the message is not accepted"
        )
        self.reset_after_accept = fault(
            "reset_after_accept", "Drop after accepting", "Accept the message, then cut the connection"
        )
        self.slow = fault("slow", "Slow answers", "Accept at once, answer after so many milliseconds", 3000)
        self.token_expired = fault("token_expired", "Token expired", "Refuse every request with code 190")
        self.failed_status = fault("failed_status", "Fail after accepting", "Report it as failed, with this code", 131026)
        self.window_closed = fault("window_closed", "24 hours have passed", "Refuse all but templates with code 131047")
        self.pair_limit = fault(
            "pair_limit", "Limit per customer", "45 messages at once, then one every 6 seconds; code 131056 beyond that"
        )
        self.throughput = fault("throughput", "Limit per second", "Code 130429 beyond so many messages a second", 80)
        self.stay_silent = fault("stay_silent", "Stay silent", "Of an accepted message nothing at all is reported back")
        self.lose_statuses = fault("lose_statuses", "Lose statuses", "Accepted messages report nothing back")
        self.reverse_statuses = fault("reverse_statuses", "Reverse statuses", "Report read, delivered and sent, in that order")
        self.upload_refused = fault(
            "upload_refused", "Refuse uploads", "Answer the upload of a file with this Graph error", 131053
        )
        self.media_gone = fault("media_gone", "Files cannot be fetched", "Answer 404 where a file should be; its id still works")
        self.media_damaged = fault("media_damaged", "Files arrive damaged", "SendRequest other bytes than the hash was made of")
        self.media_silent = fault(
            "media_silent", "Silent media host", "Take the request for a file and say nothing until this is switched off"
        )
        self.held_back = fault(
            "held_back",
            "Hold templates back",
            "Take a template, and say that it does not go out yet",
            "paused",
            ("paused", "held_for_quality_assessment"),
        )
        self.redeliver = fault("redeliver", "Deliver webhooks again", "Post every webhook so many times", 2)

        self.others: list[SimulatorSwitch] = []

    def __iter__(self) -> Iterator[Fault]:
        return iter(fault for fault in vars(self).values() if isinstance(fault, Fault))

    def all_switches(self) -> list[SimulatorSwitch]:
        """Return the switches for a page: its own, then those of other simulators."""
        return [*self, *self.others]

    def off(self) -> None:
        """Switch everything off."""
        for fault in self:
            if fault.active:
                fault.off()
