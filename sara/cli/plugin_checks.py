"""What `sara check` finds by building the channels and responders of a file and asking its plugins what they bring."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from sara.config.diagnostics import Diagnostic
from sara.config.loader import Loaded
from sara.config.nodes import Place
from sara.config.positions import Positions
from sara.config.settings import Config
from sara.domain.errors import PluginError
from sara.domain.suggestions import make_key_printable, make_printable, suggest
from sara.operations.problem_registry import ProblemRegistry
from sara.pipeline.bindings import clashes
from sara.plugins import tool_checks
from sara.plugins.call_guard import describe_failure, guarded_call
from sara.plugins.channel import Channel
from sara.plugins.context import Context
from sara.plugins.guarded import build_plugin
from sara.plugins.loader import Kind, Plugins
from sara.plugins.section import Section
from sara.runtime.clock import wall_clock


def findings(loaded: Loaded, plugins: Plugins) -> list[Diagnostic]:
    """Everything about the plugins with which the daemon would run degraded."""
    config = loaded.config or loaded.partial
    if config is None or loaded.positions is None:
        return []
    # Objects of plugins may want a loop: to make an Event, or to look at the time.
    return asyncio.run(_found(config, plugins, loaded.positions))


async def _found(config: Config, plugins: Plugins, at: Positions) -> list[Diagnostic]:
    problems = ProblemRegistry(wall_clock, config.redactor)
    found = [*_helpers(config, plugins, at)]
    channels: list[tuple[str, str, Channel]] = []
    sections: list[tuple[Kind, Section]] = [("channel", each) for each in config.channels.values()]
    sections += [("responder", each) for each in config.responders.values()]
    shared: dict[str, dict[Any, Any]] = {}
    for kind, section in sections:
        context = Context(
            section.name,
            config.state,
            wall_clock,
            problems,
            shared.setdefault(section.plugin, {}),
            read_only=True,
            public_url=config.server.public_url,
        )
        try:
            made = build_plugin(plugins, kind, section, context)
        except PluginError as error:
            place = at.nearest(f"{kind}s", section.name)
            found.append(_finding(at, f"{kind}s.{make_printable(section.name)}: {error}", "repair or replace the plugin", place))
            continue
        if kind == "channel":
            channels.append((section.name, section.plugin, made))
    for name, message in clashes(channels):
        found.append(_finding(at, make_printable(message, 300), "change or remove one of the two", at.nearest("channels", name)))
    return [*found, *_tools(config, plugins, problems, at)]


def _finding(at: Positions, message: str, hint: str, place: Place | None = None) -> Diagnostic:
    return at.finding("plugin", " ".join(message.split()), place or at.nearest(), hint)


def _helpers(config: Config, plugins: Plugins, at: Positions) -> Iterator[Diagnostic]:
    """Yield findings about the names under `plugins:`."""
    for name in config.plugins:
        try:
            plugins.load(name)
        except PluginError as error:
            place = at.of_item(name, "plugins") or at.nearest("plugins")
            yield _finding(at, f"plugins: {config.redactor(str(error))}", "correct or remove the name", place)


def _tools(config: Config, plugins: Plugins, problems: ProblemRegistry, at: Positions) -> Iterator[Diagnostic]:
    """Yield findings about tools that no plugin brings, and about tools of plugins that cannot be used."""
    brought: dict[str, Any] = {}
    for plugin, tool in plugins.registered("register_tools", problems):
        try:
            fault = guarded_call(tool_checks.find_tool_fault, tool, brought)
        except Exception as error:
            fault = describe_failure(error)
        if fault is None:
            brought[tool.name] = tool
        else:
            yield _finding(at, f"the plugin {plugin} registers an unusable tool: {fault}", "repair or replace the plugin")
    for gate in plugins.registered("register_gates", problems):
        if not callable(gate[1]):
            yield _finding(
                at,
                f"the plugin {gate[0]} brings a gate that is no function: {type(gate[1]).__name__}",
                "repair or replace the plugin",
            )
    for problem in problems:
        yield _finding(at, problem.message, problem.remedy)
    for path, policy in _policies(config).items():
        for name in tool_checks.find_missing_tools(policy, brought):
            known = (tool_checks.HANDOFF_TOOL, *brought)
            hint = suggest(name, known) or f"there is {', '.join(known)}; name the plugin that brings it under `plugins:`"
            place = at.of_item(name, *path, "tools") or at.nearest(*path, "tools")
            named = ".".join(map(make_key_printable, path))
            yield _finding(at, f"{named}.tools: no plugin registers the tool {make_printable(name)}", hint, place)


def _policies(config: Config) -> Mapping[tuple[str, ...], tuple[str, ...]]:
    """Yield the named tools with their places; a channel that only inherits them is not named again."""
    common = tuple(config.conversation.tools)
    own: dict[tuple[str, ...], tuple[str, ...]] = {
        ("channels", name, "conversation"): tuple(section.conversation.tools)
        for name, section in config.channels.items()
        if section.conversation is not None and tuple(section.conversation.tools) != common
    }
    return {("conversation",): common, **own}
