"""Months that went by, for tests of invoices."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import time_machine

from apps.billing.models import Invoice, Plan, PlanVersion
from apps.billing.pricing import Charge, Terms
from apps.billing.records import UsageRecordIn
from apps.billing.services import current_period, record_usage, set_plan
from apps.billing.services.credits import profile_of
from apps.billing.services.invoicing import finalise, open_draft
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope

MAY, JUNE, JULY = (datetime(2026, month, 1, tzinfo=UTC) for month in (5, 6, 7))
PUBLISHED = "messages.published"


def plan(code: str = "pro", *, fee: str = "30", price: str = "0.01", included: int = 0, **more: object) -> PlanVersion:
    """A plan of a flat fee and a price per publication, in EUR."""
    charges = (Charge(PUBLISHED, unit_price=Decimal(price), included=included),)
    terms = Terms("EUR", charges, flat_fee=Decimal(fee), **more)  # type: ignore[arg-type]
    made = Plan.objects.create(code=code, name=code.title())
    return PlanVersion.objects.create(plan=made, number=1, terms_json=terms.to_json())


def use(tenant: Tenant, quantity: int, at: datetime, key: str = "") -> None:
    """Counts publications at an instant, as if it were then."""
    with time_machine.travel(at, tick=False), tenant_scope(tenant):
        record_usage([UsageRecordIn(PUBLISHED, key or f"{at}", quantity, at)], tenant=tenant)


def subscribe(tenant: Tenant, code: str = "pro", at: datetime = MAY) -> None:
    with time_machine.travel(at, tick=False), tenant_scope(tenant):
        current_period(tenant=tenant)
        profile_of(tenant=tenant)
        set_plan(tenant=tenant, code=code)


def invoice_of(tenant: Tenant, starts_at: datetime = MAY, at: datetime = JUNE) -> Invoice:
    """The finalised invoice of a cycle, made in the caller's scope."""
    with time_machine.travel(at, tick=False):
        current_period(tenant=tenant, at=starts_at)
        draft = open_draft(tenant=tenant, starts_at=starts_at)
        assert draft is not None
        return finalise(tenant=tenant, invoice_id=draft.pk)
