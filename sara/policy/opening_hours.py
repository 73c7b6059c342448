"""Opening hours: whether it is time, since when and until when. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sara.domain.time import Instant, Milliseconds

if TYPE_CHECKING:
    from sara.policy.settings import OpeningHours

_DAY: Milliseconds = 86_400_000

_DAYS = 15
"""So many days from any moment on, a week comes round twice: the only hours of the first may be those that the clocks leave out."""


def next_opening(hours: OpeningHours, now: Instant) -> Instant | None:
    """Return when it opens again; None while it is open."""
    start, _ = next(span for span in _spans(hours, now, -1, _DAYS) if now < span[1])
    return None if start <= now else start


def closed_since(hours: OpeningHours, now: Instant) -> Instant:
    """Return when the last opening hours before now ended."""
    return max((end for _, end in _spans(hours, now, -_DAYS, 1) if end <= now), default=0)


def subtract_open_time(hours: OpeningHours, now: Instant, length: Milliseconds, earliest: Instant) -> Instant:
    """Return the moment from which on it was open for `length` until now; `earliest` if that is later."""
    left = length
    for day in range((now - earliest) // _DAY + 3):
        for start, end in reversed(_spans(hours, now, -day, -day)):
            until = min(end, now)
            if until - start >= left:
                return max(until - left, earliest)
            left -= max(0, until - start)
    return earliest


def format_opening(hours: OpeningHours, at: Instant, now: Instant) -> str:
    """Write a moment in the shop's time zone, in any language: the time alone where it is today."""
    zone = ZoneInfo(hours.timezone)
    local, today = _local(at, zone), _local(now, zone)
    return f"{local:%H:%M}" if local.date() == today.date() else f"{local:%Y-%m-%d %H:%M}"


def _spans(hours: OpeningHours, now: Instant, first: int, last: int) -> list[tuple[Instant, Instant]]:
    """Return the spans of the days around now, in order. Each is built from the local time, so that a day on which the clocks
    change has its usual hours; an hour that they leave out is no span."""
    zone = ZoneInfo(hours.timezone)
    today = _local(now, zone).date()
    found = []
    for day in (today + timedelta(days=n) for n in range(first, last + 1)):
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
        for minutes in hours.week[day.weekday()]:
            start, end = (_instant(midnight + timedelta(minutes=each)) for each in minutes)
            if start < end:
                found.append((start, end))
    return sorted(found)


def _local(at: Instant, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at / 1_000, UTC).astimezone(zone)


def _instant(local: datetime) -> Instant:
    return round(local.timestamp() * 1_000)
