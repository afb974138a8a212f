"""A small duplicate storm: writers offer the same records in their own orders while their sessions are killed."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import pytest
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from apps.billing.models import Quota, UsageEvent
from apps.billing.records import UsageRecordIn
from apps.billing.services import record_usage
from apps.billing.services.checking import tellings_of
from apps.core import clock
from apps.operations.database import connect_as_admin
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope
from tests.billing.conftest import RecordMaker

_RECORDS, _BATCH, _WRITERS, _KILLS = 3_000, 100, 3, 8


def write(tenant: Tenant, records: list[UsageRecordIn], seed: int, sessions: set[int]) -> None:
    """Offers everything until each batch has its answer."""
    batches = [records[first : first + _BATCH] for first in range(0, len(records), _BATCH)]
    random.Random(seed).shuffle(batches)
    while batches:
        try:
            with tenant_scope(tenant):
                sessions.add(connection.connection.info.backend_pid)
                record_usage(batches[-1], tenant=tenant)
            batches.pop()
        except (OperationalError, InterfaceError):  # killed, perhaps after the commit: offer it again
            connection.close()
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_no_record_is_lost_or_counted_twice_when_writers_are_killed(tenant: Tenant, record: RecordMaker) -> None:
    now = clock.now()
    records = [record(f"rt:storm:{n}:1", 1 + n % 3, occurred_at=now) for n in range(_RECORDS)]
    sessions: set[int] = set()
    writers = [threading.Thread(target=write, args=(tenant, records, seed, sessions)) for seed in range(_WRITERS)]
    for writer in writers:
        writer.start()
    killed = _kill_some(sessions, lambda: any(writer.is_alive() for writer in writers))
    for writer in writers:
        writer.join()
    with tenant_scope(tenant):
        assert killed > 0
        assert UsageEvent.objects.of(tenant).count() == _RECORDS
        used = Quota.objects.of(tenant).get(meter="messages.published").used
        assert used == sum(each.quantity for each in records)
        assert all(telling.agrees for telling in tellings_of(tenant=tenant))


def _kill_some(sessions: set[int], is_going_on: Callable[[], bool]) -> int:
    chance, killed = random.Random(1), 0
    with connect_as_admin(settings.DATABASES["default"]["NAME"]) as admin:
        while is_going_on() and killed < _KILLS:
            time.sleep(0.02)
            if sessions:
                victim = chance.choice(sorted(sessions))
                row = admin.execute("SELECT pg_terminate_backend(%s)", [victim]).fetchone()
                sessions.discard(victim)
                killed += bool(row and row[0])
    return killed
