"""What all plugin classes have in common."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from sara.plugins.checks import CheckResult

if TYPE_CHECKING:
    from sara.domain.options import Options


class PluginObject(ABC):  # what each kind must bring is said by its own class
    """What all four kinds have in common: built from checked options, opened before use, closed after."""

    Options: ClassVar[type[Options]]
    """The plugin's options; checked before anything starts."""

    async def open(self) -> None:  # noqa: B027  # optional
        """Get ready. Raise to be reported as a problem; the rest of the daemon runs on."""

    async def close(self) -> None:  # noqa: B027  # optional
        """Let go of everything. Called once, also after a failed `open`."""

    async def checks(self, fix: bool = False) -> Sequence[CheckResult]:
        """Live checks for `sara doctor`, on an object that is open; with `fix`, mend what can be mended from here."""
        return ()


def _plugin_of(thing: PluginObject) -> str:
    return type(thing).__module__.partition(".")[0].removeprefix("sara_")
