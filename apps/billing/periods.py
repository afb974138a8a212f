"""Billing periods: half-open spans of UTC instants that tile time in the tenant's zone. Pure.

The k-th boundary is counted from the anchor itself, never from the boundary before it, so that an anchor on the 31st
gives 28, 29 or 30 where it must and returns to 31.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """`[starts_at, ends_at)` in UTC."""

    starts_at: datetime
    ends_at: datetime


def months_after(anchor: date, months: int) -> date:
    """The anchor's day so many months later (or earlier), on the month's last day when it has no such day."""
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    return date(year, month + 1, min(anchor.day, monthrange(year, month + 1)[1]))


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The earliest instant (UTC) at which the zone's calendar shows this day or a later one.

    Right where midnight is skipped (the day starts late), repeated (the first one counts) or the whole day is missing.
    """
    midnight = datetime.combine(day, time(), tzinfo=zone)
    early, late = sorted(midnight.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if early.astimezone(zone).date() >= day:
        return early
    while late - early > _SECOND:  # midnight falls into a gap: the jump lies between the two readings of it
        middle = early + ((late - early) // 2 // _SECOND) * _SECOND
        early, late = (early, middle) if middle.astimezone(zone).date() >= day else (middle, late)
    return late


def span_at(instant: datetime, *, anchor: date, zone: ZoneInfo, step: int = 1) -> Span:
    """The period that holds this instant. step: months per period (1, 3, 12)."""
    local = instant.astimezone(zone).date()
    index = ((local.year - anchor.year) * 12 + local.month - anchor.month) // step
    while start_of_day(months_after(anchor, index * step), zone) > instant:
        index -= 1
    while start_of_day(months_after(anchor, (index + 1) * step), zone) <= instant:
        index += 1
    return Span(
        start_of_day(months_after(anchor, index * step), zone),
        start_of_day(months_after(anchor, (index + 1) * step), zone),
    )


def span_after(end: datetime, *, anchor: date, zone: ZoneInfo, step: int = 1) -> Span:
    """The period that follows one that ended at `end`, also when the zone was changed meanwhile.

    The boundary of the new zone that lies within hours of `end` is the same boundary, not the next one.
    """
    return Span(end, span_at(end + timedelta(days=14), anchor=anchor, zone=zone, step=step).ends_at)


def share_of(part: Span, whole: Span, *, zone: ZoneInfo, by_days: bool = False) -> Fraction:
    """How much of a cycle one part of it is, in elapsed seconds or in the local days that begin in it."""
    if by_days:
        return Fraction(_days_in(part, zone), _days_in(whole, zone))
    return Fraction((part.ends_at - part.starts_at) // _MICROSECOND, (whole.ends_at - whole.starts_at) // _MICROSECOND)


def _days_in(span: Span, zone: ZoneInfo) -> int:
    """Local dates from the start to the end: the parts of a cycle add up to its days."""
    return (span.ends_at.astimezone(zone).date() - span.starts_at.astimezone(zone).date()).days
