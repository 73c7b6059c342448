"""The one place that builds the rooms and joins them; opens in order, closes in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from aiohttp import web

from sara.config.loader import WEBHOOK_KEYS
from sara.domain.errors import ConfigError, PluginError, SaraError, StoreLocked, StoreUnavailable, WrongType
from sara.domain.problems import problem_key
from sara.domain.storage import RecoveryReport
from sara.domain.time import Instant, Milliseconds
from sara.i18n.catalog import MessageCatalog
from sara.operations.conversation_health import ConversationHealth
from sara.operations.erasure import ErasureService
from sara.operations.load_shedding import IntakeGuard
from sara.operations.message_quota import MessageQuotaMonitor
from sara.operations.operator_actions import OperatorActions
from sara.operations.problem_registry import ProblemRegistry
from sara.operations.retention import Retention
from sara.pipeline.bindings import ChannelBinding, ChannelBindings, clashes
from sara.pipeline.delivery import DeliveryHandler
from sara.pipeline.handoff import HandoffFactory
from sara.pipeline.inbound import InboundHandler, InboundRules
from sara.pipeline.media import MediaStore
from sara.pipeline.media_downloads import MediaDownloads
from sara.pipeline.reply import ReplyHandler, ReplyServices
from sara.pipeline.timers import TimerHandler
from sara.plugins import gate_guard, tool_checks
from sara.plugins.base import PluginObject
from sara.plugins.call_guard import CallGuard, PluginCallAborted, call_method, describe_failure, guarded_call
from sara.plugins.channel import Channel, media_directory
from sara.plugins.connection_errors import FORBIDDEN, explain_not_listening
from sara.plugins.context import Context
from sara.plugins.failure_reporter import clean_error
from sara.plugins.guarded import build_plugin
from sara.plugins.hooks import Hooks
from sara.plugins.loader import Kind, Plugins
from sara.plugins.private_files import open_private, read_private, write_private
from sara.plugins.queue import Queue
from sara.plugins.responder import Responder
from sara.plugins.store import Store
from sara.plugins.tool import Tool
from sara.policy import reply_gates
from sara.policy.ai_budget import AIBudget
from sara.policy.keywords import KeywordMatcher
from sara.queue.circuit_breaker import LaneBreaker
from sara.queue.crash_isolation import CrashIsolation
from sara.queue.notifier import JobNotifier, jobs_of
from sara.queue.worker import DRAIN, Worker
from sara.runtime import systemd
from sara.runtime.logging import redact_with
from sara.web.admin.app import AdminApp
from sara.web.connection_limit import ConnectionLimits, LimitedRunner, most_connections
from sara.web.crash_log import ParseCrashLog
from sara.web.webhooks import ANY_PATH, WebhookApp

if TYPE_CHECKING:
    from sara.config.loader import Loaded
    from sara.config.settings import Config, Listen
    from sara.plugins.section import Section

log = structlog.get_logger("sara.runtime.daemon")
T = TypeVar("T", bound=PluginObject)

CONCURRENT_REPLIES = 256
CONCURRENT_SENDS = 80
REOPEN_EVERY = 60.0
"""Seconds between two tries to open a responder that could not be opened."""

OPEN_WITHIN: Milliseconds = 30_000
"""A channel or responder that has not opened after this long is not running; everybody else is served without it."""

CLOSE_WITHIN: Milliseconds = 5_000
"""A plugin that has not closed after this long is left behind."""

ORPHANS_LOOKED_AT = 1_000
ORPHANS_NAMED = 4
"""So many jobs that no channel serves are named in the problem, of those among the first conversations with open work."""

EXIT_RESTART = 75
"""Exit code of a daemon that has to be started again: it cannot know whether its last write was kept, or plugin calls that
nobody can end have piled up."""


def wall_clock() -> Instant:
    """The time in Unix milliseconds."""
    return time.time_ns() // 1_000_000


def files_of(
    config: Config, store: Store, problems: ProblemRegistry, clock: Callable[[], Instant], strays: CallGuard
) -> MediaStore:
    """The media folder of a configuration. No file outlives its message."""
    keep = min(config.media.keep, config.retention or config.media.keep)
    media = config.media.model_copy(update={"keep": keep})
    return MediaStore(media_directory(config.state), store, media, problems, clock, lambda: secrets.token_hex(16), strays)


def new_attempt_id() -> str:
    """An id that no other attempt ever had: short ASCII, as providers want it."""
    return "a" + secrets.token_hex(12)


@dataclass(frozen=True, slots=True)
class Environment:
    """Clock, chance and ids, so that a simulation can bring its own."""

    clock: Callable[[], Instant] = wall_clock
    chance: Callable[[], float] = random.random
    new_id: Callable[[], str] = new_attempt_id


class Daemon:
    """A whole SARA. `start` returns when it serves; `stop` drains and closes."""

    def __init__(self, loaded: Loaded, plugins: Plugins, surroundings: Environment | None = None) -> None:
        if loaded.config is None:
            raise ConfigError("the configuration has errors; `sara check` lists them")
        self._loaded = loaded
        self._config: Config = loaded.config
        self._plugins = plugins
        self._with = surroundings or Environment()
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._shared: dict[str, dict[Hashable, Any]] = {}
        self._plugged: list[tuple[str, PluginObject]] = []
        self._redact = self._config.redactor
        redact_with(self._redact)
        self.problems = ProblemRegistry(self._with.clock, self._redact)
        self.strays = CallGuard(self.problems)
        self.hooks = Hooks(plugins, self.problems, strays=self.strays)
        self.public_url = ""
        self.admin_url = ""
        self.ended = asyncio.Event()
        self.exit_code = 0
        self.grace = DRAIN
        """How long, in milliseconds, `stop` should let running jobs end."""

    # ── life ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """Open everything. Raises ConfigError, PluginError or a store's error where it cannot serve at all."""
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def stop(self, grace: int = DRAIN) -> None:
        """Take in no more, let running jobs end within `grace` milliseconds, close in reverse order. That the service ends is
        for the caller to say: another daemon may follow in this process."""
        log.info("shutdown_started")
        self._public.draining = True
        self._admin.serving = False
        self._outbox.draining = True
        await self._worker.stop(grace)
        # Before the plugins' own ends: one that hangs there is no crash.
        with contextlib.suppress(SaraError):
            await self.store.mark_clean_shutdown(self._owner, self._with.clock())
        await self.hooks.call("stopping")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()
        log.info("daemon_stopped")

    async def _start(self) -> None:
        config = self._config
        self._report_findings()
        _make_directory(config.state)
        self.store = await self._open_engine("store", config.store, Store)
        self.queue = await self._open_engine("queue", config.queue, Queue)
        self._owner = secrets.token_hex(8)
        recovered = await self.store.recover(self._owner, self._with.clock())
        self._tell_recovered(recovered)
        for name in config.plugins:
            self._load_helper(name)
        self._stack.push_async_callback(self._close_plugged)
        routes = await self._open_channels()
        self._build(routes, CrashIsolation(recovered.suspects, self._with.clock()))
        await self._listen()
        failed = await self._open_responders(list(self._config.responders.values()))
        await self._report_orphans(routes)
        self._run(self._worker.run(), "worker")
        self._admin.serving = True
        await self.hooks.call("started")
        systemd.notify("READY=1")
        log.info("daemon_started", public=self.public_url, admin=self.admin_url, channels=[route.name for route in routes])
        self._run(self._worker.sweep(), "sweep")
        self._run(self._worker.watch_clock(), "clock-watch")
        self._run(self._reopen_responders(failed), "responders")
        self._run(self._watch_store(), "store-watch")
        self._run(self._watch_strays(), "stray-watch")
        self._run(self.watch.run(self.ended), "room-watch")
        self._run(self._files.expire(self.ended), "file-watch")
        self._run(self._files.clean(self.ended), "file-cleaning")
        self._run(self._downloads.run(), "downloads")
        self._run(self._budget.run(self.ended), "budget-watch")
        self._run(self._erasing.run(self.ended), "erasing")
        self._run(self._retention.run(self.ended), "retention")
        self._run(self.health.run(self.ended), "health-watch")
        self._run(self.inbox.remember(), "set-aside")
        if (interval := systemd.watchdog_interval()) is not None:
            self._run(self._feed_watchdog(interval), "watchdog")

    def _build(self, routes: ChannelBindings, caution: CrashIsolation) -> None:
        config, clock, chance = self._config, self._with.clock, self._with.chance
        lanes = LaneBreaker(self.queue, self.problems, clock)
        notifier = JobNotifier(self.queue, routes.lanes_of)
        for route in routes:
            self.queue.limit(route.deliver_lane, CONCURRENT_SENDS)
            self.queue.limit(route.reply_lane, CONCURRENT_REPLIES)
        texts = MessageCatalog(config.texts, config.conversation.language)
        words = KeywordMatcher(config.words.opt_out, config.words.opt_in, config.words.handoff)
        handing = HandoffFactory(routes, texts)
        self._spending = AIBudget(config.budget)
        manners = ReplyServices(texts, self._spending, handing, self._gates(), self._tools(routes))
        files = files_of(config, self.store, self.problems, clock, self.strays)
        files.open()
        self._downloads = downloads = MediaDownloads(self.store, files, routes, self.problems, clock, self.strays)
        rules = InboundRules(words, texts, handing)
        self.inbox = InboundHandler(
            self.store, notifier, routes, lanes, self.hooks, self.problems, clock, rules, notice_files=downloads.notice
        )
        self._stack.push_async_callback(self.inbox.close)
        self._stack.push_async_callback(self.hooks.wait_idle)
        self._erasing = ErasureService(self.store, self.queue, files, clock, end_downloads=downloads.abandon)
        self._retention = Retention(self.store, files, config.retention, clock)
        self._files, self._budget = files, MessageQuotaMonitor(self.store, routes, self.problems, clock)
        replies = ReplyHandler(
            self.store,
            notifier,
            routes,
            lanes,
            self.hooks,
            self.problems,
            config.retry.reply,
            clock,
            chance,
            self.strays,
            downloads,
            manners,
        )
        self._stack.push_async_callback(replies.close)
        tending = TimerHandler(self.store, notifier, routes, manners, self.problems, clock, self.strays)
        self.health = ConversationHealth(self.store, routes, self.problems, clock)
        self._outbox = DeliveryHandler(
            self.store,
            notifier,
            routes,
            lanes,
            self.hooks,
            self.problems,
            config.retry.send,
            clock,
            chance,
            self._with.new_id,
            self._owner,
            self.strays,
        )
        self._worker = Worker(
            self.store,
            self.queue,
            notifier,
            {"reply": replies, "deliver": self._outbox, "timer": tending},
            self.hooks,
            self.problems,
            clock,
            caution,
        )
        self.watch = IntakeGuard(config.state, self.store, self.problems)
        parsing = ParseCrashLog(config.state, self.problems)
        self._stack.callback(parsing.close)
        webhooks: dict[str, list[ChannelBinding]] = {}
        for route in routes:
            if route.channel.webhook:
                webhooks.setdefault(route.channel.webhook, []).append(route)
        self._public = WebhookApp(webhooks, self._down, self.inbox, self.watch, parsing, self.problems)
        self._admin = AdminApp(
            self.store,
            self.queue,
            routes,
            self.problems,
            _admin_token(config.state),
            clock,
            loopback=config.admin.listen.host in ("127.0.0.1", "localhost", "::1"),
            lingering=self.strays.count_stuck,
            forget=self._erasing.forget,
            acting=OperatorActions(self.store, routes, texts, clock),
            health=self.health,
            spent=self._spent,
            mended=lambda: self._look_for_mended(routes),
        )

    async def _spent(self) -> dict[str, Mapping[str, int]]:
        """What the AI has cost in this day and month."""
        periods = self._spending.periods(self._with.clock())
        return {name: await self.store.ai_usage(period) for name, period in zip(("day", "month"), periods, strict=True)}

    def _gates(self) -> list[reply_gates.Gate]:
        """SARA's own gates, and behind them those of plugins: one that fails lets everybody through, and is a problem."""
        return [
            *reply_gates.CORE,
            *(gate_guard.guard_gate(gate, name, self.problems) for name, gate in self._brought("register_gates")),
        ]

    def _tools(self, routes: ChannelBindings) -> dict[str, Tool]:
        brought: dict[str, Tool] = {}
        for name, tool in self._brought("register_tools"):
            try:
                fault = guarded_call(tool_checks.find_tool_fault, tool, brought)
            except Exception as error:
                fault = f"it {describe_failure(error)}"
            if fault:
                self.problems.report(
                    problem_key("plugin", name, "tool"),
                    f"the plugin {name} registers an unusable tool: {fault}",
                    "update or remove the plugin",
                )
            else:
                brought[tool.name] = tool
        for route in routes:
            for missing in tool_checks.find_missing_tools(route.policy.tools, brought):
                self.problems.report(
                    problem_key("channel", route.name, f"missing_tool:{missing}"),
                    f"{route.name}: no plugin registers the tool {missing}",
                    "correct `tools` in the file, or name its plugin under `plugins:`",
                )
        return brought

    def _brought(self, hook: str) -> list[tuple[str, Any]]:
        """What the loaded plugins register by a hook."""
        return self._plugins.registered(hook, self.problems)

    # ── plugins ───────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _make(self, kind: Kind, section: Section) -> Any:
        """Build the plugin object of a section. Raises PluginError."""
        context = Context(
            section.name,
            self._config.state,
            self._with.clock,
            self.problems,
            self._shared.setdefault(section.plugin, {}),
            public_url=self._config.server.public_url,
            timezone=self._config.timezone,
        )
        return build_plugin(self._plugins, kind, section, context)

    def _tell_recovered(self, recovered: RecoveryReport) -> None:
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

    def _load_helper(self, name: str) -> None:
        try:
            self._plugins.load(name)
        except PluginError as error:
            log.error("plugin_failed", plugin=name, error=str(error))
            self.problems.report(
                problem_key("plugin", name, "not_loaded"), str(error), "correct or remove it under `plugins:` and restart"
            )

    async def _open_engine(self, kind: Kind, section: Section, contract: type[T]) -> T:
        engine: T = self._make(kind, section)
        self._stack.push_async_callback(self._closed, section.name, engine)
        try:
            await call_method(engine.open, None)
        except SaraError as error:
            raise clean_error(error, self._redact) from error.__cause__
        except PluginCallAborted as error:
            raise PluginError(f"the plugin {section.plugin} {error} when it was opened") from error
        except Exception as error:
            told = f"the plugin {section.plugin} could not be opened: {type(error).__name__}: {error}"
            raise PluginError(self._redact(told)) from error
        return engine

    async def _open_channels(self) -> ChannelBindings:
        self._responders: dict[str, Responder] = {}
        self._down: set[str] = set()
        sections = list(self._config.channels.values())
        routes: list[ChannelBinding] = []
        for section, channel in zip(sections, await self._open_all("channel", sections, Channel), strict=True):
            if channel is not None:
                routes.append(
                    ChannelBinding(section.name, channel, section.conversation or self._config.conversation, self._responders)
                )
            else:
                self._down.add(self._path_of(section))
        self._down |= {skipped.webhook or ANY_PATH for skipped in self._loaded.skipped if skipped.kind == "channel"}
        for name, other in clashes([(route.name, self._config.channels[route.name].plugin, route.channel) for route in routes]):
            routes = [route for route in routes if route.name != name]
            self.problems.report(
                problem_key("channel", name, "conflict"),
                f"{other}; {name} is not started",
                "change or remove one of the two channels and restart",
            )
        return ChannelBindings(routes)

    def _path_of(self, section: Section) -> str:
        """Where the events of a channel arrive that is not running: by its options, else by its class."""
        with contextlib.suppress(PluginError):
            named = [getattr(section.options, key, None) for key in WEBHOOK_KEYS]
            for path in (*named, getattr(self._plugins.plugin_class("channel", section.plugin), "webhook", None)):
                if isinstance(path, str) and path:
                    return f"/{path.lstrip('/')}"
        return ANY_PATH

    async def _open_responders(self, sections: Sequence[Section]) -> list[Section]:
        """Build and open responders; return those that failed."""
        opened = await self._open_all("responder", sections, Responder)
        for section, responder in zip(sections, opened, strict=True):
            if responder is not None:
                self._responders[section.name] = responder
                self.problems.clear(problem_key("responder", section.name, "not_running"))
        return [section for section, responder in zip(sections, opened, strict=True) if responder is None]

    async def _open_all(self, kind: Kind, sections: Sequence[Section], contract: type[T]) -> Sequence[T | None]:
        """Build and open them beside each other, so that a slow one holds up the start once; None for each that failed."""
        return await asyncio.gather(*(self._opened(kind, section, contract) for section in sections))

    async def _opened(self, kind: Kind, section: Section, contract: type[T]) -> T | None:
        called = f"{kind}:{section.name}"
        with self._degraded(kind, section):
            if self.strays.is_blocked(called):
                raise PluginError("too many of its calls do not end")
            made: T = self._make(kind, section)
            try:
                await self.strays.call(called, made.open(), OPEN_WITHIN, needed=False)
            except Exception as error:
                await self._closed(section.name, made)
                if isinstance(error, TimeoutError):
                    raise PluginError(f"it did not open within {OPEN_WITHIN // 1_000} s") from error
                raise
            self._plugged.append((section.name, made))
            return made
        return None

    async def _reopen_responders(self, failed: list[Section]) -> None:
        """Try again what failed, as its cause may pass: until then its messages wait."""
        while failed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REOPEN_EVERY):
                    await self.ended.wait()
            failed = await self._open_responders(failed)

    @contextlib.contextmanager
    def _degraded(self, kind: Kind, section: Section) -> Iterator[None]:
        """One that fails becomes a problem; the rest runs, and its messages stay in the store."""
        try:
            yield
        except Exception as error:
            message = str(error) if isinstance(error, SaraError) else f"{type(error).__name__}: {error}"
            if isinstance(error, PluginCallAborted | WrongType):
                message = f"it {describe_failure(error)}"
            message = self._redact(message)
            log.error("plugin_unavailable", kind=kind, section=section.name, plugin=section.plugin, error=message)
            self.problems.report(
                problem_key(kind, section.name, "not_running"),
                f"the {kind} {section.name} is not running: {message}",
                f"update or replace the plugin {section.plugin} and restart; its messages stay stored",
            )

    async def _closed(self, name: str, plugin: PluginObject) -> None:
        try:
            await call_method(plugin.close, CLOSE_WITHIN)
        except Exception as error:
            log.warning("plugin_close_failed", section=name, error=type(error).__name__)

    async def _close_plugged(self) -> None:
        await asyncio.gather(*(self._closed(name, plugin) for name, plugin in self._plugged))

    def _report_findings(self) -> None:
        for finding in (*self._loaded.findings, *self._loaded.cautions):
            self.problems.report(
                f"config:{finding.line}:{finding.column}" if finding.line else f"config:{finding.file}",
                finding.render().splitlines()[0],
                "correct the file; `sara check` shows the line",
                severity="warning",
            )

    async def _report_orphans(self, routes: ChannelBindings) -> None:
        """Open work of accounts that the file no longer names stays, and is said until it is settled."""
        unsettled = await self.store.unsettled_accounts()
        orphans = {account: count for account, count in unsettled.items() if routes.of(account) is None}
        standing = {problem_key("conversations", account, "no_channel") for account in orphans}
        for problem in self.problems:
            if problem.key.startswith("conversations:") and problem.key.endswith(":no_channel") and problem.key not in standing:
                self.problems.clear(problem.key)
        work = await self.store.open_work(None, ORPHANS_LOOKED_AT) if orphans else ()
        for account, conversations in orphans.items():
            jobs = [f"{kind}:{key}" for each in work if each.account == account for kind, key, _ in jobs_of(each)]
            named = f" ({', '.join(jobs[:ORPHANS_NAMED])}{', …' if len(jobs) > ORPHANS_NAMED else ''})" if jobs else ""
            self.problems.report(
                problem_key("conversations", account, "no_channel"),
                f"{conversations} conversation{' of' if conversations == 1 else 's of'} {account}"
                f" {'has' if conversations == 1 else 'have'} unanswered or unsent messages, but no channel is configured for this account",
                f"configure the channel again to finish them, or drop them with `sara queue drop JOB`; `sara queue list` shows the jobs{named}",
                count=conversations,
            )

    async def _look_for_mended(self, routes: ChannelBindings) -> None:
        """After an operator has retried or dropped something."""
        with contextlib.suppress(SaraError):  # what the operator did is done
            await self._report_orphans(routes)
            await self.health.forget_mended()

    # ── listeners ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _listen(self) -> None:
        self.admin_url = await self._serve(self._admin.application(), self._config.admin.listen, "admin")
        self.public_url = await self._serve(self._public.application(), self._config.server.listen, "server")
        self._stack.callback(
            _say_where(self._config.state, {"pid": os.getpid(), "public": self.public_url, "admin": self.admin_url})
        )

    async def _serve(self, app: web.Application, listen: Listen, section: str) -> str:
        server = self._config.server
        runner = LimitedRunner(app, ConnectionLimits(most_connections(), server.connections_per_address, server.trusted_proxies))
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, listen.host, listen.port, backlog=1024)
        try:
            await site.start()
        except OSError as error:
            why = f"{section}.listen: {listen} cannot be opened: {explain_not_listening(listen.host, listen.port, error)}"
            # Whatever else is in the way may be gone at the next try.
            raise (ConfigError if error.errno in FORBIDDEN else SaraError)(why) from error
        host, port = runner.addresses[0][:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    # ── watching ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _run(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._task_ended)
        self._tasks.append(task)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        """None of these breaks while the daemon serves."""
        if task.cancelled() or task.exception() is None:
            return
        log.critical("background_task_failed", task=task.get_name(), error=repr(task.exception()))
        self._end(1)

    def _end(self, code: int, grace: int = 0) -> None:
        """End by itself. By default nobody is waited for: when something broke, what runs can no longer be recorded."""
        self.exit_code = code
        self.grace = grace
        self.ended.set()

    async def _watch_store(self) -> None:
        await self.store.lost.wait()
        self._end(EXIT_RESTART)

    async def _watch_strays(self) -> None:
        await self.strays.restart_needed.wait()
        log.critical("stuck_calls_restart", plugins={name: count for name, count in self.strays.count_stuck().items() if count})
        self._end(EXIT_RESTART, DRAIN)

    async def _feed_watchdog(self, interval: float) -> None:
        """Tell systemd that loop, worker and database answer; when one does not, it restarts us."""
        while True:
            worker = next(task for task in self._tasks if task.get_name() == "worker")
            alive = not worker.done() and await _within(self.store.ping(), interval)
            if alive:
                systemd.notify("WATCHDOG=1")
            await asyncio.sleep(interval)  # until `stop` cancels it: work that is let end may need the patience, too


async def _within(call: Awaitable[None], seconds: float) -> bool:
    """Whether the store answers in time. That it can take nothing just now is an answer, which a restart would not change."""
    try:
        async with asyncio.timeout(seconds):
            await call
    except StoreUnavailable:
        return True
    except (TimeoutError, SaraError) as error:
        log.warning("watchdog_feed_failed", error=type(error).__name__)
        return False
    return True


def _say_where(state: Path, listening: Mapping[str, object]) -> Callable[[], None]:
    """Write down where the daemon listens, for the commands. The file is locked while the daemon lives, so that nobody else
    who later holds the port is taken for it. Returns what undoes it."""
    path = state / "listening.json"
    try:
        handle = open_private(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise _unwritable(f"{path} cannot be written", error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise StoreLocked(f"state: {state} is in use by another SARA; give this one another directory") from error
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(listening).encode(), 0)
    except OSError as error:
        os.close(handle)
        raise _unwritable(f"{path} cannot be written", error) from error

    def undo() -> None:
        path.unlink(missing_ok=True)
        os.close(handle)

    return undo


PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ESTALE})
"""Errors of a disk that end some day without anybody changing the configuration."""


def _unwritable(what: str, error: OSError) -> SaraError:
    """A ConfigError where starting again cannot help."""
    return (SaraError if error.errno in PASSING else ConfigError)(f"{what}: {error.strerror}")


def _make_directory(state: Path) -> None:
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise _unwritable(f"state: {state} cannot be created", error) from error


def _admin_token(state: Path) -> str:
    """The admin API's token, made at first start and readable by the owner only."""
    path = state / "admin-token"
    try:
        token = read_private(path).decode("ascii").strip()
    except FileNotFoundError:
        token = ""
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} cannot be read: it does not hold plain text; remove it, and a new token is made") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    if len(token) >= 32:
        return token
    token = secrets.token_urlsafe(32)
    try:
        write_private(path, f"{token}\n".encode())
    except OSError as error:
        raise _unwritable(f"{path} cannot be written", error) from error
    return token
