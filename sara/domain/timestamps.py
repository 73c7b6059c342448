"""How far a provider's timestamp can be trusted. Pure."""

from __future__ import annotations

from sara.domain.time import Instant, Milliseconds

MAX_CLOCK_SKEW: Milliseconds = 300_000
"""How far a provider's clock may be ahead of ours. A stamp further ahead is no time at which anything happened."""

MAX_MESSAGE_AGE: Milliseconds = 60 * 86_400_000
"""No provider delivers a message that is older: its stamp, or our clock, is wrong."""


def correct_event_time(at: Instant, now: Instant) -> Instant:
    """When something happened that arrives `now` with the stamp `at`."""
    return now if at > now + MAX_CLOCK_SKEW else at


def correct_message_time(at: Instant, now: Instant) -> Instant:
    """When a message was written that arrives `now` with the stamp `at`. One whose stamp cannot be right was written now: it must
    neither be taken for an old one and stay unanswered, nor be shown behind everything that follows."""
    return now if at < now - MAX_MESSAGE_AGE else correct_event_time(at, now)


def limit_to_now(at: Instant, now: Instant) -> Instant:
    """From when on a time counts that begins with an event: never from a moment that is still to come."""
    return min(at, now)
