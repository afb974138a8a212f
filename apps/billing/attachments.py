"""What hangs on a letter about an invoice. Made when the letter leaves, so that a month end draws no pages."""

from __future__ import annotations

from django.utils import translation

from apps.accounts.services.mail import Attachment, Facts
from apps.billing.documents import document_of
from apps.billing.models import Invoice
from apps.billing.pdf import invoice_pdf
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope


def invoice_attachment(facts: Facts) -> Attachment | None:
    """The PDF of the invoice that the facts name, in its own language; None when it is not there any more."""
    if "invoice_id" not in facts:  # queued by the release before this one
        return None
    tenant_number = Tenant.number_of(str(facts["tenant_id"]))
    with tenant_scope(tenant_number):
        found = Invoice.objects.of(tenant_number).select_related("tenant")
        invoice = found.filter(pk=Invoice.number_of(str(facts["invoice_id"])), number__isnull=False).first()
        if invoice is None:
            return None
        with translation.override(invoice.language):
            document = document_of(tenant=invoice.tenant, invoice=invoice)
    with translation.override(invoice.language):
        return Attachment(f"{invoice.label}.pdf", invoice_pdf(document, invoice.language), "application/pdf")
