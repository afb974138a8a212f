"""The list of applications, one application, its settings."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Count, F, Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from apps.core.errors import HouseError
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.applications import shown_once
from apps.dashboard.applications.forms import ApplicationForm, SettingsForm
from apps.dashboard.applications.snippets import Place, snippets
from apps.dashboard.campaigns.approvals import safety_form
from apps.dashboard.campaigns.timing_forms import QuietHoursForm
from apps.dashboard.current import choose_application, public_origin
from apps.dashboard.forms import add_errors
from apps.tenants.application_settings import ApplicationSettings
from apps.tenants.models import ApiKey, Application, Credential, OAuthClient
from apps.tenants.services import create_application, update_application


@page("applications.read")
@require_safe
def application_list(request: DashboardRequest) -> HttpResponse:
    live_keys = Count("credentials", filter=Q(credentials__revoked_at=None))
    owned = Application.objects.of(request.tenant).annotate(live_keys=live_keys).order_by("name", "pk")
    return render(request, "dashboard/applications/list.html", {"rows": owned})


@page("applications.write")
@require_http_methods(["GET", "POST"])
def application_create(request: DashboardRequest) -> HttpResponse:
    form = ApplicationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = create_application(
                tenant=request.tenant, name=form.cleaned_data["name"], actor=request.user.public_id
            )
        except HouseError as error:
            add_errors(form, error)
        else:
            choose_application(request, made.application)
            shown_once.keep(request, made.application.public_id, {"key": made.key, "secret": made.secret})
            return redirect("dashboard:application", made.application.public_id)
    return render(request, "dashboard/applications/create.html", {"form": form})


@page("applications.read")
@require_safe
def application(request: DashboardRequest, public_id: str) -> HttpResponse:
    shown = Application.objects.of(request.tenant).access(public_id)
    fresh = shown_once.take(request, shown.public_id)
    credentials = list(
        Credential.objects.of(request.tenant)
        .filter(application=shown)
        .order_by(F("revoked_at").asc(nulls_first=True), "pk")
    )
    live = [credential for credential in credentials if credential.revoked_at is None]
    place = Place(
        origin=public_origin(request),
        application_id=shown.application_id,
        key=fresh.get("key") or (live[0].key if live else "YOUR_KEY"),
        secret=fresh.get("secret", "YOUR_SECRET"),
        token=fresh.get("token", "YOUR_API_KEY"),
    )
    context = {
        "shown": shown,
        "fresh": fresh,
        "credentials": credentials,
        "api_keys": ApiKey.objects.of(request.tenant)
        .filter(application=shown)
        .order_by(F("revoked_at").asc(nulls_first=True), "-pk"),
        "oauth_clients": OAuthClient.objects.of(request.tenant)
        .filter(application=shown)
        .order_by(F("revoked_at").asc(nulls_first=True), "-pk"),
        "snippets": snippets(place),
        "place": place,
    }
    return render(request, "dashboard/applications/application.html", context)


@page("applications.write")
@require_http_methods(["GET", "POST"])
def application_settings(request: DashboardRequest, public_id: str) -> HttpResponse:
    shown = Application.objects.of(request.tenant).access(public_id)
    form = SettingsForm(
        request.POST or None,
        current=ApplicationSettings.from_json(shown.settings),
        name=shown.name,
        is_enabled=shown.is_enabled,
    )
    if request.method == "POST" and form.is_valid():
        try:
            update_application(
                tenant=request.tenant, application=shown, actor=request.user.public_id,
                name=form.cleaned_data["name"], is_enabled=form.cleaned_data["is_enabled"], settings=form.settings(),
            )  # fmt: skip
        except HouseError as error:
            add_errors(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("dashboard:application-settings", shown.public_id)
    context = {"form": form, "shown": shown, "quiet_form": QuietHoursForm.of(shown), "safety_form": safety_form(shown)}
    return render(request, "dashboard/applications/settings.html", context)
