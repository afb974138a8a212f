"""What operators do with a tenant: the forms, the services they call, and what is written down before and after."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from apps.billing.errors import BadLimit
from apps.billing.meters import METERS
from apps.billing.models import BillingProfile, Coupon, CreditGrant, Plan, Subscription, TaxRate
from apps.billing.services import set_plan
from apps.billing.services.credits import add_coupon, change_profile, grant_credit, profile_of
from apps.billing.services.invoicing import unpark
from apps.billing.services.periods import subscription_of
from apps.billing.statement import DiscountKind
from apps.operations.admin.fields import AmountField, CurrencyField, MetersField, MomentField, units_of
from apps.operations.admin.verbs import Act, VerbForm
from apps.tenants.models import Tenant
from apps.tenants.services import reactivate_tenant, suspend_tenant

State = Mapping[str, Any]


class SuspendForm(VerbForm):
    reason = forms.CharField(label=_("Reason"), max_length=300, help_text=_("The organisation reads it."))


def suspend(act: Act) -> None:
    suspend_tenant(tenant=act.tenant, reason=act.values["reason"], actor=act.operator.public_id)


def reactivate(act: Act) -> None:
    reactivate_tenant(tenant=act.tenant, actor=act.operator.public_id)


def standing_state(tenant: Tenant, _row: Tenant) -> State:
    tenant.refresh_from_db()
    return {"standing": tenant.standing.value, "reason": tenant.suspension_reason}


class PlanForm(VerbForm):
    plan = forms.ModelChoiceField(Plan.objects.none(), label=_("Plan"), required=False, to_field_name="code")

    def __init__(self, *args: Any, row: Tenant, **kwargs: Any) -> None:
        super().__init__(*args, row=row, **kwargs)
        held = Subscription.objects.of(row).select_related("plan_version__plan").first()
        field = self.fields["plan"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Plan.objects.order_by("name")
        field.initial = held.plan_version.plan.code if held else None
        field.help_text = _("Its newest version. The same plan again brings the newest version too.")
        for meter in METERS.values():
            self.fields[f"limit {meter.name}"] = forms.CharField(
                label=_("Limit: %(meter)s") % {"meter": meter.title},
                required=False,
                max_length=20,
                help_text=_("Units per period, or “none”. Empty leaves it as it is."),
            )

    def limits(self) -> dict[str, int | None]:
        said = {name: str(self.cleaned_data.get(f"limit {name}", "")).strip() for name in METERS}
        return {name: None if text == "none" else int(text) for name, text in said.items() if text}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name in METERS:
            text = str(cleaned.get(f"limit {name}", "")).strip()
            if text and text != "none" and not (text.isascii() and text.isdigit()):
                self.add_error(f"limit {name}", ValidationError(BadLimit.default_message))
        if not self.errors:
            cleaned["limits"] = self.limits()
        return cleaned


def assign_plan(act: Act) -> None:
    plan: Plan | None = act.values["plan"]
    set_plan(tenant=act.tenant, code=plan.code if plan else None, limits=act.values["limits"])


def subscription_state(tenant: Tenant, _row: Tenant) -> State:
    held = subscription_of(tenant=tenant)
    return {"plan": str(held.plan_version), "limits": held.limits_json}


class CreditForm(VerbForm):
    name = forms.CharField(label=_("Name"), max_length=80, help_text=_("The organisation reads it."))
    amount = AmountField()
    currency = CurrencyField(initial="EUR")
    is_paid = forms.BooleanField(
        label=_("Bought"), required=False, help_text=_("The organisation paid for it; otherwise it is a gift.")
    )
    priority = forms.IntegerField(
        label=_("Priority"), initial=100, min_value=-9_999, max_value=9_999, help_text=_("A lower one is used first.")
    )
    expires_at = MomentField(label=_("Expires (UTC)"), help_text=_("Empty for never."))
    meters = MetersField(label=_("Pays for"), help_text=_("Nothing chosen: for everything."))


def grant(act: Act) -> None:
    values = act.values
    grant_credit(
        tenant=act.tenant,
        name=values["name"],
        currency=values["currency"],
        amount=units_of(values["amount"], values["currency"]),
        paid=values["is_paid"],
        priority=values["priority"],
        expires_at=values["expires_at"],
        meters=values["meters"],
    )


def credit_state(tenant: Tenant, _row: Tenant) -> State:
    grants = CreditGrant.objects.of(tenant).order_by("-pk")
    newest = grants.first()
    if newest is None:
        return {"grants": 0}
    return {
        "grants": grants.count(),
        "newest": newest.public_id,
        "name": newest.name,
        "amount": newest.amount,
        "currency": newest.currency,
        "priority": newest.priority,
        "expires_at": newest.expires_at.isoformat() if newest.expires_at else None,
    }


class CouponForm(VerbForm):
    name = forms.CharField(label=_("Name"), max_length=80, help_text=_("Printed on invoices."))
    kind = forms.ChoiceField(
        label=_("Kind"),
        choices=[
            (DiscountKind.PERCENT.value, _("Percent of each invoice")),
            (DiscountKind.FIXED.value, _("An amount off each invoice")),
            (DiscountKind.CREDIT.value, _("An amount used up over several invoices")),
        ],
    )
    value = forms.DecimalField(label=_("Percent or amount"), min_value=Decimal(0), max_digits=20, decimal_places=6)
    currency = CurrencyField(required=False, min_length=None, help_text=_("For amounts only."))
    ends_at = MomentField(label=_("Valid until (UTC)"), help_text=_("Empty for no end."))


def give_coupon(act: Act) -> None:
    values = act.values
    add_coupon(
        tenant=act.tenant,
        name=values["name"],
        kind=DiscountKind(values["kind"]),
        value=values["value"],
        currency=values["currency"],
        ends_at=values["ends_at"],
    )


def coupon_state(tenant: Tenant, _row: Tenant) -> State:
    coupons = Coupon.objects.of(tenant).order_by("-pk")
    newest = coupons.first()
    if newest is None:
        return {"coupons": 0}
    value = f"{newest.value.normalize():f} {newest.currency or '%'}"
    return {"coupons": coupons.count(), "newest": newest.public_id, "name": newest.name, "value": value}


class BillingForm(VerbForm):
    legal_name = forms.CharField(label=_("Name on invoices"), max_length=160, required=False)
    address = forms.CharField(label=_("Address"), max_length=500, required=False, widget=forms.Textarea)
    tax_id = forms.CharField(label=_("Tax number"), max_length=40, required=False)
    email = forms.EmailField(
        label=_("E-mail for invoices"), required=False, help_text=_("Empty: they go to the owners.")
    )
    payment_days = forms.IntegerField(label=_("Days to pay"), min_value=0, max_value=365)
    tax = forms.ModelChoiceField(TaxRate.objects.none(), label=_("Tax"), required=False, to_field_name="code")

    def __init__(self, *args: Any, row: Tenant, **kwargs: Any) -> None:
        held = BillingProfile.objects.of(row).first() or BillingProfile()
        known = {name: getattr(held, name) for name in ("legal_name", "address", "tax_id", "email", "payment_days")}
        kwargs.setdefault("initial", {**known, "tax": held.taxes_json.get("")})
        super().__init__(*args, row=row, **kwargs)
        field = self.fields["tax"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = TaxRate.objects.order_by("name")


def change_billing(act: Act) -> None:
    values = dict(act.values)
    tax: TaxRate | None = values.pop("tax")
    others = {code: rate for code, rate in profile_of(tenant=act.tenant).taxes_json.items() if code}
    change_profile(tenant=act.tenant, taxes={**others, **({"": tax.code} if tax else {})}, **values)


def billing_state(tenant: Tenant, _row: Tenant) -> State:
    held = profile_of(tenant=tenant)
    names = ("legal_name", "address", "tax_id", "email", "payment_days", "taxes_json")
    return {name: getattr(held, name) for name in names}


def is_parked(tenant: Tenant) -> bool:
    return BillingProfile.objects.of(tenant).exclude(parked_at=None).exists()


def unpark_it(act: Act) -> None:
    unpark(tenant=act.tenant, actor=act.operator.public_id)


def parked_state(tenant: Tenant, _row: Tenant) -> State:
    held = profile_of(tenant=tenant)
    return {"parked_at": held.parked_at.isoformat() if held.parked_at else None, "reason": held.parked_reason}
