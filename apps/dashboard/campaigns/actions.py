"""What one does to a campaign: schedule, stop, copy, try, throw away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from apps.campaigns.models import Campaign
from apps.campaigns.services import (
    cancel_campaign,
    delete_campaign,
    duplicate_campaign,
    pause_campaign,
    recall_campaign,
    resume_campaign,
    schedule_campaign,
    send_test,
)
from apps.core.errors import HouseError
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.campaigns.forms import ScheduleForm
from apps.dashboard.campaigns.views import campaigns_of, review
from apps.dashboard.messaging.typed import typed


@page("campaigns.send")
@require_POST
def campaign_schedule(request: DashboardRequest, public_id: str) -> HttpResponse:
    shown = campaigns_of(request).access(public_id)
    form = ScheduleForm(request.POST, request.tenant.timezone)
    if not form.is_valid():
        return review(request, shown, form)
    try:
        schedule_campaign(tenant=request.tenant, campaign=shown, send_at=form.instant)
    except HouseError as error:
        return review(request, shown, form, error)
    return redirect("dashboard:campaign", public_id)


@page("campaigns.send")
@require_POST
def campaign_test(request: DashboardRequest, public_id: str) -> HttpResponse:
    shown = campaigns_of(request).access(public_id)
    try:
        names = typed(request.POST, "external_id", limit=2_000).replace(",", " ").split()
        send_test(tenant=request.tenant, campaign=shown, external_ids=names)
    except HouseError as error:
        messages.error(request, str(error.message))
    else:
        messages.success(request, _("The test is on its way."))
    return redirect("dashboard:campaign", public_id)


@page("campaigns.write")
@require_POST
def campaign_duplicate(request: DashboardRequest, public_id: str) -> HttpResponse:
    shown = campaigns_of(request).access(public_id)
    copy = duplicate_campaign(tenant=request.tenant, campaign=shown, created_by=request.user)
    return redirect("dashboard:campaign-edit", copy.public_id)


@page("campaigns.write")
@require_POST
def campaign_delete(request: DashboardRequest, public_id: str) -> HttpResponse:
    delete_campaign(tenant=request.tenant, campaign=campaigns_of(request).access(public_id))
    messages.success(request, _("Draft deleted."))
    return redirect("dashboard:campaign-list")


def _brake(verb: Callable[..., Campaign | int], done: Any) -> Any:
    """A view that does one verb and says so. A state that has moved on meanwhile is said too, not an error page."""

    @page("campaigns.send")
    @require_POST
    def brake(request: DashboardRequest, public_id: str) -> HttpResponse:
        shown = campaigns_of(request).access(public_id)
        try:
            verb(tenant=request.tenant, campaign=shown)
        except HouseError as error:
            messages.error(request, str(error.message))
        else:
            messages.success(request, done)
        return redirect("dashboard:campaign", public_id)

    return brake


campaign_pause = _brake(pause_campaign, gettext_lazy("Paused. What is under way is finished, nothing else leaves."))


@page("campaigns.send")
@require_POST
def campaign_resume(request: DashboardRequest, public_id: str) -> HttpResponse:
    """`?confirm=1` when the page has said why it was paused by itself."""
    shown = campaigns_of(request).access(public_id)
    try:
        resume_campaign(tenant=request.tenant, campaign=shown, confirm="confirm" in request.GET)
    except HouseError as error:
        messages.error(request, str(error.message))
    else:
        messages.success(request, _("Resumed."))
    return redirect("dashboard:campaign", public_id)


campaign_cancel = _brake(cancel_campaign, gettext_lazy("Cancelled. What has not left will not leave."))
campaign_recall = _brake(recall_campaign, gettext_lazy("Taken out of every inbox."))
