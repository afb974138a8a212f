"""A process that writes usage for `benchmarks.billing`, with the product's own services.

`python -m benchmarks.usage_writer ingest TENANT SECONDS BATCH NUMBER` prints records per second.
`… storm TENANT RECORDS NUMBER ANSWERED` offers all records in an order of its own, and writes down in the file ANSWERED
how many batches have their answer; started again after a kill it goes on there.
`… preview TENANT TIMES` prints milliseconds.
"""

from __future__ import annotations

import random
import sys
import time
from datetime import timedelta
from pathlib import Path

import django

django.setup()

from apps.billing.queries import standing_of  # noqa: E402  # needs the settings
from apps.billing.records import UsageRecordIn  # noqa: E402
from apps.billing.reports import Grain, usage_report  # noqa: E402
from apps.billing.services import record_usage  # noqa: E402
from apps.billing.services.bills import reckon_running  # noqa: E402
from apps.core import clock  # noqa: E402
from apps.tenants.models import Tenant  # noqa: E402
from apps.tenants.scope import tenant_scope  # noqa: E402

_METER = "messages.published"
_STORM_BATCH = 1_000


def _tenant(public_id: str) -> Tenant:
    number = Tenant.number_of(public_id)
    with tenant_scope(number):
        return Tenant.objects.get(pk=number)


def ingest(public_id: str, seconds: str, batch: str, number: str) -> None:
    """Every fifth record repeats an earlier one; applications and hours vary as in life."""
    tenant, size, written = _tenant(public_id), int(batch), 0
    with tenant_scope(tenant):
        record_usage([UsageRecordIn(_METER, f"rt:warm{number}:0:0", 1, clock.now())], tenant=tenant)
    started = time.perf_counter()
    while time.perf_counter() - started < float(seconds):
        now = clock.now()
        repeating = (n - 4 if n % 5 == 4 else n for n in range(written, written + size))
        records = [
            UsageRecordIn(_METER, f"rt:n{number}:{n}:1", 3, now - timedelta(seconds=n % 7), n % 4) for n in repeating
        ]
        with tenant_scope(tenant):
            record_usage(records, tenant=tenant)
        written += size
    print(written / (time.perf_counter() - started))


def storm(public_id: str, records: str, number: str, answered: str) -> None:
    """A batch that was committed when the writer died before it heard so is offered again."""
    tenant, now = _tenant(public_id), clock.now()
    batches = list(range(0, int(records), _STORM_BATCH))
    random.Random(number).shuffle(batches)  # an order, not a secret
    noted = Path(answered)
    done = int(noted.read_text()) if noted.exists() else 0
    for place in range(done, len(batches)):
        first = batches[place]
        batch = [UsageRecordIn(_METER, f"rt:storm:{n}:1", 1, now) for n in range(first, first + _STORM_BATCH)]
        with tenant_scope(tenant):
            record_usage(batch, tenant=tenant)
        _note(noted, place + 1)


def _note(noted: Path, done: int) -> None:
    """Whole or not at all, wherever the kill falls."""
    fresh = noted.with_suffix(".new")
    fresh.write_text(str(done))
    fresh.replace(noted)


def preview(public_id: str, times: str) -> None:
    """What the usage page and the invoice page ask: the standing, the days of the period, the bill as it stands."""
    tenant = _tenant(public_id)
    for _ in range(int(times)):
        started = time.perf_counter()
        with tenant_scope(tenant):
            standing = standing_of(tenant=tenant)
            period = standing.period
            usage_report(tenant=tenant, start=period.starts_at, end=period.ends_at, grain=Grain.DAY)
            reckon_running(tenant=tenant)
        print((time.perf_counter() - started) * 1000)


if __name__ == "__main__":
    {"ingest": ingest, "storm": storm, "preview": preview}[sys.argv[1]](*sys.argv[2:])
