"""The page of results, the part of it that is asked for again while something moves, its files, choosing a winner."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.campaigns.models import Campaign, CampaignRun
from apps.campaigns.results import ALL, results_of, rows_by, runs_chosen, without_held_out
from apps.campaigns.services import choose_winner
from apps.core.downloads import CSV, download
from apps.core.errors import HouseError
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.campaigns.live import live_context
from apps.dashboard.campaigns.results.breakdowns import breakdown_of, course_of
from apps.dashboard.campaigns.results.experiment import shown_experiment
from apps.dashboard.campaigns.results.files import breakdown_csv
from apps.dashboard.campaigns.results.funnel import drawn, steps_of
from apps.dashboard.campaigns.results.words import money
from apps.dashboard.campaigns.views import campaigns_of
from apps.messaging.exporting import exported_deliveries
from apps.messaging.ledger.results import Dimension, ReasonCount
from apps.messaging.ledger.states import DeliveryState
from apps.tenants.scope import tenant_scope

_RUNS_OFFERED = 50


@page("campaigns.read")
@require_safe
def campaign_results(request: DashboardRequest, public_id: str) -> HttpResponse:
    shown = campaigns_of(request).access(public_id)
    context = _context(request, shown) | live_context(request, shown)
    return render(request, "dashboard/campaigns/results.html", context)


@page("campaigns.read")
@require_safe
def campaign_results_part(request: DashboardRequest, public_id: str) -> HttpResponse:
    """The figures alone."""
    shown = campaigns_of(request).access(public_id)
    return render(request, "dashboard/campaigns/_results.html", _context(request, shown))


@page("campaigns.read")
@require_safe
def campaign_results_csv(request: DashboardRequest, public_id: str) -> HttpResponseBase:
    """One breakdown as a file."""
    shown = campaigns_of(request).access(public_id)
    said = request.GET.get("by", "")
    by = Dimension(said) if said in list(Dimension) else Dimension.ROUTE
    rows = rows_by(runs_chosen(shown, request.GET.get("run", "")), by)
    return download(request, f"{shown.public_id}-{by.value}.csv", CSV, breakdown_csv(by.value, rows))


@page("campaigns.read", in_scope=False)
@require_safe
def campaign_recipients_csv(request: DashboardRequest, public_id: str) -> HttpResponseBase:
    """Everybody as a file, however many."""
    with tenant_scope(request.tenant):
        shown = campaigns_of(request).access(public_id)
        messages = [run.message for run in runs_chosen(shown, request.GET.get("run", ""))]
    texts = exported_deliveries(tenant=request.tenant, messages=messages)
    return download(request, f"{shown.public_id}-recipients.csv", CSV, texts)


@page("campaigns.send")
@require_POST
def campaign_winner(request: DashboardRequest, public_id: str) -> HttpResponse:
    """`?variant=`: the key."""
    shown = campaigns_of(request).access(public_id)
    try:
        choose_winner(tenant=request.tenant, campaign=shown, variant=request.GET.get("variant", ""))
    except HouseError as error:
        context = {**_context(request, shown), "refusal": error}
        return render(request, "dashboard/campaigns/results.html", context, status=409)
    return redirect("dashboard:campaign-results", public_id)


def _context(request: DashboardRequest, shown: Campaign) -> dict[str, Any]:
    run, zone = request.GET.get("run", ""), request.tenant.timezone
    runs = runs_chosen(shown, run)
    found = results_of(runs, Dimension.VARIANT)
    counts = without_held_out(found.counts, found.rows)
    steps = steps_of(counts)
    has_variants = len(found.rows) > 1 or any(found.rows)
    parts = [breakdown_of(by, rows_by(runs, by), zone) for by in (Dimension.ROUTE, Dimension.LANGUAGE)]
    if has_variants:
        parts.insert(0, breakdown_of(Dimension.VARIANT, found.rows, zone))
    return {
        "campaign": shown,
        "runs": runs,
        "newest": runs[-1] if runs else None,
        "run": run,
        "all_runs": ALL,
        "offered": _offered(shown),
        "is_moving": any(one.message.ended_at is None for one in runs),
        "counts": counts,
        "waiting": counts.planned - counts.settled,
        "steps": steps,
        "funnel": drawn(steps),
        "revenue": money(counts.revenue),
        "withdrawn": found.withdrawn,
        "buttons": list(found.buttons.items()),
        "reasons": _by_outcome(found.reasons),
        "experiment": shown_experiment(found.experiment),
        "course": course_of(rows_by(runs, Dimension.HOUR), zone),
        "parts": parts,
    }


def _offered(shown: Campaign) -> list[CampaignRun]:
    """Runs to choose from; none where there is but one."""
    runs = list(CampaignRun.objects.of(shown.tenant_id).filter(campaign=shown).order_by("-pk")[:_RUNS_OFFERED])
    return runs if len(runs) > 1 else []


def _by_outcome(reasons: Any) -> list[tuple[str, list[ReasonCount]]]:
    """Left out first, then what failed."""
    left_out = [row for row in reasons if row.state == DeliveryState.SUPPRESSED]
    failed = [row for row in reasons if row.state != DeliveryState.SUPPRESSED]
    return [(outcome, rows) for outcome, rows in (("suppressed", left_out), ("failed", failed)) if rows]
