"""How far a provider's timestamp can be trusted."""

from __future__ import annotations

from sara.domain.timestamps import OLDEST, SKEW, stamp_of_event, stamp_of_message, started_at

NOW = 1_795_400_000_000
HOUR = 3_600_000


def test_a_stamp_that_cannot_be_right_becomes_the_time_of_arrival() -> None:
    rows = [
        # the stamp; of an event, of a message, and from when a time counts that begins with it
        (NOW, NOW, NOW, NOW),
        (NOW - 3 * 24 * HOUR, NOW - 3 * 24 * HOUR, NOW - 3 * 24 * HOUR, NOW - 3 * 24 * HOUR),
        (NOW - OLDEST, NOW - OLDEST, NOW - OLDEST, NOW - OLDEST),
        # Older than any provider delivers: an event is over, a message was written now.
        (NOW - OLDEST - 1, NOW - OLDEST - 1, NOW, NOW - OLDEST - 1),
        (1_795_400_000, 1_795_400_000, NOW, 1_795_400_000),
        (0, 0, NOW, 0),
        (-5, -5, NOW, -5),
        # A clock that is a little ahead keeps the order of what it stamps.
        (NOW + 1_000, NOW + 1_000, NOW + 1_000, NOW),
        (NOW + SKEW, NOW + SKEW, NOW + SKEW, NOW),
        (NOW + SKEW + 1, NOW, NOW, NOW),
        (NOW * 1_000, NOW, NOW, NOW),
    ]
    for at, event, message, start in rows:
        assert (stamp_of_event(at, NOW), stamp_of_message(at, NOW)) == (event, message), at
        assert started_at(at, NOW) == start, at
