"""usage.ingest, usage.preview, usage.storm: the write path of usage and the preview of a period.

PostgreSQL waits for the disk. Writers are processes of their own that call `record_usage`, a batch per transaction, and
commit. BENCH_RECORDS: how many records the storm offers, BENCH_KILLS how many writers it kills.
"""

from __future__ import annotations

import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from apps.core.embedded import postgres_binaries
from benchmarks.registry import Reading, figure
from tests.live import ROOT, Live, LiveTenant

RECORDS = int(os.environ.get("BENCH_RECORDS", "200000"))
_KILLS = int(os.environ.get("BENCH_KILLS", "10"))
_COUNTED = "SELECT sum(used) FROM billing_quota"
_WRITERS = 2
_SECONDS = 4.0
_BATCH = 4_000
_PREVIEWED = 100_000_000
_PREVIEWS = 20


@figure("usage.ingest")
def ingest() -> Iterator[Reading]:
    with _product() as (live, tenant):
        rate = _ingested(live, tenant)
        naive, pgbench = _one_by_one(live), _pgbench(live)
    ratios = {"one-by-one": rate / naive, "pgbench-insert": rate / pgbench}
    yield Reading("usage.ingest", rate, "records/s", ratios)


@figure("usage.preview")
def preview() -> Iterator[Reading]:
    """The rollup is written directly, as 100,000,000 records of a month would have left it."""
    with _product() as (live, tenant), _admin(live) as admin:
        rows = _fill_rollup(admin)
        said = _writer(live, "preview", tenant.tenant_id, str(_PREVIEWS)).communicate()[0].split()
        milliseconds = statistics.median(float(text) for text in said)
        summing = _timed(admin, "SELECT meter, sum(total), max(peak) FROM usage_rollup GROUP BY meter")
    print(f"  preview of {_PREVIEWED:,} records in {rows:,} rollup rows, written directly", file=sys.stderr)
    yield Reading("usage.preview", milliseconds, "ms", {"sum-of-the-rollup": milliseconds / summing})


@figure("usage.storm")
def storm() -> Iterator[Reading]:
    """Writers offer the same records in different orders and are killed all along; every record counts once."""
    with _product() as (live, tenant), _admin(live) as admin:
        kills = _weather(live, tenant, admin)
        counted = [
            admin.execute(statement).fetchone()[0]  # type: ignore[index]
            for statement in (
                "SELECT count(*) FROM usage_key",
                "SELECT sum(quantity) FROM usage_event",
                "SELECT sum(total) FROM usage_rollup",
                _COUNTED,
            )
        ]
    print(f"  {kills} writers killed, {RECORDS:,} records offered at least {_WRITERS} times", file=sys.stderr)
    miscounted = sum(abs(int(count) - RECORDS) for count in counted)
    yield Reading("usage.storm", miscounted, "miscounted", {})


def _weather(live: Live, tenant: LiveTenant, admin: psycopg.Connection) -> int:
    """Kills a writer at random each time another part of the records is counted; answers how many it killed."""
    writers = [_storm_writer(live, tenant, number) for number in range(_WRITERS)]
    kills, randomness = 0, random.Random(1)  # a seed to repeat it by
    while any(writer.poll() is None for writer in writers):
        time.sleep(randomness.uniform(0.02, 0.2))
        victim = randomness.randrange(_WRITERS)
        due = RECORDS * (kills + 1) // (_KILLS + 2)
        if kills < _KILLS and writers[victim].poll() is None and _counted(admin) >= due:
            writers[victim].kill()
            writers[victim].wait()
            writers[victim], kills = _storm_writer(live, tenant, victim), kills + 1
    assert all(writer.wait() == 0 for writer in writers)
    return kills


def _counted(admin: psycopg.Connection) -> int:
    row = admin.execute(_COUNTED).fetchone()
    return int(row[0] or 0) if row else 0


@contextmanager
def _product() -> Iterator[tuple[Live, LiveTenant]]:
    home = Path(tempfile.mkdtemp(prefix="pushsaas-bench-"))
    live = Live(home, durable=True)
    try:
        yield live, live.tenant("Bench")
    finally:
        live.stop()
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _admin(live: Live) -> Iterator[psycopg.Connection]:
    with psycopg.connect(host=str(live.home / "run"), user="postgres", dbname="pushsaas", autocommit=True) as admin:
        yield admin


def _writer(live: Live, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.usage_writer", *arguments],
        cwd=ROOT, env=live.environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def _storm_writer(live: Live, tenant: LiveTenant, number: int) -> subprocess.Popen[str]:
    answered = live.home / f"answered-{number}"
    return _writer(live, "storm", tenant.tenant_id, str(RECORDS), str(number), str(answered))


def _ingested(live: Live, tenant: LiveTenant) -> float:
    """Records answered per second by two writers, a tenant each; one in five records is a repeat."""
    tenants = [tenant, *(live.tenant(f"Bench {number}") for number in range(1, _WRITERS))]
    writers = [
        _writer(live, "ingest", each.tenant_id, str(_SECONDS), str(_BATCH), str(number))
        for number, each in enumerate(tenants)
    ]
    return sum(float(writer.communicate()[0]) for writer in writers)


def _one_by_one(live: Live) -> float:
    """The naive way: a transaction per record, INSERT … ON CONFLICT DO NOTHING and an UPDATE of the sum."""
    with _admin(live) as admin:
        admin.execute("CREATE TABLE naive (key text PRIMARY KEY, quantity bigint, occurred_at timestamptz)")
        admin.execute("CREATE TABLE naive_sum (total bigint)")
        admin.execute("INSERT INTO naive_sum VALUES (0)")
        started, number = time.perf_counter(), 0
        while time.perf_counter() - started < _SECONDS / 2:
            key = f"one:{number - number % 5 // 4}"
            with admin.transaction():
                added = admin.execute("INSERT INTO naive VALUES (%s, 1, now()) ON CONFLICT DO NOTHING", [key]).rowcount
                admin.execute("UPDATE naive_sum SET total = total + %s", [added])
            number += 1
        return number / (time.perf_counter() - started)


def _pgbench(live: Live) -> float:
    """pgbench's transactions per second with one INSERT each, two clients."""
    script = live.home / "insert.sql"
    script.write_text("\\set n random(1, 1000000000)\nINSERT INTO pgbench_row VALUES (:n, 1, now());\n")
    with _admin(live) as admin:
        admin.execute("CREATE TABLE pgbench_row (n bigint, quantity bigint, occurred_at timestamptz)")
    done = subprocess.run(
        [postgres_binaries() / "pgbench", "-n", "-f", script, "-c", "2", "-j", "2", "-T", "2",
         "-h", str(live.home / "run"), "-U", "postgres", "pushsaas"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout.split("tps = ")[1].split()[0])


_FILL = """
INSERT INTO usage_rollup
    (tenant_id, meter, hour, application_id, dimensions_hash, dimensions, record_count, total, peak)
SELECT tenant.id, meter, date_trunc('month', now(), 'UTC') + n * interval '1 hour', application, ''::bytea, '{}',
       %(records)s / (4 * 720 * 20), 1000, 7
FROM tenants_tenant AS tenant, unnest(%(meters)s::text[]) AS meter, generate_series(0, 719) AS n,
     generate_series(1, 20) AS application
"""


def _fill_rollup(admin: psycopg.Connection) -> int:
    meters = ["messages.published", "messages.delivered", "connections.peak", "campaign.sends"]
    rows = admin.execute(_FILL, {"records": _PREVIEWED, "meters": meters}).rowcount
    admin.execute("VACUUM ANALYZE usage_rollup")
    return rows


def _timed(admin: psycopg.Connection, statement: str) -> float:
    """Milliseconds, the median of five."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        admin.execute(statement).fetchall()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)
