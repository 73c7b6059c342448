"""The faults of an AI server as switches, for people who try things out on a page."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from sara_simulators.openai.faults import Fault

_SLOW_MS = 8_000
_ROWS: tuple[tuple[str, str, str, Fault], ...] = (
    ("ai_away", "AI away", "Cut the connection of every question", Fault("reset", None)),
    ("ai_slow", "AI slow", "Answer after so many milliseconds", Fault("slow", None, delay_ms=_SLOW_MS)),
    ("ai_silent", "AI silent", "Take the question and never answer", Fault("hang", None)),
    ("ai_busy", "AI busy", "Refuse with 429: too many requests", Fault("rate_limit", None)),
    ("ai_broken", "AI broken", "Answer 500", Fault("status", None, status=500)),
    ("ai_key", "AI key refused", "Refuse with 401: a person has to mend the key", Fault("unauthorized", None)),
    ("ai_credit", "AI credit used up", "Refuse with 429: a person has to pay", Fault("quota", None)),
    ("ai_cut", "AI cut off", "Tear the answer in the middle", Fault("cut", None)),
    ("ai_page", "AI behind a sign-in page", "Answer with a page, as a proxy does", Fault("html", None)),
    ("ai_declines", "AI declines", "Refuse to answer what was asked", Fault("refusal", None)),
)


class FaultSwitch:
    """One switch; while it is on, each question meets its fault. `hits` counts them."""

    def __init__(self, name: str, label: str, hint: str, fault: Fault, chance: random.Random) -> None:
        self.name = name
        self.active = False
        self.changed: Callable[[], None] = lambda: None
        self._label = label
        self._hint = hint
        self._fault = fault
        self._random = chance
        self._times: int | None = None
        self._chance: float | None = None
        self._hits = 0

    def on(self, value: Any = None, *, times: int | None = None, chance: float | None = None) -> None:
        """Switch on: for the next `times` questions, or with probability `chance`, or until `off`. `value` is how slow it is."""
        if value is not None:
            self._fault.delay_ms = self._checked(value)
        if times is not None and times < 1:
            raise ValueError("times must be at least 1")
        if chance is not None and not 0 <= chance <= 1:
            raise ValueError("chance must lie between 0 and 1")
        self.active, self._times, self._chance = True, times, chance
        self.changed()

    def off(self) -> None:
        """Switch off."""
        self.active, self._times, self._chance = False, None, None
        self.changed()

    def take(self) -> Fault | None:
        """Return the fault of the present call, and count it down; None for no fault."""
        if not self.active or (self._chance is not None and self._random.random() >= self._chance):
            return None
        self._hits += 1
        if self._times is not None:
            self._times -= 1
            if self._times == 0:
                self.active, self._times = False, None
        self.changed()
        return self._fault

    def state(self) -> dict[str, Any]:
        """Return the switch as a page shows it."""
        is_slow = self._fault.kind == "slow"
        return {
            "name": self.name,
            "label": self._label,
            "hint": self._hint,
            "kind": "number" if is_slow else "switch",
            "choices": [],
            "active": self.active,
            "value": self._fault.delay_ms if is_slow else None,
            "times": self._times,
            "chance": self._chance,
            "hits": self._hits,
        }

    def _checked(self, value: Any) -> int:
        if self._fault.kind != "slow":
            raise ValueError(f"{self.name} takes no value")
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ValueError(f"{self.name} takes a whole number")
        return value


class FaultSwitches:
    """All of them; the first that is on decides."""

    def __init__(self, seed: int = 0) -> None:
        chance = random.Random(seed)
        self._switches = tuple(
            FaultSwitch(name, label, hint, Fault(fault.kind, None, fault.status, delay_ms=fault.delay_ms), chance)
            for name, label, hint, fault in _ROWS
        )

    def __iter__(self) -> Iterator[FaultSwitch]:
        return iter(self._switches)

    def take(self) -> Fault | None:
        """Return the fault of the present call; None for no fault."""
        return next((fault for switch in self._switches if (fault := switch.take()) is not None), None)
