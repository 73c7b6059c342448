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
    """Register the channel that `plugin:` in a section of `channels` names."""


@hookspec
def register_responders() -> Sequence[type[Responder]]:  # type: ignore[empty-body]  # a hookspec has no body
    """Register the responder that `plugin:` in a section of `responders` names."""


@hookspec
def register_stores() -> Sequence[type[Store]]:  # type: ignore[empty-body]  # a hookspec has no body
    """Register the store that `plugin:` under `store` names."""


@hookspec
def register_queues() -> Sequence[type[Queue]]:  # type: ignore[empty-body]  # a hookspec has no body
    """Register the queue that `plugin:` under `queue` names."""


@hookspec
def register_gates() -> Sequence[Gate]:  # type: ignore[empty-body]  # a hookspec has no body
    """Register functions that decide whether and when a turn is answered, called after SARA's own gates."""


@hookspec
def register_tools() -> Sequence[Tool]:  # type: ignore[empty-body]  # a hookspec has no body
    """Register tools that the AI may call for the customer, where `conversation.tools` names them."""


@hookspec
def register_simulators() -> Mapping[str, type[Simulator]]:  # type: ignore[empty-body]  # a hookspec has no body
    """Register simulators by the name of the plugin whose provider they play, for `sara demo` and `sara simulate` alone."""


# the daemon's life


@hookspec
def started() -> None:
    """Run when the daemon has started to serve."""


@hookspec
def stopping() -> None:
    """Run when the daemon has stopped accepting messages and is about to close."""


# moments


@hookspec
def message_received(message: StoredMessage) -> None:
    """Run when a customer's message was stored for the first time."""


@hookspec
def reply_ready(conversation: str, answers: Sequence[str]) -> None:
    """Run when the reply to a customer's messages was stored and is about to be sent."""


@hookspec
def message_sent(message: StoredMessage) -> None:
    """Run when a provider accepted an outbound message."""


@hookspec
def delivery_changed(message: StoredMessage, receipt: DeliveryReceipt) -> None:
    """Run when a provider sent a receipt for an outbound message."""


@hookspec
def job_finished(event: JobEvent) -> None:
    """Run when a job ended: done, again or failed."""
