"""Refunds of all tenants: what is under way, what failed and why, and what is left to an operator's hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from apps.billing.models import Refund, RefundState
from apps.billing.services.refunds import credit_instead, note_transfer, retry_refund
from apps.operations.admin.base import money
from apps.operations.admin.site import operator_site
from apps.operations.admin.verbs import Act, NoForm, Verb, VerbForm, WithVerbs
from apps.tenants.models import Tenant


class TransferForm(VerbForm):
    reference = forms.CharField(label=_("Reference"), max_length=80, help_text=_("The bank's own of the transfer."))


def _retry(act: Act) -> None:
    retry_refund(tenant=act.tenant, refund=act.row)


def _transferred(act: Act) -> None:
    note_transfer(tenant=act.tenant, refund=act.row, reference=act.values["reference"])


def _credit(act: Act) -> None:
    credit_instead(tenant=act.tenant, refund=act.row)


def _state(_tenant: Tenant, refund: Refund) -> Mapping[str, Any]:
    return {name: getattr(refund, name) for name in ("state", "tries", "amount", "reference", "problem")}


def _has_failed(refund: Refund) -> bool:
    return refund.state == RefundState.FAILED


def _is_ours_to_settle(refund: Refund) -> bool:
    return refund.state in {RefundState.FAILED, RefundState.BY_HAND}


@admin.register(Refund, site=operator_site)
class RefundAdmin(WithVerbs):
    list_display = ("invoice_number", "organisation", "shown_amount", "state", "method", "problem", "created_at")
    list_select_related = ("tenant", "payment__invoice")
    list_filter = ("state",)
    search_fields = ("tenant__name", "reference")
    search_help_text = _("Name or id of an organisation, or the processor's reference")
    ordering = ("-id",)
    fields = ("invoice_number", "organisation", "shown_amount", "state", "method", "reference", "tries", "problem")
    readonly_fields = ("invoice_number", "organisation", "shown_amount", "method")
    verbs = (
        Verb(
            "retry", "refund.retry", _("Try again"),
            _("The payment processor is asked once more, within seconds."), NoForm, _retry, _state, _has_failed,
        ),
        Verb(
            "transferred", "refund.transferred", _("Book the transfer"),
            _("Transfer the amount to whoever paid, with the invoice's number, then note it here. The cash is less."),
            TransferForm, _transferred, _state, _is_ours_to_settle,
        ),
        Verb(
            "credit", "refund.credit", _("Credit it instead"),
            _("The amount becomes prepaid credit of the organisation, and no money goes back."),
            NoForm, _credit, _state, _is_ours_to_settle, dangerous=True,
        ),
    )  # fmt: skip

    @admin.display(description=_("invoice"))
    def invoice_number(self, refund: Refund) -> str:
        return refund.payment.invoice.label

    @admin.display(description=_("amount"))
    def shown_amount(self, refund: Refund) -> str:
        return money(refund.amount, refund.payment.invoice.currency)

    @admin.display(description=_("paid by"))
    def method(self, refund: Refund) -> str:
        return f"{refund.payment.method} {refund.payment.reference}"
