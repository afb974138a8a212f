"""A plan that changes in the middle of a cycle: cost, cap, limits and alerts go on over the whole of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
import time_machine
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from apps.billing.errors import QuotaExceeded, SpendCapReached
from apps.billing.models import BillingPeriod, Plan, PlanVersion
from apps.billing.pricing import Charge, Model, Terms, Tier
from apps.billing.queries import standing_of
from apps.billing.records import UsageRecordIn
from apps.billing.services import record_usage, reserve, set_plan
from apps.billing.services.caps import budget_of, quote_sends
from apps.billing.services.limits import OwnLimit, set_limits
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope
from tests.billing.invoices import MAY, subscribe
from tests.billing.test_statement import oracle_items

pytestmark = pytest.mark.django_db
SENDS = "campaign.sends"
CHANGE = datetime(2026, 5, 11, 8, tzinfo=UTC)
OLD = Terms("EUR", (Charge(SENDS, unit_price=Decimal("0.05"), included=40),), flat_fee=Decimal("9.99"))
NEW = Terms(
    "EUR",
    (Charge(SENDS, Model.GRADUATED, tiers=(Tier(50, Decimal("0.02")), Tier(None, Decimal("0.013"), Decimal("0.5")))),),
    flat_fee=Decimal("31"),
)


def offer(code: str, terms: Terms) -> None:
    plan = Plan.objects.create(code=code, name=code)
    PlanVersion.objects.create(plan=plan, number=1, terms_json=terms.to_json())


def send(tenant: Tenant, key: str, count: int, at: datetime) -> None:
    if count:
        record_usage([UsageRecordIn(SENDS, key, count, at)], tenant=tenant)


def change(tenant: Tenant, before: int, after: int) -> None:
    """`before` sends by the old plan, the change, `after` by the new; in the caller's scope."""
    with time_machine.travel(CHANGE - timedelta(days=1), tick=False):
        send(tenant, "before", before, CHANGE - timedelta(days=1))
    with time_machine.travel(CHANGE, tick=False):
        set_plan(tenant=tenant, code="new")
        send(tenant, "after", after, CHANGE)


@pytest.fixture
def changing(tenant: Tenant) -> Tenant:
    offer("old", OLD)
    offer("new", NEW)
    subscribe(tenant, "old")
    return tenant


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.integers(0, 300), after=st.integers(0, 300))
def test_the_cost_so_far_is_what_the_oracle_reckons_over_both_parts(changing: Tenant, before: int, after: int) -> None:
    with tenant_scope(changing), time_machine.travel(CHANGE, tick=False):
        point = transaction.savepoint()
        change(changing, before, after)
        standing = standing_of(tenant=changing)
        parts = BillingPeriod.objects.of(changing).filter(cycle_starts_at=MAY).order_by("starts_at")
        expected = sum(
            (
                sum(oracle_items(terms, {SENDS: used}, part.share), Fraction(0))
                for terms, used, part in zip((OLD, NEW), (before, after), parts, strict=True)
            ),
            Fraction(0),
        )
        cents = int(expected * 100 + Fraction(1, 2))
        transaction.savepoint_rollback(point)
    assert standing.cost == cents


def test_the_cap_counts_what_was_spent_before_the_change(changing: Tenant) -> None:
    with tenant_scope(changing):
        change(changing, before=110, after=0)
        with time_machine.travel(CHANGE, tick=False):
            free = round(40 * Fraction((CHANGE - MAY).total_seconds()) / Fraction(timedelta(days=31).total_seconds()))
            spent = Fraction(5, 100) * (110 - free)
            assert budget_of(tenant=changing).spent == spent
            set_limits(tenant=changing, actor="system", limits={}, spend_cap=int(spent * 100) + 20)  # 0.20 left
            assert quote_sends(tenant=changing, quantity=10).fits is True
            assert quote_sends(tenant=changing, quantity=11).fits is False
            reserve(tenant=changing, holder="a", wanted={SENDS: 10})
            with pytest.raises(SpendCapReached):
                reserve(tenant=changing, holder="b", wanted={SENDS: 1})


def test_the_tenants_own_limit_counts_what_was_used_before_the_change(changing: Tenant) -> None:
    with tenant_scope(changing):
        with time_machine.travel(MAY, tick=False):
            set_limits(tenant=changing, actor="system", limits={SENDS: OwnLimit(hard=100)}, spend_cap=None)
        change(changing, before=70, after=20)
        with time_machine.travel(CHANGE, tick=False):
            reserve(tenant=changing, holder="a", wanted={SENDS: 10})
            with pytest.raises(QuotaExceeded):
                reserve(tenant=changing, holder="b", wanted={SENDS: 1})


def test_the_page_and_the_api_show_the_cost_of_the_whole_cycle(changing: Tenant, api: APIClient) -> None:
    with tenant_scope(changing):
        change(changing, before=100, after=50)
    with time_machine.travel(CHANGE + timedelta(hours=1), tick=False):
        with tenant_scope(changing):
            standing = standing_of(tenant=changing)
        shown = api.get("/api/v1/usage").json()["period"]["cost"]["amount"]
    assert standing.earlier_cost > 0
    assert Decimal(shown) * 100 == standing.cost > standing.rating.total
