"""The contract of a simulator: the provider's end of a channel or responder, on this machine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol


class SimulatorSwitch(Protocol):
    """Something at a simulator's end that people can make go wrong.

    `state` has the keys `name`, `label`, `hint`, `kind` (`switch`, `number` or `choice`), `choices`, `active`, `value`, `times`,
    `chance` and `hits`, for a page. Whoever shows it sets `changed`, which is called whenever the state is another.
    """

    name: str
    changed: Callable[[], None]

    @property
    def active(self) -> bool:
        """Whether it may strike."""

    def on(self, value: Any = None, *, times: int | None = None, chance: float | None = None) -> None:
        """Switch on: for the next `times`, or with probability `chance`, or until `off`. Raises ValueError for what makes no sense."""

    def off(self) -> None:
        """Switch off."""

    def state(self) -> Mapping[str, Any]:
        """The switch as it is now."""


class Simulator(ABC):
    """A provider's other end on loopback, for tests, the demo and plugin authors. It speaks the provider's real protocol."""

    page: str | None = None
    """Address of a page for the browser, once started; None where there is none."""

    @abstractmethod
    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen on `host` and `port` (0: any free one); return the base URL."""

    @abstractmethod
    async def stop(self) -> None:
        """Close the listener and whatever runs behind it."""

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """The keys of a sara.yaml section that make the plugin talk to this simulator, secrets in plain text."""

    def switches(self) -> Sequence[SimulatorSwitch]:
        """What people can make go wrong here."""
        return ()

    def show_switches(self, switches: Sequence[SimulatorSwitch]) -> None:  # noqa: B027  # optional: not every simulator has a page
        """Show the switches of another simulator on this one's page."""

    async def connect(self, webhook: str) -> None:  # noqa: B027  # optional: not every other end delivers events
        """Deliver events to `webhook`, the address of a running daemon's webhook; raise where it does not verify."""
