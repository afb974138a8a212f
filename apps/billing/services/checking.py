"""Is everything that was accepted also billed? Three tellings of the same usage that must agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection

from apps.billing.meters import APART, Aggregation
from apps.billing.models import UnmatchedUsage
from apps.billing.reports import Grain, usage_report
from apps.billing.services.own_meters import meters_of
from apps.billing.services.periods import current_period
from apps.core import valkey
from apps.realtime import keys
from apps.tenants.models import Tenant

_TELLINGS = """
SELECT asked.name,
  (SELECT CASE WHEN asked.is_level THEN coalesce(max(quantity), 0) ELSE coalesce(sum(quantity), 0) END
   FROM usage_event AS usage WHERE tenant_id = %(tenant)s AND usage.meter = asked.name
     AND occurred_at >= %(start)s AND occurred_at < %(end)s)::bigint,
  (SELECT used FROM billing_quota AS usage
   WHERE tenant_id = %(tenant)s AND period_id = %(period)s AND usage.meter = asked.name)
FROM unnest(%(names)s::text[], %(levels)s::boolean[]) AS asked (name, is_level)
"""


@dataclass(frozen=True, slots=True)
class Telling:
    """One meter of the running period, as the raw records, the hourly sums and the quota at the door have it."""

    meter: str
    recorded: int
    summed: int
    counted: int

    @property
    def agrees(self) -> bool:
        return self.recorded == self.summed == self.counted


def tellings_of(*, tenant: Tenant) -> list[Telling]:
    """What the three say. They agree at every commit."""
    period = current_period(tenant=tenant)
    # Subjects and newest quantities have no sums by the hour that could disagree.
    meters = [meter for meter in meters_of(tenant=tenant).values() if meter.aggregation not in APART]
    arguments: dict[str, Any] = {
        "tenant": tenant.pk,
        "period": period.pk,
        "start": period.starts_at,
        "end": period.ends_at,
        "names": [meter.name for meter in meters],
        "levels": [meter.aggregation is Aggregation.MAX for meter in meters],
    }
    with connection.cursor() as cursor:
        cursor.execute(_TELLINGS, arguments)
        rows = cursor.fetchall()
    figures = usage_report(
        tenant=tenant,
        start=period.starts_at,
        end=period.ends_at,
        grain=Grain.WHOLE,
        meters={meter.name: meter for meter in meters},
    )
    summed = {figure.meter: figure.quantity for figure in figures}
    return [Telling(meter, recorded, summed.get(meter, 0), counted) for meter, recorded, counted in rows]


def unmatched_count() -> int:
    """Records that were accepted and could not be counted. Alert on any."""
    return UnmatchedUsage.objects.count()


def backlog(*, region: str) -> int:
    """Lines of the stream that wait to be counted. Near 0 while a worker lives."""
    return int(valkey.connect(region).xlen(keys.USAGE))
