"""How far a provider's timestamp can be trusted. Pure."""

from __future__ import annotations

from sara.domain.time import Instant, Milliseconds

SKEW: Milliseconds = 300_000
"""How far a provider's clock may be ahead of ours. A stamp further ahead is no time at which anything happened."""

OLDEST: Milliseconds = 60 * 86_400_000
"""No provider delivers a message that is older: its stamp, or our clock, is wrong."""


def stamp_of_event(at: Instant, now: Instant) -> Instant:
    """When something happened that arrives `now` with the stamp `at`."""
    return now if at > now + SKEW else at


def stamp_of_message(at: Instant, now: Instant) -> Instant:
    """When a message was written that arrives `now` with the stamp `at`. One whose stamp cannot be right was written now: it must
    neither be taken for an old one and stay unanswered, nor be shown behind everything that follows."""
    return now if at < now - OLDEST else stamp_of_event(at, now)


def started_at(at: Instant, now: Instant) -> Instant:
    """From when on a time counts that begins with an event: never from a moment that is still to come."""
    return min(at, now)
