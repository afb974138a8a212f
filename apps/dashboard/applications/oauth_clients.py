"""OAuth clients of an application: made, their secret shown once, revoked."""

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
from apps.dashboard.applications.forms import OAuthClientForm, scopes_of_role
from apps.dashboard.forms import add_errors
from apps.tenants.models import Application, OAuthClient
from apps.tenants.services import create_oauth_client, revoke_oauth_client


@page("keys.write")
@require_http_methods(["GET", "POST"])
@fresh_factor
def oauth_client_create(request: DashboardRequest, public_id: str) -> HttpResponse:
    application = Application.objects.of(request.tenant).access(public_id)
    allowed = scopes_of_role(request.membership.role)
    form = OAuthClientForm(request.POST or None, allowed=allowed)
    if request.method == "POST" and form.is_valid():
        try:
            made = create_oauth_client(
                tenant=request.tenant, application=application, name=form.cleaned_data["name"],
                scopes=form.cleaned_data["scopes"], created_by=request.user, allowed=allowed,
                actor=request.user.public_id,
            )  # fmt: skip
        except HouseError as error:
            add_errors(form, error)
        else:
            fresh = {"client_id": made.client.public_id, "client_secret": made.secret}
            shown_once.keep(request, application.public_id, fresh)
            return redirect("dashboard:application", application.public_id)
    return render(request, "dashboard/applications/oauth_client.html", {"form": form, "shown": application})


@page("keys.write")
@require_POST
def oauth_client_revoke(request: DashboardRequest, public_id: str, client_id: str) -> HttpResponse:
    application = Application.objects.of(request.tenant).access(public_id)
    client = OAuthClient.objects.of(request.tenant).filter(application=application).access(client_id)
    revoke_oauth_client(tenant=request.tenant, client=client, actor=request.user.public_id)
    messages.success(request, _("The OAuth client and its tokens no longer open anything."))
    return redirect("dashboard:application", application.public_id)
