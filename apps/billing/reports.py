"""What was used, by time, meter, application and campaign: the reads that every report shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from apps.billing.errors import BadRange
from apps.billing.meters import APART, METERS, Aggregation, Meter
from apps.billing.periods import start_of_day
from apps.tenants.models import Tenant

_HOUR = timedelta(hours=1)
LONGEST = timedelta(days=400)
LONGEST_BY_HOUR = timedelta(days=31, hours=1)


class Grain(StrEnum):
    """Into how long pieces a range of time is cut."""

    WHOLE = "whole"
    DAY = "day"
    HOUR = "hour"


@dataclass(frozen=True, slots=True)
class UsageFigure:
    """One number of a report. at: where its day or hour starts (UTC). application_id: row number, None when not asked
    for, 0 for what belongs to no application. campaign: public id, None when not asked for, empty for none."""

    meter: str
    at: datetime
    application_id: int | None
    quantity: int
    campaign: str | None = None


#: Buckets are told by their starts; hours that a bound cuts (zones off the hour, odd ranges) come from raw records.
_REPORT = """
WITH piece AS (
    SELECT meter, hour AS at, application_id, dimensions, total, peak FROM usage_rollup
    WHERE tenant_id = %(tenant)s AND meter = ANY(%(meters)s) AND hour >= %(first_hour)s AND hour < %(end)s
      AND hour <> ALL(%(cut_hours)s)
    UNION ALL
    SELECT meter, occurred_at, application_id, dimensions, quantity, quantity FROM usage_event
    WHERE tenant_id = %(tenant)s AND meter = ANY(%(meters)s) AND occurred_at >= %(start)s AND occurred_at < %(end)s
      AND date_trunc('hour', occurred_at, 'UTC') = ANY(%(cut_hours)s)
)
SELECT meter, width_bucket(at, %(starts)s::timestamptz[]) AS bucket,
       CASE WHEN %(by_application)s THEN application_id END AS application,
       CASE WHEN %(by_campaign)s THEN coalesce(dimensions->>'campaign', '') END AS campaign,
       sum(total)::bigint, max(peak)
FROM piece WHERE (%(application)s::bigint IS NULL OR application_id = %(application)s)
  AND (%(campaign)s::text IS NULL OR dimensions->>'campaign' = %(campaign)s)
GROUP BY 1, 2, 3, 4 ORDER BY 2, 1, 3, 4
"""


#: Different subjects and newest quantities cannot be added up by the hour, so they are read from the raw records.
_REPORT_APART = """
SELECT meter, width_bucket(occurred_at, %(starts)s::timestamptz[]) AS bucket,
       CASE WHEN %(by_application)s THEN application_id END AS application,
       CASE WHEN %(by_campaign)s THEN coalesce(dimensions->>'campaign', '') END AS campaign,
       count(DISTINCT subject),
       (array_agg(quantity ORDER BY occurred_at DESC, source_key DESC))[1]
FROM usage_event
WHERE tenant_id = %(tenant)s AND meter = ANY(%(apart)s) AND occurred_at >= %(start)s AND occurred_at < %(end)s
  AND (%(application)s::bigint IS NULL OR application_id = %(application)s)
  AND (%(campaign)s::text IS NULL OR dimensions->>'campaign' = %(campaign)s)
GROUP BY 1, 2, 3, 4 ORDER BY 2, 1, 3, 4
"""


def usage_report(
    *,
    tenant: Tenant,
    start: datetime,
    end: datetime,
    grain: Grain = Grain.DAY,
    meters: Mapping[str, Meter] = METERS,
    application_id: int | None = None,
    by_application: bool = False,
    campaign: str | None = None,
    by_campaign: bool = False,
) -> list[UsageFigure]:
    """Figures of `[start, end)` by time, meter, application and campaign; pieces without usage are left out.

    Days are those of the tenant's zone, hours those of UTC. meters: by name, some of `meters_of`. application_id: only
    this application (row number). campaign: only this one (public id).
    Raises BadRange.
    """
    starts = _starts(start, end, grain, ZoneInfo(tenant.timezone))
    bounds = [*starts, end]
    apart = [name for name, meter in meters.items() if meter.aggregation in APART]
    arguments: dict[str, Any] = {
        "tenant": tenant.pk,
        "meters": [name for name in meters if name not in apart],
        "apart": apart,
        "start": start,
        "end": end,
        "first_hour": _hour_of(start),
        "starts": starts,
        "cut_hours": sorted({_hour_of(bound) for bound in bounds if bound != _hour_of(bound)}),
        "application": application_id,
        "by_application": by_application,
        "campaign": campaign,
        "by_campaign": by_campaign,
    }
    with connection.cursor() as cursor:
        cursor.execute(_REPORT, arguments)
        rows = cursor.fetchall()
        if apart:
            cursor.execute(_REPORT_APART, arguments)
            rows = sorted([*rows, *cursor.fetchall()], key=lambda row: row[1])
    return [
        UsageFigure(name, starts[bucket - 1], application, _quantity(meters[name], added, single), campaign)
        for name, bucket, application, campaign, added, single in rows
    ]


def _quantity(meter: Meter, added: int, single: int) -> int:
    """added: the sum, or how many different. single: the largest, or the newest."""
    return single if meter.aggregation in {Aggregation.MAX, Aggregation.LATEST} else added


def _hour_of(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _starts(start: datetime, end: datetime, grain: Grain, zone: ZoneInfo) -> list[datetime]:
    """Where each piece of the range begins; the first piece begins with the range."""
    longest = LONGEST_BY_HOUR if grain is Grain.HOUR else LONGEST
    if end <= start:
        raise BadRange(fields={"to": [BadRange.ends_early]})
    if end - start > longest:
        raise BadRange(fields={"from": [BadRange.too_long % {"days": longest.days}]})
    if grain is Grain.WHOLE:
        return [start]
    starts = [start]
    while (following := _next_start(starts[-1], grain, zone)) < end:
        starts.append(following)
    return starts


def _next_start(instant: datetime, grain: Grain, zone: ZoneInfo) -> datetime:
    if grain is Grain.HOUR:
        return _hour_of(instant) + _HOUR
    day = instant.astimezone(zone).date()
    while (following := start_of_day(day, zone)) <= instant:  # a zone may skip a whole day
        day += timedelta(days=1)
    return following


def span_of_days(first: date, last: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """From the start of the first to the end of the last day, both included, as instants."""
    return start_of_day(first, zone), start_of_day(last + timedelta(days=1), zone)
