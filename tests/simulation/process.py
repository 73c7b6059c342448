"""One life of the daemon: the real one, on the world's clock and disk, without listeners."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from sara_sqlite.options import SqliteOptions
from sara_sqlite.queue import SqliteQueue
from sara_sqlite.store import SqliteStore

from sara import Context, Request
from sara.engines import CommitUnknown, StoreUnavailable
from sara.plugins.loader import Plugins
from sara.runtime.background import BackgroundTask
from sara.runtime.builder import Components
from sara.runtime.clock import Environment
from sara.runtime.daemon import Daemon
from tests.simulation.disk import DirectDatabase
from tests.simulation.loop import BELONGS_TO, Numbered
from tests.simulation.provider import SimulatedChannel
from tests.simulation.thinker import SimulatedResponder

if TYPE_CHECKING:
    from tests.simulation.world import World

REAL_TIME = {"intake-guard", "media-cleaning", "media-downloads"}
"""What the daemon does beside messages and needs threads for."""


class SimulatedPlugins(Plugins):
    """The bundled store and queue, and the two simulated ends."""

    def __init__(self, world: World) -> None:
        super().__init__(None)
        self._world = world

    def plugin_class(self, kind: Any, name: str) -> Any:
        if kind in ("store", "queue"):
            return SqliteStore if kind == "store" else SqliteQueue
        end = SimulatedChannel if kind == "channel" else SimulatedResponder
        return lambda _, context: end(self._world.process, context.name)  # type: ignore[arg-type]  # built by a process alone


class _Daemon(Daemon):
    """Opens no port, but answers what would come in through one."""

    def __init__(self, process: Process) -> None:
        world = process.world
        environment = Environment(world.clock, world.chance.random, world.new_id)
        super().__init__(world.loaded, world.plugins, environment)
        context = Context("store", world.state, world.clock, self.problems)
        path = SqliteOptions().file(context)
        database = DirectDatabase(path, world.disk, world.disk_wait, lambda: process.dead)
        self.plugin_host.shared["sqlite"] = {("database", path): database}
        self.listening = False

    async def _listen(self, parts: Components) -> None:
        self.listening = True

    def _background(self, parts: Components) -> Sequence[BackgroundTask]:
        return [task for task in super()._background(parts) if task.name not in REAL_TIME]

    async def answer(self, request: Request) -> int:
        """The status that a webhook is answered with."""
        webhooks, bindings = self.components.webhooks, self.components.pipeline.routing.bindings
        if webhooks.draining:
            return 503
        return (await webhooks._answer(list(bindings), request)).status

    @property
    def found_by_sweep(self) -> int:
        """How many jobs nobody had been woken for."""
        return 0 if self._components is None else self._components.sweeper.found_by_sweep

    @property
    def idle(self) -> bool:
        """Whether no job runs."""
        return not self.queue._running  # type: ignore[attr-defined]  # of the real queue


class Process:
    """A daemon that can die at any moment, taking along all that is not on the disk."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.dead = False
        self.gone = asyncio.Event()
        self._tasks: dict[Numbered, None] = {}
        self._context = contextvars.Context()
        self._context.run(BELONGS_TO.set, self._tasks)
        self.daemon = _Daemon(self)

    def run(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Do something as part of this process."""
        return asyncio.get_running_loop().create_task(work, context=self._context)

    @property
    def serving(self) -> bool:
        """Whether somebody listens."""
        return self.daemon.listening and not self.dead

    async def live(self) -> None:
        """From the start until it is gone."""
        self.run(self._start())
        await self.gone.wait()
        self.dead = True
        await self._bury()

    async def _start(self) -> None:
        try:
            await self.daemon.start()
        except (StoreUnavailable, CommitUnknown):
            self.gone.set()
            return
        except Exception as error:
            self.world.broken("start", f"the daemon did not start: {error!r}")
            raise
        await self.daemon.ended.wait()
        if not self.daemon.store.lost.is_set():
            self.world.broken("start", "the daemon ended by itself")
        await self.stop()

    def die(self) -> None:
        """As by `kill -9`: nothing of it runs any more."""
        self.world.note("dies")
        self.dead = True
        self.gone.set()

    async def stop(self, grace: int = 30_000) -> None:
        """As by SIGTERM."""
        try:
            await self.daemon.stop(grace)
        finally:
            self.gone.set()

    async def _bury(self) -> None:
        """Let every task see that it is dead: the disk and both ends answer it with `Died` alone."""
        for _ in range(10_000):
            left = [task for task in self._tasks if not task.done()]
            if not left:
                break
            for task in left:
                task.cancel()
            await asyncio.sleep(0)
        else:
            self.world.broken("bury", f"these would not end: {left}")
        # Their errors were the death itself; the loop need not report them as forgotten.
        for task in self._tasks:
            if not task.cancelled():
                task.exception()
        self.world.tally["found by sweep"] += self.daemon.found_by_sweep
