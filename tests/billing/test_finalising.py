"""Invoices finalised at once by worker processes that are killed: numbers without a gap, no invoice twice or by halves.

INVOICES and KILLS set the size; CI runs a slice; INVOICES=1000 KILLS=40 is the whole.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from benchmarks import month_end
from tests.live import ROOT, Live

pytestmark = pytest.mark.e2e

INVOICES = int(os.environ.get("INVOICES", "60"))
KILLS = int(os.environ.get("KILLS", "4"))
WORKERS = 3

#: Finalises until nothing is due, by the service that the task calls, in a process of its own.
_WORK = """
import django; django.setup()
from apps.billing.services.month_end import bill_some
while bill_some(): pass
"""


@pytest.fixture
def product() -> Iterator[Live]:
    home = Path(tempfile.mkdtemp(prefix="pushsaas-finalise-"))
    live = Live(home)
    try:
        yield live
    finally:
        live.stop()
        shutil.rmtree(home, ignore_errors=True)


def start(live: Live) -> subprocess.Popen[bytes]:
    environment = {**live.environment, "PUSHSAAS_ROLE": "worker"}
    return subprocess.Popen([sys.executable, "-W", "ignore", "-c", _WORK], cwd=ROOT, env=environment)


def test_workers_killed_while_they_finalise_leave_no_gap_and_no_half_invoice(
    product: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(month_end, "TENANTS", INVOICES)
    product.tenant("Tenant 1")
    chance, kills = random.Random(1), 0
    with psycopg.connect(host=str(product.home / "run"), user="postgres", dbname="pushsaas", autocommit=True) as admin:
        month_end.fill(admin)
        workers = [start(product) for _ in range(WORKERS)]
        try:
            while any(worker.poll() is None for worker in workers):
                time.sleep(chance.uniform(0.05, 0.2))
                place = chance.randrange(WORKERS)
                due = INVOICES * (kills + 1) // (KILLS + 2)  # while there is still something to do
                if kills < KILLS and workers[place].poll() is None and month_end.finalised(admin) >= due:
                    workers[place].send_signal(signal.SIGKILL)
                    workers[place].wait()
                    workers[place], kills = start(product), kills + 1
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
        assert kills == KILLS
        month_end.verify(admin)
