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
        HistoryLimits,
        Queue,
        Responder,
        Simulator,
        Store,
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
    )
    from sara.hookspecs import hookimpl
    from sara.model import (
        Accepted,
        AccountEvent,
        Again,
        Arrival,
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
        Line,
        Millis,
        OpenWork,
        Outcome,
        Part,
        Person,
        PreferenceChange,
        Receipt,
        Reception,
        Reply,
        ReplyView,
        Request,
        Response,
        SetAside,
        StoredMessage,
        Taken,
        TimelineEvent,
        Turn,
        Usage,
        Verdict,
        Wake,
    )
    from sara.parts import split_text, utf16_length
    from sara.problems import Problem, Problems
    from sara.schedule import ScheduledQueue

_HOMES = {
    "sara.config.options": ("Duration", "Options", "Secret", "format_duration", "parse_duration"),
    "sara.contracts": (
        "Channel", "Clock", "Context", "Finding", "HistoryLimits", "Queue", "Responder", "Simulator", "Store",
    ),
    "sara.errors": (
        "ConfigError", "GiveUp", "InDoubt", "NotSent", "PluginError", "Refused", "SaraError", "Stale", "StoreLocked",
        "StoreLost", "StoreUnavailable", "TryLater", "Unavailable",
    ),
    "sara.hookspecs": ("hookimpl",),
    "sara.model": (
        "Accepted", "AccountEvent", "Again", "Arrival", "Attempt", "Change", "Contact", "ConversationSummary", "DeliveryView",
        "Done", "Draft", "Echo", "Failure", "IdentityChange", "InboundMessage", "Instant", "Intake", "Job", "JobEnd", "JobEvent",
        "Line", "Millis", "OpenWork", "Outcome", "Part", "Person", "PreferenceChange", "Receipt", "Reception", "Reply",
        "ReplyView", "Request", "Response", "SetAside", "StoredMessage", "Taken", "TimelineEvent", "Turn", "Usage", "Verdict",
        "Wake",
    ),
    "sara.parts": ("split_text", "utf16_length"),
    "sara.problems": ("Problem", "Problems"),
    "sara.schedule": ("ScheduledQueue",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [  # noqa: PLE0604, F822  # the names are resolved on first use
    *_HOME_OF,
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'sara' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME_OF])
