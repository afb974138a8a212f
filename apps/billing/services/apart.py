"""The meters that cannot be added up by the hour: different subjects of a period, and the newest quantity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection

from apps.billing.meters import Aggregation, Meter
from apps.billing.records import UsageRecordIn
from apps.tenants.models import Tenant

# Whoever is already known in the period is not seen again, whichever writer was first.
_SUBJECTS = """
WITH seen AS (
    INSERT INTO usage_unique (tenant_id, meter, period_start, subject)
    SELECT DISTINCT %(tenant)s, meter, period.starts_at, subject
    FROM unnest(%(meters)s::text[], %(subjects)s::text[], %(instants)s::timestamptz[])
        AS record (meter, subject, occurred_at)
    JOIN billing_billingperiod AS period
        ON period.tenant_id = %(tenant)s AND occurred_at >= starts_at AND occurred_at < ends_at
    ORDER BY 2, 3, 4
    ON CONFLICT DO NOTHING
    RETURNING meter, period_start
)
INSERT INTO billing_quota AS quota (tenant_id, period_id, meter, used, reserved, included, watched_percent)
SELECT %(tenant)s, period.id, meter, count(*), 0, 0, 0
FROM seen JOIN billing_billingperiod AS period ON period.tenant_id = %(tenant)s AND period.starts_at = period_start
GROUP BY 2, 3 ORDER BY 2, 3
ON CONFLICT (tenant_id, period_id, meter) DO UPDATE SET used = quota.used + excluded.used
"""

# The row is locked first (by the upsert of nothing), so the newest record is looked up by one writer at a time.
_LOCK = """
INSERT INTO billing_quota AS quota (tenant_id, period_id, meter, used, reserved, included, watched_percent)
SELECT DISTINCT %(tenant)s, period.id, meter, 0, 0, 0, 0
FROM unnest(%(meters)s::text[], %(instants)s::timestamptz[]) AS record (meter, occurred_at)
JOIN billing_billingperiod AS period
    ON period.tenant_id = %(tenant)s AND occurred_at >= starts_at AND occurred_at < ends_at
ORDER BY 2, 3
ON CONFLICT (tenant_id, period_id, meter) DO UPDATE SET used = quota.used
RETURNING id
"""

_LATEST = """
UPDATE billing_quota AS quota SET used = newest.quantity
FROM billing_billingperiod AS period CROSS JOIN LATERAL unnest(%(names)s::text[]) AS asked (meter)
CROSS JOIN LATERAL (
    SELECT quantity FROM usage_event
    WHERE tenant_id = %(tenant)s AND usage_event.meter = asked.meter
      AND occurred_at >= period.starts_at AND occurred_at < period.ends_at
    ORDER BY occurred_at DESC, source_key DESC LIMIT 1
) AS newest
WHERE quota.id = ANY(%(quotas)s) AND quota.tenant_id = %(tenant)s AND quota.meter = asked.meter
  AND period.id = quota.period_id
"""


def count_apart(records: Sequence[UsageRecordIn], meters: Mapping[str, Meter], *, tenant: Tenant) -> None:
    """Takes new records of such meters into the quotas of their periods. Records of other meters are passed over.

    Comes after the other quotas are written, and each statement goes by period and meter: no two writers wait for each
    other.
    """
    subjects = [record for record in records if meters[record.meter].aggregation is Aggregation.UNIQUE]
    levels = [record for record in records if meters[record.meter].aggregation is Aggregation.LATEST]
    with connection.cursor() as cursor:
        if subjects:
            cursor.execute(_SUBJECTS, _columns(subjects, tenant))
        if levels:
            columns = _columns(levels, tenant)
            cursor.execute(_LOCK, columns)
            quotas = [quota_id for (quota_id,) in cursor.fetchall()]
            cursor.execute(_LATEST, {**columns, "quotas": quotas, "names": sorted(set(columns["meters"]))})


def _columns(records: Sequence[UsageRecordIn], tenant: Tenant) -> dict[str, Any]:
    return {
        "tenant": tenant.pk,
        "meters": [record.meter for record in records],
        "subjects": [record.subject for record in records],
        "instants": [record.occurred_at for record in records],
    }
