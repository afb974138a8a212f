"""`/api/v1/invoices`: the caller's invoices as JSON, CSV and PDF, and the running cycle as it would be billed."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils import translation
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.api.base import PAGE_PARAMETERS, ApiRequest, ApiView, page_of
from apps.billing.documents import Document, as_csv, as_json, document_of, preview
from apps.billing.errors import WrongInvoiceState
from apps.billing.models import Invoice
from apps.billing.money import major
from apps.billing.pdf import invoice_pdf


class InvoiceSerializer(serializers.Serializer[Invoice]):
    id = serializers.CharField(source="public_id")
    number = serializers.CharField(source="label", help_text="Empty for a draft.")
    status = serializers.CharField(help_text="draft, discarded, finalised or voided.")
    payment_status = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    currency = serializers.CharField()
    total = serializers.SerializerMethodField(help_text="A decimal number; of a draft, see the invoice itself.")
    due_at = serializers.DateTimeField(allow_null=True)

    def get_total(self, invoice: Invoice) -> str:
        return str(major(invoice.total, invoice.currency))


class InvoiceList(ApiView):
    permissions = {"GET": "usage.read"}

    @extend_schema(operation_id="list_invoices", parameters=PAGE_PARAMETERS, responses=page_of(InvoiceSerializer))
    def get(self, request: ApiRequest) -> Response:
        """The tenant's invoices, newest first."""
        return self.paginate(Invoice.objects.of(request.tenant), InvoiceSerializer)


class InvoicePreview(ApiView):
    permissions = {"GET": "usage.read"}

    @extend_schema(operation_id="preview_invoice", responses=OpenApiTypes.OBJECT)
    def get(self, request: ApiRequest) -> Response:
        """The running cycle as it would be billed if nothing more were used."""
        return Response(as_json(preview(tenant=request.tenant)))


class InvoiceDetail(ApiView):
    permissions = {"GET": "usage.read"}

    @extend_schema(operation_id="get_invoice", responses=OpenApiTypes.OBJECT)
    def get(self, request: ApiRequest, invoice_id: str) -> Response:
        """One invoice with its lines and taxes; a draft as it would be finalised now."""
        return Response(as_json(_document(request, invoice_id)))


class InvoiceCsv(ApiView):
    permissions = {"GET": "usage.read"}

    @extend_schema(operation_id="get_invoice_csv", responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: ApiRequest, invoice_id: str) -> Any:
        """The lines of one invoice as CSV."""
        return HttpResponse(as_csv(_document(request, invoice_id)), content_type="text/csv; charset=utf-8")


class InvoicePdf(ApiView):
    permissions = {"GET": "usage.read"}

    @extend_schema(operation_id="get_invoice_pdf", responses={(200, "application/pdf"): OpenApiTypes.BINARY})
    def get(self, request: ApiRequest, invoice_id: str) -> Any:
        """One finalised invoice as PDF, in its own language."""
        invoice = Invoice.objects.of(request.tenant).access(invoice_id)
        if not invoice.label:
            raise WrongInvoiceState
        with translation.override(invoice.language):
            pdf = invoice_pdf(document_of(tenant=request.tenant, invoice=invoice), invoice.language)
        return HttpResponse(pdf, content_type="application/pdf")


def _document(request: ApiRequest, invoice_id: str) -> Document:
    return document_of(tenant=request.tenant, invoice=Invoice.objects.of(request.tenant).access(invoice_id))
