"""What billing leaves for the data plane, and when it corrects it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from redis import Redis

from apps.billing.services import record_usage, set_plan
from apps.billing.services.allowances import answer_asks, settle_allowance, settle_due_allowances
from apps.billing.services.caps import UNLIMITED
from apps.core import valkey
from apps.realtime import allowances, keys
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope
from tests.billing.conftest import RecordMaker

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(clean_valkey: None, region: str) -> Redis:
    return valkey.connect(region)


@pytest.fixture
def limited(tenant: Tenant) -> Tenant:
    with tenant_scope(tenant):
        set_plan(tenant=tenant, limits={"messages.published": 1_000, "connections.peak": 30})
    return tenant


def left(client: Redis, tenant: Tenant) -> int | None:
    raw: Any = client.get(keys.message_allowance(tenant.pk))
    return None if raw is None else int(raw)


def publish(tenant: Tenant, record: Any) -> None:
    with tenant_scope(tenant):
        record_usage([record], tenant=tenant)


def test_a_tenant_somebody_asked_for_is_offered_what_is_left(
    client: Redis, limited: Tenant, region: str, record: RecordMaker
) -> None:
    publish(limited, record(quantity=300))
    client.sadd(keys.ALLOWANCE_ASKS, limited.pk)
    assert answer_asks(region=region) == 1
    assert left(client, limited) == 700
    assert client.get(keys.connection_allowance(limited.pk)) == b"30"
    assert allowances.asked(client) == []


def test_a_tenant_without_limits_is_offered_plenty(client: Redis, tenant: Tenant) -> None:
    with tenant_scope(tenant):
        set_plan(tenant=tenant, code="pay-as-you-go")
    settle_allowance(tenant_id=tenant.pk)
    assert left(client, tenant) == UNLIMITED
    assert client.exists(keys.connection_allowance(tenant.pk)) == 0


def test_an_ask_for_a_tenant_that_is_gone_is_dropped(client: Redis, region: str) -> None:
    client.sadd(keys.ALLOWANCE_ASKS, 999_999)
    answer_asks(region=region)
    assert allowances.asked(client) == []


def test_usage_the_allowance_did_not_know_of_lowers_it_and_known_usage_does_not(
    client: Redis, limited: Tenant, record: RecordMaker
) -> None:
    settle_allowance(tenant_id=limited.pk)
    client.decrby(keys.message_allowance(limited.pk), 100)  # a gateway took a block
    publish(limited, record("a", 60))
    settle_allowance(tenant_id=limited.pk)
    assert left(client, limited) == 900
    publish(limited, record("b", 500))  # by the grace of a gateway that nobody had answered
    settle_allowance(tenant_id=limited.pk)
    assert left(client, limited) == 440


def test_a_block_that_died_with_its_gateway_comes_back_after_a_minute_of_quiet(
    client: Redis, limited: Tenant, record: RecordMaker, as_worker: None
) -> None:
    with time_machine.travel(datetime(2026, 5, 20, tzinfo=UTC), tick=False) as clock:
        settle_allowance(tenant_id=limited.pk)
        client.decrby(keys.message_allowance(limited.pk), 100)
        publish(limited, record("a", 60))
        settle_allowance(tenant_id=limited.pk)
        assert settle_due_allowances() == 0
        clock.shift(timedelta(seconds=61))
        assert settle_due_allowances() == 1
        assert left(client, limited) == 940
        assert settle_due_allowances() == 0


def test_a_used_up_allowance_is_renewed_when_the_next_period_begins(
    client: Redis, limited: Tenant, record: RecordMaker, as_worker: None
) -> None:
    with time_machine.travel(datetime(2026, 5, 31, 23, 59, 50, tzinfo=UTC), tick=False) as clock:
        publish(limited, record("a", 1_000))
        settle_allowance(tenant_id=limited.pk)
        assert left(client, limited) == 0
        clock.shift(timedelta(seconds=10))
        assert settle_due_allowances() == 1
        assert left(client, limited) == 1_000
        assert settle_due_allowances() == 0


def test_a_used_up_limit_of_deliveries_stops_publications(client: Redis, limited: Tenant, record: RecordMaker) -> None:
    with tenant_scope(limited):
        set_plan(tenant=limited, limits={"messages.delivered": 50})
    publish(limited, record("a", 50, meter="messages.delivered"))
    settle_allowance(tenant_id=limited.pk)
    assert left(client, limited) == 0


def test_a_new_limit_reaches_the_data_plane_at_the_next_tick(
    client: Redis, limited: Tenant, record: RecordMaker, as_worker: None
) -> None:
    publish(limited, record("a", 1_000))
    settle_allowance(tenant_id=limited.pk)
    with tenant_scope(limited):
        set_plan(tenant=limited, limits={"messages.published": 1_500})
    settle_due_allowances()
    assert left(client, limited) == 500
