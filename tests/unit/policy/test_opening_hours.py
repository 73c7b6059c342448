"""Opening hours: whether it is time, since when and until when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sara import Instant
from sara.policy.opening_hours import closed_since, format_opening, next_opening, subtract_open_time
from sara.policy.settings import OpeningHours
from tests.fakes import steady
from tests.rows import each_row

HOUR = 3_600_000
DAY = 24 * HOUR
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
BERLIN, NEW_YORK, UTC_ZONE = "Europe/Berlin", "America/New_York", "UTC"
KATHMANDU, LORD_HOWE, AUCKLAND = "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Auckland"


def hours(timezone: str = UTC_ZONE, **days: str) -> OpeningHours:
    """As the file writes them: `mon="9:00-17:00"`, or `week` for Monday to Friday, or `daily`."""
    written: dict[str, Any] = dict.fromkeys(DAYS[:5], days.pop("week", ""))
    written |= dict.fromkeys(DAYS, daily) if (daily := days.pop("daily", "")) else {}
    return OpeningHours(timezone=timezone, **{**written, **days})


def at(written: str, zone: str = UTC_ZONE) -> Instant:
    """A moment by the clocks of a zone; the second of two with `*` behind it."""
    local = datetime.fromisoformat(written.rstrip("*")).replace(tzinfo=ZoneInfo(zone), fold=int(written.endswith("*")))
    return round(local.timestamp() * 1_000)


def test_2027_begins_with_a_friday() -> None:
    assert datetime(2027, 1, 1, tzinfo=UTC).strftime("%a") == "Fri"


# ── when it opens ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@each_row(
    ("days", "now", "expected"),
    [
        ({"week": "9:00-17:00"}, "2027-01-04T08:59", "2027-01-04T09:00"),
        ({"week": "9:00-17:00"}, "2027-01-04T09:00", None),
        ({"week": "9:00-17:00"}, "2027-01-04T16:59:59", None),
        ({"week": "9:00-17:00"}, "2027-01-04T17:00", "2027-01-05T09:00"),
        ({"week": "9:00-17:00"}, "2027-01-08T17:00", "2027-01-11T09:00"),
        ({"week": "9:00-17:00"}, "2027-01-10T23:59", "2027-01-11T09:00"),
        ({"week": "9:00-12:30, 14:00-18:00"}, "2027-01-04T12:30", "2027-01-04T14:00"),
        ({"week": "9:00-12:30, 14:00-18:00"}, "2027-01-04T13:59", "2027-01-04T14:00"),
        ({"week": "14:00-18:00, 9:00-12:30"}, "2027-01-04T08:00", "2027-01-04T09:00"),
        ({"week": "9:00-12:30, 14:00-18:00"}, "2027-01-04T14:00", None),
        ({"sat": "10:00-10:01"}, "2027-01-09T10:00", None),
        ({"sat": "10:00-10:01"}, "2027-01-09T10:01", "2027-01-16T10:00"),
        ({"sun": "0:00-24:00"}, "2027-01-10T00:00", None),
        ({"sun": "0:00-24:00"}, "2027-01-10T23:59:59", None),
        ({"sun": "0:00-24:00"}, "2027-01-11T00:00", "2027-01-17T00:00"),
        ({"fri": "20:00-24:00", "sat": "0:00-3:00"}, "2027-01-08T23:59:59", None),
        ({"fri": "20:00-24:00", "sat": "0:00-3:00"}, "2027-01-09T00:00", None),
        ({"fri": "20:00-24:00", "sat": "0:00-3:00"}, "2027-01-09T03:00", "2027-01-15T20:00"),
        ({"daily": "0:00-24:00"}, "2027-01-09T00:00", None),
    ],
)
def test_when_it_is_time_again(days: dict[str, str], now: str, expected: str | None) -> None:
    assert next_opening(hours(**days), at(now)) == (None if expected is None else at(expected))


@each_row(
    ("zone", "now", "expected"),
    [
        (BERLIN, "2027-01-04T07:59", "2027-01-04T08:00"),
        (BERLIN, "2027-07-05T06:59", "2027-07-05T07:00"),
        (NEW_YORK, "2027-01-04T09:00", "2027-01-04T14:00"),
        (KATHMANDU, "2027-01-04T03:14", "2027-01-04T03:15"),
        (AUCKLAND, "2027-01-03T19:59", "2027-01-03T20:00"),
        ("Pacific/Kiritimati", "2027-01-03T18:59", "2027-01-03T19:00"),
        ("Pacific/Pago_Pago", "2027-01-04T09:00", "2027-01-04T20:00"),
    ],
)
def test_it_opens_by_the_clocks_of_the_shop(zone: str, now: str, expected: str) -> None:
    assert next_opening(hours(zone, week="9:00-17:00"), at(now)) == at(expected)


@each_row("year", [1971, 2038, 2100, 2999])
def test_moments_far_away_are_moments_like_others(year: int) -> None:
    open_always, never_now = hours(BERLIN, daily="0:00-24:00"), hours(BERLIN, daily="9:00-9:01")
    now = at(f"{year}-06-15T12:00", BERLIN)
    assert next_opening(open_always, now) is None
    assert next_opening(never_now, now) == at(f"{year}-06-16T09:00", BERLIN)


# ── when the clocks change ────────────────────────────────────────────────────────────────────────────────────────────────

SPRING, AUTUMN = "2027-03-28", "2027-10-31"
"""Berlin: 02:00 becomes 03:00, and 03:00 becomes 02:00."""


@pytest.mark.parametrize("day", [SPRING, AUTUMN])
def test_a_day_on_which_the_clocks_change_has_its_usual_hours(day: str) -> None:
    shop = hours(BERLIN, sun="9:00-17:00")
    assert next_opening(shop, at(f"{day}T00:30", BERLIN)) == at(f"{day}T09:00", BERLIN)
    assert next_opening(shop, at(f"{day}T08:59", BERLIN)) == at(f"{day}T09:00", BERLIN)
    assert next_opening(shop, at(f"{day}T16:59", BERLIN)) is None
    assert next_opening(shop, at(f"{day}T17:00", BERLIN)) is not None


@pytest.mark.parametrize(("day", "length"), [(SPRING, 23 * HOUR), (AUTUMN, 25 * HOUR)])
def test_a_whole_day_is_open_from_midnight_to_midnight_however_long_it_is(day: str, length: int) -> None:
    shop = hours(BERLIN, sun="0:00-24:00")
    midnight = at(f"{day}T00:00", BERLIN)
    assert next_opening(shop, midnight - 1) == midnight
    assert next_opening(shop, midnight) is None
    assert next_opening(shop, midnight + length - 1) is None
    assert closed_since(shop, midnight + length) == midnight + length


def test_hours_that_the_clocks_leave_out_are_no_hours_that_week() -> None:
    night = hours(BERLIN, sun="2:00-3:00")
    assert next_opening(night, at("2027-03-22T12:00", BERLIN)) == at("2027-04-04T02:00", BERLIN)
    assert next_opening(night, at("2027-03-28T01:59", BERLIN)) == at("2027-04-04T02:00", BERLIN)


def test_hours_that_begin_in_the_missing_hour_are_open_in_what_is_left_of_them() -> None:
    night = hours(BERLIN, sun="2:15-6:00")
    opening = next_opening(night, at(f"{SPRING}T01:00", BERLIN))
    assert opening is not None
    assert at(f"{SPRING}T03:00", BERLIN) <= opening < at(f"{SPRING}T06:00", BERLIN)
    assert next_opening(night, opening) is None


def test_hours_that_begin_and_end_around_the_missing_hour_leave_no_way_back() -> None:
    night = hours(BERLIN, sun="2:30-3:15, 4:00-5:00")
    assert next_opening(night, at(f"{SPRING}T01:00", BERLIN)) == at(f"{SPRING}T04:00", BERLIN)


def test_an_hour_that_comes_twice_is_open_until_its_end_by_the_last_clock() -> None:
    night = hours(BERLIN, sun="1:00-3:00")
    for moment in ("T01:00", "T02:30", "T02:30*"):
        assert next_opening(night, at(AUTUMN + moment, BERLIN)) is None, moment
    assert next_opening(night, at(f"{AUTUMN}T03:00", BERLIN)) is not None


def test_half_an_hour_is_a_change_too() -> None:
    shop = hours(LORD_HOWE, sun="9:00-17:00")
    assert next_opening(shop, at("2027-04-04T08:59", LORD_HOWE)) == at("2027-04-04T09:00", LORD_HOWE)


# ── since when ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@each_row(
    ("days", "now", "expected"),
    [
        ({"week": "9:00-17:00"}, "2027-01-05T08:00", "2027-01-04T17:00"),
        ({"week": "9:00-17:00"}, "2027-01-10T12:00", "2027-01-08T17:00"),
        ({"week": "9:00-17:00"}, "2027-01-08T17:00", "2027-01-08T17:00"),
        ({"week": "9:00-12:30, 14:00-18:00"}, "2027-01-04T13:00", "2027-01-04T12:30"),
        ({"sat": "10:00-11:00"}, "2027-01-16T09:59", "2027-01-09T11:00"),
        ({"sun": "0:00-24:00"}, "2027-01-13T12:00", "2027-01-11T00:00"),
    ],
)
def test_it_is_closed_since_the_last_hours_ended(days: dict[str, str], now: str, expected: str) -> None:
    assert closed_since(hours(**days), at(now)) == at(expected)


@each_row(
    ("now", "length", "expected"),
    [
        ("2027-01-04T12:00", HOUR, "2027-01-04T11:00"),
        ("2027-01-04T12:00", 3 * HOUR, "2027-01-04T09:00"),
        ("2027-01-05T10:00", 2 * HOUR, "2027-01-04T16:00"),
        ("2027-01-05T10:00", 9 * HOUR, "2027-01-04T09:00"),
        ("2027-01-11T09:30", HOUR, "2027-01-08T16:30"),
        ("2027-01-09T12:00", HOUR, "2027-01-08T16:00"),
        ("2027-01-11T10:00", 41 * HOUR, "2027-01-04T09:00"),
    ],
)
def test_open_hours_are_counted_backwards(now: str, length: int, expected: str) -> None:
    assert subtract_open_time(hours(week="9:00-17:00"), at(now), length, 0) == at(expected)


def test_nobody_counts_further_back_than_is_asked_for() -> None:
    shop = hours(week="9:00-17:00")
    monday = at("2027-01-04T12:00")
    assert subtract_open_time(shop, monday, 36_500 * DAY, monday - 3 * DAY) == monday - 3 * DAY
    assert subtract_open_time(shop, monday, 2 * HOUR, monday - HOUR) == monday - HOUR
    assert subtract_open_time(shop, monday, HOUR, monday + HOUR) == monday + HOUR


# ── how it is said ────────────────────────────────────────────────────────────────────────────────────────────────────────


@each_row(
    ("opening", "now", "said"),
    [
        ("2027-01-04T09:00", "2027-01-04T08:00", "09:00"),
        ("2027-01-05T09:00", "2027-01-04T20:00", "2027-01-05 09:00"),
        ("2027-01-05T00:00", "2027-01-04T23:59", "2027-01-05 00:00"),
        ("2027-07-05T14:30", "2027-07-05T00:00", "14:30"),
    ],
)
def test_a_moment_is_said_by_the_clocks_of_the_shop_and_without_the_day_if_it_is_today(opening: str, now: str, said: str) -> None:
    assert format_opening(hours(BERLIN, week="9:00-17:00"), at(opening, BERLIN), at(now, BERLIN)) == said


# ── whatever the hours ────────────────────────────────────────────────────────────────────────────────────────────────────


@st.composite
def weeks(draw: st.DrawFn) -> OpeningHours:
    """Any hours that the file can say."""
    days: dict[str, Any] = {}
    for day in DAYS:
        edges = sorted(draw(st.sets(st.integers(0, 1_440), max_size=6)))
        days[day] = tuple(zip(edges[::2], edges[1::2], strict=False))
    if not any(days.values()):
        days[draw(st.sampled_from(DAYS))] = ((draw(st.integers(0, 1_439)), 1_440),)
    zones = ("UTC", BERLIN, NEW_YORK, KATHMANDU, LORD_HOWE, AUCKLAND, "America/Sao_Paulo", "Africa/Casablanca")
    return OpeningHours(timezone=draw(st.sampled_from(zones)), **days)


MOMENTS = st.integers(at("1971-01-01T00:00"), at("2120-01-01T00:00")) | st.sampled_from(
    [at(f"{day}T{hour:02}:30", BERLIN) for day in (SPRING, AUTUMN) for hour in range(6)]
)


@steady
@given(weeks(), MOMENTS)
def test_when_it_opens_it_is_open_and_until_then_it_is_closed(week: OpeningHours, now: Instant) -> None:
    opening = next_opening(week, now)
    if opening is not None:
        assert now < opening < now + 15 * DAY
        assert next_opening(week, opening) is None
        assert next_opening(week, opening - 1) is not None
        assert next_opening(week, (now + opening) // 2) == opening


@steady
@given(weeks(), MOMENTS)
def test_it_was_open_just_before_it_closed(week: OpeningHours, now: Instant) -> None:
    closing = closed_since(week, now)
    assert now - 16 * DAY < closing <= now
    assert next_opening(week, closing - 1) is None


@steady
@given(weeks(), MOMENTS, st.integers(1, 40 * HOUR), st.integers(0, 20 * DAY))
def test_counting_open_hours_backwards_ends_in_between(week: OpeningHours, now: Instant, length: int, ago: int) -> None:
    found = subtract_open_time(week, now, length, now - ago)
    assert now - ago <= found <= now
    assert now - found >= min(length, ago)
    if found > now - ago:
        assert next_opening(week, found) is None
