"""The plugin objects of one daemon: made, opened, reopened and closed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from sara.config.loader import WEBHOOK_KEYS
from sara.domain.errors import PluginError, SaraError, WrongType
from sara.domain.problems import problem_key
from sara.domain.time import Instant, Milliseconds
from sara.operations.problem_registry import ProblemRegistry
from sara.pipeline.bindings import ChannelBinding, ChannelBindings, clashes
from sara.plugins import gate_guard, tool_checks
from sara.plugins.base import PluginObject
from sara.plugins.call_guard import CallGuard, PluginCallAborted, call_method, describe_failure, guarded_call
from sara.plugins.channel import Channel
from sara.plugins.context import Context
from sara.plugins.failure_reporter import clean_error
from sara.plugins.guarded import build_plugin
from sara.plugins.loader import Kind, Plugins
from sara.plugins.responder import Responder
from sara.plugins.tool import Tool
from sara.policy import reply_gates
from sara.web.webhooks import ANY_PATH

if TYPE_CHECKING:
    from sara.config.loader import Loaded
    from sara.config.settings import Config
    from sara.plugins.section import Section

log = structlog.get_logger("sara.runtime.plugin_host")
T = TypeVar("T", bound=PluginObject)

REOPEN_EVERY_S = 60.0
"""Seconds between two attempts to open a responder that could not be opened."""

OPEN_WITHIN: Milliseconds = 30_000
"""Time in which a channel or responder has to open; after it the daemon serves without that plugin."""

CLOSE_WITHIN: Milliseconds = 5_000
"""Time in which a plugin has to close; after it the daemon ends without waiting for that plugin."""


class PluginHost:
    """Owns the plugin objects and the map of running responders, which changes when a responder is opened later."""

    def __init__(
        self,
        loaded: Loaded,
        config: Config,
        plugins: Plugins,
        problems: ProblemRegistry,
        call_guard: CallGuard,
        clock: Callable[[], Instant],
    ) -> None:
        self._loaded = loaded
        self._config = config
        self._plugins = plugins
        self._problems = problems
        self._call_guard = call_guard
        self._clock = clock
        self._opened: list[tuple[str, PluginObject]] = []
        self._responders: dict[str, Responder] = {}
        self._failed_responders: list[Section] = []
        self.shared: dict[str, dict[Hashable, Any]] = {}
        """What the objects of one plugin share, by the plugin's name."""
        self.unavailable_paths: set[str] = set()
        """Webhook paths of channels that are not running."""

    @property
    def responders(self) -> Mapping[str, Responder]:
        """Return the running responders by name."""
        return self._responders

    def load_helpers(self) -> None:
        """Load the plugins named under `plugins:`. One that fails is a problem; the daemon serves without it."""
        for name in self._config.plugins:
            try:
                self._plugins.load(name)
            except PluginError as error:
                log.error("plugin_failed", plugin=name, error=str(error))
                self._problems.report(
                    problem_key("plugin", name, "not_loaded"), str(error), "correct or remove it under `plugins:` and restart"
                )

    async def open_engine(self, kind: Kind, section: Section, contract: type[T], stack: contextlib.AsyncExitStack) -> T:
        """Open the store or the queue, which `stack` closes. Raises PluginError or the engine's own SaraError."""
        engine: T = self._make(kind, section)
        stack.push_async_callback(self._close_one, section.name, engine)
        try:
            await call_method(engine.open, None)
        except SaraError as error:
            raise clean_error(error, self._config.redactor) from error.__cause__
        except PluginCallAborted as error:
            raise PluginError(f"the plugin {section.plugin} {error} when it was opened") from error
        except Exception as error:
            message = f"the plugin {section.plugin} could not be opened: {type(error).__name__}: {error}"
            raise PluginError(self._config.redactor(message)) from error
        return engine

    async def open_channels(self) -> ChannelBindings:
        """Open the channels. One that fails is a problem, and its webhook path answers 503."""
        sections = list(self._config.channels.values())
        bindings: list[ChannelBinding] = []
        for section, channel in zip(sections, await self._open_all("channel", sections, Channel), strict=True):
            if channel is None:
                self.unavailable_paths.add(self._webhook_path(section))
            else:
                settings = section.conversation or self._config.conversation
                bindings.append(ChannelBinding(section.name, channel, settings, self._responders))
        skipped = (each for each in self._loaded.skipped if each.kind == "channel")
        self.unavailable_paths.update(each.webhook or ANY_PATH for each in skipped)
        named = [(each.name, self._config.channels[each.name].plugin, each.channel) for each in bindings]
        for name, reason in clashes(named):
            bindings = [each for each in bindings if each.name != name]
            self._problems.report(
                problem_key("channel", name, "conflict"),
                f"{reason}; {name} is not started",
                "change or remove one of the two channels and restart",
            )
        return ChannelBindings(bindings)

    async def open_responders(self) -> None:
        """Open all responders. `reopen_responders` tries those again that fail."""
        self._failed_responders = list(self._config.responders.values())
        await self.reopen_responders()

    async def reopen_responders(self) -> None:
        """Open the responders that are not running, as the cause may have passed. Until then their messages wait."""
        sections = self._failed_responders
        if not sections:
            return
        opened = await self._open_all("responder", sections, Responder)
        for section, responder in zip(sections, opened, strict=True):
            if responder is not None:
                self._responders[section.name] = responder
                self._problems.clear(problem_key("responder", section.name, "not_running"))
        self._failed_responders = [section for section in sections if section.name not in self._responders]

    def gates(self) -> list[reply_gates.Gate]:
        """Return SARA's own gates, then those of plugins. A plugin's gate that fails allows the answer and is a problem."""
        brought = self._plugins.registered("register_gates", self._problems)
        return [*reply_gates.CORE, *(gate_guard.guard_gate(gate, name, self._problems) for name, gate in brought)]

    def tools(self, bindings: ChannelBindings) -> dict[str, Tool]:
        """Return the tools of plugins by name. Report those that cannot be used and those that `bindings` name in vain."""
        found: dict[str, Tool] = {}
        for name, tool in self._plugins.registered("register_tools", self._problems):
            try:
                fault = guarded_call(tool_checks.find_tool_fault, tool, found)
            except Exception as error:
                fault = f"it {describe_failure(error)}"
            if fault:
                self._problems.report(
                    problem_key("plugin", name, "tool"),
                    f"the plugin {name} registers an unusable tool: {fault}",
                    "update or remove the plugin",
                )
            else:
                found[tool.name] = tool
        for binding in bindings:
            for missing in tool_checks.find_missing_tools(binding.policy.tools, found):
                self._problems.report(
                    problem_key("channel", binding.name, f"missing_tool:{missing}"),
                    f"{binding.name}: no plugin registers the tool {missing}",
                    "correct `tools` in the file, or name its plugin under `plugins:`",
                )
        return found

    async def close(self) -> None:
        """Close the channels and responders, all at once."""
        await asyncio.gather(*(self._close_one(name, plugin) for name, plugin in self._opened))

    def _make(self, kind: Kind, section: Section) -> Any:
        """Build the plugin object of a section. Raises PluginError."""
        context = Context(
            section.name,
            self._config.state,
            self._clock,
            self._problems,
            self.shared.setdefault(section.plugin, {}),
            public_url=self._config.server.public_url,
            timezone=self._config.timezone,
        )
        return build_plugin(self._plugins, kind, section, context)

    def _webhook_path(self, section: Section) -> str:
        """Return the path of a channel that is not running: by its options, otherwise by its class."""
        with contextlib.suppress(PluginError):
            named = [getattr(section.options, key, None) for key in WEBHOOK_KEYS]
            for path in (*named, getattr(self._plugins.plugin_class("channel", section.plugin), "webhook", None)):
                if isinstance(path, str) and path:
                    return f"/{path.lstrip('/')}"
        return ANY_PATH

    async def _open_all(self, kind: Kind, sections: Sequence[Section], contract: type[T]) -> Sequence[T | None]:
        """Open plugins concurrently, so that a slow one delays the start once; None for each that failed."""
        return await asyncio.gather(*(self._open_one(kind, section, contract) for section in sections))

    async def _open_one(self, kind: Kind, section: Section, contract: type[T]) -> T | None:
        called = f"{kind}:{section.name}"
        with self._degraded(kind, section):
            if self._call_guard.is_blocked(called):
                raise PluginError("too many of its calls do not end")
            made: T = self._make(kind, section)
            try:
                await self._call_guard.call(called, made.open(), OPEN_WITHIN, needed=False)
            except Exception as error:
                await self._close_one(section.name, made)
                if isinstance(error, TimeoutError):
                    raise PluginError(f"it did not open within {OPEN_WITHIN // 1_000} s") from error
                raise
            self._opened.append((section.name, made))
            return made
        return None

    @contextlib.contextmanager
    def _degraded(self, kind: Kind, section: Section) -> Iterator[None]:
        """Turn the failure of one plugin into a problem. The rest runs, and the messages of that plugin stay in the store."""
        try:
            yield
        except Exception as error:
            message = str(error) if isinstance(error, SaraError) else f"{type(error).__name__}: {error}"
            if isinstance(error, PluginCallAborted | WrongType):
                message = f"it {describe_failure(error)}"
            message = self._config.redactor(message)
            log.error("plugin_unavailable", kind=kind, section=section.name, plugin=section.plugin, error=message)
            self._problems.report(
                problem_key(kind, section.name, "not_running"),
                f"the {kind} {section.name} is not running: {message}",
                f"update or replace the plugin {section.plugin} and restart; its messages stay stored",
            )

    async def _close_one(self, name: str, plugin: PluginObject) -> None:
        try:
            await call_method(plugin.close, CLOSE_WITHIN)
        except Exception as error:
            log.warning("plugin_close_failed", section=name, error=type(error).__name__)
