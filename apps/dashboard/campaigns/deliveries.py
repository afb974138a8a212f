"""The ledger of a campaign, row by row."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.campaigns.queries import messages_of
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.campaigns.views import campaigns_of
from apps.dashboard.messaging.typed import typed
from apps.messaging.ledger.reasons import REASON_NAMES, ROUTE_REASONS
from apps.messaging.ledger.states import DeliveryState
from apps.messaging.models import Delivery
from apps.messaging.queries import filtered_deliveries

_PER_PAGE = 50


def _reasons(chosen: str) -> list[tuple[str, Any]]:
    """Ours, and the network's own code when a link asked for one."""
    ours: dict[str, Any] = {**{reason.value: name for reason, name in REASON_NAMES.items()}, **ROUTE_REASONS}
    if chosen and chosen not in ours:
        ours[chosen] = chosen
    return list(ours.items())


@page("campaigns.read")
@require_safe
def campaign_deliveries(request: DashboardRequest, public_id: str) -> HttpResponse:
    """Page after page by the last row seen: counting pages of a million rows would cost more than reading one."""
    shown = campaigns_of(request).access(public_id)
    message = messages_of([shown]).get(shown.pk)
    state = request.GET.get("state", "")
    filters = {
        "state": state if state in list(DeliveryState) else "",
        "reason": typed(request.GET, "reason", limit=64),
        "external_id": typed(request.GET, "external_id", limit=200),
    }
    rows = filtered_deliveries(message, request.tenant.pk, **filters)
    after = request.GET.get("after")
    if after:
        rows = rows.filter(pk__gt=Delivery.number_of(after))
    found = list(rows.order_by("pk")[: _PER_PAGE + 1])
    context = {
        "campaign": shown,
        "rows": found[:_PER_PAGE],
        "next": found[_PER_PAGE - 1].public_id if len(found) > _PER_PAGE else "",
        "after": after,
        "filters": filters,
        "states": list(DeliveryState),
        "reasons": _reasons(filters["reason"]),
    }
    return render(request, "dashboard/campaigns/deliveries.html", context)
