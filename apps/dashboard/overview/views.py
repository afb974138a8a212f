"""The landing page for people who are not signed in, and the overview for those who are."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from apps.dashboard.access import DashboardRequest, open_page, page
from apps.dashboard.overview.figures import figures_of, live_of
from apps.tenants.scope import tenant_scope


@open_page
@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect("dashboard:overview")
    return render(request, "dashboard/overview/landing.html")


@page(None, in_scope=False)
@require_safe
def overview(request: DashboardRequest) -> HttpResponse:
    return render(request, "dashboard/overview/overview.html", _context(request))


@page(None, in_scope=False)
@require_safe
def overview_figures(request: DashboardRequest) -> HttpResponse:
    return render(request, "dashboard/overview/_figures.html", _context(request))


def _context(request: DashboardRequest) -> dict[str, Any]:
    with tenant_scope(request.tenant):
        figures = figures_of(tenant=request.tenant, application=request.application)
    return {"figures": figures, "live": live_of(tenant=request.tenant, application=request.application)}
