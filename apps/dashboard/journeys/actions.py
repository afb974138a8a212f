"""What one does to a journey: publish, stop, put somebody in, throw away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from apps.audience.models import Subscriber
from apps.campaigns.journeys.models import Journey
from apps.campaigns.journeys.services import (
    add_person,
    archive_journey,
    delete_journey,
    pause_journey,
    publish_journey,
    resume_journey,
)
from apps.core.errors import HouseError, NotFound
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.campaigns.approvals import approval_page
from apps.dashboard.journeys.views import journeys_of
from apps.dashboard.messaging.typed import typed


def _verb(verb: Callable[..., Journey], done: Any) -> Any:
    """A view that does one verb and says so, or says why not."""

    @page("campaigns.send")
    @require_POST
    def act(request: DashboardRequest, public_id: str) -> HttpResponse:
        shown = journeys_of(request).access(public_id)
        try:
            verb(tenant=request.tenant, journey=shown)
        except HouseError as error:
            place = error.details.get("path", "")
            messages.error(request, f"{place}: {error.message}" if place else str(error.message))
        else:
            messages.success(request, done)
        return redirect("dashboard:journey", public_id)

    return act


journey_publish = _verb(publish_journey, gettext_lazy("Published. Who comes in from now on goes this way."))
journey_pause = _verb(pause_journey, gettext_lazy("Paused. Nobody comes in and nobody moves."))
journey_archive = _verb(archive_journey, gettext_lazy("Archived. Everybody leaves the journey."))


@page("campaigns.send")
@require_POST
def journey_resume(request: DashboardRequest, public_id: str) -> HttpResponse:
    """`?confirm=1` when the page has said why it was paused by itself."""
    shown = journeys_of(request).access(public_id)
    try:
        resume_journey(tenant=request.tenant, journey=shown, confirm="confirm" in request.GET)
    except HouseError as error:
        messages.error(request, str(error.message))
    else:
        messages.success(request, _("Resumed."))
    return redirect("dashboard:journey", public_id)


@page("campaigns.read")
@require_http_methods(["GET", "POST"])
def journey_approval(request: DashboardRequest, public_id: str) -> HttpResponse:
    return approval_page(request, journeys_of(request).access(public_id), "journey")


@page("campaigns.send")
@require_POST
def journey_add(request: DashboardRequest, public_id: str) -> HttpResponse:
    shown = journeys_of(request).access(public_id)
    external_id = typed(request.POST, "external_id", limit=200)
    try:
        person = Subscriber.objects.in_application(shown.application).named(external_id)
        add_person(tenant=request.tenant, journey=shown, person=person)
    except NotFound:
        messages.error(request, _("There is no subscriber with this id."))
    except HouseError as error:
        messages.error(request, str(error.message))
    else:
        messages.success(request, _("They are on their way."))
    return redirect("dashboard:journey-people", public_id)


@page("campaigns.write")
@require_POST
def journey_delete(request: DashboardRequest, public_id: str) -> HttpResponse:
    shown = journeys_of(request).access(public_id)
    try:
        delete_journey(tenant=request.tenant, journey=shown)
    except HouseError as error:
        messages.error(request, str(error.message))
        return redirect("dashboard:journey", public_id)
    messages.success(request, _("Draft deleted."))
    return redirect("dashboard:journey-list")
