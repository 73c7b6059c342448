"""SARA's public API: all that a plugin needs, and nothing else.

Names are imported when they are first used, so that `import sara` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sara.domain.contacts import Contact, ErasureReport, Identity, SubjectData
    from sara.domain.conversations import (
        ConversationSummary,
        Handoff,
        OneTimeNotice,
        OperatorNotification,
        TimerView,
        UnhealthyConversation,
    )
    from sara.domain.delivery import (
        Attempt,
        AttemptResult,
        DeliveryFailure,
        DeliveryReceipt,
        DeliveryView,
        OutboundMessage,
        SendResult,
    )
    from sara.domain.errors import (
        ChannelUnavailable,
        CommitUnknown,
        ConfigError,
        Conflict,
        ContentRefused,
        DeliveryUnknown,
        GiveUp,
        NotSent,
        OverBudget,
        PluginError,
        Rejected,
        ReplyWindowClosed,
        RetryLater,
        SaraError,
        StoreLocked,
        StoreUnavailable,
    )
    from sara.domain.jobs import Done, Job, JobEnd, JobEvent, JobRequest, OpenWork, Reschedule
    from sara.domain.messages import (
        Attachment,
        Correction,
        Download,
        HistoryMessage,
        InboundMessage,
        LocalizedContent,
        OutgoingContent,
        SearchHit,
        StoredMessage,
        TimelineEvent,
    )
    from sara.domain.options import Advice, Duration, Options, Placeholder, Secret, format_duration, parse_duration
    from sara.domain.phone_numbers import number_spellings, read_number
    from sara.domain.plain_text import render_plain_text
    from sara.domain.problems import Problem, ProblemReporter
    from sara.domain.replies import (
        Reply,
        ReplySideEffects,
        ReplyView,
        Summary,
        ToolContext,
        ToolRecord,
        ToolSpec,
        Turn,
        Usage,
        UsageLimit,
        UsageReservation,
    )
    from sara.domain.states import JobKind, Mode, Purpose, Role
    from sara.domain.storage import AcceptResult, ClassifiedMessage, InboundBatch, InboundDecision, RecoveryReport
    from sara.domain.text import is_visible, split_text, utf16_length
    from sara.domain.time import Instant, Milliseconds
    from sara.domain.webhooks import (
        AccountChange,
        AccountEvent,
        IdentityChange,
        OperatorEcho,
        PreferenceChange,
        Request,
        Response,
        UnparsedPayload,
        WebhookResult,
    )
    from sara.operations.problem_registry import ProblemRegistry
    from sara.plugins.channel import Channel
    from sara.plugins.checks import CheckResult
    from sara.plugins.connection_errors import explain_unreachable
    from sara.plugins.context import Clock, Context
    from sara.plugins.hookspecs import hookimpl
    from sara.plugins.private_files import open_private, read_private, refuse_link, write_private
    from sara.plugins.queue import JobHandler, JobListener, Queue
    from sara.plugins.responder import HistoryLimits, Responder
    from sara.plugins.simulator import Simulator, SimulatorSwitch
    from sara.plugins.store import Store
    from sara.plugins.tool import Tool, ToolCaller
    from sara.policy.context_window import estimated_tokens
    from sara.policy.reply_gates import Allow, Defer, Gate, GateContext, SendNotice, Skip
    from sara.queue.entries import Entry
    from sara.queue.scheduler import ScheduledQueue

# From light to heavy: a name is looked for in the light modules first.
_HOMES = (
    "sara.domain.errors",
    "sara.domain.messages",
    "sara.domain.text",
    "sara.plugins.private_files",
    "sara.domain.phone_numbers",
    "sara.policy.context_window",
    "sara.policy.reply_gates",
    "sara.operations.problem_registry",
    "sara.plugins.connection_errors",
    "sara.plugins.context",
    "sara.plugins.hookspecs",
    "sara.queue.entries",
    "sara.queue.scheduler",
    "sara.domain.options",
)

__all__ = [
    "AcceptResult",
    "AccountChange",
    "AccountEvent",
    "Advice",
    "Allow",
    "Attachment",
    "Attempt",
    "AttemptResult",
    "Channel",
    "ChannelUnavailable",
    "CheckResult",
    "ClassifiedMessage",
    "Clock",
    "CommitUnknown",
    "ConfigError",
    "Conflict",
    "Contact",
    "ContentRefused",
    "Context",
    "ConversationSummary",
    "Correction",
    "Defer",
    "DeliveryFailure",
    "DeliveryReceipt",
    "DeliveryUnknown",
    "DeliveryView",
    "Done",
    "Download",
    "Duration",
    "Entry",
    "ErasureReport",
    "Gate",
    "GateContext",
    "GiveUp",
    "Handoff",
    "HistoryLimits",
    "HistoryMessage",
    "Identity",
    "IdentityChange",
    "InboundBatch",
    "InboundDecision",
    "InboundMessage",
    "Instant",
    "Job",
    "JobEnd",
    "JobEvent",
    "JobHandler",
    "JobKind",
    "JobListener",
    "JobRequest",
    "LocalizedContent",
    "Milliseconds",
    "Mode",
    "NotSent",
    "OneTimeNotice",
    "OpenWork",
    "OperatorEcho",
    "OperatorNotification",
    "Options",
    "OutboundMessage",
    "OutgoingContent",
    "OverBudget",
    "Placeholder",
    "PluginError",
    "PreferenceChange",
    "Problem",
    "ProblemRegistry",
    "ProblemReporter",
    "Purpose",
    "Queue",
    "RecoveryReport",
    "Rejected",
    "Reply",
    "ReplySideEffects",
    "ReplyView",
    "ReplyWindowClosed",
    "Request",
    "Reschedule",
    "Responder",
    "Response",
    "RetryLater",
    "Role",
    "SaraError",
    "ScheduledQueue",
    "SearchHit",
    "Secret",
    "SendNotice",
    "SendResult",
    "Simulator",
    "SimulatorSwitch",
    "Skip",
    "Store",
    "StoreLocked",
    "StoreUnavailable",
    "StoredMessage",
    "SubjectData",
    "Summary",
    "TimelineEvent",
    "TimerView",
    "Tool",
    "ToolCaller",
    "ToolContext",
    "ToolRecord",
    "ToolSpec",
    "Turn",
    "UnhealthyConversation",
    "UnparsedPayload",
    "Usage",
    "UsageLimit",
    "UsageReservation",
    "WebhookResult",
    "estimated_tokens",
    "explain_unreachable",
    "format_duration",
    "hookimpl",
    "is_visible",
    "number_spellings",
    "open_private",
    "parse_duration",
    "read_number",
    "read_private",
    "refuse_link",
    "render_plain_text",
    "split_text",
    "utf16_length",
    "write_private",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        for home in _HOMES:
            found = vars(import_module(home)).get(name)
            if found is not None:
                globals()[name] = found
                return found
    raise AttributeError(f"module 'sara' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
