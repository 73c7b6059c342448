"""sara.yaml → checked options."""

from sara.config.findings import Finding
from sara.config.loader import Loaded, OptionsOf, SectionKind, Skipped, load
from sara.config.model import Admin, Config, Conversation, History, Listen, Media, Retry, RetryPolicy, Section, Server
from sara.config.options import Duration, Options, Secret, format_duration, parse_duration
from sara.config.schema import schema

__all__ = [
    "Admin",
    "Config",
    "Conversation",
    "Duration",
    "Finding",
    "History",
    "Listen",
    "Loaded",
    "Media",
    "Options",
    "OptionsOf",
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
