"""Opening hours: whether it is time, since when and until when. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sara.model import Instant

if TYPE_CHECKING:
    from sara.config import Hours

_DAYS = 8
"""So many days from any moment on, a week comes round once, whatever the clocks do."""


def opens(hours: Hours, now: Instant) -> Instant | None:
    """When it is time again; None while it is."""
    for start, end in _spans(hours, now, 0, _DAYS):
        if start <= now < end:
            return None
        if now < start:
            return start
    return None


def opened(hours: Hours, now: Instant) -> Instant | None:
    """Since when it is time; None while it is not."""
    return next((start for start, end in _spans(hours, now, -1, 1) if start <= now < end), None)


def closed_since(hours: Hours, now: Instant) -> Instant:
    """When the hours ended that came before now."""
    return max((end for _, end in _spans(hours, now, -_DAYS, 1) if end <= now), default=0)


def spoken(hours: Hours, at: Instant, now: Instant) -> str:
    """A moment as people of the shop's time zone write it, in any language: the time alone where it is today."""
    zone = ZoneInfo(hours.timezone)
    local, today = _local(at, zone), _local(now, zone)
    return f"{local:%H:%M}" if local.date() == today.date() else f"{local:%Y-%m-%d %H:%M}"


def _spans(hours: Hours, now: Instant, first: int, last: int) -> Iterator[tuple[Instant, Instant]]:
    """The spans of the days around now, in order. Each is put together from the local time, so that a day on which the clocks
    change has its usual hours."""
    zone = ZoneInfo(hours.timezone)
    today = _local(now, zone).date()
    for day in (today + timedelta(days=n) for n in range(first, last + 1)):
        for start, end in hours.week[day.weekday()]:
            midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
            yield _instant(midnight + timedelta(minutes=start)), _instant(midnight + timedelta(minutes=end))


def _local(at: Instant, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at / 1_000, UTC).astimezone(zone)


def _instant(local: datetime) -> Instant:
    return round(local.timestamp() * 1_000)
