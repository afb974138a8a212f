"""Tenants take turns. Counted in claims, never in time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from apps.core import clock
from apps.messaging.ledger import claiming
from apps.messaging.ledger.claiming import claim_chunk
from apps.messaging.ledger.states import UnknownPolicy
from apps.messaging.models import Chunk, Message, SendingTurn
from apps.messaging.services import open_message
from apps.tenants.models import Application, Tenant
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]


def fill(application: Application, chunks: int, *, size: int = 1_000, due_in: float = -1, **given: object) -> Message:
    """A run of so many chunks of that size."""
    with tenant_scope(application.tenant):
        message = open_message(
            tenant=application.tenant, application=application, content={"en": {"title": "Hi"}}, routes=["realtime"],
            unknown_policy=UnknownPolicy.AT_MOST_ONCE, **given,
        )  # fmt: skip
        due_at = clock.now() + timedelta(seconds=due_in)
        Chunk.objects.bulk_create(
            Chunk(
                tenant=application.tenant, message=message, number=number, rank=message.rank, due_at=due_at,
                planned=size,
            )
            for number in range(chunks)
        )  # fmt: skip
    return message


def claims(count: int) -> list[int]:
    """Tenants of the next claims."""
    return [claim.tenant_id for claim in (claim_chunk() for _ in range(count)) if claim is not None]


@pytest.fixture
def other(other_application: Application) -> Application:
    return other_application


def test_a_small_run_is_not_delayed_by_another_tenants_large_one(application: Application, other: Application) -> None:
    fill(application, 1_000)
    assert claims(10) == [application.tenant_id] * 10
    fill(other, 1)
    assert other.tenant_id in claims(2)


def test_two_large_runs_alternate(application: Application, other: Application) -> None:
    fill(application, 50)
    claims(7)
    fill(other, 50)
    order = claims(20)
    assert order.count(other.tenant_id) in {10, 11}
    assert all(len(set(order[at : at + 3])) == 2 for at in range(17))


def test_who_was_idle_has_saved_nothing_up(application: Application, other: Application) -> None:
    fill(other, 1)
    assert claims(1) == [other.tenant_id]
    fill(application, 60)
    claims(30)
    fill(other, 30)
    assert claims(10).count(application.tenant_id) in {4, 5, 6}


def test_small_chunks_cost_less_of_a_turn(application: Application, other: Application) -> None:
    fill(application, 40)
    claims(1)
    fill(other, 40, size=100)
    order = claims(22)
    assert order.count(other.tenant_id) in {19, 20, 21}


def test_the_urgent_goes_first_within_a_tenant_and_a_paused_run_holds_nobody_up(
    application: Application, other: Application
) -> None:
    paused = fill(other, 3)
    ordinary = fill(application, 2, is_urgent=False)
    urgent = fill(application, 1)
    with tenant_scope(other.tenant):
        paused.changed(state="paused")
    found = [claim.message_id for claim in (claim_chunk() for _ in range(4)) if claim is not None]
    assert found == [urgent.pk, ordinary.pk, ordinary.pk]


def test_a_claim_reads_what_is_ready_by_its_index_and_what_is_to_come_by_its_time(application: Application) -> None:
    fill(application, 500, due_in=3_600)
    with all_tenants(CrossTenantRole.DISPATCH):
        woken = plan_of(claiming._WAKE, [100])
        claimed = plan_of(claiming._CLAIM, {"lease": 30, "least": 20})
    assert "chunk_to_come" in woken
    assert "Index Cond: (due_at <= statement_timestamp())" in woken
    assert "Index Only Scan using chunk_to_do" in claimed
    assert "Index Scan using chunk_to_do" in claimed


def plan_of(statement: str, values: object) -> str:
    """Of tables that are too small for an index to pay."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute(f"EXPLAIN {statement}", values)
        return "\n".join(row[0] for row in cursor.fetchall())


def test_turns_belong_to_their_tenant(application: Application, other: Application, tenant: Tenant) -> None:
    fill(application, 1)
    fill(other, 1)
    claims(2)
    with all_tenants(CrossTenantRole.DISPATCH):
        assert SendingTurn.objects.get_queryset().count() == 2
    with tenant_scope(tenant):
        assert SendingTurn.objects.get_queryset().count() == 1
