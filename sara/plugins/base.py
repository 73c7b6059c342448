"""The base class of plugin objects."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from sara.plugins.checks import CheckResult

if TYPE_CHECKING:
    from sara.domain.options import Options


class PluginObject(ABC):  # what each kind must bring is said by its own class
    """Base of channels, responders, stores and queues: built from checked options, opened before use, closed after."""

    Options: ClassVar[type[Options]]
    """The plugin's options; checked before anything starts."""

    async def open(self) -> None:  # noqa: B027  # optional
        """Prepare for use. An exception is reported as a problem; the rest of the daemon keeps running."""

    async def close(self) -> None:  # noqa: B027  # optional
        """Release all resources. Called once, also after a failed `open`."""

    async def checks(self, fix: bool = False) -> Sequence[CheckResult]:
        """Run live checks for `sara doctor` on an open object; with `fix`, repair what can be repaired from here."""
        return ()


def _plugin_of(thing: PluginObject) -> str:
    return type(thing).__module__.partition(".")[0].removeprefix("sara_")
