"""Letters about an invoice, to whoever pays it: queued with the change they tell of, the PDF made when they leave."""

from __future__ import annotations

from django.conf import settings

from apps.accounts.services.mail import send_mail
from apps.billing.models import BillingProfile, Invoice
from apps.billing.money import display
from apps.core import clock
from apps.tenants.models import Membership, Tenant
from apps.tenants.permissions import Role


def write_about_invoice(*, tenant: Tenant, invoice: Invoice, profile: BillingProfile, kind: str) -> None:
    """`templates/mail/<kind>.txt` in the tenant's language, to the address for invoices or else to the owners."""
    left = invoice.total - invoice.wallet - invoice.paid - invoice.credited
    facts: dict[str, str | int] = {
        "tenant": tenant.name,
        "amount": display(left, invoice.currency, tenant.language),
        "total": display(invoice.total, invoice.currency, tenant.language),
        "due": (invoice.due_at or clock.now()).date().isoformat(),
        "link": f"{settings.PUBLIC_URL}/invoices/{invoice.public_id}/" if settings.PUBLIC_URL else "",
        "tenant_id": tenant.public_id,
        "invoice_id": invoice.public_id,
    }
    for recipient in _recipients(tenant, profile):
        send_mail(recipient=recipient, kind=kind, language=tenant.language, facts=facts, is_urgent=False)


def write_restored(*, tenant: Tenant, profile: BillingProfile) -> None:
    """Says that everything works again."""
    for recipient in _recipients(tenant, profile):
        send_mail(recipient=recipient, kind="account_restored", language=tenant.language, facts={"tenant": tenant.name})


def _recipients(tenant: Tenant, profile: BillingProfile) -> list[str]:
    if profile.email:
        return [profile.email]
    owners = Membership.objects.of(tenant).filter(role=Role.OWNER).select_related("user").order_by("pk")
    return [member.user.email for member in owners]
