"""The public API for authors of channels, responders, tools, gates and simulators.

Names are imported when they are first used, so that `import sara` costs next to nothing. Functions that plugins may use stand in
`sara.helpers`, what only stores and queues need in `sara.engines`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sara.domain.contacts import Contact as Contact
    from sara.domain.contacts import Identity as Identity
    from sara.domain.delivery import DeliveryFailure as DeliveryFailure
    from sara.domain.delivery import DeliveryReceipt as DeliveryReceipt
    from sara.domain.delivery import OutboundMessage as OutboundMessage
    from sara.domain.delivery import SendResult as SendResult
    from sara.domain.errors import ChannelUnavailable as ChannelUnavailable
    from sara.domain.errors import ConfigError as ConfigError
    from sara.domain.errors import ContentRefused as ContentRefused
    from sara.domain.errors import DeliveryUnknown as DeliveryUnknown
    from sara.domain.errors import GiveUp as GiveUp
    from sara.domain.errors import NotSent as NotSent
    from sara.domain.errors import PluginError as PluginError
    from sara.domain.errors import Rejected as Rejected
    from sara.domain.errors import ReplyWindowClosed as ReplyWindowClosed
    from sara.domain.errors import RetryLater as RetryLater
    from sara.domain.errors import SaraError as SaraError
    from sara.domain.jobs import JobEvent as JobEvent
    from sara.domain.messages import Attachment as Attachment
    from sara.domain.messages import Correction as Correction
    from sara.domain.messages import HistoryMessage as HistoryMessage
    from sara.domain.messages import InboundMessage as InboundMessage
    from sara.domain.messages import OutgoingContent as OutgoingContent
    from sara.domain.messages import StoredMessage as StoredMessage
    from sara.domain.options import Duration as Duration
    from sara.domain.options import Options as Options
    from sara.domain.options import Secret as Secret
    from sara.domain.replies import Reply as Reply
    from sara.domain.replies import Summary as Summary
    from sara.domain.replies import ToolContext as ToolContext
    from sara.domain.replies import ToolSpec as ToolSpec
    from sara.domain.replies import Turn as Turn
    from sara.domain.replies import Usage as Usage
    from sara.domain.text import split_text as split_text
    from sara.domain.text import utf16_length as utf16_length
    from sara.domain.time import Instant as Instant
    from sara.domain.time import Milliseconds as Milliseconds
    from sara.domain.webhooks import AccountEvent as AccountEvent
    from sara.domain.webhooks import IdentityChange as IdentityChange
    from sara.domain.webhooks import OperatorEcho as OperatorEcho
    from sara.domain.webhooks import PreferenceChange as PreferenceChange
    from sara.domain.webhooks import Request as Request
    from sara.domain.webhooks import Response as Response
    from sara.domain.webhooks import UnparsedPayload as UnparsedPayload
    from sara.domain.webhooks import WebhookResult as WebhookResult
    from sara.plugins.channel import Channel as Channel
    from sara.plugins.checks import CheckResult as CheckResult
    from sara.plugins.context import Context as Context
    from sara.plugins.hookspecs import hookimpl as hookimpl
    from sara.plugins.responder import Responder as Responder
    from sara.plugins.simulator import Simulator as Simulator
    from sara.plugins.simulator import SimulatorSwitch as SimulatorSwitch
    from sara.plugins.tool import Tool as Tool
    from sara.plugins.tool import ToolCaller as ToolCaller
    from sara.policy.reply_gates import Allow as Allow
    from sara.policy.reply_gates import Defer as Defer
    from sara.policy.reply_gates import Gate as Gate
    from sara.policy.reply_gates import GateContext as GateContext
    from sara.policy.reply_gates import SendNotice as SendNotice
    from sara.policy.reply_gates import Skip as Skip

_NAMES = {
    "sara.domain.contacts": ("Contact", "Identity"),
    "sara.domain.delivery": ("DeliveryFailure", "DeliveryReceipt", "OutboundMessage", "SendResult"),
    "sara.domain.errors": (
        "ChannelUnavailable",
        "ConfigError",
        "ContentRefused",
        "DeliveryUnknown",
        "GiveUp",
        "NotSent",
        "PluginError",
        "Rejected",
        "ReplyWindowClosed",
        "RetryLater",
        "SaraError",
    ),
    "sara.domain.jobs": ("JobEvent",),
    "sara.domain.messages": ("Attachment", "Correction", "HistoryMessage", "InboundMessage", "OutgoingContent", "StoredMessage"),
    "sara.domain.options": ("Duration", "Options", "Secret"),
    "sara.domain.replies": ("Reply", "Summary", "ToolContext", "ToolSpec", "Turn", "Usage"),
    "sara.domain.text": ("split_text", "utf16_length"),
    "sara.domain.time": ("Instant", "Milliseconds"),
    "sara.domain.webhooks": (
        "AccountEvent",
        "IdentityChange",
        "OperatorEcho",
        "PreferenceChange",
        "Request",
        "Response",
        "UnparsedPayload",
        "WebhookResult",
    ),
    "sara.plugins.channel": ("Channel",),
    "sara.plugins.checks": ("CheckResult",),
    "sara.plugins.context": ("Context",),
    "sara.plugins.hookspecs": ("hookimpl",),
    "sara.plugins.responder": ("Responder",),
    "sara.plugins.simulator": ("Simulator", "SimulatorSwitch"),
    "sara.plugins.tool": ("Tool", "ToolCaller"),
    "sara.policy.reply_gates": ("Allow", "Defer", "Gate", "GateContext", "SendNotice", "Skip"),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = sorted(_HOMES)  # noqa: PLE0605  # the names above, once


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sara' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
