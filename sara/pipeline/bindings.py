"""Bindings of accounts to their channel, responders and policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sara.plugins.channel import Channel
from sara.plugins.responder import Responder
from sara.queue.notifier import JobLanes

if TYPE_CHECKING:
    from sara.policy.settings import ConversationSettings


@dataclass(frozen=True, slots=True)
class ChannelBinding:
    """One configured channel and its responders. `running` are the responders that are running now."""

    name: str
    channel: Channel
    policy: ConversationSettings
    running: Mapping[str, Responder]

    @property
    def responders(self) -> list[tuple[str, Responder]]:
        """Return the configured responder and its fallbacks, as far as they are running."""
        line = [name for name in (self.policy.responder, *self.policy.fallback) if name is not None]
        return [(name, self.running[name]) for name in line if name in self.running]

    @property
    def called(self) -> str:
        """Return the name under which calls of the channel are counted."""
        return f"channel:{self.name}"

    @property
    def deliver_lane(self) -> str:
        """Return the lane of its deliver jobs."""
        return f"deliver:{self.name}"

    @property
    def reply_lane(self) -> str:
        """Return the lane of its reply jobs: the responder that is asked first."""
        return f"reply:{self.policy.responder}"


def clashes(channels: Sequence[tuple[str, str, Channel]]) -> list[tuple[str, str]]:
    """Return the channels (name, plugin, object) that cannot run beside an earlier one: the later one's name, and why. Two of one account would
    answer everybody twice; two plugins at one path would each get what is the other's, while channels of one plugin may share it."""
    found: dict[str, str] = {}
    accounts: dict[str, str] = {}
    paths: dict[str, tuple[str, str]] = {}
    for name, plugin, channel in channels:
        other = accounts.setdefault(channel.account, name)
        if other != name:
            found[name] = f"the channels {other} and {name} serve the same account, {channel.account}"
            continue
        if channel.webhook is None:
            continue
        first, its = paths.setdefault(channel.webhook.rstrip("/"), (name, plugin))
        if its != plugin:
            found[name] = f"the channels {first} and {name} are of two plugins and have the same webhook path, {channel.webhook}"
    return list(found.items())


class ChannelBindings:
    """The configured channels by account."""

    def __init__(self, routes: Iterable[ChannelBinding]) -> None:
        self._by_account = {route.channel.account: route for route in routes}
        self._by_name = {route.name: route for route in self._by_account.values()}

    def __iter__(self) -> Iterator[ChannelBinding]:
        return iter(self._by_account.values())

    def of(self, account: str) -> ChannelBinding | None:
        """Return the binding of an account; None where the file no longer names it."""
        return self._by_account.get(account)

    def named(self, name: str) -> ChannelBinding | None:
        """Return the binding of a channel's name in the file."""
        return self._by_name.get(name)

    def lanes_of(self, account: str) -> JobLanes | None:
        """Return the lanes of an account's jobs; None where the file no longer names it."""
        route = self.of(account)
        return None if route is None else JobLanes(route.reply_lane, route.deliver_lane)
