"""Functions and types that plugins of every kind may use."""

from __future__ import annotations

from sara.domain.options import Advice, Placeholder, format_duration, parse_duration
from sara.domain.phone_numbers import number_spellings, read_number
from sara.domain.plain_text import render_plain_text
from sara.domain.problems import Problem, ProblemReporter
from sara.domain.text import is_visible
from sara.operations.problem_registry import ProblemRegistry
from sara.plugins.connection_errors import explain_unreachable
from sara.plugins.context import Clock
from sara.plugins.private_files import open_private, read_private, refuse_link, write_private
from sara.policy.context_window import estimated_tokens

__all__ = [
    "Advice",
    "Clock",
    "Placeholder",
    "Problem",
    "ProblemRegistry",
    "ProblemReporter",
    "estimated_tokens",
    "explain_unreachable",
    "format_duration",
    "is_visible",
    "number_spellings",
    "open_private",
    "parse_duration",
    "read_number",
    "read_private",
    "refuse_link",
    "render_plain_text",
    "write_private",
]
