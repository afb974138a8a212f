"""The usage page: what is left of the period, what was used by day and meter, and the same as CSV."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.billing.outlook import outlook_of
from apps.billing.queries import Standing, application_notices, standing_of
from apps.core import clock
from apps.core.csv import csv_response
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.usage.forms import UsageFilter
from apps.dashboard.usage.parts import parts_of
from apps.dashboard.usage.plan import forecast_card, plan_card
from apps.dashboard.usage.report import Asked, csv_rows, report_of
from apps.tenants.models import Application


def _filter(request: DashboardRequest, standing: Standing) -> UsageFilter:
    zone = ZoneInfo(request.tenant.timezone)
    first = standing.period.starts_at.astimezone(zone).date()
    return UsageFilter(request, first=first, last=clock.now().astimezone(zone).date())


def _asked(request: DashboardRequest, form: UsageFilter) -> Asked:
    chosen = form.cleaned_data
    owned = Application.objects.of(request.tenant)
    return Asked(
        tenant=request.tenant,
        first=chosen["start"],
        last=chosen["end"],
        application=owned.access(chosen["application"]) if chosen["application"] else None,
        meters=[form.meters[chosen["meter"]]] if chosen["meter"] else list(form.meters.values()),
    )


def _page(request: DashboardRequest, standing: Standing, form: UsageFilter) -> HttpResponse:
    asked = _asked(request, form) if form.is_valid() else None
    by = form.cleaned_data.get("by", "") if asked else ""
    language = request.LANGUAGE_CODE or "en"
    context = {
        "form": form,
        "plan": plan_card(standing, language),
        "forecast": forecast_card(outlook_of(tenant=request.tenant, standing=standing), language),
        "notices": application_notices(tenant=request.tenant),
        "asked": asked,
        "report": report_of(asked) if asked and not by else None,
        "parts": parts_of(asked, by, request.applications) if asked and by else None,
        "query": request.GET.urlencode(),
    }
    return render(request, "dashboard/usage/usage.html", context, status=200 if asked else 400)


@page("usage.read")
@require_safe
def usage(request: DashboardRequest) -> HttpResponse:
    standing = standing_of(tenant=request.tenant)
    return _page(request, standing, _filter(request, standing))


@page("usage.read")
@require_safe
def usage_csv(request: DashboardRequest) -> HttpResponse | StreamingHttpResponse:
    standing = standing_of(tenant=request.tenant)
    form = _filter(request, standing)
    if not form.is_valid():
        return _page(request, standing, form)
    asked = _asked(request, form)
    rows = list(csv_rows(asked, request.applications))  # read inside the scope; at most some thousand short rows
    return csv_response(rows, filename=f"usage-{asked.first}-{asked.last}.csv")
