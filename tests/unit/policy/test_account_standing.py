"""What is wrong with an account, from what its provider told in whatever order."""

from __future__ import annotations

from itertools import permutations

from sara.domain.webhooks import AccountEvent
from sara.policy.account_standing import standing


def event(kind: str, at: int, subject: str = "", *ends: str) -> AccountEvent:
    return AccountEvent(
        "test:1", kind, f"{kind} at {at}", at, kind in ("FLAGGED", "PAUSED", "DISABLED"), subject=subject, ends=ends
    )


def test_serious_news_stands_until_other_news_ends_it_whatever_arrives_first() -> None:
    flagged, unflagged = event("FLAGGED", 10), event("UNFLAGGED", 20, "", "FLAGGED")
    again, later = event("FLAGGED", 30), event("FLAGGED", 40)
    paused = event("PAUSED", 10, "reminder en")
    rows: list[tuple[tuple[AccountEvent, ...], dict[str, tuple[int, int]]]] = [
        ((), {}),
        ((flagged,), {"FLAGGED": (10, 1)}),
        ((unflagged,), {}),
        ((flagged, unflagged), {}),
        ((flagged, unflagged, again), {"FLAGGED": (30, 1)}),
        ((flagged, unflagged, again, later), {"FLAGGED": (40, 2)}),
        ((paused, event("PAUSED", 11, "offer en")), {"PAUSED:reminder en": (10, 1), "PAUSED:offer en": (11, 1)}),
        ((paused, event("APPROVED", 12, "offer en", "PAUSED")), {"PAUSED:reminder en": (10, 1)}),
        ((paused, event("APPROVED", 12, "reminder en", "PAUSED", "DISABLED")), {}),
        ((paused, event("DISABLED", 12, "reminder en", "PAUSED")), {"DISABLED:reminder en": (12, 1)}),
        ((flagged, event("SOMETHING", 50)), {"FLAGGED": (10, 1)}),
    ]
    for events, expected in rows:
        for order in permutations(events):
            assert {key: (each.event.at, each.count) for key, each in standing(order).items()} == expected


def test_of_the_same_moment_the_later_to_arrive_decides() -> None:
    flagged, unflagged = event("FLAGGED", 10), event("UNFLAGGED", 10, "", "FLAGGED")
    assert standing((flagged, unflagged)) == {}
    assert list(standing((unflagged, flagged))) == ["FLAGGED"]
