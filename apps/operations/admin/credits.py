"""What tenants have in their favour: prepaid credit with what is left of it, and coupons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet, Sum
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from apps.billing.models import AccountKind, Coupon, CreditGrant, LedgerEntry
from apps.billing.services.credits import end_coupon
from apps.core import clock
from apps.operations.admin.base import ListOnly, money
from apps.operations.admin.site import operator_site
from apps.operations.admin.verbs import Act, NoForm, Verb, WithVerbs
from apps.tenants.models import Tenant


@admin.register(CreditGrant, site=operator_site)
class CreditGrantAdmin(ListOnly):
    list_display = ("name", "organisation", "shown_amount", "left", "priority", "is_paid", "expires_at", "created_at")
    list_select_related = ("tenant",)
    list_filter = ("currency", "is_paid")
    search_fields = ("tenant__name", "name")
    search_help_text = _("Name or id of an organisation, or the credit's name")
    ordering = ("-id",)

    @admin.display(description=_("amount"))
    def shown_amount(self, credit: CreditGrant) -> str:
        return money(credit.amount, credit.currency)

    @admin.display(description=_("left"))
    def left(self, credit: CreditGrant) -> str:
        entries = LedgerEntry.objects.of(credit.tenant_id).filter(
            account__kind=AccountKind.WALLET, account__reference=str(credit.pk)
        )
        return money(-(entries.aggregate(Sum("amount"))["amount__sum"] or 0), credit.currency)


def _end(act: Act) -> None:
    end_coupon(tenant=act.tenant, coupon=act.row)


def _state(_tenant: Tenant, coupon: Coupon) -> Mapping[str, Any]:
    return {"name": coupon.name, "ends_at": coupon.ends_at.isoformat() if coupon.ends_at else None}


def _is_running(coupon: Coupon) -> bool:
    return coupon.ends_at is None or coupon.ends_at > clock.now()


@admin.register(Coupon, site=operator_site)
class CouponAdmin(WithVerbs):
    list_display = ("name", "organisation", "kind", "worth", "starts_at", "ends_at")
    list_select_related = ("tenant",)
    list_filter = ("kind",)
    search_fields = ("tenant__name", "name")
    search_help_text = _("Name or id of an organisation, or the coupon's name")
    ordering = ("-id",)
    fields = ("name", "organisation", "kind", "worth", "starts_at", "ends_at")
    readonly_fields = ("organisation", "worth")
    verbs = (
        Verb(
            "end", "coupon.end", _("End now"), _("Cycles that end from now on do not get it. What it gave stays."),
            NoForm, _end, _state, _is_running, dangerous=True,
        ),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("tenant")

    @admin.display(description=_("worth"))
    def worth(self, coupon: Coupon) -> str:
        return f"{coupon.value.normalize():f} {coupon.currency or '%'}"
