"""Runs inside a process of the product, so that its code is measured as it serves. Prints numbers only."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import django

django.setup()

from django.core.files.base import File  # noqa: E402
from django.db import connection  # noqa: E402

from apps.audience.estimating import estimate  # noqa: E402
from apps.audience.importing.columns import Column  # noqa: E402
from apps.audience.models import ImportJob, Subscriber  # noqa: E402
from apps.audience.services.imports import open_import, start_import  # noqa: E402
from apps.audience.services.intake import continue_import  # noqa: E402
from apps.campaigns.planning import plan_started_runs  # noqa: E402
from apps.campaigns.services.running import start_due_campaigns  # noqa: E402
from apps.tenants.models import Application, Tenant  # noqa: E402
from apps.tenants.queries import find_application  # noqa: E402
from apps.tenants.scope import tenant_scope  # noqa: E402
from benchmarks.audience import RULES  # noqa: E402


def main(what: str, application_id: str, *arguments: str) -> None:
    found = find_application(application_id=application_id)
    assert found is not None
    with tenant_scope(found.tenant_id):
        tenant = Tenant.objects.get(pk=found.tenant_id)
        application = Application.objects.get(pk=found.application_pk)
    acts: dict[str, Callable[..., tuple[float, ...]]] = {
        "estimate": _estimate,
        "import_csv": _import_csv,
        "plan": _plan,
    }
    print(*acts[what](tenant, application, *arguments))


def _estimate(tenant: Tenant, application: Application) -> tuple[float, float]:
    """Milliseconds of the estimate, and of a count of everybody."""

    def ask() -> None:
        count = estimate(tenant=tenant, application=application, rules=RULES)
        print(json.dumps({"people": count.count}), file=sys.stderr)

    def count() -> None:
        Subscriber.objects.in_application(application).count()

    return _median_ms(tenant, ask), _median_ms(tenant, count)


def _plan(_tenant: Tenant, _application: Application) -> tuple[float]:
    """Seconds from the tick that finds the campaign due to the last ledger row."""
    started = time.perf_counter()
    assert start_due_campaigns() == 1
    assert plan_started_runs(seconds=3_600) is False
    return (time.perf_counter() - started,)


def _median_ms(tenant: Tenant, act: Callable[[], None]) -> float:
    seconds = []
    for _round in range(5):
        started = time.perf_counter()
        with tenant_scope(tenant):
            act()
        seconds.append(time.perf_counter() - started)
    return median(seconds) * 1_000


def _import_csv(tenant: Tenant, application: Application, path: str) -> tuple[float, float]:
    """Seconds of the whole import, and of a bare COPY of the same file."""
    with Path(path).open("rb") as file:
        job = open_import(tenant=tenant, application=application, upload=File(file), file_name="people.csv")
    with tenant_scope(tenant):
        start_import(tenant=tenant, job=job, columns=[Column.from_json(column) for column in job.columns])
    started = time.perf_counter()
    while job.state not in {"done", "failed"}:
        continue_import(tenant_id=tenant.pk, import_id=job.pk)
        with tenant_scope(tenant):
            job = ImportJob.objects.get(pk=job.pk)
    seconds = time.perf_counter() - started
    assert (job.state, job.rejected_count) == ("done", 0), job.failure
    return seconds, _bare_copy(path)


def _bare_copy(path: str) -> float:
    started = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE bare (a text, b text, c text, d text, e text, f text, g text, h text)")
        with Path(path).open("rb") as file, cursor.copy("COPY bare FROM STDIN (FORMAT csv, HEADER)") as copy:
            while piece := file.read(65_536):
                copy.write(piece)
    return time.perf_counter() - started


main(*sys.argv[1:])
