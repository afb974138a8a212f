"""What the pages tell about time: the next occurrences of a rule, why one person, an application's quiet hours."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.audience.models import Subscriber
from apps.campaigns.explaining import explain_campaign
from apps.campaigns.planner import Kind, Schedule
from apps.campaigns.reading import read_schedule
from apps.campaigns.services import set_default_quiet_hours
from apps.core import clock
from apps.core.errors import HouseError, NotFound
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.campaigns.timing_forms import QuietHoursForm, TimingForm
from apps.dashboard.campaigns.views import campaigns_of
from apps.dashboard.messaging.typed import typed
from apps.tenants.models import Application

_SHOWN = 5


def next_occurrences(schedule: Schedule, timezone: str) -> list[datetime]:
    """As a wall shows them in the rule's zone, or on everybody's own; naive."""
    found: list[datetime] = []
    start = schedule.first_start(clock.now(), timezone)
    zone = ZoneInfo("Etc/GMT-14" if schedule.own_clock else schedule.timezone or timezone)
    while start is not None and len(found) < _SHOWN:
        found.append(start.astimezone(zone).replace(tzinfo=None))
        start = schedule.next_start(start, timezone, runs=len(found))
    return found


@page("campaigns.read")
@require_POST
def campaign_occurrences(request: DashboardRequest) -> HttpResponse:
    """The next five, while the rule is being chosen."""
    form = TimingForm(request.POST, request)
    context: dict[str, object] = {}
    if not form.is_valid() or form.cleaned_data["kind"] != Kind.RECURRING:
        return render(request, "dashboard/campaigns/_occurrences.html", context)
    try:
        schedule = read_schedule(form.schedule)
    except HouseError as error:
        context["problem"] = error
    else:
        context |= {"occurrences": next_occurrences(schedule, request.tenant.timezone), "schedule": schedule}
    return render(request, "dashboard/campaigns/_occurrences.html", context)


@page("campaigns.read")
@require_safe
def campaign_why(request: DashboardRequest, public_id: str) -> HttpResponse:
    """Why one subscriber gets it, when, or why not."""
    shown = campaigns_of(request).access(public_id)
    name = typed(request.GET, "external_id", limit=200).strip()
    context: dict[str, object] = {"campaign": shown, "name": name}
    if name:
        try:
            person = Subscriber.objects.in_application(shown.application).named(name)
            context["answers"] = explain_campaign(shown, person)
        except NotFound:
            context["problem"] = _("There is no such subscriber.")
        except HouseError as error:
            context["problem"] = error.message
    return render(request, "dashboard/campaigns/why.html", context)


@page("applications.write")
@require_POST
def application_quiet_hours(request: DashboardRequest, public_id: str) -> HttpResponse:
    """The form on the application's settings."""
    application = Application.objects.of(request.tenant).access(public_id)
    form = QuietHoursForm(request.POST)
    try:
        if form.is_valid():
            set_default_quiet_hours(tenant=request.tenant, application=application, quiet_hours=form.quiet_hours)
            messages.success(request, _("Saved."))
        else:
            messages.error(request, _("Use times such as 22:00."))
    except HouseError as error:
        messages.error(request, str(error.message))
    return redirect("dashboard:application-settings", public_id)
