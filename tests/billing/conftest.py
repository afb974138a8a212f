"""Tenants and records for the billing tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from apps.billing.records import UsageRecordIn
from apps.core import clock
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope


def new_tenant(name: str = "Acme", timezone: str = "UTC") -> Tenant:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('tenants_tenant', 'id'))")
        number = cursor.fetchone()[0]
    with tenant_scope(number):
        return Tenant.objects.create(pk=number, name=name, timezone=timezone, home_region=settings.HOME_REGION)


@pytest.fixture
def acme(db: None) -> Tenant:
    return new_tenant()


@pytest.fixture
def rival(db: None) -> Tenant:
    return new_tenant("Rival")


RecordMaker = Callable[..., UsageRecordIn]


@pytest.fixture
def record() -> RecordMaker:
    def make(
        source_key: str = "rt:a:1:1",
        quantity: int = 1,
        *,
        meter: str = "messages.published",
        occurred_at: datetime | None = None,
        **more: Any,
    ) -> UsageRecordIn:
        return UsageRecordIn(meter, source_key, quantity, occurred_at or clock.now(), **more)

    return make
