"""Connections open at the same time: the gateways' levels added up over ten seconds, of which the largest counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from apps.billing.meters import CONNECTIONS_PEAK
from apps.billing.models import ConnectionLevel, UsageRollup
from apps.billing.plane import PlaneRecord
from apps.billing.records import UsageRecordIn
from apps.core import clock
from apps.tenants.models import Tenant

_BUCKET = 10
_KEPT = timedelta(hours=1)

_ADD = """
INSERT INTO usage_level AS known (tenant_id, bucket, application_id, node, level)
SELECT %(tenant)s, bucket, application_id, node, max(level)
FROM unnest(%(buckets)s::timestamptz[], %(applications)s::bigint[], %(nodes)s::text[], %(levels)s::bigint[])
    AS seen (bucket, application_id, node, level)
GROUP BY bucket, application_id, node ORDER BY bucket, application_id, node
ON CONFLICT (tenant_id, bucket, application_id, node) DO UPDATE SET level = greatest(known.level, excluded.level)
"""

_TOTALS = """
SELECT bucket, coalesce(application_id, 0), sum(level)::bigint FROM usage_level
WHERE tenant_id = %(tenant)s AND bucket = ANY(%(buckets)s)
GROUP BY GROUPING SETS ((bucket, application_id), (bucket)) ORDER BY 1, 2
"""


def peaks_of(records: Iterable[PlaneRecord], applications: Mapping[str, int], *, tenant: Tenant) -> list[UsageRecordIn]:
    """Notes the levels and answers the usage records of those that are the hour's largest so far.

    One per application, and one without application for the tenant as a whole.
    """
    seen = [(_bucket(record), applications.get(record.application_id, 0), record) for record in records if record.peak]
    if not seen:
        return []
    arguments: dict[str, Any] = {
        "tenant": tenant.pk,
        "buckets": [bucket for bucket, _application, _record in seen],
        "applications": [application for _bucket, application, _record in seen],
        "nodes": [record.node for _bucket, _application, record in seen],
        "levels": [record.peak for _bucket, _application, record in seen],
    }
    ConnectionLevel.objects.of(tenant).filter(bucket__lt=clock.now() - _KEPT).delete()
    with connection.cursor() as cursor:
        cursor.execute(_ADD, arguments)
        cursor.execute(_TOTALS, arguments)
        totals = cursor.fetchall()
    return _largest(totals, tenant)


def _largest(totals: list[tuple[datetime, int, int]], tenant: Tenant) -> list[UsageRecordIn]:
    hours = {_hour(bucket) for bucket, _application, _level in totals}
    rollups = UsageRollup.objects.of(tenant).filter(meter=CONNECTIONS_PEAK, hour__in=hours)
    known = {(rollup.hour, rollup.application_id): rollup.peak for rollup in rollups}
    records = []
    for bucket, application, level in totals:
        if level > known.get((_hour(bucket), application), 0):
            known[_hour(bucket), application] = level
            key = f"peak:{application}:{int(bucket.timestamp())}:{level}"
            records.append(UsageRecordIn(CONNECTIONS_PEAK, key, level, bucket, application or None))
    return records


def _bucket(record: PlaneRecord) -> datetime:
    return record.occurred_at - timedelta(seconds=record.interval % _BUCKET)


def _hour(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)
