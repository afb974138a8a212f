"""The books, to read: every entry of every tenant, a debit above zero and a credit below."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from apps.billing.models import LedgerEntry, Payment, ProcessorNotice
from apps.operations.admin.base import ListOnly, OpenToOperators, money
from apps.operations.admin.site import operator_site


@admin.register(LedgerEntry, site=operator_site)
class LedgerEntryAdmin(ListOnly):
    list_display = ("at", "organisation", "operation", "account_name", "shown_amount")
    list_select_related = ("tenant", "account", "transaction")
    list_filter = ("account__kind", "currency")
    search_fields = ("tenant__name", "transaction__operation_id", "account__reference")
    search_help_text = _("Name or id of an organisation, or the id of an invoice, a payment or a credit")
    ordering = ("-id",)

    @admin.display(description=_("when"))
    def at(self, entry: LedgerEntry) -> object:
        return entry.transaction.at

    @admin.display(description=_("operation"))
    def operation(self, entry: LedgerEntry) -> str:
        return f"{entry.transaction.operation} {entry.transaction.operation_id}"

    @admin.display(description=_("account"))
    def account_name(self, entry: LedgerEntry) -> str:
        return f"{entry.account.kind} {entry.account.reference}".strip()

    @admin.display(description=_("amount"))
    def shown_amount(self, entry: LedgerEntry) -> str:
        return money(entry.amount, entry.currency)


@admin.register(Payment, site=operator_site)
class PaymentAdmin(ListOnly):
    list_display = ("received_at", "organisation", "invoice_number", "method", "reference", "shown_amount")
    list_select_related = ("tenant", "invoice")
    list_filter = ("method",)
    search_fields = ("tenant__name", "reference")
    search_help_text = _("Name or id of an organisation, or the payer's reference")
    ordering = ("-id",)

    @admin.display(description=_("invoice"))
    def invoice_number(self, payment: Payment) -> str:
        return payment.invoice.label

    @admin.display(description=_("amount"))
    def shown_amount(self, payment: Payment) -> str:
        return money(payment.amount, payment.invoice.currency)


@admin.register(ProcessorNotice, site=operator_site)
class ProcessorNoticeAdmin(OpenToOperators):
    """Those with a problem are for an operator to settle: money came that fits no open invoice."""

    list_display = ("received_at", "processor", "kind", "reference", "handled_at", "problem")
    list_filter = (("problem", admin.EmptyFieldListFilter), "kind")
    search_fields = ("identity", "reference")
    ordering = ("-id",)
    list_display_links = None
