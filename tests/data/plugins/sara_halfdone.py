"""A channel whose author forgot `send`."""

from __future__ import annotations

from sara import (Channel, Context, Options, WebhookResult, Request, hookimpl)


class HalfdoneOptions(Options):
    """There is nothing to choose."""


class HalfdoneChannel(Channel):
    """Hears, and cannot speak."""

    Options = HalfdoneOptions
    account = "halfdone:1"

    def __init__(self, options: HalfdoneOptions, context: Context) -> None:
        """Nothing to do."""

    def receive(self, request: Request) -> WebhookResult:
        return WebhookResult()


@hookimpl
def register_channels() -> list[type[Channel]]:
    return [HalfdoneChannel]
