"""The hooks: each a bare signature and one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pluggy

from sara.domain.delivery import DeliveryReceipt
from sara.domain.jobs import JobEvent
from sara.domain.messages import StoredMessage

if TYPE_CHECKING:
    from sara.plugins.channel import Channel
    from sara.plugins.queue import Queue
    from sara.plugins.responder import Responder
    from sara.plugins.simulator import Simulator
    from sara.plugins.store import Store
    from sara.plugins.tool import Tool
    from sara.policy.reply_gates import Gate

hookspec = pluggy.HookspecMarker("sara")
hookimpl = pluggy.HookimplMarker("sara")


# what a plugin brings


@hookspec
def register_channels() -> Sequence[type[Channel]]:  # type: ignore[empty-body]  # a hookspec has no body
    """The channel that `plugin:` in a section of `channels` names."""


@hookspec
def register_responders() -> Sequence[type[Responder]]:  # type: ignore[empty-body]  # a hookspec has no body
    """The responder that `plugin:` in a section of `responders` names."""


@hookspec
def register_stores() -> Sequence[type[Store]]:  # type: ignore[empty-body]  # a hookspec has no body
    """The store that `plugin:` under `store` names."""


@hookspec
def register_queues() -> Sequence[type[Queue]]:  # type: ignore[empty-body]  # a hookspec has no body
    """The queue that `plugin:` under `queue` names."""


@hookspec
def register_gates() -> Sequence[Gate]:  # type: ignore[empty-body]  # a hookspec has no body
    """Functions that say whether and when a turn is answered, asked after SARA's own."""


@hookspec
def register_tools() -> Sequence[Tool]:  # type: ignore[empty-body]  # a hookspec has no body
    """What the AI may do for the person it talks to, where `conversation.tools` names it."""


@hookspec
def register_simulators() -> Mapping[str, type[Simulator]]:  # type: ignore[empty-body]  # a hookspec has no body
    """Simulators by the name of the plugin whose provider they play, asked for by `sara demo` and `sara simulate` alone."""


# the daemon's life


@hookspec
def started() -> None:
    """The daemon serves."""


@hookspec
def stopping() -> None:
    """The daemon has stopped taking in and is about to close."""


# moments


@hookspec
def message_received(message: StoredMessage) -> None:
    """A customer's message was stored for the first time."""


@hookspec
def reply_ready(conversation: str, answers: Sequence[str]) -> None:
    """The answer to a customer's messages was stored and is about to be sent."""


@hookspec
def message_sent(message: StoredMessage) -> None:
    """A provider accepted something we sent."""


@hookspec
def delivery_changed(message: StoredMessage, receipt: DeliveryReceipt) -> None:
    """A provider told us more about something we sent."""


@hookspec
def job_finished(event: JobEvent) -> None:
    """A job ended: done, again or failed."""
