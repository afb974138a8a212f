"""An invoice's life: draft when its cycle ends, finalised once with a number, voided with everything taken back."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings

from apps.billing.errors import WrongInvoiceState
from apps.billing.meters import METERS, Aggregation
from apps.billing.models import (
    AccountKind,
    BillingPeriod,
    BillingProfile,
    CreditBurn,
    DunningStep,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    InvoiceTax,
    LedgerTransaction,
    PaymentStatus,
)
from apps.billing.reports import Grain, usage_report
from apps.billing.services.bills import Bill, reckon
from apps.billing.services.credits import profile_of
from apps.billing.services.dunning import plan_dunning
from apps.billing.services.ledger import Account, book, reverse
from apps.billing.services.letters import write_about_invoice
from apps.billing.services.numbering import number_invoice
from apps.billing.services.periods import periods_of_cycle, used_in
from apps.billing.services.standing import review_standing
from apps.core import clock
from apps.tenants.models import Tenant
from apps.tenants.services import SYSTEM, record_audit

logger = logging.getLogger(__name__)


def open_draft(*, tenant: Tenant, starts_at: datetime) -> Invoice | None:
    """The draft of a cycle that is over, or None when it has an invoice. It has no lines before it is finalised."""
    write_draft(tenant=tenant, starts_at=starts_at)
    return Invoice.objects.of(tenant).filter(starts_at=starts_at, status=InvoiceStatus.DRAFT).first()


def write_draft(*, tenant: Tenant, starts_at: datetime) -> None:
    """Makes sure that a cycle that is over has an invoice."""
    periods = periods_of_cycle(tenant=tenant, starts_at=starts_at)
    terms = periods[-1].plan_version.terms
    ends_at = periods[-1].ends_at
    draft = Invoice(
        tenant=tenant,
        starts_at=starts_at,
        ends_at=ends_at,
        finalise_at=ends_at + timedelta(hours=terms.grace_hours),
        currency=terms.currency,
        language=tenant.language,
    )
    Invoice.objects.bulk_create([draft], ignore_conflicts=True)
    numbers = [period.pk for period in periods]
    BillingPeriod.objects.of(tenant).filter(pk__in=numbers).update(invoiced_at=clock.now())


def bill_of(*, tenant: Tenant, invoice: Invoice, hold: bool = False) -> Bill:
    """What a draft would say if it were finalised now."""
    return reckon(tenant=tenant, periods=periods_of_cycle(tenant=tenant, starts_at=invoice.starts_at), hold=hold)


def finalise(*, tenant: Tenant, invoice_id: int) -> Invoice:
    """Makes a draft an invoice: see `finalise_held`. Raises WrongInvoiceState when it is not a draft any more."""
    invoice = Invoice.objects.of(tenant).filter(pk=invoice_id).select_for_update().get()
    if invoice.status != InvoiceStatus.DRAFT:
        raise WrongInvoiceState
    return finalise_held(tenant=tenant, invoice=invoice)


def finalise_held(*, tenant: Tenant, invoice: Invoice) -> Invoice:
    """Writes the lines, books them, burns credit, takes the number: all or nothing, in the caller's transaction.

    invoice: a draft whose row the caller has locked. An invoice of nothing is discarded, unless the plan bills zero.
    Figures that do not agree park the tenant: the invoice stays a draft until an operator has looked. Call it last: the
    number's row is held until the commit.
    """
    profile = profile_of(tenant=tenant)
    periods = periods_of_cycle(tenant=tenant, starts_at=invoice.starts_at)
    used = used_in(tenant=tenant, periods=periods)
    doubt = "" if profile.parked_at else _doubt(tenant, periods, used)
    if profile.parked_at or doubt:
        if doubt:
            park(tenant=tenant, reason=doubt)
        return invoice
    bill = reckon(tenant=tenant, periods=periods, used=used, profile=profile, hold=True)
    lines = _write_lines(invoice, bill)
    if bill.statement.total == 0 and not periods[-1].plan_version.terms.bills_zero:
        return invoice.changed(status=InvoiceStatus.DISCARDED, **_amounts(bill, wallet=0))
    _book(tenant, invoice, bill, lines)
    now = clock.now()
    due_at = now + timedelta(days=profile.payment_days)
    open_amount = bill.statement.total - bill.wallet
    if open_amount > 0:
        plan_dunning(tenant=tenant, invoice=invoice, due_at=due_at, terms=periods[-1].plan_version.terms)
    values = {
        **_amounts(bill, wallet=bill.wallet),
        "parties_json": {"seller": dict(settings.INVOICE_SELLER), "buyer": _buyer(tenant, profile)},
        "payment_status": PaymentStatus.PENDING if open_amount > 0 else PaymentStatus.PAID,
        "language": tenant.language,
        "due_at": due_at,
    }
    for name, value in values.items():
        setattr(invoice, name, value)
    write_about_invoice(tenant=tenant, invoice=invoice, profile=profile, kind="invoice")
    invoice.save(update_fields=[*values, "updated_at"])
    number_invoice(invoice, at=now)
    return invoice


def void(*, tenant: Tenant, invoice: Invoice, reason: str, actor: str) -> Invoice:
    """Takes back everything a finalised invoice booked; it keeps its number. Nothing of it may be paid or credited."""
    locked = Invoice.objects.of(tenant).filter(pk=invoice.pk).select_for_update().get()
    if locked.status != InvoiceStatus.FINALISED or locked.paid or locked.credited:
        raise WrongInvoiceState
    booked = LedgerTransaction.objects.of(tenant).filter(operation_id=invoice.public_id, reverses=None)
    for transaction in booked.filter(operation__in=["invoice", "burn"], reversal=None).order_by("-pk"):
        reverse(tenant=tenant, booked=transaction)
    DunningStep.objects.of(tenant).filter(invoice=invoice, done_at=None).update(done_at=clock.now())
    record_audit(
        tenant=tenant, actor=actor, action="invoice.voided", target=invoice.public_id, facts={"reason": reason}
    )
    locked.changed(status=InvoiceStatus.VOIDED, voided_at=clock.now(), void_reason=reason[:300])
    review_standing(tenant=tenant, actor=actor)
    return locked


def park(*, tenant: Tenant, reason: str) -> None:
    """Stops invoicing a tenant whose figures do not agree, until an operator unparks it. Its traffic goes on."""
    profile_of(tenant=tenant).changed(parked_at=clock.now(), parked_reason=reason[:300])
    logger.error("billing.parked tenant=%s reason=%s", tenant.public_id, reason)
    record_audit(tenant=tenant, actor=SYSTEM, action="billing.parked", target=tenant.public_id, facts={"why": reason})


def unpark(*, tenant: Tenant, actor: str) -> None:
    """Lets invoices be finalised again, by the next tick."""
    profile_of(tenant=tenant).changed(parked_at=None, parked_reason="")
    record_audit(tenant=tenant, actor=actor, action="billing.unparked", target=tenant.public_id)


def _doubt(tenant: Tenant, periods: list[BillingPeriod], used: Mapping[int, Mapping[str, int]]) -> str:
    """Why the cycle must not be billed: the sums at the door and the sums by the hour differ. Empty when they agree."""
    sums = [meter.name for meter in METERS.values() if meter.aggregation is Aggregation.SUM]
    counted = {meter: sum(units.get(meter, 0) for units in used.values()) for meter in sums}
    figures = usage_report(
        tenant=tenant,
        start=periods[0].starts_at,
        end=periods[-1].ends_at,
        grain=Grain.WHOLE,
        meters={meter: METERS[meter] for meter in sums},
    )
    summed = {figure.meter: figure.quantity for figure in figures}
    wrong = [meter for meter, used in sorted(counted.items()) if used != summed.get(meter, 0)]
    return ", ".join(f"{meter}: {counted[meter]} counted, {summed.get(meter, 0)} summed" for meter in wrong)


def _amounts(bill: Bill, *, wallet: int) -> dict[str, object]:
    statement = bill.statement
    return {
        "precise": statement.precise,
        "net": statement.net,
        "tax": statement.tax,
        "total": statement.total,
        "wallet": wallet,
    }


def _write_lines(invoice: Invoice, bill: Bill) -> list[InvoiceLine]:
    statement, tenant_id = bill.statement, invoice.tenant_id
    lines = [
        InvoiceLine(
            tenant_id=tenant_id,
            invoice=invoice,
            position=position,
            kind=entry.kind,
            meter=entry.meter,
            text=str(entry.period.plan_version.plan),
            period=entry.period,
            amount=entry.amount,
            quantity=entry.quantity,
            billable=entry.billable,
            tax_code=entry.tax_code,
            precise=part.precise,
            posted=part.posted,
            due=due,
        )
        for position, (entry, part, due) in enumerate(zip(bill.entries, statement.items, statement.dues, strict=True))
    ]
    lines += [
        InvoiceLine(
            tenant_id=tenant_id,
            invoice=invoice,
            position=position,
            kind="discount",
            text=each.discount.name,
            coupon_id=each.discount.reference,
            amount=each.used,
            precise=each.part.precise,
            posted=each.part.posted,
        )
        for position, each in enumerate(statement.discounts, start=len(lines))
    ]
    InvoiceTax.objects.bulk_create(
        InvoiceTax(
            tenant_id=tenant_id,
            invoice=invoice,
            code=each.tax.code,
            name=each.tax.name,
            percent=each.tax.percent,
            is_inclusive=each.tax.inclusive,
            reason=each.tax.reason,
            base=each.base,
            precise=each.part.precise,
            posted=each.part.posted,
        )
        for each in statement.taxes
        if each.tax.code
    )
    return InvoiceLine.objects.bulk_create(lines)


def _book(tenant: Tenant, invoice: Invoice, bill: Bill, lines: list[InvoiceLine]) -> None:
    currency, statement = invoice.currency, bill.statement
    receivable = Account(AccountKind.RECEIVABLE, currency)
    entries = [(receivable, statement.total), (Account(AccountKind.REVENUE, currency), -statement.net)]
    entries += [
        (Account(AccountKind.TAX_PAYABLE, currency, each.tax.code), -each.part.posted) for each in statement.taxes
    ]
    book(tenant=tenant, operation="invoice", operation_id=invoice.public_id, entries=entries)
    if not bill.burns:
        return
    CreditBurn.objects.bulk_create(
        CreditBurn(tenant=tenant, invoice=invoice, line=lines[each.position], credit_id=each.credit, units=each.units)
        for each in bill.burns
    )
    burns = [(Account(AccountKind.WALLET, currency, str(each.credit)), each.units) for each in bill.burns]
    book(
        tenant=tenant,
        operation="burn",
        operation_id=invoice.public_id,
        entries=[*burns, (receivable, -bill.wallet)],
    )


def _buyer(tenant: Tenant, profile: BillingProfile) -> dict[str, str]:
    name = profile.legal_name or tenant.name
    return {"name": name, "address": profile.address, "tax_id": profile.tax_id, "id": tenant.public_id}
