"""What `sara check` finds by comparing parts of the file with each other, with the plugins it names, and with this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from sara.cli.context import channels_of
from sara.config.advice import is_stand_in
from sara.config.diagnostics import Diagnostic
from sara.config.loader import Loaded
from sara.config.positions import Positions
from sara.config.settings import Config
from sara.domain.options import format_duration
from sara.domain.suggestions import make_key_printable, make_printable
from sara.pipeline.handoff import person_of
from sara.plugins.channel import Channel
from sara.plugins.loader import Plugins
from sara.policy.ai_budget import price_of
from sara.policy.settings import ConversationSettings


def cross_checks(loaded: Loaded, plugins: Plugins) -> Iterator[Diagnostic]:
    """Yield findings that do not stop the daemon: errors about what cannot work, warnings about probable mistakes."""
    config = loaded.config or loaded.partial
    if config is None or loaded.positions is None:
        return
    at = loaded.positions
    channels = channels_of(config, plugins)
    yield from _public_url(at, config, channels)
    yield from _state(at, config)
    for name, channel in channels.items():
        yield from _follow_up(at, config, name, channel)
    yield from _notify(at, config, channels, {(each.line, each.column) for each in loaded.findings})
    yield from _prices(at, config)


def _public_url(at: Positions, config: Config, channels: Mapping[str, Channel]) -> Iterator[Diagnostic]:
    url, place = config.server.public_url, at.nearest("server", "public_url")
    if url is None:
        return
    parts = urlsplit(url)
    if _is_private(parts.hostname or ""):
        message = "server.public_url is an address of this machine or its network, and providers cannot reach it"
        yield at.finding("value", message, place, "write the name that the internet knows this server by", warning=True)
    elif parts.scheme != "https":
        message = "server.public_url is not an https address, and providers deliver to no other"
        yield at.finding("value", message, place, "write it with https://", warning=True)
    path = parts.path.rstrip("/")
    if not path:
        return
    origin = f"{parts.scheme}://{parts.netloc}"
    for name, channel in channels.items():
        webhook = (channel.webhook or "").rstrip("/")
        if webhook and path.endswith(webhook):
            message = f"server.public_url ends with the path of the webhook of channels.{make_key_printable(name)}, which is added to it"
            yield at.finding("value", message, place, f"write {origin}{path.removesuffix(webhook)}")
            return
    message = f"server.public_url has a path: {path} is expected before the path of every webhook"
    yield at.finding("value", message, place, f"write {origin}, unless your web server takes {path} off", warning=True)


def _is_private(host: str) -> bool:
    try:
        address = ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        return host.endswith((".local", ".localhost", ".internal", ".lan"))
    return not address.is_global


def _state(at: Positions, config: Config) -> Iterator[Diagnostic]:
    """Check that the state folder exists and can be written, or can be created."""
    folder = config.state
    remedy = "let the user that runs SARA own it, and run this as that user or as root"
    try:
        if folder.exists() and not folder.is_dir():
            yield at.finding("file", f"state: {folder} is not a folder", at.nearest("state"), "name a folder")
            return
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        writable = folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
    except OSError:  # a folder on the way is closed to this user
        writable = False
    if not writable:
        what = "cannot be written" if folder == config.state else f"cannot be made in {folder}"
        yield at.finding("file", f"state: {config.state} {what} by this user", at.nearest("state"), remedy)


def _follow_up(at: Positions, config: Config, name: str, channel: Channel) -> Iterator[Diagnostic]:
    """Report a follow-up that comes after the reply window has closed: it is never sent."""
    policy = config.channels[name].conversation or config.conversation
    if policy.follow_up is None or channel.reply_window is None or policy.follow_up.after < channel.reply_window:
        return
    own = ("channels", name, "conversation", "follow_up")
    path = own if at.of(*own) else ("conversation", "follow_up")
    hours, minutes = divmod(channel.reply_window // 60_000, 60)
    window = f"{hours} h {minutes} min" if minutes else f"{hours} h"
    message = (
        f"{'.'.join(map(make_key_printable, path))}: after {format_duration(policy.follow_up.after)} nothing can be asked any more on"
        f" {make_key_printable(name)}, which lets us write freely for {window} after the customer's last message"
    )
    yield at.finding("value", message, at.nearest(*path, "after"), f"write less than {format_duration(channel.reply_window)}")


def _notify(at: Positions, config: Config, channels: Mapping[str, Channel], known: set[tuple[int, int]]) -> Iterator[Diagnostic]:
    """Report an address that the channel cannot write to."""
    policies: dict[tuple[str, ...], ConversationSettings] = {("conversation",): config.conversation}
    policies |= {
        ("channels", name, "conversation"): section.conversation
        for name, section in config.channels.items()
        if section.conversation
    }
    for path, policy in policies.items():
        notify = policy.handoff.notify
        keys = (*path, "handoff", "notify", "to")
        place = at.of(*keys)
        if notify is None or place is None or (channel := channels.get(notify.channel)) is None:
            continue
        if (place.line, place.column) in known or channel.is_address(person_of(notify.to)):
            continue
        message = (
            f"{'.'.join(map(make_key_printable, keys))} is no number or id that {make_key_printable(notify.channel)} can write to"
        )
        yield at.finding("value", message, place, 'write a number with its country code, in quotes: "+49 170 1234567"')


def _prices(at: Positions, config: Config) -> Iterator[Diagnostic]:
    """Report models without a price: their use counts as free."""
    prices = config.budget.prices
    if not prices:
        return
    bounded = config.budget.day.money is not None or config.budget.month.money is not None
    for name, section in config.responders.items():
        for model in section.options.billed_models():
            if price_of(prices, model) is None and not is_stand_in(model):
                counted = "the ceiling of money does not see it" if bounded else "its use counts as free"
                message = f"budget.prices has no price for {make_printable(model)}, which responders.{make_key_printable(name)} uses: {counted}"
                hint = f"add {make_printable(model)}: {{input: …, output: …}}"
                yield at.finding("value", message, at.nearest("budget", "prices"), hint, warning=not bounded)
