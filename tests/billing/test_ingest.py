"""From the data plane's stream into PostgreSQL: whatever is repeated, wiped or killed in between, each record once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from django.db import DatabaseError
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from apps.billing.models import UnmatchedUsage, UsageRollup, UsageSource
from apps.billing.plane import PlaneRecord, advance
from apps.billing.services import ingest as module
from apps.billing.services.ingest import ingest
from apps.core import clock, valkey
from apps.realtime import keys
from apps.realtime.usage import UsageRecord
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import tenant_scope

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(clean_valkey: None, region: str) -> Redis:
    return valkey.connect(region)


@pytest.fixture
def interval() -> int:
    """Ten seconds begin here."""
    return int(clock.now().timestamp()) // 10 * 10 - 10


class Gateway:
    """Makes records as a gateway does, and remembers them."""

    def __init__(self, client: Redis, application: Application, interval: int, node: str = "aa") -> None:
        self._client, self._application, self._interval, self._node = client, application, interval, node
        self.sent: list[UsageRecord] = []

    def send(self, **counts: int) -> None:
        numbers = {
            "published": 0,
            "delivered": 0,
            "bytes": 0,
            "dropped": 0,
            "peak": 0,
            "connection_seconds": 0,
            **counts,
        }
        tenant_id, seq = self._application.tenant_id, len(self.sent) + 1
        record = UsageRecord(tenant_id, self._application.application_id, self._node, self._interval, seq, **numbers)
        self.sent.append(record)
        self.add(record)

    def add(self, record: UsageRecord) -> None:
        self._client.xadd(keys.USAGE, {"r": record.json()})

    @property
    def acked(self) -> int:
        return int(self._client.hget(keys.USAGE_ACKED, self._node) or 0)


@pytest.fixture
def gateway(client: Redis, application: Application, interval: int) -> Gateway:
    return Gateway(client, application, interval)


def used(tenant: Tenant) -> dict[str, int]:
    with tenant_scope(tenant):
        sums: dict[str, int] = {}
        for row in UsageRollup.objects.of(tenant):
            sums[row.meter] = max(sums.get(row.meter, 0), row.peak) if row.meter == "connections.peak" else (
                sums.get(row.meter, 0) + row.total
            )  # fmt: skip
        return sums


def test_records_are_counted_acknowledged_and_taken_off_the_stream(
    gateway: Gateway, client: Redis, tenant: Tenant, application: Application, region: str
) -> None:
    gateway.send(published=3, delivered=30)
    gateway.send(published=2)
    assert ingest(region=region) == 2
    assert used(tenant) == {"messages.published": 5, "messages.delivered": 30}
    assert gateway.acked == 2
    assert client.xlen(keys.USAGE) == 0
    with tenant_scope(tenant):
        assert {row.application_id for row in UsageRollup.objects.of(tenant)} == {application.pk}


def test_stored_publications_and_whole_connection_minutes_are_counted(
    gateway: Gateway, tenant: Tenant, region: str
) -> None:
    gateway.send(published=3, stored=2, connection_seconds=180)
    gateway.send(connection_seconds=119)
    ingest(region=region)
    assert used(tenant) == {"messages.published": 3, "messages.stored": 2, "connections.minutes": 4}


def test_a_record_of_a_gateway_that_tells_less_is_read() -> None:
    told = b'{"tenant_id": 1, "application_id": "7", "node": "a", "interval": 2, "seq": 1, "published": 3, '
    record = PlaneRecord.from_json(told + b'"delivered": 0, "peak": 0}')
    assert [(each.meter, each.quantity) for each in record.usage(None)] == [("messages.published", 3)]


def test_a_record_added_again_changes_nothing(gateway: Gateway, tenant: Tenant, region: str) -> None:
    gateway.send(published=3)
    gateway.add(gateway.sent[0])
    ingest(region=region)
    gateway.add(gateway.sent[0])
    ingest(region=region)
    assert used(tenant) == {"messages.published": 3}


def test_a_wipe_before_the_ingest_loses_nothing_once_the_gateway_adds_again(
    gateway: Gateway, client: Redis, tenant: Tenant, region: str
) -> None:
    gateway.send(published=3)
    ingest(region=region)
    gateway.send(published=4)
    client.flushall()
    gateway.send(published=5)
    ingest(region=region)
    assert used(tenant) == {"messages.published": 8}
    assert gateway.acked == 1  # the second is missing
    gateway.add(gateway.sent[1])
    ingest(region=region)
    assert used(tenant) == {"messages.published": 12}
    assert gateway.acked == 3


@pytest.mark.parametrize("step", ["settle_allowance", "_advance_sources"])
def test_a_kill_after_the_commit_repeats_and_counts_once(
    gateway: Gateway, tenant: Tenant, region: str, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    gateway.send(published=3)

    def killed(*_arguments: Any, **_named: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, step, killed)
        with pytest.raises(KeyboardInterrupt):
            ingest(region=region)
    assert (used(tenant), gateway.acked) == ({"messages.published": 3}, 0)
    ingest(region=region)
    assert (used(tenant), gateway.acked) == ({"messages.published": 3}, 1)


@pytest.mark.parametrize("command", ["hset", "xdel"])
def test_a_kill_between_commit_and_acknowledgement_counts_once(
    gateway: Gateway, client: Redis, tenant: Tenant, region: str, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    gateway.send(published=3)

    def killed(*_arguments: Any, **_named: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(client, command, killed)
        with pytest.raises(KeyboardInterrupt):
            ingest(region=region)
    ingest(region=region)
    assert (used(tenant), gateway.acked, client.xlen(keys.USAGE)) == ({"messages.published": 3}, 1, 0)


def test_one_tenants_trouble_keeps_its_records_and_holds_up_nobody(
    gateway: Gateway,
    client: Redis,
    tenant: Tenant,
    other_tenant: Tenant,
    other_application: Application,
    interval: int,
    region: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway.send(published=3)
    Gateway(client, other_application, interval, "bb").send(published=4)
    count = module._count

    def troubled(tenant_id: int, lines: Any) -> None:
        if tenant_id == tenant.pk:
            raise DatabaseError("deadlock")
        count(tenant_id, lines)

    with monkeypatch.context() as patch:
        patch.setattr(module, "_count", troubled)
        assert ingest(region=region) == 1
    assert (used(tenant), used(other_tenant)) == ({}, {"messages.published": 4})
    assert ingest(region=region) == 1
    assert used(tenant) == {"messages.published": 3}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        orjson.dumps({"tenant_id": 1}),
        orjson.dumps({"tenant_id": 1, "application_id": "1", "node": "a", "interval": 1, "seq": 0, "published": 1,
                      "delivered": 0, "peak": 0}),
        orjson.dumps({"tenant_id": 1, "application_id": "1", "node": "a", "interval": 10**12, "seq": 1, "published": 1,
                      "delivered": 0, "peak": 0}),
        orjson.dumps({"tenant_id": 1, "application_id": "1", "node": "a", "interval": 1, "seq": 1, "published": -5,
                      "delivered": 0, "peak": 0}),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_set_aside_and_stays_visible(client: Redis, region: str, raw: bytes) -> None:
    client.xadd(keys.USAGE, {"r": raw})
    assert ingest(region=region) == 1
    assert [row.reason for row in UnmatchedUsage.objects.all()] == ["unreadable"]
    assert client.xlen(keys.USAGE) == 0


def test_a_record_of_nobody_and_one_too_old_are_set_aside_and_acknowledged(
    client: Redis, application: Application, tenant: Tenant, interval: int, region: str
) -> None:
    stranger = Application(tenant_id=tenant.pk + 10_000, application_id="77")
    lost, late = Gateway(client, stranger, interval, "cc"), Gateway(client, application, interval - 40 * 86_400, "dd")
    lost.send(published=1)
    late.send(published=1)
    ingest(region=region)
    assert sorted(row.reason for row in UnmatchedUsage.objects.all()) == ["timestamp_out_of_range", "unknown_tenant"]
    assert (lost.acked, late.acked) == (1, 1)


def test_connections_of_several_gateways_at_the_same_time_add_up_and_the_largest_sum_counts(
    gateway: Gateway, client: Redis, application: Application, tenant: Tenant, interval: int, region: str
) -> None:
    second = Gateway(client, application, interval, "bb")
    gateway.send(peak=5)
    gateway.send(peak=7)
    ingest(region=region)
    second.send(peak=4)
    ingest(region=region)
    later = Gateway(client, application, interval + 10, "cc")
    later.send(peak=9)
    ingest(region=region)
    assert used(tenant) == {"connections.peak": 11}
    assert UsageSource.objects.count() == 3


@given(
    st.integers(1, 40).flatmap(
        lambda size: st.tuples(
            st.just(size), st.permutations(range(1, size + 1)), st.lists(st.integers(1, 5), min_size=40)
        )
    )
)
def test_a_node_is_counted_up_to_its_last_record_in_whatever_order_they_come(
    case: tuple[int, list[int], list[int]],
) -> None:
    size, order, cuts = case
    counted, ahead, pending = 0, [], list(order)
    seen: set[int] = set()
    for cut in cuts:
        batch, pending = pending[:cut], pending[cut:]
        seen.update(batch)
        counted, ahead = advance(counted, ahead, batch)
        missing: Iterator[int] = (seq for seq in range(1, size + 2) if seq not in seen)
        assert counted == next(missing) - 1
    assert (counted, ahead) == (size, [])
