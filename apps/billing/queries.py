"""What was used and what is left: the reads that the usage page, its CSV and the REST API share."""

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
from apps.billing.models import BillingPeriod, Quota, UsageAlert
from apps.billing.periods import start_of_day
from apps.billing.pricing import Charge
from apps.billing.rating import Rating, rate
from apps.billing.services.own_meters import meters_of
from apps.billing.services.periods import current_period
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
    for, 0 for what belongs to no application."""

    meter: str
    at: datetime
    application_id: int | None
    quantity: int


@dataclass(frozen=True, slots=True)
class MeterStanding:
    """One meter in the running period. charge: what the plan says of it, None when it says nothing."""

    meter: Meter
    used: int
    reserved: int
    included: int
    limit: int | None
    charge: Charge | None
    alerts: tuple[int, ...]

    @property
    def percent(self) -> int | None:
        """Of the limit, whole and rounded down; None without a limit."""
        if self.limit is None:
            return None
        return 100 if self.limit == 0 else min(100, self.used * 100 // self.limit)

    @property
    def remaining(self) -> int | None:
        return None if self.limit is None else max(0, self.limit - self.used - self.reserved)


@dataclass(frozen=True, slots=True)
class Standing:
    """The running period: what is used, what is left, and what it costs so far."""

    period: BillingPeriod
    meters: tuple[MeterStanding, ...]
    rating: Rating


def standing_of(*, tenant: Tenant) -> Standing:
    """The running period of the tenant, opened when nobody needed it before."""
    period = current_period(tenant=tenant)
    terms = period.terms
    quotas = {quota.meter: quota for quota in Quota.objects.of(tenant).filter(period=period)}
    raised: dict[str, list[int]] = {}
    for alert in UsageAlert.objects.of(tenant).filter(period=period).order_by("threshold"):
        raised.setdefault(alert.meter, []).append(alert.threshold)
    meters = tuple(
        MeterStanding(
            meter=meter,
            used=quotas[name].used,
            reserved=quotas[name].reserved,
            included=quotas[name].included,
            limit=quotas[name].hard_limit,
            charge=terms.charge_for(name),
            alerts=tuple(raised.get(name, [])),
        )
        for name, meter in meters_of(tenant=tenant).items()
        if name in quotas
    )
    return Standing(period, meters, rate(terms, {standing.meter.name: standing.used for standing in meters}))


#: Buckets are told by their starts; hours that a bound cuts (zones off the hour, odd ranges) come from raw records.
_REPORT = """
WITH piece AS (
    SELECT meter, hour AS at, application_id, total, peak FROM usage_rollup
    WHERE tenant_id = %(tenant)s AND meter = ANY(%(meters)s) AND hour >= %(first_hour)s AND hour < %(end)s
      AND hour <> ALL(%(cut_hours)s)
    UNION ALL
    SELECT meter, occurred_at, application_id, quantity, quantity FROM usage_event
    WHERE tenant_id = %(tenant)s AND meter = ANY(%(meters)s) AND occurred_at >= %(start)s AND occurred_at < %(end)s
      AND date_trunc('hour', occurred_at, 'UTC') = ANY(%(cut_hours)s)
)
SELECT meter, width_bucket(at, %(starts)s::timestamptz[]) AS bucket,
       CASE WHEN %(by_application)s THEN application_id END AS application, sum(total)::bigint, max(peak)
FROM piece WHERE %(application)s::bigint IS NULL OR application_id = %(application)s
GROUP BY 1, 2, 3 ORDER BY 2, 1, 3
"""


#: Different subjects and newest quantities cannot be added up by the hour, so they are read from the raw records.
_REPORT_APART = """
SELECT meter, width_bucket(occurred_at, %(starts)s::timestamptz[]) AS bucket,
       CASE WHEN %(by_application)s THEN application_id END AS application, count(DISTINCT subject),
       (array_agg(quantity ORDER BY occurred_at DESC, source_key DESC))[1]
FROM usage_event
WHERE tenant_id = %(tenant)s AND meter = ANY(%(apart)s) AND occurred_at >= %(start)s AND occurred_at < %(end)s
  AND (%(application)s::bigint IS NULL OR application_id = %(application)s)
GROUP BY 1, 2, 3 ORDER BY 2, 1, 3
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
) -> list[UsageFigure]:
    """Figures of `[start, end)` by time, meter and application; pieces without usage are left out.

    Days are those of the tenant's zone, hours those of UTC. meters: by name, some of `meters_of`. application_id: only
    this application (row number).
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
    }
    with connection.cursor() as cursor:
        cursor.execute(_REPORT, arguments)
        rows = cursor.fetchall()
        if apart:
            cursor.execute(_REPORT_APART, arguments)
            rows = sorted([*rows, *cursor.fetchall()], key=lambda row: row[1])
    return [
        UsageFigure(name, starts[bucket - 1], application, _quantity(meters[name], added, single))
        for name, bucket, application, added, single in rows
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
