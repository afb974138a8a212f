"""What is done to an account: resumed, removed, tried."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.core.errors import HouseError, NotFound
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.forms import add_errors
from apps.dashboard.providers.forms import TrialForm
from apps.dashboard.providers.views import access_credential
from apps.dashboard.route_names import route_name
from apps.messaging.sending.trial import Trial, devices_for_trial, send_trial
from apps.providers.advice import advice_for
from apps.providers.base import Notification
from apps.providers.credentials import resume_credential, retire_credential
from apps.providers.models import ProviderCredential
from apps.providers.registry import needs_of
from apps.tenants.scope import tenant_scope

_DEVICES = 100


@page("keys.write")
@require_POST
def provider_resume(request: DashboardRequest, public_id: str) -> HttpResponse:
    credential = access_credential(request, public_id)
    resume_credential(tenant=request.tenant, credential=credential, actor=request.user.public_id)
    messages.success(request, _("Resumed. What waits goes out within a minute."))
    return redirect("dashboard:provider", credential.public_id)


@page("keys.write")
@require_POST
def provider_remove(request: DashboardRequest, public_id: str) -> HttpResponse:
    credential = access_credential(request, public_id)
    retire_credential(tenant=request.tenant, credential=credential, actor=request.user.public_id)
    messages.success(request, _("Removed. Its secrets are destroyed."))
    return redirect("dashboard:provider-list")


@page("console.publish", in_scope=False)
@require_http_methods(["GET", "POST"])
def provider_test(request: DashboardRequest, public_id: str) -> HttpResponse:
    with tenant_scope(request.tenant):
        credential = access_credential(request, public_id)
        devices = None
        if needs_of(credential.provider).reaches == "devices":
            devices = devices_for_trial(tenant=request.tenant, credential=credential, limit=_DEVICES)
    form = TrialForm(request.POST or None, devices=devices)
    trial = None
    if request.method == "POST" and form.is_valid():
        trial = _try(request, credential, form)
    context = {
        "credential": credential, "label": route_name(credential.provider), "form": form, "devices": devices,
        "trial": trial, "advice": advice_for(trial.outcome.result, trial.outcome.reason) if trial else "",
    }  # fmt: skip
    return render(request, "dashboard/providers/test.html", context)


def _try(request: DashboardRequest, credential: ProviderCredential, form: TrialForm) -> Trial | None:
    """None with the refusal on the form."""
    given = form.cleaned_data
    try:
        return send_trial(
            tenant=request.tenant, credential=credential, target=given["target"],
            notification=Notification(given["title"], given["body"]),
        )  # fmt: skip
    except NotFound:
        form.add_error("target", _("There is nobody of this name."))
    except HouseError as error:
        add_errors(form, error)
    return None
