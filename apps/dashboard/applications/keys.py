"""Credentials and API keys of an application: made, shown once, revoked."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.core.errors import HouseError
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.accounts.step_up import fresh_factor
from apps.dashboard.applications import shown_once
from apps.dashboard.applications.forms import ApiKeyForm, scopes_of_role
from apps.dashboard.forms import add_errors
from apps.tenants.models import ApiKey, Application, Credential
from apps.tenants.services import add_credential, create_api_key, revoke_api_key, revoke_credential


@page("keys.write")
@require_POST
@fresh_factor
def credential_add(request: DashboardRequest, public_id: str) -> HttpResponse:
    application = Application.objects.of(request.tenant).access(public_id)
    made = add_credential(tenant=request.tenant, application=application, actor=request.user.public_id)
    shown_once.keep(request, application.public_id, {"key": made.key, "secret": made.secret})
    return redirect("dashboard:application", application.public_id)


@page("keys.write")
@require_POST
def credential_revoke(request: DashboardRequest, public_id: str, credential_id: str) -> HttpResponse:
    application = Application.objects.of(request.tenant).access(public_id)
    credential = Credential.objects.of(request.tenant).filter(application=application).access(credential_id)
    revoke_credential(tenant=request.tenant, credential=credential, actor=request.user.public_id)
    messages.success(request, _("The key no longer signs anything."))
    return redirect("dashboard:application", application.public_id)


@page("keys.write")
@require_http_methods(["GET", "POST"])
@fresh_factor
def api_key_create(request: DashboardRequest, public_id: str) -> HttpResponse:
    application = Application.objects.of(request.tenant).access(public_id)
    allowed = scopes_of_role(request.membership.role)
    form = ApiKeyForm(request.POST or None, allowed=allowed)
    if request.method == "POST" and form.is_valid():
        try:
            made = create_api_key(
                tenant=request.tenant, application=application, name=form.cleaned_data["name"],
                scopes=form.cleaned_data["scopes"], expires_at=form.expires_at(), created_by=request.user,
                allowed=allowed, actor=request.user.public_id,
            )  # fmt: skip
        except HouseError as error:
            add_errors(form, error)
        else:
            shown_once.keep(request, application.public_id, {"token": made.token})
            return redirect("dashboard:application", application.public_id)
    return render(request, "dashboard/applications/api_key.html", {"form": form, "shown": application})


@page("keys.write")
@require_POST
def api_key_revoke(request: DashboardRequest, public_id: str, key_id: str) -> HttpResponse:
    application = Application.objects.of(request.tenant).access(public_id)
    api_key = ApiKey.objects.of(request.tenant).filter(application=application).access(key_id)
    revoke_api_key(tenant=request.tenant, api_key=api_key, actor=request.user.public_id)
    messages.success(request, _("The API key no longer opens anything."))
    return redirect("dashboard:application", application.public_id)
