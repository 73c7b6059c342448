"""SARA's public API: all that a plugin needs, and nothing else.

Names are imported when they are first used, so that `import sara` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sara.domain.contacts import Contact, Dossier, Forgotten, Person
    from sara.domain.conversations import ConversationSummary, HandOver, Said, Tell, TimerView, Unhealthy
    from sara.domain.delivery import Accepted, Attempt, DeliveryView, Failure, Outcome, Part, Receipt
    from sara.domain.errors import (
        ConfigError,
        ContentRefused,
        GiveUp,
        InDoubt,
        NotSent,
        OverBudget,
        PluginError,
        Refused,
        SaraError,
        Stale,
        StoreLocked,
        StoreLost,
        StoreUnavailable,
        TryLater,
        Unavailable,
        WindowClosed,
    )
    from sara.domain.jobs import Again, Done, Job, JobEnd, JobEvent, OpenWork, Wake
    from sara.domain.messages import (
        Attachment,
        Correction,
        Download,
        Draft,
        InboundMessage,
        Line,
        SearchHit,
        StoredMessage,
        TimelineEvent,
        Wording,
    )
    from sara.domain.options import Advice, Duration, Options, Placeholder, Secret, format_duration, parse_duration
    from sara.domain.phone_numbers import number_spellings, read_number
    from sara.domain.plain_text import plain
    from sara.domain.problems import Problem, ProblemReporter
    from sara.domain.replies import (
        Also,
        Ceiling,
        Reply,
        ReplyView,
        Reserve,
        Summary,
        ToolRecord,
        ToolScope,
        ToolSpec,
        Turn,
        Usage,
    )
    from sara.domain.states import JobKind, Mode, Purpose, Role
    from sara.domain.storage import Arrival, Intake, Recovered, Taken, Verdict
    from sara.domain.text import is_visible, split_text, utf16_length
    from sara.domain.time import Instant, Millis
    from sara.domain.webhooks import (
        AccountEvent,
        Change,
        Echo,
        IdentityChange,
        PreferenceChange,
        Reception,
        Request,
        Response,
        SetAside,
    )
    from sara.operations.problem_registry import Problems
    from sara.plugins.channel import Channel
    from sara.plugins.checks import Finding
    from sara.plugins.connection_errors import why_unreachable
    from sara.plugins.context import Clock, Context
    from sara.plugins.hookspecs import hookimpl
    from sara.plugins.private_files import open_private, read_private, refuse_link, write_private
    from sara.plugins.queue import Handler, Listener, Queue
    from sara.plugins.responder import HistoryLimits, Responder
    from sara.plugins.simulator import Simulator, SimulatorSwitch
    from sara.plugins.store import Store
    from sara.plugins.tool import Tool, Toolbox
    from sara.policy.context_window import estimated_tokens
    from sara.policy.reply_gates import Facts, Gate, Proceed, Say, Skip, Wait
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
    "Accepted",
    "AccountEvent",
    "Advice",
    "Again",
    "Also",
    "Arrival",
    "Attachment",
    "Attempt",
    "Ceiling",
    "Change",
    "Channel",
    "Clock",
    "ConfigError",
    "Contact",
    "ContentRefused",
    "Context",
    "ConversationSummary",
    "Correction",
    "DeliveryView",
    "Done",
    "Dossier",
    "Download",
    "Draft",
    "Duration",
    "Echo",
    "Entry",
    "Facts",
    "Failure",
    "Finding",
    "Forgotten",
    "Gate",
    "GiveUp",
    "HandOver",
    "Handler",
    "HistoryLimits",
    "IdentityChange",
    "InDoubt",
    "InboundMessage",
    "Instant",
    "Intake",
    "Job",
    "JobEnd",
    "JobEvent",
    "JobKind",
    "Line",
    "Listener",
    "Millis",
    "Mode",
    "NotSent",
    "OpenWork",
    "Options",
    "Outcome",
    "OverBudget",
    "Part",
    "Person",
    "Placeholder",
    "PluginError",
    "PreferenceChange",
    "Problem",
    "ProblemReporter",
    "Problems",
    "Proceed",
    "Purpose",
    "Queue",
    "Receipt",
    "Reception",
    "Recovered",
    "Refused",
    "Reply",
    "ReplyView",
    "Request",
    "Reserve",
    "Responder",
    "Response",
    "Role",
    "Said",
    "SaraError",
    "Say",
    "ScheduledQueue",
    "SearchHit",
    "Secret",
    "SetAside",
    "Simulator",
    "SimulatorSwitch",
    "Skip",
    "Stale",
    "Store",
    "StoreLocked",
    "StoreLost",
    "StoreUnavailable",
    "StoredMessage",
    "Summary",
    "Taken",
    "Tell",
    "TimelineEvent",
    "TimerView",
    "Tool",
    "ToolRecord",
    "ToolScope",
    "ToolSpec",
    "Toolbox",
    "TryLater",
    "Turn",
    "Unavailable",
    "Unhealthy",
    "Usage",
    "Verdict",
    "Wait",
    "Wake",
    "WindowClosed",
    "Wording",
    "estimated_tokens",
    "format_duration",
    "hookimpl",
    "is_visible",
    "number_spellings",
    "open_private",
    "parse_duration",
    "plain",
    "read_number",
    "read_private",
    "refuse_link",
    "split_text",
    "utf16_length",
    "why_unreachable",
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
