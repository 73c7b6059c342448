"""The contract of a simulator: a provider of a channel or responder, on this machine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol


class SimulatorSwitch(Protocol):
    """A fault of a simulator that people can switch on.

    `state` has the keys `name`, `label`, `hint`, `kind` (`switch`, `number` or `choice`), `choices`, `active`, `value`,
    `times`, `chance` and `hits`, for a page. A page that shows it sets `changed`, which is called at every change of the
    state.
    """

    name: str
    changed: Callable[[], None]

    @property
    def active(self) -> bool:
        """Return whether it may strike."""

    def on(self, value: Any = None, *, times: int | None = None, chance: float | None = None) -> None:
        """Switch on: for the next `times`, or with probability `chance`, or until `off`. Raises ValueError for values out of
        range.
        """

    def off(self) -> None:
        """Switch off."""

    def state(self) -> Mapping[str, Any]:
        """Return the present state of the switch."""


class Simulator(ABC):
    """A provider on loopback that speaks the provider's real protocol, for tests, the demo and plugin authors."""

    page: str | None = None
    """Address of a page for the browser, once started; None where there is none."""

    @abstractmethod
    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen on `host` and `port` (0: any free one); return the base URL."""

    @abstractmethod
    async def stop(self) -> None:
        """Close the listener and everything that runs behind it."""

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """Return the keys of a sara.yaml section that connect the plugin to this simulator, secrets in plain text."""

    def switches(self) -> Sequence[SimulatorSwitch]:
        """Return the faults that people can switch on here."""
        return ()

    def show_switches(self, switches: Sequence[SimulatorSwitch]) -> None:  # noqa: B027  # optional: not every simulator has a page
        """Show the switches of another simulator on this one's page."""

    async def connect(self, webhook: str) -> None:  # noqa: B027  # optional: not every other end delivers events
        """Deliver events to `webhook`, the address of a running daemon's webhook; raise where it does not verify."""
