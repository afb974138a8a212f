"""One person in one run of a campaign, moment by moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from apps.audience.models import Subscriber
from apps.campaigns.planner.moments import Hold, Start
from apps.campaigns.results import runs_chosen
from apps.campaigns.timeline import timeline_of
from apps.core.errors import NotFound
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.campaigns.views import campaigns_of
from apps.dashboard.messaging.typed import typed

_STARTS: Mapping[Start, Any] = {
    Start.AT_ONCE: _("when the campaign was due"),
    Start.LOCAL_TIME: _("the chosen time on the person’s own clock"),
    Start.BEST_HOUR: _("the person’s best hour"),
    Start.WINNER: _("when the winner was chosen"),
    Start.NEXT_ROUTE: _("because the route before did not reach them"),
    Start.NO_RECEIPT: _("in case no receipt comes by the route before"),
}
_HOLDS: Mapping[Hold, Any] = {
    Hold.QUIET_HOURS: _("held back by quiet hours"),
    Hold.QUEUE: _("later, in the queue of the throttle or the frequency cap"),
}


@page("campaigns.read")
@require_safe
def campaign_recipient(request: DashboardRequest, public_id: str) -> HttpResponse:
    """`?external_id=`, `?run=`."""
    shown = campaigns_of(request).access(public_id)
    name = typed(request.GET, "external_id", limit=200).strip()
    context: dict[str, Any] = {"campaign": shown, "name": name, "run": request.GET.get("run", "")}
    runs = runs_chosen(shown, context["run"])
    try:
        person = Subscriber.objects.in_application(shown.application).named(name)
    except NotFound:
        return render(request, "dashboard/campaigns/recipient.html", {**context, "is_unknown": bool(name)})
    if runs:
        timeline = timeline_of(runs[-1], person)
        moments = [
            (moment, _STARTS[moment.start] if moment.start else "", [_HOLDS[hold] for hold in moment.holds])
            for moment in timeline.moments
        ]
        context |= {"timeline": timeline, "moments": moments, "shown_run": runs[-1]}
    return render(request, "dashboard/campaigns/recipient.html", {**context, "person": person})
