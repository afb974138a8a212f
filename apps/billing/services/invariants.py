"""Do the books add up? What must hold of one tenant's money at every commit, asked again from the rows."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Sum

from apps.billing.models import (
    AccountKind,
    Invoice,
    InvoiceCounter,
    InvoiceLine,
    InvoiceStatus,
    InvoiceTax,
    LedgerEntry,
)
from apps.billing.services.credits import balances_of_credits
from apps.billing.services.ledger import balances
from apps.tenants.models import Tenant


def broken_invariants(*, tenant: Tenant) -> Iterator[str]:
    """One sentence for each rule that does not hold."""
    sums = LedgerEntry.objects.of(tenant).values_list("currency").annotate(Sum("amount"))
    yield from (f"the ledger is off by {off} in {currency}" for currency, off in sums if off)
    left = balances_of_credits(tenant=tenant)
    yield from (f"credit {number} holds {units}" for number, units in left.items() if units < 0)
    yield from _receivables(tenant)
    yield from _totals(tenant)


def _receivables(tenant: Tenant) -> Iterator[str]:
    """What the ledger says is owed is what the open invoices say."""
    booked = {currency: units for (currency, _), units in balances(tenant=tenant, kind=AccountKind.RECEIVABLE).items()}
    opened: dict[str, int] = {}
    for invoice in Invoice.objects.of(tenant).filter(status=InvoiceStatus.FINALISED):
        opened[invoice.currency] = opened.get(invoice.currency, 0) + invoice.open_amount
    for currency in sorted({*booked, *opened}):
        if booked.get(currency, 0) != opened.get(currency, 0):
            yield f"receivable {booked.get(currency, 0)} and open {opened.get(currency, 0)} differ in {currency}"


def _totals(tenant: Tenant) -> Iterator[str]:
    """An invoice's lines and taxes add up to its net, tax and total."""
    parts = [
        dict(model.objects.of(tenant).values_list("invoice_id").annotate(Sum("posted")))
        for model in (InvoiceLine, InvoiceTax)
    ]
    for invoice in Invoice.objects.of(tenant).exclude(status=InvoiceStatus.DRAFT):
        net, tax = (sums.get(invoice.pk, 0) for sums in parts)
        if (net, tax) != (invoice.net, invoice.tax):
            yield f"invoice {invoice.label or invoice.public_id} says {invoice.net} + {invoice.tax}, not {net} + {tax}"


def numbering_gaps(numbers: dict[str, list[int]]) -> Iterator[str]:
    """numbers: every invoice number that was given, by series, of all tenants."""
    counters = dict(InvoiceCounter.objects.filter(series__startswith="INV-").values_list("series", "last_number"))
    for series in sorted({*counters, *numbers}):
        if sorted(numbers.get(series, [])) != list(range(1, counters.get(series, 0) + 1)):
            yield f"series {series} has gaps"
