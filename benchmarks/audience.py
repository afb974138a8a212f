"""segment.estimate, import.csv: the audience on PostgreSQL with fsync.

BENCH_SUBSCRIBERS and BENCH_EVENTS say how large the generated set is (100,000 and 1,000,000; the figure of the
requirement is 1,000,000 and 10,000,000), BENCH_ROWS how many rows the imported file has (100,000).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from benchmarks.registry import Reading, figure
from tests.live import ROOT, Live, LiveTenant

SUBSCRIBERS = int(os.environ.get("BENCH_SUBSCRIBERS", "100000"))
EVENTS = int(os.environ.get("BENCH_EVENTS", "1000000"))
ROWS = int(os.environ.get("BENCH_ROWS", "100000"))

_PEOPLE = """
INSERT INTO audience_subscriber (tenant_id, application_id, external_id, attributes, tags, language, timezone,
    created_at, updated_at)
SELECT application.tenant_id, application.id, 'person-' || n, jsonb_build_object('plan',
    CASE WHEN n %% 3 = 0 THEN 'pro' ELSE 'free' END, 'points', n), '{}', 'en', 'UTC', now(), now()
FROM tenants_application application, generate_series(1, %s) AS n WHERE application.application_id = %s
"""
#: Ten names, each person's events spread over the last 60 days.
_EVENTS = """
INSERT INTO audience_event (tenant_id, application_id, subscriber_id, name, occurred_at, event_id, properties,
    received_at)
SELECT tenant_id, application_id, id, 'event-' || (k * k + id) %% 10, now() - ((k * 7919 + id * 104729) %% 86400)
    * interval '60 seconds', id || '-' || k, jsonb_build_object('price', k), now()
FROM audience_subscriber, generate_series(1, %s) AS k
"""
#: Pro and twice in 30 days, or never once in them.
RULES = {
    "any": [
        {
            "all": [
                {"field": "attribute", "key": "plan", "relation": "=", "value": "pro"},
                {"field": "event", "key": "event-3", "relation": ">=", "value": 2, "days": 30},
            ]
        },
        {"field": "event", "key": "event-4", "relation": "not_exists", "days": 30},
    ]
}


@figure("segment.estimate")
def segment_estimate() -> Iterator[Reading]:
    with _product() as (live, tenant, admin):
        admin.execute(_PEOPLE, [SUBSCRIBERS, tenant.application_id])
        admin.execute("SELECT audience_open_month((now() - n * interval '1 month')::date) FROM generate_series(0, 3) n")
        admin.execute(_EVENTS, [EVENTS // SUBSCRIBERS])
        admin.execute("VACUUM ANALYZE audience_subscriber, audience_event")
        milliseconds, bare = (float(word) for word in _inside(live, "estimate", tenant.application_id).split())
    yield Reading("segment.estimate", milliseconds, "ms", {"a-plain-count": milliseconds / bare})


@figure("import.csv")
def import_csv() -> Iterator[Reading]:
    with _product() as (live, tenant, _admin):
        file = live.home / "people.csv"
        with file.open("w") as out:
            out.write("external_id,name,plan,points,active,language,timezone,tags\n")
            out.writelines(f"person-{n},Name {n},pro,{n},true,en,Europe/Berlin,a;b\n" for n in range(ROWS))
        seconds, bare = (float(w) for w in _inside(live, "import_csv", tenant.application_id, str(file)).split())
    yield Reading("import.csv", ROWS / seconds, "rows/s", {"bare-COPY": bare / seconds})


@contextmanager
def _product() -> Iterator[tuple[Live, LiveTenant, psycopg.Connection]]:
    home = Path(tempfile.mkdtemp(prefix="pushsaas-bench-"))
    live = Live(home, durable=True)
    try:
        tenant = live.tenant("Bench")
        yield live, tenant, psycopg.connect(host=str(home / "run"), user="postgres", dbname="pushsaas", autocommit=True)
    finally:
        live.stop()
        shutil.rmtree(home, ignore_errors=True)


def _inside(live: Live, what: str, *arguments: str) -> str:
    """What a worker process of the product says."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.inside", what, *arguments]
    environment = {**live.environment, "PUSHSAAS_ROLE": "worker", "PUSHSAAS_LOG_LEVEL": "WARNING"}
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
