"""The list of campaigns, the editor, the review before sending, the page to follow one."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.campaigns.models import Campaign
from apps.campaigns.planner import Kind
from apps.campaigns.queries import counts_of_campaigns, messages_of
from apps.campaigns.simulation import simulate_campaign
from apps.campaigns.states import Status, may_change
from apps.core.errors import HouseError
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.campaigns.departures import departures_of
from apps.dashboard.campaigns.forms import ScheduleForm
from apps.dashboard.campaigns.live import live_context
from apps.dashboard.campaigns.price import price_shown
from apps.dashboard.campaigns.timing_words import words_of
from apps.dashboard.messaging.typed import typed
from apps.dashboard.route_names import route_name
from apps.messaging.ledger.results import reasons_among
from apps.tenants.models import TenantQuerySet

_PER_PAGE = 25


def campaigns_of(request: DashboardRequest) -> TenantQuerySet[Campaign]:
    campaigns = Campaign.objects.of(request.tenant).filter(application=request.application)
    return campaigns.select_related("template", "application", "tenant")


@page("campaigns.read")
@require_safe
def campaign_list(request: DashboardRequest) -> HttpResponse:
    query, status = typed(request.GET, "q"), request.GET.get("status", "")
    found = campaigns_of(request).order_by("-pk")
    if query:
        found = found.filter(name__icontains=query)
    if status in list(Status):
        found = found.filter(status=status)
    page_obj = Paginator(found, _PER_PAGE).get_page(request.GET.get("page"))
    rows = list(page_obj.object_list)
    counts = counts_of_campaigns(rows)
    context = {
        "page_obj": page_obj,
        "rows": [(campaign, counts[campaign.pk]) for campaign in rows],
        "query": query,
        "status": status,
        "statuses": list(Status),
    }
    return render(request, "dashboard/campaigns/list.html", context)


@page("campaigns.read")
@require_safe
def campaign(request: DashboardRequest, public_id: str) -> HttpResponse:
    """A draft is reviewed here; anything later is followed."""
    shown = campaigns_of(request).access(public_id)
    if shown.status == Status.DRAFT:
        return review(request, shown, ScheduleForm(None, request.tenant.timezone))
    return render(request, "dashboard/campaigns/campaign.html", progress_of(shown) | live_context(request, shown))


def review(
    request: DashboardRequest, shown: Campaign, form: ScheduleForm, refusal: HouseError | None = None
) -> HttpResponse:
    is_once = shown.schedule["kind"] == Kind.AT
    context: dict[str, object] = {
        "campaign": shown, "form": form, "refusal": refusal, "is_once": is_once, "timing": words_of(shown)
    }  # fmt: skip
    try:
        found = simulate_campaign(shown)
        context |= {
            "simulation": found,
            # A Counter answers a template's `.items` with zero.
            "planned": list(found.planned.items()),
            "suppressed": list(found.suppressed.items()),
            "by_variant": sorted(found.by_variant.items()),
            "provider_route": route_name(found.provider_day.route) if found.provider_day else "",
            "suppressed_total": found.suppressed.total(),
            "departures": departures_of(found.by_hour, request.tenant.timezone),
            "price": price_shown(found.price, request.LANGUAGE_CODE or "en") if found.price else None,
            "at_most": price_shown(found.price_at_most, request.LANGUAGE_CODE or "en") if found.price_at_most else None,
        }
    except HouseError as error:
        context["problem"] = error
    return render(request, "dashboard/campaigns/review.html", context)


@page("campaigns.read")
@require_safe
def campaign_progress(request: DashboardRequest, public_id: str) -> HttpResponse:
    """The part of the page that is asked for each second while something moves."""
    shown = campaigns_of(request).access(public_id)
    return render(request, "dashboard/campaigns/_progress.html", progress_of(shown))


def progress_of(shown: Campaign) -> dict[str, object]:
    message = messages_of([shown]).get(shown.pk)
    counts = counts_of_campaigns([shown])[shown.pk]
    has_ended = message is not None and message.ended_at is not None
    return {
        "campaign": shown,
        "message": message,
        "counts": counts,
        "waiting": counts.planned - counts.settled,
        "is_moving": shown.status in {Status.SCHEDULED, Status.SENDING} or (message is not None and not has_ended),
        "is_planned": message is not None and message.is_planned,
        "timing": words_of(shown),
        "may_change": may_change(shown.status, shown.next_at),
        "reasons": reasons_among([message]) if message is not None and has_ended else [],
    }
