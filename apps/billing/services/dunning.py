"""What is done about unpaid invoices when it is due: collect, remind, restrict, suspend, give up."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from apps.billing.dunning import parse
from apps.billing.models import DunningStep, Invoice, PaymentStatus
from apps.billing.payments import CollectionResult, Demand, payment_adapter
from apps.billing.pricing import Terms
from apps.billing.services.credits import profile_of
from apps.billing.services.letters import write_about_invoice
from apps.billing.services.paying import demand_for
from apps.billing.services.settling import record_payment
from apps.billing.services.standing import review_standing
from apps.core import clock
from apps.tenants.models import Tenant
from apps.tenants.scope import CrossTenantRole, all_tenants, tenant_scope
from apps.tenants.services import SYSTEM

_MOST = 200
_LETTERS = {
    DunningStep.Action.REMIND: "invoice_reminder",
    DunningStep.Action.RESTRICT: "invoice_restricted",
    DunningStep.Action.SUSPEND: "invoice_suspended",
}


def plan_dunning(*, tenant: Tenant, invoice: Invoice, due_at: datetime, terms: Terms) -> None:
    """Writes down the plan's steps, or those of the installation, for an invoice that is to be paid."""
    DunningStep.objects.bulk_create(
        DunningStep(tenant=tenant, invoice=invoice, action=step.action, due_at=due_at + timedelta(days=step.days))
        for step in parse(terms.dunning or settings.DUNNING)
    )


def take_dunning_steps() -> int:
    """Does what is due about unpaid invoices; answers how many steps were due.

    A step is marked done before it is taken, so that nobody is written to twice; an adapter charges an invoice once
    however often it is asked.
    """
    with all_tenants(CrossTenantRole.DISPATCH):
        steps = DunningStep.objects.get_queryset().filter(done_at=None, due_at__lte=clock.now())
        due = list(steps.order_by("due_at", "pk").values_list("tenant_id", "pk")[:_MOST])
    for tenant_id, number in due:
        _take(tenant_id, number)
    return len(due)


def _take(tenant_id: int, number: int) -> None:
    with tenant_scope(tenant_id):
        tenant = Tenant.objects.get(pk=tenant_id)
        steps = DunningStep.objects.of(tenant).filter(pk=number, done_at=None)
        step = steps.select_related("invoice").select_for_update(skip_locked=True, of=("self",)).first()
        if step is None:  # another worker was first, or it was paid
            return
        DunningStep.objects.of(tenant).filter(pk=number).update(done_at=clock.now())
        _act(tenant, step)
        invoice = step.invoice
        demand = demand_for(tenant=tenant, invoice=invoice)
    if step.action == DunningStep.Action.COLLECT and demand.amount:
        _collect(tenant, invoice, demand)


def _act(tenant: Tenant, step: DunningStep) -> None:
    action, invoice = DunningStep.Action(step.action), step.invoice
    if action in _LETTERS:
        write_about_invoice(tenant=tenant, invoice=invoice, profile=profile_of(tenant=tenant), kind=_LETTERS[action])
        review_standing(tenant=tenant)
    elif action == DunningStep.Action.UNCOLLECTIBLE:
        invoice.changed(payment_status=PaymentStatus.UNCOLLECTIBLE)


def _collect(tenant: Tenant, invoice: Invoice, demand: Demand) -> None:
    """No scope is open: the adapter talks to a network."""
    adapter = payment_adapter()
    collected = adapter.collect(demand)
    if collected.result is not CollectionResult.PAID:
        return
    with tenant_scope(tenant):
        record_payment(
            tenant=tenant,
            invoice=invoice,
            amount=demand.amount,
            method=adapter.name,
            reference=collected.reference,
            actor=SYSTEM,
        )
