"""What `sara check` finds by building the channels and responders of a file and asking its plugins what they bring."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sara import tools
from sara.bounds import guarded_call, told_of
from sara.call_guard import build
from sara.config import Config, Finding, Loaded, Section
from sara.config.findings import readable, suggest
from sara.contracts import Channel, Context
from sara.daemon import wall_clock
from sara.errors import PluginError
from sara.plugins import Kind, Plugins
from sara.problems import Problems
from sara.routes import clashes


def findings(loaded: Loaded, plugins: Plugins, file: Path) -> list[Finding]:
    """Everything about the plugins with which the daemon would run degraded."""
    config = loaded.config or loaded.partial
    if config is None:
        return []
    # Objects of plugins may want a loop: to make an Event, or to look at the time.
    return asyncio.run(_found(config, plugins, file))


async def _found(config: Config, plugins: Plugins, file: Path) -> list[Finding]:
    problems = Problems(wall_clock, config.redactor)
    found = [*_helpers(config, plugins, file)]
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
            made = build(plugins, kind, section, context)
        except PluginError as error:
            found.append(_finding(file, f"{kind}s.{readable(section.name)}: {error}", "mend or replace the plugin"))
            continue
        if kind == "channel":
            channels.append((section.name, section.plugin, made))
    for _, message in clashes(channels):
        found.append(_finding(file, readable(message, 300), "change or remove one of the two"))
    return [*found, *_tools(config, plugins, problems, file)]


def _finding(file: Path, message: str, hint: str) -> Finding:
    return Finding("plugin", " ".join(message.split()), file, hint=hint)


def _helpers(config: Config, plugins: Plugins, file: Path) -> Iterator[Finding]:
    """What is wrong with the names under `plugins:`."""
    for name in config.plugins:
        try:
            plugins.load(name)
        except PluginError as error:
            yield _finding(file, f"plugins: {config.redactor(str(error))}", "correct or remove the name")


def _tools(config: Config, plugins: Plugins, problems: Problems, file: Path) -> Iterator[Finding]:
    """Tools that the file names and nobody brings, and what plugins bring that cannot be used."""
    brought: dict[str, Any] = {}
    for plugin, tool in plugins.brought("register_tools", problems):
        try:
            fault = guarded_call(tools.fault_of, tool, brought)
        except Exception as error:
            fault = told_of(error)
        if fault is None:
            brought[tool.name] = tool
        else:
            yield _finding(file, f"the plugin {plugin} brings a tool that cannot be used: {fault}", "mend or replace the plugin")
    for gate in plugins.brought("register_gates", problems):
        if not callable(gate[1]):
            yield _finding(
                file,
                f"the plugin {gate[0]} brings a gate that is no function: {type(gate[1]).__name__}",
                "mend or replace the plugin",
            )
    for problem in problems:
        yield _finding(file, problem.message, problem.remedy)
    for path, policy in _policies(config).items():
        for name in tools.missing(policy, brought):
            known = (tools.HAND_OVER, *brought)
            hint = suggest(name, known) or f"there is {', '.join(known)}; name the plugin that brings it under `plugins:`"
            yield _finding(file, f"{path}.tools: no plugin brings the tool {readable(name)}", hint)


def _policies(config: Config) -> Mapping[str, tuple[str, ...]]:
    """The tools that are named, by where: a channel that only inherits them is not named again."""
    common = tuple(config.conversation.tools)
    own = {
        f"channels.{readable(name)}.conversation": tuple(section.conversation.tools)
        for name, section in config.channels.items()
        if section.conversation is not None and tuple(section.conversation.tools) != common
    }
    return {"conversation": common, **own}
