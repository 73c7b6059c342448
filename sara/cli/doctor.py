"""`sara doctor`: live checks, each with what to do about it."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from sara.cli import doctor_checks
from sara.cli.context import read, run_command
from sara.cli.doctor_checks import DaemonState
from sara.cli.identity import become_owner
from sara.cli.invocation import Invocation
from sara.cli.output import fail, print_json, printable
from sara.config.loader import Loaded
from sara.config.settings import Config
from sara.domain.errors import SaraError
from sara.domain.redaction import Redactor
from sara.operations.problem_registry import ProblemRegistry
from sara.plugins.base import PluginObject
from sara.plugins.call_guard import call_method, call_with_timeout, describe_failure
from sara.plugins.channel import Channel
from sara.plugins.checks import CheckResult
from sara.plugins.context import Context
from sara.plugins.guarded import build_plugin
from sara.plugins.loader import Kind, Plugins
from sara.plugins.section import Section
from sara.plugins.store import Store
from sara.runtime.clock import wall_clock
from sara.runtime.process_exit import cancel_remaining_tasks, force_exit

MARKS = {"good": "✓", "note": "·", "warning": "!", "bad": "✗"}
WITHIN = 60_000
"""Milliseconds that the checks of one plugin object may take."""

WITHIN_FIXING = 120_000
CLOSE_WITHIN = 5_000
CORE = "sara"

Check: TypeAlias = Callable[[PluginObject, Context], Coroutine[Any, Any, list[CheckResult]]]


@dataclass(frozen=True, slots=True)
class CheckSection:
    """What was found about one thing: the core itself, or a section of the file."""

    kind: str
    name: str
    findings: tuple[CheckResult, ...]

    @property
    def title(self) -> str:
        return self.kind if self.kind in (CORE, self.name) else f"{self.kind} {self.name}"


def doctor(config: Path, channel: str | None, *, fix: bool, as_json: bool) -> int:
    """Check everything, or one channel beside the core itself; 0 where nothing is bad."""

    async def main() -> int:
        loaded, plugins = await asyncio.to_thread(read, config)
        checked = loaded.config
        known = [*(checked.channels if checked else ()), *(each.name for each in loaded.skipped if each.kind == "channel")]
        if channel is not None and checked is not None and channel not in known:
            return fail(f"there is no channel {channel} in {config}; there are: {', '.join(known) or 'none'}", 2)
        invocation = Invocation.present(config)
        chapters = []
        async for chapter in _chapters(loaded, plugins, channel, fix=fix):
            hidden = _without_secrets(_with_commands(chapter, invocation), loaded)
            chapters.append(hidden)
            if not as_json:
                _show(hidden)
        states = Counter[str](finding.state for chapter in chapters for finding in chapter.findings)
        if as_json:
            print_json({"ok": not states["bad"], "sections": [_as_json(chapter) for chapter in chapters]})
        else:
            print(_verdict(states))
        code = 1 if states["bad"] else 0
        if await cancel_remaining_tasks():
            force_exit(code)
        return code

    return run_command(main)


async def _chapters(loaded: Loaded, plugins: Plugins, channel: str | None, *, fix: bool) -> AsyncIterator[CheckSection]:
    config = loaded.config
    if (readable := config or loaded.partial) is not None:
        become_owner(readable.state)
    daemon = DaemonState(False) if readable is None else await doctor_checks.ask_daemon(readable)
    yield CheckSection(CORE, CORE, tuple(await _core(loaded, plugins, daemon)))
    if config is None:
        return
    for skipped in loaded.skipped:
        if channel in (None, skipped.name):
            remedy = f"Install the plugin {skipped.plugin} or put it into plugins/ beside the file; `sara plugin list` shows those found."
            yield CheckSection(skipped.kind, skipped.name, (CheckResult("plugin", "bad", skipped.reason, remedy),))
    checks = _PluginChecks(config, plugins, daemon, fix=fix)
    for kind, section in _sections(config, channel):
        yield CheckSection(kind, section.name, tuple(await checks.run(kind, section)))
    if found := await checks.run_for_operators():
        yield CheckSection("operators", "operators", tuple(found))


class _PluginChecks:
    """The checks of plugin objects, each built for them alone. Objects of one plugin share what they look up."""

    def __init__(self, config: Config, plugins: Plugins, daemon: DaemonState, *, fix: bool) -> None:
        self._config = config
        self._plugins = plugins
        self._daemon = daemon
        self._fix = fix
        self._shared: dict[str, dict[Hashable, Any]] = {}
        self._channels: dict[str, Channel] = {}

    async def run(self, kind: Kind, section: Section) -> list[CheckResult]:
        """Run the checks of one section's plugin object."""

        async def check(made: PluginObject, context: Context) -> list[CheckResult]:
            if isinstance(made, Channel):
                self._channels[section.name] = made
            return await _checked(made, context, fix=self._fix)

        return await _examined(kind, section, self._context_of(section), self._plugins, check, fix=self._fix)

    async def run_for_operators(self) -> list[CheckResult]:
        """Check that the operators to notify can be written to, by what the store knows of them."""
        if not doctor_checks.operators_of(self._config):
            return []

        async def check(made: PluginObject, context: Context) -> list[CheckResult]:
            if not isinstance(made, Store) or not _is_started(context):
                return []
            await made.open()
            return await doctor_checks.of_operators(self._config, made, self._channels)

        section = self._config.store
        return await _examined("store", section, self._context_of(section), self._plugins, check, fix=False)

    def _context_of(self, section: Section) -> Context:
        problems = ProblemRegistry(wall_clock, self._config.redactor)
        for each in self._daemon.problems:
            # What the daemon has met counts more than what a former look remembers.
            severity: Literal["warning", "error"] = "warning" if each.get("severity") == "warning" else "error"
            problems.report(str(each.get("key")), str(each.get("message")), str(each.get("remedy") or ""), severity=severity)
        return Context(
            section.name,
            self._config.state,
            wall_clock,
            problems,
            self._shared.setdefault(section.plugin, {}),
            read_only=True,
            public_url=self._config.server.public_url,
        )


async def _core(loaded: Loaded, plugins: Plugins, daemon: DaemonState) -> list[CheckResult]:
    found = doctor_checks.of_file(loaded, plugins)
    if (config := loaded.config or loaded.partial) is None:
        return found
    public = await doctor_checks.of_public_url(config)
    return [
        *found,
        *doctor_checks.of_state(config),
        *doctor_checks.of_daemon(config, daemon),
        doctor_checks.of_admin(config),
        *public,
    ]


def _sections(config: Config, channel: str | None) -> Iterator[tuple[Kind, Section]]:
    if channel is not None:
        if channel in config.channels:
            yield "channel", config.channels[channel]
        return
    yield "store", config.store
    for section in config.channels.values():
        yield "channel", section
    for section in config.responders.values():
        yield "responder", section


async def _examined(
    kind: Kind, section: Section, context: Context, plugins: Plugins, check: Check, *, fix: bool
) -> list[CheckResult]:
    """Build a plugin object and check it. Every failure becomes a finding."""
    remedy = f"Repair or replace the plugin {section.plugin}; the rest of SARA runs without it."
    made: PluginObject | None = None
    try:
        made = build_plugin(plugins, kind, section, context)
        return await call_with_timeout(check(made, context), WITHIN_FIXING if fix else WITHIN)
    except TimeoutError:
        return [CheckResult("plugin", "bad", "The checks did not end in time.", remedy)]
    except SaraError as error:
        return [CheckResult("plugin", "bad", str(error), str(getattr(error, "remedy", "")) or remedy)]
    except Exception as error:
        # Only the error's type: its text may hold anything.
        return [CheckResult("plugin", "bad", f"The plugin {section.plugin} broke: it {describe_failure(error)}.", remedy)]
    finally:
        if made is not None:
            await _closed(made)


async def _checked(made: PluginObject, context: Context, *, fix: bool) -> list[CheckResult]:
    if isinstance(made, Store) and not _is_started(context):
        return [CheckResult("store", "note", "Nothing is stored yet.")]
    await made.open()
    counts = await made.counts() if isinstance(made, Store) else None
    found = await made.checks(fix)
    if not isinstance(found, list | tuple) or not all(isinstance(each, CheckResult) and each.state in MARKS for each in found):
        return [
            CheckResult(
                "plugin", "bad", "The plugin's checks brought something that is no finding.", "Report it to the plugin's author."
            )
        ]
    if counts is not None:
        found = [CheckResult("store", "good", "The store can be read."), *found]
    return list(found) or [CheckResult("plugin", "note", "It can be opened, and has no further checks.")]


def _is_started(context: Context) -> bool:
    """Return whether a daemon was ever started here."""
    return (context.state / "admin-token").exists()


async def _closed(made: PluginObject) -> None:
    try:
        await call_method(made.close, CLOSE_WITHIN)
    except Exception as error:
        print(f"sara: a plugin did not close: {type(error).__name__}", file=sys.stderr)


# ── printing ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _show(chapter: CheckSection) -> None:
    print(printable(chapter.title))
    width = max((len(finding.check) for finding in chapter.findings), default=0)
    for finding in chapter.findings:
        cached = " (cached)" if finding.cached else ""
        print(printable(f"  {MARKS[finding.state]} {finding.check.ljust(width)}  {finding.message}{cached}"))
        if finding.remedy and finding.state != "good":
            print(printable(f"    {' ' * width}  → {finding.remedy}"))
    print(flush=True)


def _as_json(chapter: CheckSection) -> Mapping[str, Any]:
    return {"kind": chapter.kind, "name": chapter.name, "findings": [asdict(finding) for finding in chapter.findings]}


def _verdict(states: Mapping[str, int]) -> str:
    told = [f"{states[state]} {name}" for state, name in (("bad", "bad"), ("warning", "to think about")) if states[state]]
    return f"{', '.join(told)}." if told else "All is well."


def _with_commands(chapter: CheckSection, invocation: Invocation) -> CheckSection:
    """Return the findings with commands that can be copied."""
    findings = (
        replace(each, message=invocation.runnable(each.message), remedy=invocation.runnable(each.remedy))
        for each in chapter.findings
    )
    return replace(chapter, findings=tuple(findings))


def _without_secrets(chapter: CheckSection, loaded: Loaded) -> CheckSection:
    """Remove secrets from findings, should a plugin have put one there."""
    config = loaded.config or loaded.partial
    hide = Redactor() if config is None else config.redactor
    findings = (replace(each, message=hide(each.message), remedy=hide(each.remedy)) for each in chapter.findings)
    return replace(chapter, findings=tuple(findings))
