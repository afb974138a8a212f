"""How a tenant stands because of its unpaid invoices: read from the steps that were taken about those still open."""

from __future__ import annotations

from apps.billing.models import DunningStep, Invoice, InvoiceStatus, PaymentStatus
from apps.billing.services.credits import profile_of
from apps.billing.services.letters import write_restored
from apps.tenants.models import Tenant
from apps.tenants.services import SYSTEM, set_unpaid_standing
from apps.tenants.standing import Standing, worst

_LEADS_TO = {
    DunningStep.Action.REMIND: Standing.OVERDUE,
    DunningStep.Action.RESTRICT: Standing.RESTRICTED,
    DunningStep.Action.SUSPEND: Standing.SUSPENDED,
}
_BINDING = (Standing.RESTRICTED, Standing.SUSPENDED)


def review_standing(*, tenant: Tenant, actor: str = SYSTEM) -> Standing:
    """Call it when a step was taken or an invoice was paid, credited or voided: it binds, or lifts, at once."""
    before = Standing(Tenant.objects.values_list("unpaid_standing", flat=True).get(pk=tenant.pk))
    standing = _standing(tenant)
    set_unpaid_standing(tenant=tenant, standing=standing, actor=actor)
    if before in _BINDING and standing not in _BINDING:
        write_restored(tenant=tenant, profile=profile_of(tenant=tenant))
    return standing


def _standing(tenant: Tenant) -> Standing:
    owed = Invoice.objects.of(tenant).filter(status=InvoiceStatus.FINALISED).exclude(payment_status=PaymentStatus.PAID)
    taken = DunningStep.objects.of(tenant).filter(invoice__in=owed, done_at__isnull=False, action__in=_LEADS_TO)
    actions = set(taken.values_list("action", flat=True))
    return worst(*(_LEADS_TO[DunningStep.Action(action)] for action in actions))
