"""The live page and the two endpoints its client asks for signatures."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from apps.audience.models import Subscriber
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.console.forms import PublishForm
from apps.dashboard.current import current_record, public_origin
from apps.dashboard.live import proofs
from apps.tenants.scope import tenant_scope

_SUGGESTED_SUBSCRIBERS = 50


@page("console.publish", in_scope=False)
@require_safe
def live(request: DashboardRequest) -> HttpResponse:
    record = current_record(request)
    with tenant_scope(request.tenant):
        subscribers = Subscriber.objects.of(request.tenant).filter(application=record.application_pk).order_by("pk")
        suggested = list(subscribers.values_list("external_id", flat=True)[:_SUGGESTED_SUBSCRIBERS])
    channel = request.GET.get("channel", "news")[:164]
    context = {
        "form": PublishForm(channel=channel),
        "key": next(iter(record.credentials), ""),
        "origin": public_origin(request),
        "suggested": suggested,
        "channel": channel,
        "user": request.GET.get("user", suggested[0] if suggested else "")[:128],
    }
    return render(request, "dashboard/live/live.html", context)


@page("console.publish", in_scope=False)
@require_POST
def authorize(request: DashboardRequest) -> JsonResponse:
    """Form fields socket_id, channel, user_id (of a presence member; empty: the person who looks)."""
    proof = proofs.channel_proof(
        current_record(request),
        socket_id=request.POST.get("socket_id", ""),
        channel=request.POST.get("channel", ""),
        user_id=request.POST.get("user_id") or request.user.public_id,
        user_name=request.user.get_short_name(),
    )
    return JsonResponse(proof)


@page("console.publish", in_scope=False)
@require_POST
def authenticate(request: DashboardRequest) -> JsonResponse:
    """Form fields socket_id, user_id (a subscriber's external id)."""
    proof = proofs.user_proof(
        current_record(request),
        socket_id=request.POST.get("socket_id", ""),
        user_id=request.POST.get("user_id", ""),
    )
    return JsonResponse(proof)
