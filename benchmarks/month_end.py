"""month.end: the invoices of a month that ended, of many tenants with ten charges each, by the workers that ship.

PostgreSQL waits for the disk. All workers are killed (-9) when half is done and started again. Afterwards every invoice
is looked at: one per tenant, its amount to the cent, numbers without a gap. BENCH_TENANTS: how many tenants.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import psycopg
from psycopg.types.json import Json

from apps.billing.meters import METERS, Aggregation
from apps.billing.pricing import Charge, Terms
from benchmarks.registry import Reading, figure
from benchmarks.workers import Workers, working
from tests.live import Live

TENANTS = int(os.environ.get("BENCH_TENANTS", "1000"))
_USED, _PRICE = 1_200, Decimal("0.01")
_HOURS = 10
_PATIENCE = 3_600
_SUMS = [name for name, meter in METERS.items() if meter.aggregation is Aggregation.SUM]

_PLAN = """
WITH plan AS (
    INSERT INTO billing_plan (code, name, created_at) VALUES ('bench', 'Bench', now()) RETURNING id
)
INSERT INTO billing_planversion (plan_id, number, terms_json, created_at)
SELECT id, 1, %(terms)s, now() FROM plan RETURNING id
"""
_TENANTS = """
INSERT INTO tenants_tenant (name, language, timezone, home_region, data_key, requires_mfa, created_at, updated_at)
SELECT 'Tenant ' || n, language, timezone, home_region, data_key, requires_mfa, now(), now()
FROM tenants_tenant, generate_series(2, %(tenants)s) AS n
"""
_MEMBERS = """
INSERT INTO tenants_membership (tenant_id, user_id, role, created_at, updated_at)
SELECT tenant.id, user_id, role, now(), now() FROM tenants_membership, tenants_tenant AS tenant
WHERE tenant.id <> tenants_membership.tenant_id
"""
_SUBSCRIPTIONS = """
INSERT INTO billing_subscription
    (tenant_id, plan_version_id, anchor_on, limits_json, own_limits_json, created_at, updated_at)
SELECT id, %(version)s, date_trunc('month', now())::date, '{}', '{}', now(), now() FROM tenants_tenant
"""
_PERIODS = """
INSERT INTO billing_billingperiod
    (tenant_id, plan_version_id, starts_at, ends_at, share_numerator, share_denominator)
SELECT id, %(version)s, date_trunc('month', now(), 'UTC') - interval '1 month', date_trunc('month', now(), 'UTC'), 1, 1
FROM tenants_tenant
"""
_QUOTAS = """
INSERT INTO billing_quota (tenant_id, period_id, meter, used, reserved, included, watched_percent)
SELECT tenant_id, id, meter, %(used)s, 0, 0, 0 FROM billing_billingperiod, unnest(%(meters)s::text[]) AS meter
"""
_ROLLUPS = """
INSERT INTO usage_rollup
    (tenant_id, meter, hour, application_id, dimensions_hash, dimensions, record_count, total, peak)
SELECT tenant_id, meter, starts_at + n * interval '1 hour', 0, ''::bytea, '{}', 1, %(used)s / %(hours)s, 1
FROM billing_billingperiod, unnest(%(sums)s::text[]) AS meter, generate_series(1, %(hours)s) AS n
"""
_CLEAR = "DELETE FROM billing_quota; DELETE FROM billing_billingperiod; DELETE FROM billing_subscription"

_LASTED = "SELECT extract(epoch FROM max(finalised_at) - min(created_at)) FROM billing_invoice"
_STANDING = """
SELECT count(*), count(DISTINCT tenant_id), min(number), max(number), count(DISTINCT number),
       count(*) FILTER (WHERE total <> %(total)s),
       (SELECT count(*) FROM billing_invoiceline), (SELECT coalesce(sum(amount), 0) FROM billing_ledgerentry),
       (SELECT count(*) FROM billing_ledgerentry)
FROM billing_invoice WHERE status = 'finalised'
"""


@figure("month.end")
def month_end() -> Iterator[Reading]:
    home = Path(tempfile.mkdtemp(prefix="pushsaas-bench-"))
    live = Live(home, durable=True)
    try:
        live.tenant("Tenant 1")
        with psycopg.connect(host=str(home / "run"), user="postgres", dbname="pushsaas", autocommit=True) as admin:
            fill(admin)
            bare = _bare(admin)
            with working(live, PUSHSAAS_EMAIL_BACKEND="django.core.mail.backends.dummy.EmailBackend") as workers:
                seconds = _run(admin, workers)
            verify(admin)
    finally:
        live.stop()
        shutil.rmtree(home, ignore_errors=True)
    print(f"  {TENANTS:,} tenants, {len(METERS)} charges each, killed once in the middle", file=sys.stderr)
    ratios = {"the-aim's-rate": 180 * TENANTS / 10_000 / seconds, "bare-rows": bare * TENANTS / seconds}
    yield Reading("month.end", seconds, "s", ratios)


def fill(admin: psycopg.Connection) -> None:
    """A plan with a charge on every meter, and tenants who used the same of each in the month before this one."""
    terms = Terms("EUR", tuple(Charge(meter, unit_price=_PRICE) for meter in METERS))
    made = admin.execute(_PLAN, {"terms": Json(terms.to_json())}).fetchone()
    assert made is not None
    values = {
        "tenants": TENANTS, "version": made[0], "used": _USED, "hours": _HOURS, "meters": list(METERS),
        "sums": _SUMS,
    }  # fmt: skip
    admin.execute(_CLEAR)
    for statement in (_TENANTS, _MEMBERS, _SUBSCRIPTIONS, _PERIODS, _QUOTAS, _ROLLUPS):
        admin.execute(statement, values)
    admin.execute("VACUUM ANALYZE")


def _run(admin: psycopg.Connection, workers: Workers) -> float:
    """Seconds of work: from the first draft to the last invoice, without the gap that the killing made."""
    deadline, gap, kills = time.monotonic() + _PATIENCE, 0.0, 0
    while (done := finalised(admin)) < TENANTS:
        assert time.monotonic() < deadline, f"{done} of {TENANTS} after {_PATIENCE} s"
        if done >= TENANTS // 2 and not kills:
            workers.kill()
            kills, killed_at, done = 1, time.monotonic(), finalised(admin)
            workers.start()
            while finalised(admin) == done:
                assert time.monotonic() < deadline, "nothing goes on after the killing"
                time.sleep(0.1)
            gap = time.monotonic() - killed_at
        time.sleep(0.2)
    row = admin.execute(_LASTED).fetchone()
    assert row is not None
    return float(row[0]) - gap


def finalised(admin: psycopg.Connection) -> int:
    row = admin.execute("SELECT count(*) FROM billing_invoice WHERE status = 'finalised'").fetchone()
    assert row is not None
    return int(row[0])


def verify(admin: psycopg.Connection) -> None:
    total = int(_USED * _PRICE * 100) * len(METERS)
    found = admin.execute(_STANDING, {"total": total}).fetchone()
    expected = (TENANTS, TENANTS, 1, TENANTS, TENANTS, 0, TENANTS * len(METERS), 0, 2 * TENANTS)
    assert found == expected, f"{found} and not {expected}"


def _bare(admin: psycopg.Connection) -> float:
    """Seconds per tenant of nothing but the rows: ten lines, a booking and a number, one transaction each."""
    admin.execute("CREATE TABLE bare_line (tenant bigint, meter text, amount numeric(38,12), posted bigint)")
    admin.execute("CREATE TABLE bare_number (last bigint)")
    admin.execute("INSERT INTO bare_number VALUES (0)")
    started, rounds = time.monotonic(), 200
    for tenant in range(rounds):
        with admin.transaction(), admin.cursor() as cursor:
            cursor.executemany("INSERT INTO bare_line VALUES (%s, %s, 12, 1200)", [(tenant, meter) for meter in METERS])
            cursor.execute("UPDATE bare_number SET last = last + 1")
    return (time.monotonic() - started) / rounds
