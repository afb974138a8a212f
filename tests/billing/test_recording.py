"""record_usage: what is counted, what is a repeat, what is refused."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import DatabaseError, connection, transaction

from apps.billing.models import UsageEvent, UsageKey, UsageRollup
from apps.billing.records import Result, UsageRecordIn
from apps.billing.services import record_usage
from apps.core import clock
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope
from tests.billing.conftest import RecordMaker

pytestmark = pytest.mark.django_db


def results(records: list[UsageRecordIn], tenant: Tenant) -> list[str]:
    with tenant_scope(tenant):
        return [outcome.reason or str(outcome.result) for outcome in record_usage(records, tenant=tenant)]


def total(tenant: Tenant, meter: str = "messages.published") -> int:
    with tenant_scope(tenant):
        rows = UsageRollup.objects.of(tenant).filter(meter=meter)
        return sum(row.total for row in rows)


def test_a_record_is_counted_once(tenant: Tenant, record: RecordMaker) -> None:
    assert results([record(quantity=7)], tenant) == ["new"]
    assert results([record(quantity=7)], tenant) == ["dup"]
    assert total(tenant) == 7


def test_the_same_id_with_another_timestamp_in_the_same_hour_is_a_repeat(tenant: Tenant, record: RecordMaker) -> None:
    with time_machine.travel(datetime(2026, 5, 20, 10, 30, tzinfo=UTC), tick=False):
        assert results([record()], tenant) == ["new"]
        assert results([record(occurred_at=clock.now() - timedelta(minutes=3))], tenant) == ["dup"]
    assert total(tenant) == 1


def test_the_same_id_with_a_timestamp_in_another_month_is_a_repeat(tenant: Tenant, record: RecordMaker) -> None:
    with time_machine.travel(datetime(2026, 6, 2, tzinfo=UTC), tick=False):
        assert results([record()], tenant) == ["new"]
        assert results([record(occurred_at=datetime(2026, 5, 30, tzinfo=UTC))], tenant) == ["dup"]
    assert total(tenant) == 1
    with tenant_scope(tenant):
        assert UsageEvent.objects.of(tenant).count() == 1


def test_the_same_id_with_another_payload_is_a_conflict_and_changes_nothing(
    tenant: Tenant, record: RecordMaker
) -> None:
    results([record(quantity=1)], tenant)
    assert results([record(quantity=2)], tenant) == ["conflict"]
    assert results([record(quantity=1, application_id=5)], tenant) == ["conflict"]
    assert results([record(quantity=1, dimensions={"provider": "fcm"})], tenant) == ["conflict"]
    assert total(tenant) == 1


def test_an_id_repeated_inside_one_batch_counts_once(tenant: Tenant, record: RecordMaker) -> None:
    batch = [record("k", 3), record("k", 3), record("k", 4), record("l", 1)]
    assert results(batch, tenant) == ["new", "dup", "conflict", "new"]
    assert total(tenant) == 4


def test_the_same_source_key_under_another_meter_is_another_record(tenant: Tenant, record: RecordMaker) -> None:
    batch = [record("k", 1), record("k", 9, meter="messages.delivered")]
    assert results(batch, tenant) == ["new", "new"]
    assert total(tenant, "messages.delivered") == 9


def test_what_the_caller_rolls_back_was_not_counted(tenant: Tenant, record: RecordMaker) -> None:
    with tenant_scope(tenant):
        record_usage([record("a"), record("b")], tenant=tenant)
        transaction.set_rollback(True)
    assert total(tenant) == 0
    assert results([record("a"), record("b")], tenant) == ["new", "new"]


def test_a_neighbour_may_use_the_same_key_and_sees_nothing_of_ours(
    tenant: Tenant, other_tenant: Tenant, record: RecordMaker
) -> None:
    results([record(quantity=5)], tenant)
    assert results([record(quantity=6)], other_tenant) == ["new"]
    assert (total(tenant), total(other_tenant)) == (5, 6)
    with tenant_scope(other_tenant):
        assert UsageKey.objects.filter(tenant_id=tenant.pk).count() == 0


def test_records_cannot_be_written_for_another_tenant(
    tenant: Tenant, other_tenant: Tenant, record: RecordMaker
) -> None:
    with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic(), tenant_scope(other_tenant):
        record_usage([record()], tenant=tenant)


@pytest.mark.parametrize("table", ["usage_key", "usage_event"])
@pytest.mark.parametrize("verb", ["UPDATE {} SET meter = meter", "DELETE FROM {}"])
def test_what_was_recorded_cannot_be_changed(tenant: Tenant, record: RecordMaker, table: str, verb: str) -> None:
    results([record()], tenant)
    with (
        pytest.raises(DatabaseError, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(verb.format(table))


def test_a_partition_cannot_be_read_around_its_parent(tenant: Tenant, record: RecordMaker) -> None:
    results([record()], tenant)
    month = clock.now().strftime("%Y_%m")
    for partition in (f"usage_event_{month}", f"usage_rollup_{month}", "usage_key_0"):
        with (
            pytest.raises(DatabaseError, match="permission denied"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(f"SELECT count(*) FROM {partition}")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"meter": "messages.dreamt"}, "unknown_meter"),
        ({"source_key": ""}, "bad_source_key"),
        ({"source_key": "x" * 201}, "bad_source_key"),
        ({"source_key": "a\x00b"}, "bad_source_key"),
        ({"quantity": -1}, "bad_quantity"),
        ({"quantity": 2**53 + 1}, "bad_quantity"),
        ({"occurred_at": datetime(2026, 5, 20)}, "timestamp_without_zone"),
        ({"occurred_at": datetime(2026, 5, 20, 12, 6, tzinfo=UTC)}, "timestamp_out_of_range"),
        ({"occurred_at": datetime(2026, 4, 15, 11, 59, tzinfo=UTC)}, "timestamp_out_of_range"),
        ({"dimensions": {str(n): "x" for n in range(9)}}, "bad_dimensions"),
        ({"dimensions": {"name": "x" * 200}}, "bad_dimensions"),
    ],
)
def test_a_bad_record_is_refused_with_a_reason_and_its_neighbours_count(
    tenant: Tenant, record: RecordMaker, changes: dict[str, object], reason: str
) -> None:
    with time_machine.travel(datetime(2026, 5, 20, 12, 0, tzinfo=UTC), tick=False):
        assert results([record("good"), record(**changes)], tenant) == ["new", reason]
    assert total(tenant) == 1


def test_the_rollup_adds_sums_and_keeps_the_largest(tenant: Tenant, record: RecordMaker) -> None:
    with time_machine.travel(datetime(2026, 5, 20, 12, 30, tzinfo=UTC), tick=False):
        results([record("a", 3), record("b", 5), record("c", 4, application_id=9)], tenant)
        results([record("d", 2), record("e", 1, occurred_at=datetime(2026, 5, 20, 11, 59, 59, tzinfo=UTC))], tenant)
    with tenant_scope(tenant):
        rows = UsageRollup.objects.of(tenant).order_by("hour", "application_id")
        assert [(row.hour.hour, row.application_id, row.record_count, row.total, row.peak) for row in rows] == [
            (11, 0, 1, 1, 1),
            (12, 0, 3, 10, 5),
            (12, 9, 1, 4, 4),
        ]


@pytest.mark.django_db(transaction=True)
def test_two_writers_of_the_same_keys_at_once_count_each_key_once(tenant: Tenant, record: RecordMaker) -> None:
    batch = [record(f"k{number}") for number in range(50)]
    outcomes: list[Result] = []
    together = threading.Barrier(4)

    def write(records: list[UsageRecordIn]) -> None:
        try:
            together.wait()
            with tenant_scope(tenant):
                outcomes.extend(outcome.result for outcome in record_usage(records, tenant=tenant))
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=[batch[:: (-1) ** number]]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (outcomes.count(Result.NEW), outcomes.count(Result.DUP)) == (50, 150)
    assert total(tenant) == 50
