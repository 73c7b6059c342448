"""What most commands begin with: the file, its plugins, the store to look into, and the daemon to talk to."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sara.cli.identity import become_owner, has_changed
from sara.config.loader import Loaded, load
from sara.config.settings import Config
from sara.domain.errors import ConfigError, SaraError
from sara.i18n.catalog import MessageCatalog
from sara.operations.conversation_health import ConversationHealth
from sara.operations.operator_actions import OperatorActions
from sara.operations.problem_registry import ProblemRegistry
from sara.pipeline.bindings import ChannelBinding, ChannelBindings
from sara.plugins.call_guard import call_method, describe_failure
from sara.plugins.channel import Channel
from sara.plugins.context import Context
from sara.plugins.guarded import build_plugin
from sara.plugins.loader import Kind, Plugins
from sara.plugins.queue import Queue
from sara.plugins.store import Store
from sara.runtime.clock import wall_clock

EX_CONFIG = 78


def plugins_beside(config: Path) -> Plugins:
    """Return the plugins that a file at `config` can name."""
    return Plugins(config.resolve().parent / "plugins")


def read(config: Path) -> tuple[Loaded, Plugins]:
    """Read and check a configuration; once only where it could not be read again, because this process was root's."""
    if has_changed() and config in _known:
        return _known[config]
    _known[config] = found = read_file(config)
    return found


def read_file(config: Path) -> tuple[Loaded, Plugins]:
    """Read and check a configuration as it is now."""
    plugins = plugins_beside(config)
    return load(config, plugins.options_of), plugins


_known: dict[Path, tuple[Loaded, Plugins]] = {}


@dataclass(slots=True)
class OfflineContext:
    """The store and queue of a configuration, open without a daemon. `channels` are built, not open, by their names in the file."""

    config: Config
    store: Store
    queue: Queue
    channels: Mapping[str, Channel]

    @property
    def names(self) -> Mapping[str, str]:
        """The channels' names in the file by account."""
        return {channel.account: name for name, channel in self.channels.items()}

    @property
    def routes(self) -> ChannelBindings:
        """The channels with their policies, without responders, which only a daemon runs."""
        common, sections = self.config.conversation, self.config.channels
        return ChannelBindings(
            ChannelBinding(name, channel, sections[name].conversation or common, {}) for name, channel in self.channels.items()
        )

    @property
    def acting(self) -> OperatorActions:
        """For what a person of the business does with a conversation."""
        texts = MessageCatalog(self.config.texts, self.config.conversation.language)
        return OperatorActions(self.store, self.routes, texts, wall_clock)

    @property
    def health(self) -> ConversationHealth:
        """The check for unhealthy conversations."""
        return ConversationHealth(self.store, self.routes, ProblemRegistry(wall_clock), wall_clock)


def require_config(loaded: Loaded) -> Config:
    """Return the configuration as far as reading data needs it. Missing secrets do not matter for that."""
    config = loaded.config or loaded.partial
    if config is not None and all(finding.kind == "secret" for finding in loaded.errors):
        return config
    raise ConfigError("\n".join(finding.render() for finding in loaded.errors))


@asynccontextmanager
async def open_store(config: Path, *, read_only: bool) -> AsyncIterator[OfflineContext]:
    """Open store and queue. Raises SaraError with what is the matter; what is not there yet only the daemon creates."""
    loaded, plugins = read(config)
    checked = require_config(loaded)
    become_owner(checked.state)
    _there(checked, config)
    if not read_only:
        async with open_store(config, read_only=True):
            pass  # one that was never filled says so, and is not made here
    shared: dict[str, dict[Any, Any]] = {}
    async with AsyncExitStack() as stack:
        made: list[Any] = []
        sections: list[tuple[Kind, Any]] = [("store", checked.store), ("queue", checked.queue)]
        for kind, section in sections:
            problems = ProblemRegistry(wall_clock, checked.redactor)
            context = Context(kind, checked.state, wall_clock, problems, shared.setdefault(section.plugin, {}), read_only)
            built = build_plugin(plugins, kind, section, context)
            stack.push_async_callback(call_method, built.close, None)
            try:
                await call_method(built.open, None)
            except SaraError:
                raise
            except Exception as error:
                raise SaraError(f"the plugin {section.plugin} {describe_failure(error)} when it was opened") from error
            made.append(built)
        yield OfflineContext(checked, made[0], made[1], channels_of(checked, plugins))


def _there(checked: Config, config: Path) -> None:
    try:
        there = checked.state.exists()
        readable = there and os.access(checked.state, os.R_OK | os.X_OK, effective_ids=True)
    except PermissionError:
        there, readable = True, False
    if not there:
        raise SaraError(
            f"there is no folder {checked.state}: no daemon has run with this file yet, or its data are elsewhere."
            f" A service of systemd keeps them in /var/lib/sara; write `state: /var/lib/sara` into {config} for the commands to find them"
        )
    if not readable:
        raise SaraError(f"{checked.state} may not be read by this user; run this as root or as the user that runs SARA")


def channels_of(config: Config, plugins: Plugins) -> dict[str, Channel]:
    """Return the channels by their names in the file, without those whose plugin cannot be loaded."""
    channels = {}
    for section in config.channels.values():
        context = Context(section.name, config.state, wall_clock, ProblemRegistry(wall_clock, config.redactor), read_only=True)
        try:
            channel: Channel = build_plugin(plugins, "channel", section, context)
        except Exception:  # noqa: S112  # a broken plugin must not keep an operator from reading messages
            continue
        channels[section.name] = channel
    return channels


def run_read_only(config: Path, look: Callable[[OfflineContext], Awaitable[int]]) -> int:
    """Run a command that only looks."""

    async def main() -> int:
        async with open_store(config, read_only=True) as house:
            return await look(house)

    return run_command(main)


def run_command(main: Callable[[], Awaitable[int]]) -> int:
    """Run to the end; what went wrong is said in one line."""
    from sara.cli.output import fail
    from sara.runtime.logging import set_up

    set_up("error")

    async def run() -> int:
        return await main()

    try:
        return asyncio.run(run())
    except ConfigError as error:
        return fail(str(error), EX_CONFIG)
    except SaraError as error:
        return fail(str(error))
    except KeyboardInterrupt:
        return 130
