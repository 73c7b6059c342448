"""Call the hooks of plugins."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pluggy

from sara.domain.problems import ProblemReporter
from sara.plugins.call_guard import CallGuard, told_of
from sara.plugins.loader import Plugins, _implementations, log
from sara.plugins.threads import begin

HOOK_WITHIN = 10_000
HOOKS_AT_ONCE = 8
"""So many hooks of one plugin run at once, the others wait for their turn: a burst of messages for a plugin that hangs leaves no
more threads behind, and few enough that the process need not start again for it."""


class Hooks:
    """Calls implementations one by one: a plain one in a thread, an async one on the loop, each with a deadline. One that
    fails or hangs is named as a problem and hurts nobody else; while too many calls of a plugin linger, it is left out."""

    def __init__(
        self, plugins: Plugins, problems: ProblemReporter, within: int = HOOK_WITHIN, strays: CallGuard | None = None
    ) -> None:
        self._plugins = plugins
        self._problems = problems
        self._within = within
        self._strays = strays or CallGuard(problems)
        self._running: set[asyncio.Task[None]] = set()
        self._turns: dict[str, asyncio.Semaphore] = {}

    def any(self, *names: str) -> bool:
        """Whether any of these hooks has an implementation."""
        return any(_implementations(self._plugins.manager, name) for name in names)

    async def call(self, name: str, **arguments: Any) -> None:
        """Call every implementation of the hook `name`; returns when all have ended or run out of time."""
        for implementation in _implementations(self._plugins.manager, name):
            wanted = {key: arguments[key] for key in implementation.argnames if key in arguments}
            await self._call(implementation, wanted, name)

    def call_soon(self, name: str, **arguments: Any) -> None:
        """The same, without waiting for it."""
        if self.any(name):
            self._keep(self.call(name, **arguments))

    async def wait_idle(self) -> None:
        """Wait for what `later` started."""
        if self._running:
            await asyncio.wait(self._running, timeout=self._within / 1_000)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _call(self, implementation: pluggy.HookImpl, arguments: dict[str, Any], name: str) -> None:
        try:
            await self._in_turn(implementation, arguments)
        except Exception as error:
            plugin = implementation.plugin_name
            log.warning("hook_failed", plugin=plugin, hook=name, error=type(error).__name__)
            self._problems.report(
                f"plugin:{plugin}:{name}",
                f"the plugin {plugin} {told_of(error)} in its hook {name}",
                "update or remove the plugin",
                severity="warning",
            )

    async def _in_turn(self, implementation: pluggy.HookImpl, arguments: dict[str, Any]) -> None:
        """Call it when few enough of its plugin's hooks run. Raises TimeoutError also when its turn does not come."""
        name = f"plugin:{implementation.plugin_name}"
        if self._strays.blocked(name):
            return
        turns = self._turns.setdefault(name, asyncio.Semaphore(HOOKS_AT_ONCE))
        async with asyncio.timeout(self._within / 1_000):
            await turns.acquire()
        if self._strays.blocked(name):
            turns.release()
            return
        call = begin(implementation.function, **arguments)
        # The turn is over when the call has really ended, not when it is given up.
        call.add_done_callback(lambda _: turns.release())
        await self._strays.call(name, call, self._within, needed=False)
