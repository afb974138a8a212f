"""Tenants: found by name, id or a member's address; what they have and owe; what an operator does with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.billing.models import BillingProfile, Invoice, InvoiceStatus, Subscription
from apps.operations.admin import tenant_verbs as verbs
from apps.operations.admin.base import money
from apps.operations.admin.site import operator_site
from apps.operations.admin.verbs import NoForm, Verb, WithVerbs
from apps.tenants.models import Application, Membership, Tenant
from apps.tenants.standing import Standing

#: What has a list of its own, where a tenant's id finds what is the tenant's.
_LISTS = (
    ("billing_invoice", _("Invoices")),
    ("billing_creditgrant", _("Prepaid credits")),
    ("billing_coupon", _("Coupons")),
    ("billing_payment", _("Payments")),
    ("billing_ledgerentry", _("Ledger")),
    ("tenants_auditentry", _("Audit log")),
)
_MOST_MEMBERS = 200


class StandingFilter(admin.SimpleListFilter):
    title = _("standing")
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(standing.value, standing.label) for standing in Standing]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        if self.value() == Standing.GOOD:
            return queryset.filter(unpaid_standing=Standing.GOOD, operator_standing=Standing.GOOD)
        return queryset.filter(Q(unpaid_standing=self.value()) | Q(operator_standing=self.value()))


@admin.register(Tenant, site=operator_site)
class TenantAdmin(WithVerbs):
    list_display = ("name", "reference", "shown_standing", "plan", "home_region", "created_at")
    list_filter = (StandingFilter, "home_region")
    search_fields = ("name",)
    search_help_text = _("Name or id of an organisation, or a member's e-mail address")
    ordering = ("-id",)
    fields = (
        "name", "reference", "shown_standing", "suspension_reason", "home_region", "language", "timezone",
        "requires_mfa", "created_at", "plan", "limits", "billed_to", "parked", "open_invoices", "people", "lists",
    )  # fmt: skip
    readonly_fields = (
        "reference", "shown_standing", "created_at", "plan", "limits", "billed_to", "parked", "open_invoices",
        "people", "lists",
    )  # fmt: skip
    verbs = (
        Verb(
            "plan", "plan.assign", _("Assign a plan"),
            _("Another plan begins at once: the running period is closed and billed for its share."),
            verbs.PlanForm, verbs.assign_plan, verbs.subscription_state,
        ),
        Verb(
            "credit", "credit.grant", _("Grant credit"), _("Prepaid credit that pays invoices before anything else."),
            verbs.CreditForm, verbs.grant, verbs.credit_state,
        ),
        Verb(
            "coupon", "coupon.add", _("Add a coupon"), _("A discount on cycles that end while it is valid."),
            verbs.CouponForm, verbs.give_coupon, verbs.coupon_state,
        ),
        Verb(
            "billing", "billing.change", _("Billing details"), _("Who is billed, where letters go, how it is taxed."),
            verbs.BillingForm, verbs.change_billing, verbs.billing_state,
        ),
        Verb(
            "unpark", "billing.unpark", _("Unpark"),
            _("Lets its invoices be finalised again, by the next tick. Look at the reason first."),
            NoForm, verbs.unpark_it, verbs.parked_state, verbs.is_parked, dangerous=True,
        ),
        Verb(
            "suspend", "tenant.suspend", _("Suspend"),
            _("Nothing can be published or sent from now on. What was accepted before is sent."),
            verbs.SuspendForm, verbs.suspend, verbs.standing_state,
            lambda tenant: tenant.operator_standing == Standing.GOOD, dangerous=True,
        ),
        Verb(
            "reactivate", "tenant.reactivate", _("Reactivate"),
            _("Takes the suspension away. What an unpaid invoice led to stays until it is paid."),
            NoForm, verbs.reactivate, verbs.standing_state,
            lambda tenant: tenant.operator_standing != Standing.GOOD,
        ),
    )  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if "@" not in search_term:
            return super().get_search_results(request, queryset, search_term)
        people: list[int] = getattr(request, "people_found", [])
        members = Membership.objects.get_queryset().filter(user_id__in=people)
        return queryset.filter(pk__in=members.values("tenant_id")), False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """People are looked up before: the operators' role does not read accounts."""
        term = request.GET.get("q", "").strip()
        if "@" in term:
            found = User.objects.filter(email__istartswith=term.lower()).values_list("pk", flat=True)
            request.people_found = list(found[:_MOST_MEMBERS])  # type: ignore[attr-defined]
        return super().changelist_view(request, extra_context)

    @admin.display(description=_("id"))
    def reference(self, tenant: Tenant) -> str:
        return tenant.public_id

    @admin.display(description=_("standing"))
    def shown_standing(self, tenant: Tenant) -> str:
        return str(tenant.standing.label)

    @admin.display(description=_("plan"))
    def plan(self, tenant: Tenant) -> str:
        found = Subscription.objects.of(tenant).select_related("plan_version__plan").first()
        return str(found.plan_version) if found else "–"

    @admin.display(description=_("limits by an operator"))
    def limits(self, tenant: Tenant) -> str:
        found = Subscription.objects.of(tenant).first()
        limits: Mapping[str, int | None] = found.limits_json if found else {}
        return ", ".join(f"{meter}: {'∞' if most is None else most}" for meter, most in limits.items()) or "–"

    @admin.display(description=_("billed to"))
    def billed_to(self, tenant: Tenant) -> str:
        found = BillingProfile.objects.of(tenant).first()
        return ", ".join(part for part in (found.legal_name, found.email, found.tax_id) if part) if found else "–"

    @admin.display(description=_("parked"))
    def parked(self, tenant: Tenant) -> str:
        found = BillingProfile.objects.of(tenant).exclude(parked_at=None).first()
        return f"{found.parked_at:%Y-%m-%d %H:%M} UTC: {found.parked_reason}" if found else "–"

    @admin.display(description=_("open invoices"))
    def open_invoices(self, tenant: Tenant) -> SafeString | str:
        owed = [
            invoice
            for invoice in Invoice.objects.of(tenant).filter(status=InvoiceStatus.FINALISED).order_by("due_at")
            if invoice.open_amount
        ]
        shown = [(f"{invoice.label}: {money(invoice.open_amount, invoice.currency)}",) for invoice in owed]
        return format_html_join("", "{}<br>", shown) or "–"

    @admin.display(description=_("people and applications"))
    def people(self, tenant: Tenant) -> str:
        members, applications = Membership.objects.of(tenant).count(), Application.objects.of(tenant).count()
        return f"{members} / {applications}"

    @admin.display(description=_("more"))
    def lists(self, tenant: Tenant) -> SafeString:
        found = urlencode({"q": tenant.public_id})
        links = [
            (reverse(f"admin:{name}_changelist", current_app=self.admin_site.name), found, title)
            for name, title in _LISTS
        ]
        return format_html("{}", format_html_join(" · ", '<a href="{}?{}">{}</a>', links))
