"""Correct timestamps of providers that cannot be right."""

from __future__ import annotations

from sara.domain.time import Instant, Milliseconds

MAX_CLOCK_SKEW: Milliseconds = 300_000
"""The largest lead of a provider's clock. A timestamp further ahead is wrong."""

MAX_MESSAGE_AGE: Milliseconds = 60 * 86_400_000
"""The largest age of a delivered message: where it is older, its timestamp or this machine's clock is wrong."""


def correct_event_time(at: Instant, now: Instant) -> Instant:
    """Return when an event happened that arrives `now` with the timestamp `at`."""
    return now if at > now + MAX_CLOCK_SKEW else at


def correct_message_time(at: Instant, now: Instant) -> Instant:
    """Return when a message was written that arrives `now` with the timestamp `at`.

    A timestamp that cannot be right is replaced by `now`: the message must neither count as too old and stay unanswered, nor
    be sorted after all later messages.
    """
    return now if at < now - MAX_MESSAGE_AGE else correct_event_time(at, now)


def limit_to_now(at: Instant, now: Instant) -> Instant:
    """Return the start of a period that begins with an event: never a time in the future."""
    return min(at, now)
