"""push.pipeline, push.memory: APNs pushes through the whole product: ledger, Liquid, adapter, outcomes, usage.

One worker process on one core; the network and PostgreSQL (with fsync) on the other. push.pipeline is per second of the
worker's own CPU time, which on a machine with nothing else to do is what one busy core sends; beside it the same
adapter without a pipeline. push.memory drains at a network that answers after one second, by as many workers as that
takes, and reads the memory of the largest: at most, beside what it had in the first quarter of the time.

BENCH_PUSHES, BENCH_DRAIN: how many of them. BENCH_WORKERS: of push.memory. At full size BENCH_DRAIN=1000000.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import psycopg

from benchmarks.push import measured, nghttpd, temporary_home
from benchmarks.registry import Reading, figure
from benchmarks.rulers import LOAD_CORE, SERVER_CORE, pinned
from tests.live import ROOT, Live, LiveTenant

PUSHES = int(os.environ.get("BENCH_PUSHES", "40000"))
DRAIN = int(os.environ.get("BENCH_DRAIN", "40000"))
WORKERS = int(os.environ.get("BENCH_WORKERS", "8"))

_PEOPLE = """
INSERT INTO audience_subscriber (tenant_id, application_id, external_id, attributes, tags, language, timezone,
    created_at, updated_at)
SELECT tenant_id, id, 'person-' || n, jsonb_build_object('name', 'Name ' || n, 'pro', n %% 2 = 0, 'city', 'Rome',
    'points', n), '{}', 'en', 'UTC', now(), now()
FROM tenants_application, generate_series(1, %(count)s) AS n WHERE application_id = %(application)s
"""
_DEVICES = """
INSERT INTO audience_device (tenant_id, application_id, subscriber_id, platform, provider, address, address_hash,
    address_kind, installation_id, environment, public_key, auth_secret, sender_key, registered_at, strikes,
    retired_reason, created_at, updated_at)
SELECT tenant_id, application_id, id, 'ios', 'apns', external_id, external_id, 'token', '', 'production', '', '', '',
    now(), 0, '', now(), now()
FROM audience_subscriber
"""


@figure("push.pipeline")
def pipeline() -> Iterator[Reading]:
    with temporary_home() as home:
        names = [f"person-{number}" for number in range(1, PUSHES + 1)]
        with nghttpd(home, paths=[*names, "token"]) as port:
            bare = measured(home, "apns", str(port))
            with _product(home, PUSHES) as (live, tenant):
                [worker] = _drained(live, tenant, f"https://127.0.0.1:{port}", home / "ca.pem")
    rate = PUSHES / worker.processor
    ratios = {"push.apns": rate / bare, "its-own-wall-clock": worker.wall / worker.processor}
    yield Reading("push.pipeline", rate, "pushes/s-of-a-core", ratios)


@figure("push.memory")
def memory() -> Iterator[Reading]:
    with temporary_home() as home, _slow_network(home) as origin, _product(home, DRAIN) as (live, tenant):
        largest = max(_drained(live, tenant, origin, home / "ca.pem", WORKERS), key=lambda worker: worker.most)
    ratios = {"its-first-quarter": largest.most / largest.at_first, f"seconds-of-{WORKERS}-workers": largest.wall}
    yield Reading("push.memory", largest.most, "MB-a-worker", ratios)


@contextmanager
def _product(home: Path, people: int) -> Iterator[tuple[Live, LiveTenant]]:
    """With so many people, a phone each."""
    live = Live(home / "product", durable=True)
    try:
        for process in psutil.Process().children(recursive=True):
            process.cpu_affinity([int(SERVER_CORE)])
        tenant = live.tenant("Bench")
        with _admin(live) as admin:
            admin.execute(_PEOPLE, {"count": people, "application": tenant.application_id})
            admin.execute(_DEVICES)
            admin.execute("VACUUM ANALYZE audience_subscriber, audience_device")
        yield live, tenant
    finally:
        live.stop()


@contextmanager
def _slow_network(home: Path) -> Iterator[str]:
    command = pinned(SERVER_CORE, sys.executable, "-m", "benchmarks.slow_network", str(home))
    network = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert network.stdout is not None
    try:
        yield network.stdout.readline().strip()
    finally:
        network.terminate()
        network.wait()


class Worker(NamedTuple):
    """What benchmarks/push_worker.py prints. most, at_first: megabytes."""

    processor: float
    wall: float
    most: float
    at_first: float


def _drained(live: Live, tenant: LiveTenant, origin: str, authority: Path, workers: int = 1) -> list[Worker]:
    environment = {
        **live.environment, "PUSHSAAS_ROLE": "worker", "PUSHSAAS_LOG_LEVEL": "WARNING",
        "PUSHSAAS_APNS_URL": origin, "PUSHSAAS_EGRESS_CA": str(authority),
    }  # fmt: skip

    def started(what: str) -> subprocess.Popen[str]:
        program = [sys.executable, "-W", "ignore", "-m", "benchmarks.push_worker", what, tenant.application_id]
        return subprocess.Popen(
            pinned(LOAD_CORE, *program), cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )

    _said(started("plan"))
    drains = [started("drain") for _ in range(workers)]
    found = [Worker(*map(float, _said(drain).split())) for drain in drains]
    _check_all_accepted(live)
    return found


def _said(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"a worker ended with {process.returncode}")
    return output


def _check_all_accepted(live: Live) -> None:
    with _admin(live) as admin:
        states = dict(admin.execute("SELECT state, count(*) FROM messaging_delivery GROUP BY state").fetchall())
    if set(states) != {"accepted"}:
        raise RuntimeError(f"not everything was accepted: {states}")


def _admin(live: Live) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(host=str(live.home / "run"), user="postgres", dbname="pushsaas", autocommit=True)
