"""What is forgotten when, and what cannot be forgotten by mistake."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from apps.billing import partitions
from apps.billing.models import UsageKey, UsageSource
from apps.billing.services import record_usage, subscription_of
from apps.billing.services.retention import drop_old_months, prune_keys, sweep_sources
from apps.core import clock
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope
from tests.billing.conftest import RecordMaker

pytestmark = pytest.mark.django_db


def exists(table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [table])
        return bool(cursor.fetchone()[0])


def old_key(tenant: Tenant, name: str, age: timedelta) -> None:
    with tenant_scope(tenant):
        UsageKey.objects.bulk_create(
            [
                UsageKey(
                    tenant=tenant, meter="messages.published", source_key=name, payload_hash=b"x" * 16,
                    first_seen_on=(clock.now() - age).date(),
                )
            ]
        )  # fmt: skip
        subscription_of(tenant=tenant)


def keys(tenant: Tenant) -> list[str]:
    with tenant_scope(tenant):
        return sorted(UsageKey.objects.of(tenant).values_list("source_key", flat=True))


def test_raw_records_go_by_the_month_and_sums_stay(tenant: Tenant, record: RecordMaker) -> None:
    with tenant_scope(tenant):
        record_usage([record()], tenant=tenant)
    partitions.open_months([date(2020, 1, 1)])
    assert drop_old_months() == ["usage_event_2020_01"]
    assert (exists("usage_event_2020_01"), exists("usage_rollup_2020_01")) == (False, True)
    assert exists(f"usage_event_{clock.now():%Y_%m}")
    assert drop_old_months() == []


def test_identities_are_forgotten_after_400_days_and_not_before(
    tenant: Tenant, other_tenant: Tenant, as_worker: None
) -> None:
    for each in (tenant, other_tenant):
        old_key(each, "old", timedelta(days=401))
        old_key(each, "young", timedelta(days=399))
    assert prune_keys() == 2
    assert keys(tenant) == keys(other_tenant) == ["young"]


@pytest.mark.parametrize(
    "call", ["billing_drop_months(current_date - 300)", "billing_prune_keys(current_date - 300, 10)"]
)
def test_nobody_can_ask_for_less(tenant: Tenant, call: str) -> None:
    old_key(tenant, "old", timedelta(days=350))
    with pytest.raises(DatabaseError, match="kept for 400 days"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SELECT {call}")
    assert keys(tenant) == ["old"]


def test_a_tenant_cannot_delete_its_identities_itself(tenant: Tenant) -> None:
    old_key(tenant, "old", timedelta(days=500))
    with pytest.raises(DatabaseError, match="permission denied"), tenant_scope(tenant):
        UsageKey.objects.of(tenant).delete()
    assert keys(tenant) == ["old"]


def test_sources_that_were_silent_for_long_are_swept(db: None) -> None:
    UsageSource.objects.create(node="gone", updated_at=clock.now() - timedelta(days=61))
    UsageSource.objects.create(node="here")
    assert sweep_sources() == 1
    assert list(UsageSource.objects.values_list("node", flat=True)) == ["here"]
