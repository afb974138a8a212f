"""An invoice as people and programs read it: one shape for the page, the PDF, the CSV, the JSON and the REST API."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from typing import Any

from django.utils.translation import gettext as _

from apps.billing.meters import METERS
from apps.billing.models import CreditNote, Invoice, InvoiceLine, InvoiceStatus, InvoiceTax
from apps.billing.money import display, major
from apps.billing.services.bills import ADJUSTMENT, Bill, reckon_running
from apps.billing.services.invoicing import bill_of
from apps.tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class DocumentLine:
    """kind and meter are wire names; text is for people. units: minor units without tax."""

    kind: str
    meter: str
    text: str
    quantity: int
    billable: int
    units: int


@dataclass(frozen=True, slots=True)
class DocumentTax:
    name: str
    percent: str
    reason: str
    units: int


@dataclass(frozen=True, slots=True)
class Document:
    """Amounts in minor units. is_final: False for what may still change (a draft, the running cycle)."""

    id: str
    number: str
    status: str
    payment_status: str
    currency: str
    starts_at: datetime
    ends_at: datetime
    finalised_at: datetime | None
    due_at: datetime | None
    parties: dict[str, dict[str, str]]
    lines: tuple[DocumentLine, ...]
    taxes: tuple[DocumentTax, ...]
    credit_notes: tuple[tuple[str, int], ...]
    net: int
    tax: int
    total: int
    wallet: int
    paid: int
    credited: int
    open: int

    @property
    def is_final(self) -> bool:
        return bool(self.number)

    def shown(self, units: int, language: str) -> str:
        return display(units, self.currency, language)


def document_of(*, tenant: Tenant, invoice: Invoice) -> Document:
    """What the invoice says; a draft is reckoned as if it were finalised now."""
    if invoice.status == InvoiceStatus.DRAFT:
        return _estimate(bill_of(tenant=tenant, invoice=invoice), id=invoice.public_id, status=invoice.status)
    lines = InvoiceLine.objects.of(tenant).filter(invoice=invoice).order_by("position")
    taxes = InvoiceTax.objects.of(tenant).filter(invoice=invoice).order_by("pk")
    notes = CreditNote.objects.of(tenant).filter(invoice=invoice).order_by("pk")
    return Document(
        id=invoice.public_id,
        number=invoice.label,
        status=invoice.status,
        payment_status=invoice.payment_status,
        currency=invoice.currency,
        starts_at=invoice.starts_at,
        ends_at=invoice.ends_at,
        finalised_at=invoice.finalised_at,
        due_at=invoice.due_at,
        parties=invoice.parties_json,
        lines=tuple(
            DocumentLine(each.kind, each.meter, _text(each.kind, each.meter, each.text), each.quantity, each.billable,
                         each.posted)
            for each in lines
        ),
        taxes=tuple(DocumentTax(each.name, _percent(each.percent), each.reason, each.posted) for each in taxes),
        credit_notes=tuple((note.label, note.total) for note in notes),
        net=invoice.net,
        tax=invoice.tax,
        total=invoice.total,
        wallet=invoice.wallet,
        paid=invoice.paid,
        credited=invoice.credited,
        open=invoice.open_amount,
    )  # fmt: skip


def preview(*, tenant: Tenant) -> Document:
    """The running cycle as it would be billed if it ended now with no more usage."""
    return _estimate(reckon_running(tenant=tenant), id="", status="preview")


def _estimate(bill: Bill, *, id: str, status: str) -> Document:
    statement = bill.statement
    lines = [
        DocumentLine(entry.kind, entry.meter, _text(entry.kind, entry.meter, str(entry.period.plan_version.plan)),
                     entry.quantity, entry.billable, part.posted)
        for entry, part in zip(bill.entries, statement.items, strict=True)
    ]  # fmt: skip
    lines += [DocumentLine("discount", "", each.discount.name, 1, 1, each.part.posted) for each in statement.discounts]
    return Document(
        id=id,
        number="",
        status=status,
        payment_status="pending",
        currency=statement.currency,
        starts_at=bill.starts_at,
        ends_at=bill.ends_at,
        finalised_at=None,
        due_at=None,
        parties={},
        lines=tuple(lines),
        taxes=tuple(
            DocumentTax(each.tax.name, _percent(each.tax.percent), each.tax.reason, each.part.posted)
            for each in statement.taxes
            if each.tax.code
        ),
        credit_notes=(),
        net=statement.net,
        tax=statement.tax,
        total=statement.total,
        wallet=bill.wallet,
        paid=0,
        credited=0,
        open=statement.total - bill.wallet,
    )


def _percent(percent: Any) -> str:
    return f"{percent.normalize():f}"


def _text(kind: str, meter: str, plan: str) -> str:
    """In the active language."""
    title = str(METERS[meter].title) if meter in METERS else meter
    if kind == ADJUSTMENT:
        return _("Late usage of an earlier period: %(what)s") % {"what": title or plan}
    names = {
        "flat_fee": _("Base fee"),
        "plan_minimum": _("Up to the plan's minimum"),
        "plan_maximum": _("Down to the plan's maximum"),
    }
    name = title if kind == "usage" else names.get(kind, "")
    return f"{name} ({plan})" if name else plan


def as_json(document: Document) -> dict[str, Any]:
    """Amounts as decimal text in the currency."""

    def money(units: int) -> str:
        return str(major(units, document.currency))

    return {
        "id": document.id,
        "number": document.number or None,
        "status": document.status,
        "payment_status": document.payment_status,
        "currency": document.currency,
        "period": {"from": document.starts_at.isoformat(), "to": document.ends_at.isoformat()},
        "finalised_at": document.finalised_at.isoformat() if document.finalised_at else None,
        "due_at": document.due_at.isoformat() if document.due_at else None,
        "seller": document.parties.get("seller", {}),
        "buyer": document.parties.get("buyer", {}),
        "lines": [
            {
                "kind": line.kind,
                "meter": line.meter or None,
                "text": line.text,
                "quantity": line.quantity,
                "billable": line.billable,
                "amount": money(line.units),
            }
            for line in document.lines
        ],
        "taxes": [
            {"name": tax.name, "percent": tax.percent, "reason": tax.reason, "amount": money(tax.units)}
            for tax in document.taxes
        ],
        "credit_notes": [{"number": number, "amount": money(units)} for number, units in document.credit_notes],
        "net": money(document.net),
        "tax": money(document.tax),
        "total": money(document.total),
        "prepaid": money(document.wallet),
        "paid": money(document.paid),
        "credited": money(document.credited),
        "open": money(document.open),
    }


#: What a spreadsheet would run as a formula at the start of a text.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_NO_QUANTITIES = ("", "")


def as_csv(document: Document) -> str:
    """A header, then the lines and the taxes, then the total."""
    target = StringIO()
    writer = csv.writer(target)
    writer.writerow(["invoice", "kind", "meter", "text", "quantity", "billed_quantity", "amount", "currency"])
    name, currency = document.number or document.status, document.currency

    def write(kind: str, meter: str, text: str, quantities: list[int], units: int) -> None:
        safe = f"'{text}" if text.startswith(_FORMULA_STARTS) else text
        writer.writerow([name, kind, meter, safe, *(quantities or _NO_QUANTITIES), major(units, currency), currency])

    for line in document.lines:
        write(line.kind, line.meter, line.text, [line.quantity, line.billable], line.units)
    for tax in document.taxes:
        write("tax", "", f"{tax.name} {tax.percent} %", [], tax.units)
    write("total", "", "", [], document.total)
    return target.getvalue()
