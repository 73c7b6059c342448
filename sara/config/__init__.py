"""sara.yaml → checked options."""

from sara.config.diagnostics import Diagnostic
from sara.config.json_schema import schema
from sara.config.loader import Loaded, OptionsOf, SectionKind, Skipped, load
from sara.config.settings import Admin, Config, KeywordSettings, Listen, Server
from sara.domain.options import Advice, Duration, Options, Placeholder, Secret, format_duration, parse_duration
from sara.plugins.section import Section
from sara.policy.settings import (
    BudgetSettings,
    ConversationSettings,
    FollowUp,
    HandoffSettings,
    History,
    Limits,
    MediaSettings,
    Notify,
    OpeningHours,
    Price,
    Rate,
    RetryPolicy,
    RetrySettings,
    UsageLimitSettings,
)

__all__ = [
    "Admin",
    "Advice",
    "BudgetSettings",
    "Config",
    "ConversationSettings",
    "Diagnostic",
    "Duration",
    "FollowUp",
    "HandoffSettings",
    "History",
    "KeywordSettings",
    "Limits",
    "Listen",
    "Loaded",
    "MediaSettings",
    "Notify",
    "OpeningHours",
    "Options",
    "OptionsOf",
    "Placeholder",
    "Price",
    "Rate",
    "RetryPolicy",
    "RetrySettings",
    "Secret",
    "Section",
    "SectionKind",
    "Server",
    "Skipped",
    "UsageLimitSettings",
    "format_duration",
    "load",
    "parse_duration",
    "schema",
]
