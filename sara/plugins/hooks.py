"""Call the hooks of plugins."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pluggy

from sara.domain.problems import ProblemReporter
from sara.plugins.call_guard import CallGuard, describe_failure
from sara.plugins.loader import Plugins, _implementations, log
from sara.plugins.threads import start_call

HOOK_TIMEOUT_MS = 10_000
MAX_CONCURRENT_HOOKS = 8
"""Limit of a plugin's concurrent hook calls; further ones wait. It bounds the threads that a burst of messages leaves in a plugin
that hangs, below the number that requires a restart."""


class Hooks:
    """Calls hook implementations one by one: a plain one in a thread, an async one on the loop, each with a deadline.

    One that fails or hangs becomes a problem and affects nothing else; while its plugin is blocked by stuck calls, it is
    skipped.
    """

    def __init__(
        self, plugins: Plugins, problems: ProblemReporter, within: int = HOOK_TIMEOUT_MS, call_guard: CallGuard | None = None
    ) -> None:
        self._plugins = plugins
        self._problems = problems
        self._within = within
        self._call_guard = call_guard or CallGuard(problems)
        self._running: set[asyncio.Task[None]] = set()
        self._turns: dict[str, asyncio.Semaphore] = {}

    def has_any(self, *names: str) -> bool:
        """Return whether any of these hooks has an implementation."""
        return any(_implementations(self._plugins.manager, name) for name in names)

    async def call(self, name: str, **arguments: Any) -> None:
        """Call every implementation of the hook `name`; return when all have ended or timed out."""
        for implementation in _implementations(self._plugins.manager, name):
            wanted = {key: arguments[key] for key in implementation.argnames if key in arguments}
            await self._call(implementation, wanted, name)

    def call_soon(self, name: str, **arguments: Any) -> None:
        """Call the hook `name` in the background."""
        if self.has_any(name):
            self._keep(self.call(name, **arguments))

    async def wait_idle(self) -> None:
        """Wait for the calls that `call_soon` started."""
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
                f"the plugin {plugin} {describe_failure(error)} in its hook {name}",
                "update or remove the plugin",
                severity="warning",
            )

    async def _in_turn(self, implementation: pluggy.HookImpl, arguments: dict[str, Any]) -> None:
        """Call an implementation once few enough of its plugin's hooks run. Raises TimeoutError also where that does not
        happen.
        """
        name = f"plugin:{implementation.plugin_name}"
        if self._call_guard.is_blocked(name):
            return
        turns = self._turns.setdefault(name, asyncio.Semaphore(MAX_CONCURRENT_HOOKS))
        async with asyncio.timeout(self._within / 1_000):
            await turns.acquire()
        if self._call_guard.is_blocked(name):
            turns.release()
            return
        call = start_call(implementation.function, **arguments)
        # The turn is over when the call has really ended, not when it is given up.
        call.add_done_callback(lambda _: turns.release())
        await self._call_guard.call(name, call, self._within, needed=False)
