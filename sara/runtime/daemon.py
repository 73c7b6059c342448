"""One daemon: opens everything in order, serves, and closes in reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

import structlog

from sara.domain.errors import ConfigError, SaraError
from sara.domain.problems import problem_key
from sara.domain.storage import RecoveryReport
from sara.operations.problem_registry import ProblemRegistry
from sara.plugins.call_guard import CallGuard
from sara.plugins.hooks import Hooks
from sara.plugins.loader import Plugins
from sara.plugins.queue import Queue
from sara.plugins.store import Store
from sara.queue.worker import DRAIN
from sara.runtime import systemd
from sara.runtime.background import BackgroundTask, BackgroundTasks, feed_watchdog, periodic
from sara.runtime.builder import Components, Engines, Extensions, Foundation, build
from sara.runtime.clock import Environment
from sara.runtime.listeners import Listeners
from sara.runtime.logging import redact_with
from sara.runtime.plugin_host import REOPEN_EVERY_S, PluginHost
from sara.runtime.state_dir import create_state_dir, load_admin_token, publish_listeners
from sara.web.crash_log import ParseCrashLog

if TYPE_CHECKING:
    from sara.config.loader import Loaded
    from sara.config.settings import Config

log = structlog.get_logger("sara.runtime.daemon")

EXIT_BROKEN = 1
EXIT_RESTART = 75
"""Exit code of a daemon that has to be started again: it cannot know whether its last write was kept, or too many plugin calls
do not end."""

WORKER = "worker"


class Daemon:
    """A whole SARA. `start` returns when it serves; `stop` drains and closes."""

    def __init__(self, loaded: Loaded, plugins: Plugins, environment: Environment | None = None) -> None:
        if loaded.config is None:
            raise ConfigError("the configuration has errors; `sara check` lists them")
        self._loaded = loaded
        self._config: Config = loaded.config
        self._environment = environment or Environment()
        redact_with(self._config.redactor)
        self.problems = ProblemRegistry(self._environment.clock, self._config.redactor)
        self.call_guard = CallGuard(self.problems)
        self.hooks = Hooks(plugins, self.problems, call_guard=self.call_guard)
        self.plugin_host = PluginHost(loaded, self._config, plugins, self.problems, self.call_guard, self._environment.clock)
        self._stack = AsyncExitStack()
        self._tasks = BackgroundTasks(partial(self._end, EXIT_BROKEN))
        self._components: Components | None = None
        self.public_url = ""
        self.admin_url = ""
        self.ended = asyncio.Event()
        """Set when the daemon ends by itself; the caller then calls `stop`."""
        self.exit_code = 0
        self.grace = DRAIN
        """Milliseconds that `stop` should give running jobs."""

    @property
    def components(self) -> Components:
        """Return what the daemon is composed of, once `start` has built it."""
        if self._components is None:
            raise RuntimeError("the daemon was not started")
        return self._components

    @property
    def store(self) -> Store:
        """Return the opened store."""
        return self.components.engines.store

    @property
    def queue(self) -> Queue:
        """Return the opened queue."""
        return self.components.engines.queue

    async def start(self) -> None:
        """Open everything and serve. Raises ConfigError, PluginError or a store's error where it cannot serve at all."""
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def stop(self, grace: int = DRAIN) -> None:
        """Accept no more, let running jobs end within `grace` milliseconds, and close in reverse order.

        The caller reports to systemd that the service ends: another daemon may follow in this process.
        """
        log.info("shutdown_started")
        parts = self.components
        parts.stopping.set()
        parts.webhooks.draining = True
        parts.health.serving = False
        parts.pipeline.delivery.draining = True
        await parts.worker.stop(grace)
        # Before the plugins end: one that hangs then is no crash.
        with contextlib.suppress(SaraError):
            await self.store.mark_clean_shutdown(parts.engines.owner, self._environment.clock())
        await self.hooks.call("stopping")
        await self._tasks.cancel()
        await self._stack.aclose()
        log.info("daemon_stopped")

    async def _start(self) -> None:
        self._report_diagnostics()
        create_state_dir(self._config.state)
        engines = await self._open_engines()
        self._report_recovery(engines.recovered)
        self.plugin_host.load_helpers()
        self._stack.push_async_callback(self.plugin_host.close)
        extensions = await self._open_extensions()
        self._components = parts = self._build(engines, extensions)
        parts.pipeline.media.open()
        await self._listen(parts)
        await self.plugin_host.open_responders()
        await parts.operations.orphans.check()
        self._tasks.start(BackgroundTask(WORKER, parts.worker.run))
        parts.health.serving = True
        await self.hooks.call("started")
        systemd.notify("READY=1")
        channels = [binding.name for binding in extensions.bindings]
        log.info("daemon_started", public=self.public_url, admin=self.admin_url, channels=channels)
        for task in self._background(parts):
            self._tasks.start(task)

    async def _open_engines(self) -> Engines:
        store = await self.plugin_host.open_engine("store", self._config.store, Store, self._stack)
        queue = await self.plugin_host.open_engine("queue", self._config.queue, Queue, self._stack)
        owner = secrets.token_hex(8)
        recovered = await store.recover(owner, self._environment.clock())
        return Engines(store=store, queue=queue, owner=owner, recovered=recovered)

    async def _open_extensions(self) -> Extensions:
        bindings = await self.plugin_host.open_channels()
        return Extensions(
            bindings=bindings,
            gates=self.plugin_host.gates(),
            tools=self.plugin_host.tools(bindings),
            unavailable_paths=self.plugin_host.unavailable_paths,
        )

    def _build(self, engines: Engines, extensions: Extensions) -> Components:
        crash_log = ParseCrashLog(self._config.state, self.problems)
        self._stack.callback(crash_log.close)
        base = Foundation(
            config=self._config,
            environment=self._environment,
            problems=self.problems,
            call_guard=self.call_guard,
            hooks=self.hooks,
            engines=engines,
            extensions=extensions,
            crash_log=crash_log,
            admin_token=load_admin_token(self._config.state),
        )
        parts = build(base)
        self._stack.push_async_callback(parts.pipeline.inbound.close)
        self._stack.push_async_callback(self.hooks.wait_idle)
        self._stack.push_async_callback(parts.pipeline.reply.close)
        return parts

    async def _listen(self, parts: Components) -> None:
        listeners = Listeners(self._config, self._stack)
        self.admin_url = await listeners.open(parts.admin.application(), self._config.admin.listen, "admin")
        self.public_url = await listeners.open(parts.webhooks.application(), self._config.server.listen, "server")
        addresses = {"pid": os.getpid(), "public": self.public_url, "admin": self.admin_url}
        self._stack.callback(publish_listeners(self._config.state, addresses))

    def _background(self, parts: Components) -> Sequence[BackgroundTask]:
        """Return the tasks that run beside the worker: those of the components, and those that end the daemon."""
        reopen = partial(periodic, self.plugin_host.reopen_responders, REOPEN_EVERY_S, parts.stopping, is_delayed=True)
        tasks = [
            *parts.background,
            BackgroundTask("responders", reopen),
            BackgroundTask("store-watch", self._end_when_store_is_lost),
            BackgroundTask("stuck-call-watch", self._end_when_calls_are_stuck),
        ]
        if (interval_s := systemd.watchdog_interval()) is not None:
            is_working = partial(self._tasks.is_running, WORKER)
            tasks.append(BackgroundTask("watchdog", partial(feed_watchdog, is_working, self.store, interval_s)))
        return tasks

    async def _end_when_store_is_lost(self) -> None:
        await self.store.lost.wait()
        self._end(EXIT_RESTART)

    async def _end_when_calls_are_stuck(self) -> None:
        await self.call_guard.restart_needed.wait()
        stuck = {name: count for name, count in self.call_guard.count_stuck().items() if count}
        log.critical("stuck_calls_restart", plugins=stuck)
        self._end(EXIT_RESTART, DRAIN)

    def _end(self, code: int, grace: int = 0) -> None:
        """End by itself. Without `grace` no job is waited for: after a failure its outcome could not be recorded."""
        self.exit_code = code
        self.grace = grace
        self.ended.set()

    def _report_diagnostics(self) -> None:
        for finding in (*self._loaded.findings, *self._loaded.cautions):
            self.problems.report(
                f"config:{finding.line}:{finding.column}" if finding.line else f"config:{finding.file}",
                finding.render().splitlines()[0],
                "correct the file; `sara check` shows the line",
                severity="warning",
            )

    def _report_recovery(self, recovered: RecoveryReport) -> None:
        if recovered.doubtful or recovered.unclean:
            log.warning(
                "unclean_stop_recovered",
                sends_in_doubt=recovered.doubtful,
                unclean_ends=recovered.unclean,
                suspects=len(recovered.suspects),
            )
        for conversation in recovered.quarantined:
            self.problems.report(
                problem_key("conversation", conversation, "quarantined"),
                f"{conversation} crashed the process repeatedly; its messages are quarantined",
                f"see `sara conversations show {conversation}`; retry with `sara queue retry reply:{conversation}`",
            )
