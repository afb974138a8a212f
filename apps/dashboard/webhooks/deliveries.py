"""One webhook with the log of its calls; one call with its attempts; test and replay."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import orjson
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from apps.core.errors import HouseError
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.applications import shown_once
from apps.dashboard.webhooks.forms import ReplayForm
from apps.dashboard.webhooks.views import endpoints
from apps.webhooks.events import ChannelEvent
from apps.webhooks.models import Delivery, DeliveryState
from apps.webhooks.queries import attempts_of, deliveries_of
from apps.webhooks.services.endpoints import send_test
from apps.webhooks.services.replaying import replay_delivery, replay_range

_PER_PAGE = 50


@page("applications.read")
@require_safe
def webhook(request: DashboardRequest, public_id: str) -> HttpResponse:
    """Page after page by the last row seen: counting the pages of a long log would cost more than reading one."""
    endpoint = endpoints(request).access(public_id)
    state = request.GET.get("state", "")
    rows = deliveries_of(endpoint, state=state if state in list(DeliveryState) else "")
    after = request.GET.get("after")
    if after:
        rows = rows.filter(pk__lt=Delivery.number_of(after))
    found = list(rows.order_by("-pk")[: _PER_PAGE + 1])
    context = {
        "endpoint": endpoint,
        "fresh": shown_once.take(request, endpoint.public_id),
        "rows": found[:_PER_PAGE],
        "next": found[_PER_PAGE - 1].public_id if len(found) > _PER_PAGE else "",
        "after": after,
        "state": state,
        "states": list(DeliveryState),
        "has_dead": deliveries_of(endpoint, state=DeliveryState.DEAD).exists(),
        "replay_form": ReplayForm(),
    }
    return render(request, "dashboard/webhooks/webhook.html", context)


@page("applications.read")
@require_safe
def webhook_delivery(request: DashboardRequest, public_id: str, delivery_id: str) -> HttpResponse:
    endpoint = endpoints(request).access(public_id)
    delivery = deliveries_of(endpoint).access(delivery_id)
    told = [ChannelEvent.from_json(stored).as_told for stored in delivery.events]
    context = {
        "endpoint": endpoint,
        "delivery": delivery,
        "events": orjson.dumps(told, option=orjson.OPT_INDENT_2).decode(),
        "attempts": attempts_of(delivery),
    }
    return render(request, "dashboard/webhooks/delivery.html", context)


@page("webhooks.write")
@require_POST
def webhook_test(request: DashboardRequest, public_id: str) -> HttpResponse:
    endpoint = endpoints(request).access(public_id)
    try:
        delivery = send_test(tenant=request.tenant, endpoint=endpoint)
    except HouseError as error:
        messages.error(request, str(error.message))
        return redirect("dashboard:webhook", endpoint.public_id)
    messages.success(request, _("A test event is on its way. Its attempts appear here."))
    return redirect("dashboard:webhook-delivery", endpoint.public_id, delivery.public_id)


@page("webhooks.write")
@require_POST
def webhook_replay(request: DashboardRequest, public_id: str) -> HttpResponse:
    endpoint = endpoints(request).access(public_id)
    with timezone.override(ZoneInfo(request.tenant.timezone)):
        form = ReplayForm(request.POST)
        is_valid = form.is_valid()
    if not is_valid:
        messages.error(request, _("Give the times as year-month-day hour:minute."))
        return redirect("dashboard:webhook", endpoint.public_id)
    try:
        count = replay_range(tenant=request.tenant, endpoint=endpoint, **form.cleaned_data)
    except HouseError as error:
        messages.error(request, str(error.message))
    else:
        sentence = ngettext("%(count)d call is sent again.", "%(count)d calls are sent again.", count)
        messages.success(request, sentence % {"count": count})
    return redirect("dashboard:webhook", endpoint.public_id)


@page("webhooks.write")
@require_POST
def webhook_delivery_replay(request: DashboardRequest, public_id: str, delivery_id: str) -> HttpResponse:
    endpoint = endpoints(request).access(public_id)
    delivery = deliveries_of(endpoint).access(delivery_id)
    try:
        replay_delivery(tenant=request.tenant, delivery=delivery)
    except HouseError as error:
        messages.error(request, str(error.message))
    else:
        messages.success(request, _("The call is sent again."))
    return redirect("dashboard:webhook-delivery", endpoint.public_id, delivery.public_id)
