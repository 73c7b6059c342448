"""How far a provider's timestamp can be trusted."""

from __future__ import annotations

from sara.domain.timestamps import MAX_CLOCK_SKEW, MAX_MESSAGE_AGE, correct_event_time, correct_message_time, limit_to_now

NOW = 1_795_400_000_000
HOUR = 3_600_000


def test_a_stamp_that_cannot_be_right_becomes_the_time_of_arrival() -> None:
    rows = [
        # the stamp; of an event, of a message, and from when a time counts that begins with it
        (NOW, NOW, NOW, NOW),
        (NOW - 3 * 24 * HOUR, NOW - 3 * 24 * HOUR, NOW - 3 * 24 * HOUR, NOW - 3 * 24 * HOUR),
        (NOW - MAX_MESSAGE_AGE, NOW - MAX_MESSAGE_AGE, NOW - MAX_MESSAGE_AGE, NOW - MAX_MESSAGE_AGE),
        # Older than any provider delivers: an event is over, a message was written now.
        (NOW - MAX_MESSAGE_AGE - 1, NOW - MAX_MESSAGE_AGE - 1, NOW, NOW - MAX_MESSAGE_AGE - 1),
        (1_795_400_000, 1_795_400_000, NOW, 1_795_400_000),
        (0, 0, NOW, 0),
        (-5, -5, NOW, -5),
        # A clock that is a little ahead keeps the order of what it stamps.
        (NOW + 1_000, NOW + 1_000, NOW + 1_000, NOW),
        (NOW + MAX_CLOCK_SKEW, NOW + MAX_CLOCK_SKEW, NOW + MAX_CLOCK_SKEW, NOW),
        (NOW + MAX_CLOCK_SKEW + 1, NOW, NOW, NOW),
        (NOW * 1_000, NOW, NOW, NOW),
    ]
    for at, event, message, start in rows:
        assert (correct_event_time(at, NOW), correct_message_time(at, NOW)) == (event, message), at
        assert limit_to_now(at, NOW) == start, at
