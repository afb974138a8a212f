"""Invoices: the list with prepaid credit, one with its lines, the running cycle, and downloads."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.billing.documents import Document, as_csv, as_json, document_of, preview
from apps.billing.errors import WrongInvoiceState
from apps.billing.models import CreditGrant, Invoice, Refund
from apps.billing.money import display
from apps.billing.payments import payment_adapter
from apps.billing.pdf import invoice_pdf
from apps.billing.services.credits import balances_of_credits
from apps.billing.services.paying import demand_for
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.current import public_origin
from apps.tenants.scope import tenant_scope

_PAGE = 50


@dataclass(frozen=True, slots=True)
class InvoiceRow:
    """total, open: as people read them; empty for a draft, which says nothing final yet."""

    invoice: Invoice
    total: str
    open: str


@dataclass(frozen=True, slots=True)
class CreditRow:
    credit: CreditGrant
    amount: str
    left: str


@dataclass(frozen=True, slots=True)
class Row:
    """A line or a sum of an invoice, its amount as people read it."""

    text: str
    quantity: int | None
    billable: int | None
    amount: str


@page("usage.read")
@require_safe
def invoice_list(request: DashboardRequest) -> HttpResponse:
    pages = Paginator(Invoice.objects.of(request.tenant).order_by("-pk"), _PAGE)
    shown = pages.get_page(request.GET.get("page"))
    language = _language(request)
    running = preview(tenant=request.tenant)
    context = {
        "page_obj": shown,
        "rows": [_row(invoice, language) for invoice in shown],
        "credits": _credits(request, language),
        "running": running,
        "running_total": running.shown(running.total, language),
    }
    return render(request, "dashboard/invoices/list.html", context)


@page("usage.read")
@require_safe
def invoice_preview(request: DashboardRequest) -> HttpResponse:
    return _detail(request, preview(tenant=request.tenant))


@page("usage.read")
@require_safe
def invoice(request: DashboardRequest, invoice_id: str) -> HttpResponse:
    return _detail(request, _document(request, invoice_id))


@page("billing.write", in_scope=False)
@require_POST
def pay_invoice(request: DashboardRequest, invoice_id: str) -> HttpResponse:
    """Off to the processor's page, which sends the browser back here."""
    with tenant_scope(request.tenant):
        found = Invoice.objects.of(request.tenant).access(invoice_id)
        demand = demand_for(tenant=request.tenant, invoice=found)
    back = reverse("dashboard:invoice", args=[invoice_id])
    adapter = payment_adapter()
    if not demand.amount or not adapter.pays_online:
        raise WrongInvoiceState
    target = adapter.checkout(demand, f"{public_origin(request)}{back}")
    if target is None:
        messages.info(request, _("Nothing to do here: the payment is under way, or this amount must be transferred."))
    return redirect(target or back)


@page("usage.read")
@require_safe
def invoice_as_pdf(request: DashboardRequest, invoice_id: str) -> HttpResponse:
    found = Invoice.objects.of(request.tenant).access(invoice_id)
    if not found.label:
        raise WrongInvoiceState
    with translation.override(found.language):
        pdf = invoice_pdf(document_of(tenant=request.tenant, invoice=found), found.language)
    return _download(HttpResponse(pdf, content_type="application/pdf"), f"{found.label}.pdf")


@page("usage.read")
@require_safe
def invoice_as_csv(request: DashboardRequest, invoice_id: str) -> HttpResponse:
    document = _document(request, invoice_id)
    text = "\ufeff" + as_csv(document)
    return _download(HttpResponse(text, content_type="text/csv; charset=utf-8"), f"{document.number or 'draft'}.csv")


@page("usage.read")
@require_safe
def invoice_as_json(request: DashboardRequest, invoice_id: str) -> HttpResponse:
    document = _document(request, invoice_id)
    return _download(JsonResponse(as_json(document)), f"{document.number or 'draft'}.json")


def _document(request: DashboardRequest, invoice_id: str) -> Document:
    return document_of(tenant=request.tenant, invoice=Invoice.objects.of(request.tenant).access(invoice_id))


def _language(request: DashboardRequest) -> str:
    return request.LANGUAGE_CODE or "en"


def _download(response: HttpResponse, filename: str) -> HttpResponse:
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response


def _row(invoice: Invoice, language: str) -> InvoiceRow:
    if not invoice.label:
        return InvoiceRow(invoice, "", "")
    total = display(invoice.total, invoice.currency, language)
    return InvoiceRow(invoice, total, display(invoice.open_amount, invoice.currency, language))


def _credits(request: DashboardRequest, language: str) -> list[CreditRow]:
    left = balances_of_credits(tenant=request.tenant)
    return [
        CreditRow(
            credit,
            display(credit.amount, credit.currency, language),
            display(left.get(credit.pk, 0), credit.currency, language),
        )
        for credit in CreditGrant.objects.of(request.tenant).order_by("-pk")[:_PAGE]
    ]


def _refunds(request: DashboardRequest, document: Document, language: str) -> list[tuple[str, str]]:
    """Amount and state of what goes back to the payer."""
    if not document.id:
        return []
    found = Refund.objects.of(request.tenant).filter(
        note__invoice=Invoice.objects.of(request.tenant).access(document.id)
    )
    return [
        (document.shown(refund.amount, language), str(refund.get_state_display())) for refund in found.order_by("pk")
    ]


def _detail(request: DashboardRequest, document: Document) -> HttpResponse:
    language = _language(request)
    lines = [
        Row(line.text, line.quantity, line.billable, document.shown(line.units, language)) for line in document.lines
    ]
    taxes = [
        Row(f"{tax.name} {tax.percent} % {tax.reason}".strip(), None, None, document.shown(tax.units, language))
        for tax in document.taxes
    ]
    notes = [Row(number, None, None, document.shown(-units, language)) for number, units in document.credit_notes]
    sums = {
        name: document.shown(getattr(document, name), language) for name in ("net", "total", "wallet", "paid", "open")
    }
    context = {
        "document": document,
        "lines": lines,
        "taxes": taxes,
        "notes": notes,
        "refunds": _refunds(request, document, language),
        "sums": sums,
        "can_pay": document.open > 0 and document.is_final and payment_adapter().pays_online,
    }
    return render(request, "dashboard/invoices/detail.html", context)
