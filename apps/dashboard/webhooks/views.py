"""The list of webhooks; making, changing and removing one; a new secret."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.core.errors import HouseError
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.accounts.step_up import fresh_factor
from apps.dashboard.applications import shown_once
from apps.dashboard.errors import NoApplication
from apps.dashboard.forms import add_errors
from apps.dashboard.webhooks.forms import WebhookChangeForm, WebhookForm
from apps.tenants.models import TenantQuerySet
from apps.webhooks.models import WebhookEndpoint
from apps.webhooks.queries import endpoints_of, open_counts
from apps.webhooks.services.endpoints import (
    MAX_ENDPOINTS,
    change_endpoint,
    create_endpoint,
    delete_endpoint,
    rotate_secret,
)


def endpoints(request: DashboardRequest) -> TenantQuerySet[WebhookEndpoint]:
    """Those of the chosen application. Raises NoApplication."""
    if request.application is None:
        raise NoApplication
    return endpoints_of(request.tenant, request.application)


@page("applications.read")
@require_safe
def webhook_list(request: DashboardRequest) -> HttpResponse:
    found = list(endpoints(request).order_by("pk")) if request.application is not None else []
    counts = open_counts(found)
    rows: list[dict[str, Any]] = []
    for endpoint in found:
        pending, dead = counts.get(endpoint.pk, (0, 0))
        rows.append({"endpoint": endpoint, "pending": pending, "dead": dead})
    context = {"rows": rows, "has_room": len(rows) < MAX_ENDPOINTS}
    return render(request, "dashboard/webhooks/list.html", context)


@page("webhooks.write")
@require_http_methods(["GET", "POST"])
@fresh_factor
def webhook_create(request: DashboardRequest) -> HttpResponse:
    if request.application is None:
        raise NoApplication
    form = WebhookForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = create_endpoint(
                tenant=request.tenant,
                application=request.application,
                actor=request.user.public_id,
                **form.cleaned_data,
            )
        except HouseError as error:
            add_errors(form, error)
        else:
            shown_once.keep(request, made.endpoint.public_id, {"secret": made.secret})
            return redirect("dashboard:webhook", made.endpoint.public_id)
    return render(request, "dashboard/webhooks/form.html", {"form": form})


@page("webhooks.write")
@require_http_methods(["GET", "POST"])
def webhook_edit(request: DashboardRequest, public_id: str) -> HttpResponse:
    endpoint = endpoints(request).access(public_id)
    form = WebhookChangeForm(request.POST or None, initial=WebhookChangeForm.initial_of(endpoint))
    if request.method == "POST" and form.is_valid():
        changes = {name: form.cleaned_data[name] for name in form.changed_data}
        try:
            change_endpoint(tenant=request.tenant, endpoint=endpoint, actor=request.user.public_id, **changes)
        except HouseError as error:
            add_errors(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("dashboard:webhook", endpoint.public_id)
    return render(request, "dashboard/webhooks/form.html", {"form": form, "endpoint": endpoint})


@page("webhooks.write")
@require_POST
def webhook_delete(request: DashboardRequest, public_id: str) -> HttpResponse:
    endpoint = endpoints(request).access(public_id)
    delete_endpoint(tenant=request.tenant, endpoint=endpoint, actor=request.user.public_id)
    messages.success(request, _("The webhook is deleted."))
    return redirect("dashboard:webhook-list")


@page("webhooks.write")
@require_POST
@fresh_factor
def webhook_secret(request: DashboardRequest, public_id: str) -> HttpResponse:
    endpoint = endpoints(request).access(public_id)
    secret = rotate_secret(tenant=request.tenant, endpoint=endpoint, actor=request.user.public_id)
    shown_once.keep(request, endpoint.public_id, {"secret": secret})
    return redirect("dashboard:webhook", endpoint.public_id)
