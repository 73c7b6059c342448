"""sara.yaml → checked options."""

from sara.config.diagnostics import Finding
from sara.config.json_schema import schema
from sara.config.loader import Loaded, OptionsOf, SectionKind, Skipped, load
from sara.config.settings import Admin, Config, Listen, MoreWords, Server
from sara.domain.options import Advice, Duration, Options, Placeholder, Secret, format_duration, parse_duration
from sara.plugins.section import Section
from sara.policy.settings import (
    Budget,
    Ceiling,
    Conversation,
    FollowUp,
    HandOverPolicy,
    History,
    Hours,
    Limits,
    Media,
    Notify,
    Price,
    Rate,
    Retry,
    RetryPolicy,
)

__all__ = [
    "Admin",
    "Advice",
    "Budget",
    "Ceiling",
    "Config",
    "Conversation",
    "Duration",
    "Finding",
    "FollowUp",
    "HandOverPolicy",
    "History",
    "Hours",
    "Limits",
    "Listen",
    "Loaded",
    "Media",
    "MoreWords",
    "Notify",
    "Options",
    "OptionsOf",
    "Placeholder",
    "Price",
    "Rate",
    "Retry",
    "RetryPolicy",
    "Secret",
    "Section",
    "SectionKind",
    "Server",
    "Skipped",
    "format_duration",
    "load",
    "parse_duration",
    "schema",
]
