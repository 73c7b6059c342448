"""sara.yaml → checked options."""

from sara.config.findings import Finding
from sara.config.loader import Loaded, OptionsOf, SectionKind, Skipped, load
from sara.config.model import Admin, Budget, Ceiling, Config, Listen, Media, MoreWords, Price, Retry, RetryPolicy, Section, Server
from sara.config.options import Advice, Duration, Options, Placeholder, Secret, format_duration, parse_duration
from sara.config.policy import Conversation, FollowUp, HandOverPolicy, History, Hours, Limits, Notify, Rate
from sara.config.schema import schema

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
