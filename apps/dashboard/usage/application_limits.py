"""The page where one application is limited, beside the limits of its organisation."""

from __future__ import annotations

from dataclasses import dataclass

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from apps.billing.meters import METERS, Meter
from apps.billing.services import current_period
from apps.billing.services.application_limits import (
    LIMITABLE,
    limits_of_application,
    set_application_limits,
    used_by_application,
)
from apps.core.errors import HouseError
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.accounts.step_up import fresh_factor
from apps.dashboard.forms import add_errors
from apps.dashboard.usage.forms import UnitLimitsForm
from apps.tenants.models import Application

_METERS = {meter: METERS[meter] for meter in LIMITABLE}


@dataclass(frozen=True, slots=True)
class Row:
    """used: by this application in the running cycle."""

    meter: Meter
    used: int
    soft: forms.BoundField
    hard: forms.BoundField


@page("usage.read")
@require_safe
def application_limits(request: DashboardRequest, public_id: str) -> HttpResponse:
    application = Application.objects.of(request.tenant).access(public_id)
    own = limits_of_application(tenant=request.tenant, application=application)
    return _show(request, application, UnitLimitsForm(None, _METERS, own))


@page("limits.write")
@require_http_methods(["POST"])
@fresh_factor
def application_limits_change(request: DashboardRequest, public_id: str) -> HttpResponse:
    tenant, application = request.tenant, Application.objects.of(request.tenant).access(public_id)
    form = UnitLimitsForm(request.POST, _METERS, {})
    if form.is_valid():
        try:
            set_application_limits(
                tenant=tenant, application=application, actor=request.user.public_id, limits=form.limits
            )
        except HouseError as error:
            add_errors(form, error)
        else:
            messages.success(request, _("The limits hold from now on."))
            return redirect("dashboard:application-limits", public_id=public_id)
    return _show(request, application, form)


def _show(request: DashboardRequest, application: Application, form: UnitLimitsForm) -> HttpResponse:
    used = used_by_application(
        tenant=request.tenant, application_id=application.pk, meters=LIMITABLE,
        period=current_period(tenant=request.tenant),
    )  # fmt: skip
    rows = [Row(_METERS[name], used[name], soft, hard) for name, soft, hard in form.pairs()]
    context = {"form": form, "rows": rows, "limited": application}
    status = 400 if form.errors else 200
    return render(request, "dashboard/usage/application_limits.html", context, status=status)
