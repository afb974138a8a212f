"""The page where a tenant limits itself: units per meter and a cap in money."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from apps.billing.meters import Meter
from apps.billing.models import Subscription
from apps.billing.money import digits_of, major, minor
from apps.billing.queries import MeterStanding, standing_of
from apps.billing.services import subscription_of
from apps.billing.services.limits import OwnLimit, set_limits
from apps.core.errors import HouseError
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.accounts.step_up import fresh_factor
from apps.dashboard.forms import add_errors
from apps.dashboard.usage.forms import UnitLimitsForm


@dataclass(frozen=True, slots=True)
class LimitRow:
    """A meter, what binds it now, and its two fields."""

    standing: MeterStanding
    soft: forms.BoundField
    hard: forms.BoundField


class LimitsForm(UnitLimitsForm):
    """The cap and a pair of fields per meter; what is left empty is no limit."""

    def __init__(self, data: Any, subscription: Subscription, meters: Mapping[str, Meter]) -> None:
        own = {meter: OwnLimit(**limit) for meter, limit in subscription.own_limits_json.items()}
        super().__init__(data, meters, own)
        self._currency = subscription.plan_version.terms.currency
        cap = subscription.spend_cap
        self.fields["spend_cap"] = forms.DecimalField(
            label=_("Spend cap per period"), required=False, min_value=0, max_digits=15,
            decimal_places=digits_of(self._currency),
            initial=None if cap is None else major(cap, self._currency),
            help_text=_("In %(currency)s, for usage before fees and tax. Empty for no cap.")
            % {"currency": self._currency},
        )  # fmt: skip

    def rows(self, standings: Mapping[str, MeterStanding]) -> Iterator[LimitRow]:
        for name, soft, hard in self.pairs():
            if name in standings:
                yield LimitRow(standings[name], soft, hard)

    @property
    def cap(self) -> int | None:
        amount = self.cleaned_data["spend_cap"]
        return None if amount is None else minor(amount, self._currency)


@page("usage.read")
@require_http_methods(["GET"])
def limits(request: DashboardRequest) -> HttpResponse:
    return _show(request, _form(request, None))


@page("limits.write")
@require_http_methods(["POST"])
@fresh_factor
def limits_change(request: DashboardRequest) -> HttpResponse:
    form = _form(request, request.POST)
    if form.is_valid():
        try:
            actor = request.user.public_id
            set_limits(tenant=request.tenant, actor=actor, limits=form.limits, spend_cap=form.cap)
        except HouseError as error:
            add_errors(form, error)
        else:
            messages.success(request, _("The limits hold from now on."))
            return redirect("dashboard:usage-limits")
    return _show(request, form)


def _form(request: DashboardRequest, data: Any) -> LimitsForm:
    standing = standing_of(tenant=request.tenant)
    meters = {each.meter.name: each.meter for each in standing.meters}
    return LimitsForm(data, subscription_of(tenant=request.tenant), meters)


def _show(request: DashboardRequest, form: LimitsForm) -> HttpResponse:
    standings = {each.meter.name: each for each in standing_of(tenant=request.tenant).meters}
    context = {"form": form, "rows": list(form.rows(standings)), "applications": request.applications}
    return render(request, "dashboard/usage/limits.html", context, status=400 if form.errors else 200)
