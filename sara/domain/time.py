"""Points in time and durations, in milliseconds."""

from __future__ import annotations

from typing import TypeAlias

Instant: TypeAlias = int
"""A moment: Unix time in milliseconds."""

Milliseconds: TypeAlias = int
"""A length of time in milliseconds."""


DAY = 86_400_000
"""Milliseconds."""
