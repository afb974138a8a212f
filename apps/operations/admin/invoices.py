"""Invoices of all tenants: to read, and what their state machine allows an operator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from apps.billing.errors import WrongInvoiceState
from apps.billing.models import BillingProfile, CreditNote, Invoice, InvoiceLine, InvoiceStatus
from apps.billing.services.invoicing import finalise, void
from apps.billing.services.settling import issue_credit_note, record_payment
from apps.operations.admin.base import ListOnly, money
from apps.operations.admin.fields import AmountField, open_amount, units_of
from apps.operations.admin.site import operator_site
from apps.operations.admin.verbs import Act, NoForm, Verb, VerbForm, WithVerbs
from apps.tenants.models import Tenant


class VoidForm(VerbForm):
    reason = forms.CharField(label=_("Reason"), max_length=300, help_text=_("The organisation reads it."))


class PaymentForm(VerbForm):
    amount = AmountField(help_text=_("What came in; at most what is open."))
    method = forms.CharField(label=_("How it was paid"), max_length=32, initial="bank")
    reference = forms.CharField(
        label=_("Reference"),
        max_length=80,
        help_text=_("The payer's or bank's own; the same one again books nothing."),
    )

    def __init__(self, *args: Any, row: Invoice, **kwargs: Any) -> None:
        kwargs.setdefault("initial", {"amount": open_amount(row.open_amount, row.currency)})
        super().__init__(*args, row=row, **kwargs)


class CreditNoteForm(VerbForm):
    pays_back = forms.BooleanField(
        label=_("Pay back what was paid"), required=False,
        help_text=_("To the card it came from, or by hand for a transfer. Otherwise it becomes prepaid credit."),
    )  # fmt: skip
    amount = AmountField(required=False, help_text=_("With tax. Empty takes back all that is left of the invoice."))
    reason = forms.CharField(label=_("Reason"), max_length=300, help_text=_("Printed on the credit note."))


def _finalise(act: Act) -> None:
    done = finalise(tenant=act.tenant, invoice_id=act.row.pk)
    if done.status == InvoiceStatus.DRAFT:
        parked = BillingProfile.objects.of(act.tenant).values_list("parked_reason", flat=True).first()
        raise WrongInvoiceState(_("The organisation is parked: %(why)s") % {"why": parked})


def _void(act: Act) -> None:
    void(tenant=act.tenant, invoice=act.row, reason=act.values["reason"], actor=act.operator.public_id)


def _pay(act: Act) -> None:
    record_payment(
        tenant=act.tenant,
        invoice=act.row,
        amount=units_of(act.values["amount"], act.row.currency),
        method=act.values["method"],
        reference=act.values["reference"],
        actor=act.operator.public_id,
    )


def _credit(act: Act) -> None:
    issue_credit_note(
        tenant=act.tenant,
        invoice=act.row,
        amount=act.values["amount"],
        reason=act.values["reason"],
        actor=act.operator.public_id,
        pays_back=act.values["pays_back"],
    )


def _state(_tenant: Tenant, invoice: Invoice) -> Mapping[str, Any]:
    names = ("status", "payment_status", "total", "wallet", "paid", "credited", "currency")
    return {"number": invoice.label, **{name: getattr(invoice, name) for name in names}}


def _is_draft(invoice: Invoice) -> bool:
    return invoice.status == InvoiceStatus.DRAFT


def _is_final(invoice: Invoice) -> bool:
    return invoice.status == InvoiceStatus.FINALISED


def _is_owed(invoice: Invoice) -> bool:
    return invoice.open_amount > 0


def _can_be_voided(invoice: Invoice) -> bool:
    return _is_final(invoice) and not invoice.paid and not invoice.credited


def _can_be_credited(invoice: Invoice) -> bool:
    return _is_final(invoice) and invoice.credited < invoice.total


@admin.register(Invoice, site=operator_site)
class InvoiceAdmin(WithVerbs):
    list_display = (
        "name",
        "organisation",
        "status",
        "payment_status",
        "shown_total",
        "shown_open",
        "ends_at",
        "due_at",
    )
    list_select_related = ("tenant",)
    list_filter = ("status", "payment_status", "currency")
    search_fields = ("tenant__name",)
    search_help_text = _("Number or id of an invoice, name or id of an organisation")
    date_hierarchy = "ends_at"
    ordering = ("-id",)
    fields = (
        "name", "organisation", "status", "payment_status", "period", "due_at", "shown_net", "shown_tax", "shown_total",
        "shown_prepaid", "shown_paid", "shown_credited", "shown_open", "lines", "void_reason",
    )  # fmt: skip
    readonly_fields = (
        "name", "organisation", "period", "shown_net", "shown_tax", "shown_total", "shown_prepaid",
        "shown_paid", "shown_credited", "shown_open", "lines",
    )  # fmt: skip
    verbs = (
        Verb(
            "finalise", "invoice.finalise", _("Finalise now"),
            _("The draft gets its lines and a number, is booked and mailed, and cannot be changed any more."),
            NoForm, _finalise, _state, _is_draft, dangerous=True,
        ),
        Verb(
            "pay", "invoice.pay", _("Book a payment"),
            _("Money that came in outside the payment processor. What the unpaid invoice led to is lifted at once."),
            PaymentForm, _pay, _state, _is_owed,
        ),
        Verb(
            "credit", "invoice.credit", _("Issue a credit note"),
            _("Takes back part of the invoice or all of it. What was paid becomes prepaid credit or goes back."),
            CreditNoteForm, _credit, _state, _can_be_credited, dangerous=True,
        ),
        Verb(
            "void", "invoice.void", _("Void"),
            _("Takes back everything that was booked. The number stays; nothing may be paid or credited yet."),
            VoidForm, _void, _state, _can_be_voided, dangerous=True,
        ),
    )  # fmt: skip

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        series, _dash, number = search_term.strip().rpartition("-")
        if series and number.isascii() and number.isdigit():
            return queryset.filter(series=series, number=int(number[:18])), False
        return super().get_search_results(request, queryset, search_term)

    @admin.display(description=_("number"), ordering="id")
    def name(self, invoice: Invoice) -> str:
        return invoice.label or str(invoice.get_status_display())

    @admin.display(description=_("period"))
    def period(self, invoice: Invoice) -> str:
        return f"{invoice.starts_at:%Y-%m-%d %H:%M} – {invoice.ends_at:%Y-%m-%d %H:%M} UTC"

    @admin.display(description=_("net"))
    def shown_net(self, invoice: Invoice) -> str:
        return money(invoice.net, invoice.currency)

    @admin.display(description=_("tax"))
    def shown_tax(self, invoice: Invoice) -> str:
        return money(invoice.tax, invoice.currency)

    @admin.display(description=_("total"), ordering="total")
    def shown_total(self, invoice: Invoice) -> str:
        return money(invoice.total, invoice.currency) if invoice.label else "–"

    @admin.display(description=_("prepaid credit"))
    def shown_prepaid(self, invoice: Invoice) -> str:
        return money(invoice.wallet, invoice.currency)

    @admin.display(description=_("paid"))
    def shown_paid(self, invoice: Invoice) -> str:
        return money(invoice.paid, invoice.currency)

    @admin.display(description=_("credited"))
    def shown_credited(self, invoice: Invoice) -> str:
        return money(invoice.credited, invoice.currency)

    @admin.display(description=_("to be paid"))
    def shown_open(self, invoice: Invoice) -> str:
        return money(invoice.open_amount, invoice.currency) if invoice.label else "–"

    @admin.display(description=_("lines"))
    def lines(self, invoice: Invoice) -> str:
        found = InvoiceLine.objects.of(invoice.tenant_id).filter(invoice=invoice).order_by("position")
        return "\n".join(
            f"{line.meter or line.kind} ({line.text}): {line.quantity} → {money(line.posted, invoice.currency)}"
            for line in found
        )


@admin.register(CreditNote, site=operator_site)
class CreditNoteAdmin(ListOnly):
    list_display = ("name", "organisation", "invoice_number", "shown_total", "reason", "created_at")
    list_select_related = ("tenant", "invoice")
    search_fields = ("tenant__name", "reason")
    search_help_text = _("Name or id of an organisation, or words of the reason")
    ordering = ("-id",)

    @admin.display(description=_("number"))
    def name(self, note: CreditNote) -> str:
        return note.label

    @admin.display(description=_("invoice"))
    def invoice_number(self, note: CreditNote) -> str:
        return note.invoice.label

    @admin.display(description=_("total"))
    def shown_total(self, note: CreditNote) -> str:
        return money(note.total, note.invoice.currency)
