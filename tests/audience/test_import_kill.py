"""SIGKILL in the middle of an import, with real processes: the counts are exact and nobody is there twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.core.files.base import ContentFile

from apps.audience.importing.columns import Column
from apps.audience.models import ImportJob, Subscriber
from apps.audience.services import imports
from apps.audience.services.imports import open_import, start_import
from apps.core import clock
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope

pytestmark = pytest.mark.django_db(transaction=True)

_WORKER = """
import sys, django
django.setup()
from apps.audience.services import intake
intake.SLICE_ROWS = 20
intake.continue_import(tenant_id=int(sys.argv[1]), import_id=int(sys.argv[2]))
"""
_ROWS, _PEOPLE, _KILLS = 4_000, 3_000, 3


@pytest.fixture
def job(tenant: Tenant, application: Application, monkeypatch: pytest.MonkeyPatch) -> ImportJob:
    monkeypatch.setattr(imports, "ring", lambda *_arguments: None)
    rows = (f"p{n % _PEOPLE},{n}" if n % 10 else f"bad {n},{n}" for n in range(_ROWS))
    content = ("external_id,n\n" + "\n".join(rows)).encode()
    opened = open_import(tenant=tenant, application=application, upload=ContentFile(content), file_name="people.csv")
    with tenant_scope(tenant):
        columns = [Column("external_id"), Column("attribute", "n", "number")]
        return start_import(tenant=tenant, job=opened, columns=columns)


def _fresh(job: ImportJob) -> ImportJob:
    with tenant_scope(job.tenant_id):
        return ImportJob.objects.get(pk=job.pk)


def _worker(job: ImportJob) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "pushsaas.settings",
        "PUSHSAAS_HOME": str(settings.HOME),
        "PUSHSAAS_DATABASE_NAME": settings.DATABASES["default"]["NAME"],
        "PUSHSAAS_ROLE": "worker",
    }
    arguments = [sys.executable, "-W", "ignore", "-c", _WORKER, str(job.tenant_id), str(job.pk)]
    return subprocess.Popen(arguments, env=environment, cwd=settings.BASE_DIR)


def _rows_seen(job: ImportJob, worker: subprocess.Popen[bytes]) -> Iterator[int]:
    deadline = time.monotonic() + 60
    while worker.poll() is None:
        assert time.monotonic() < deadline, "the worker makes no progress"
        yield _fresh(job).rows_count
        time.sleep(0.002)


def _end_the_lease(job: ImportJob) -> None:
    with tenant_scope(job.tenant_id):
        ImportJob.objects.filter(pk=job.pk).update(wake_at=clock.now())


def test_killed_workers_lose_and_repeat_nothing(job: ImportJob) -> None:
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _kill in range(_KILLS):
        before = _fresh(job).rows_count
        worker = _worker(job)
        if any(rows > before for rows in _rows_seen(job, worker)):
            time.sleep(chance.uniform(0, 0.05))
            worker.send_signal(signal.SIGKILL)
        worker.wait()
        _end_the_lease(job)

    assert _worker(job).wait(60) == 0

    done = _fresh(job)
    expected = {f"p{n % _PEOPLE}": n for n in range(_ROWS) if n % 10}
    with tenant_scope(job.tenant_id):
        found = {row.external_id: row.attributes["n"] for row in Subscriber.objects.of(job.tenant_id)}
        assert done.rejections.count() == _ROWS // 10
    assert found == expected
    assert (done.state, done.rows_count, done.created_count, done.updated_count, done.rejected_count) == (
        "done", _ROWS, len(expected), _ROWS - _ROWS // 10 - len(expected), _ROWS // 10,
    )  # fmt: skip
    assert done.fence > 1
