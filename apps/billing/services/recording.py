"""The write path of usage: exact once, whoever repeats what and when, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import psycopg
from django.db import connection

from apps.billing import partitions
from apps.billing.meters import APART, METERS, Aggregation, Meter
from apps.billing.models import BillingPeriod
from apps.billing.records import UNKNOWN_METER, Result, UsageOutcome, UsageRecordIn, dimensions_hash, reason_against
from apps.billing.services.apart import count_apart
from apps.billing.services.own_meters import meters_of
from apps.billing.services.periods import open_periods
from apps.core import clock
from apps.core.months import month_of
from apps.tenants.models import Tenant

#: How long after its end a period takes records without calling them late.
GRACE = timedelta(hours=1)

#: `fresh` is the deduplication: a second writer of the same key waits in it for the first to commit or roll back. The
#: raw records, the sums and the period's quotas are written from what it returned, so a repeat touches none of them.
_WRITE = """
WITH kind AS (
    SELECT * FROM unnest(%(dimensions)b::text[], %(dimension_hashes)b::bytea[]) WITH ORDINALITY
        AS kind (dimensions, dimensions_hash, kind)
), offered AS MATERIALIZED (
    SELECT record.*, dimensions::jsonb, dimensions_hash FROM unnest(
        %(meters)b::text[], %(keys)b::text[], %(hashes)b::bytea[], %(quantities)b::bigint[],
        %(instants)b::timestamptz[], %(applications)b::bigint[], %(kinds)b::bigint[], %(subjects)b::text[]
    ) WITH ORDINALITY AS record
        (meter, source_key, payload_hash, quantity, occurred_at, application_id, kind, subject, n)
    JOIN kind USING (kind)
), fresh AS (
    INSERT INTO usage_key (tenant_id, meter, source_key, payload_hash, first_seen_on)
    SELECT %(tenant)s, meter, source_key, payload_hash, %(today)s FROM offered ORDER BY meter, source_key
    ON CONFLICT DO NOTHING
    RETURNING meter, source_key
), counted AS MATERIALIZED (
    SELECT offered.* FROM offered JOIN fresh USING (meter, source_key)
), stored AS (
    INSERT INTO usage_event
        (tenant_id, meter, source_key, quantity, occurred_at, recorded_at, application_id, dimensions, subject)
    SELECT %(tenant)s, meter, source_key, quantity, occurred_at, %(now)s, application_id, dimensions, subject
    FROM counted
), rolled AS (
    INSERT INTO usage_rollup AS rollup
        (tenant_id, meter, hour, application_id, dimensions_hash, dimensions, record_count, total, peak)
    SELECT %(tenant)s, meter, date_trunc('hour', occurred_at, 'UTC'), application_id, dimensions_hash,
           min(dimensions::text)::jsonb, count(*), sum(quantity), max(quantity)
    FROM counted GROUP BY 2, 3, 4, 5 ORDER BY 2, 3, 4, 5
    ON CONFLICT (tenant_id, meter, hour, application_id, dimensions_hash) DO UPDATE SET
        record_count = rollup.record_count + excluded.record_count,
        total = rollup.total + excluded.total,
        peak = greatest(rollup.peak, excluded.peak)
), metered AS (
    INSERT INTO billing_quota AS quota
        (tenant_id, period_id, meter, used, reserved, included, watched_percent)
    SELECT %(tenant)s, period.id, meter,
           CASE WHEN meter = ANY(%(levels)s) THEN max(quantity) ELSE sum(quantity) END, 0, 0, 0
    FROM counted JOIN billing_billingperiod AS period
        ON period.tenant_id = %(tenant)s AND occurred_at >= starts_at AND occurred_at < ends_at
    WHERE meter <> ALL(%(apart)s)
    GROUP BY 2, 3 ORDER BY 2, 3
    ON CONFLICT (tenant_id, period_id, meter) DO UPDATE SET used = CASE
        WHEN quota.meter = ANY(%(levels)s) THEN greatest(quota.used, excluded.used)
        ELSE quota.used + excluded.used
    END
)
SELECT coalesce(array_agg(n), '{}') FROM counted
"""


def record_usage(records: Sequence[UsageRecordIn], *, tenant: Tenant) -> list[UsageOutcome]:
    """Counts what was not counted before. Answers one outcome per record, in order; never all-or-nothing.

    Runs in the caller's transaction and tenant scope: what the caller rolls back was not counted. Call it last and
    once per transaction, because it holds the hour's sums until the commit. At most a few thousand records per call.
    """
    now = clock.now()
    meters = METERS if all(record.meter in METERS for record in records) else meters_of(tenant=tenant)
    reasons = [reason_against(record, now=now, meters=meters) for record in records]
    first = _first_of_each(record for record, reason in zip(records, reasons, strict=True) if not reason)
    fresh = _write(list(first.values()), meters, tenant) if first else set()
    known = _known_hashes([identity for identity in first if identity not in fresh], tenant)
    over = _end_of_the_last_period(first.values(), now, tenant) if fresh else None
    outcomes = []
    for record, reason in zip(records, reasons, strict=True):
        if reason:
            outcomes.append(UsageOutcome(Result.UNMATCHED if reason == UNKNOWN_METER else Result.INVALID, reason))
        elif record.identity in fresh and record is first[record.identity]:
            outcomes.append(UsageOutcome(Result.LATE if over and record.occurred_at < over else Result.NEW))
        else:
            known_hash = known.get(record.identity) or first[record.identity].payload_hash
            same = record.payload_hash == known_hash
            outcomes.append(UsageOutcome(Result.DUP if same else Result.CONFLICT))
    return outcomes


def _first_of_each(records: Iterable[UsageRecordIn]) -> dict[tuple[str, str], UsageRecordIn]:
    first: dict[tuple[str, str], UsageRecordIn] = {}
    for record in records:
        first.setdefault(record.identity, record)
    return first


def _write(records: list[UsageRecordIn], meters: Mapping[str, Meter], tenant: Tenant) -> set[tuple[str, str]]:
    instants = [record.occurred_at for record in records]
    partitions.open_months({month_of(instant) for instant in instants})
    open_periods(min(instants), max(instants), tenant=tenant)
    now = clock.now()
    arguments: dict[str, Any] = {
        "tenant": tenant.pk,
        "now": now,
        "today": now.date(),
        "levels": [name for name, meter in meters.items() if meter.aggregation is Aggregation.MAX],
        "apart": [name for name, meter in meters.items() if meter.aggregation in APART],
    }
    # A cursor that sends the arrays in binary: Django's own writes them into the statement, at a third of the speed.
    with psycopg.Cursor(connection.connection) as cursor, connection.wrap_database_errors:
        numbers = cursor.execute(_WRITE, arguments | _columns(records)).fetchone()
    assert numbers is not None
    fresh = [records[n - 1] for n in numbers[0]]
    count_apart(fresh, meters, tenant=tenant)
    return {record.identity for record in fresh}


def _columns(records: list[UsageRecordIn]) -> dict[str, list[Any]]:
    """kinds: of each record, the number of its combination of dimensions in `dimensions`, from 1."""
    numbers: dict[str, int] = {}
    kinds = [numbers.setdefault(record.dimensions_text, len(numbers) + 1) for record in records]
    return {
        "meters": [record.meter for record in records],
        "keys": [record.source_key for record in records],
        "hashes": [record.payload_hash for record in records],
        "quantities": [record.quantity for record in records],
        "instants": [record.occurred_at for record in records],
        "applications": [record.application_id or 0 for record in records],
        "kinds": kinds,
        "dimensions": list(numbers),
        "dimension_hashes": [dimensions_hash(text) for text in numbers],
        "subjects": [record.subject for record in records],
    }


def _end_of_the_last_period(records: Iterable[UsageRecordIn], now: datetime, tenant: Tenant) -> datetime | None:
    """The instant before which every period is over, its grace too; asked only when a record is that old."""
    if min(record.occurred_at for record in records) > now - GRACE:
        return None
    over = BillingPeriod.objects.of(tenant).filter(ends_at__lte=now - GRACE).order_by("-ends_at")
    return over.values_list("ends_at", flat=True).first()


def _known_hashes(identities: list[tuple[str, str]], tenant: Tenant) -> dict[tuple[str, str], bytes]:
    if not identities:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT meter, source_key, payload_hash FROM usage_key JOIN unnest(%s::text[], %s::text[]) "
            "AS asked (meter, source_key) USING (meter, source_key) WHERE tenant_id = %s",
            [[meter for meter, _key in identities], [key for _meter, key in identities], tenant.pk],
        )
        return {(meter, source_key): bytes(payload_hash) for meter, source_key, payload_hash in cursor.fetchall()}
