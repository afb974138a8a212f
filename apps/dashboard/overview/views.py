"""The landing page for people who are not signed in, and the overview for those who are."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from apps.dashboard.access import DashboardRequest, open_page, page


@open_page
@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect("dashboard:overview")
    return render(request, "dashboard/overview/landing.html")


@page(None)
@require_safe
def overview(request: DashboardRequest) -> HttpResponse:
    return render(request, "dashboard/overview/overview.html")
