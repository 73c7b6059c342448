"""SARA's public API: all that a plugin needs, and nothing else.

Names are imported when they are first used, so that `import sara` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sara.config.options import Duration, Options, Secret, format_duration, parse_duration
    from sara.contracts import (
        Channel,
        Clock,
        Context,
        Finding,
        Handler,
        HistoryLimits,
        Listener,
        Queue,
        Responder,
        Simulator,
        Store,
        Tool,
        Toolbox,
    )
    from sara.errors import (
        ConfigError,
        GiveUp,
        InDoubt,
        NotSent,
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
    from sara.history import estimated_tokens
    from sara.hookspecs import hookimpl
    from sara.model import (
        Accepted,
        AccountEvent,
        Again,
        Arrival,
        Attachment,
        Attempt,
        Change,
        Contact,
        ConversationSummary,
        DeliveryView,
        Done,
        Draft,
        Echo,
        Failure,
        IdentityChange,
        InboundMessage,
        Instant,
        Intake,
        Job,
        JobEnd,
        JobEvent,
        JobKind,
        Line,
        Millis,
        OpenWork,
        Outcome,
        Part,
        Person,
        PreferenceChange,
        Receipt,
        Reception,
        Recovered,
        Reply,
        ReplyView,
        Request,
        Response,
        Role,
        SetAside,
        StoredMessage,
        Summary,
        Taken,
        TimelineEvent,
        ToolScope,
        ToolSpec,
        Turn,
        Usage,
        Verdict,
        Wake,
    )
    from sara.parts import plain, split_text, utf16_length
    from sara.problems import Problem, Problems
    from sara.reach import why_unreachable
    from sara.schedule import Entry, ScheduledQueue

# From light to heavy: a name is looked for in the light modules first.
_HOMES = (
    "sara.errors",
    "sara.model",
    "sara.parts",
    "sara.history",
    "sara.problems",
    "sara.reach",
    "sara.contracts",
    "sara.hookspecs",
    "sara.schedule",
    "sara.config.options",
)

__all__ = [
    "Accepted",
    "AccountEvent",
    "Again",
    "Arrival",
    "Attachment",
    "Attempt",
    "Change",
    "Channel",
    "Clock",
    "ConfigError",
    "Contact",
    "Context",
    "ConversationSummary",
    "DeliveryView",
    "Done",
    "Draft",
    "Duration",
    "Echo",
    "Entry",
    "Failure",
    "Finding",
    "GiveUp",
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
    "NotSent",
    "OpenWork",
    "Options",
    "Outcome",
    "Part",
    "Person",
    "PluginError",
    "PreferenceChange",
    "Problem",
    "Problems",
    "Queue",
    "Receipt",
    "Reception",
    "Recovered",
    "Refused",
    "Reply",
    "ReplyView",
    "Request",
    "Responder",
    "Response",
    "Role",
    "SaraError",
    "ScheduledQueue",
    "Secret",
    "SetAside",
    "Simulator",
    "Stale",
    "Store",
    "StoreLocked",
    "StoreLost",
    "StoreUnavailable",
    "StoredMessage",
    "Summary",
    "Taken",
    "TimelineEvent",
    "Tool",
    "ToolScope",
    "ToolSpec",
    "Toolbox",
    "TryLater",
    "Turn",
    "Unavailable",
    "Usage",
    "Verdict",
    "Wake",
    "WindowClosed",
    "estimated_tokens",
    "format_duration",
    "hookimpl",
    "parse_duration",
    "plain",
    "split_text",
    "utf16_length",
    "why_unreachable",
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
