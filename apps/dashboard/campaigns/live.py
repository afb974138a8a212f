"""A campaign's page listens to its counts: what the page needs for that, and the signature for its channel."""

from __future__ import annotations

from django.http import JsonResponse
from django.views.decorators.http import require_POST

from apps.campaigns.models import Campaign
from apps.core.errors import NotFound
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.current import public_origin
from apps.dashboard.live.proofs import active_key, channel_proof
from apps.messaging.telling import channel_of
from apps.realtime.platform import platform_application


def live_context(request: DashboardRequest, shown: Campaign) -> dict[str, object]:
    """Of the installation's own application: nothing of it is billed to anybody."""
    record = platform_application(request.tenant.home_region)
    channel = channel_of(shown.public_id)
    return {"live": {"key": active_key(record), "origin": public_origin(request), "channel": channel}}


@page("campaigns.read")
@require_POST
def campaign_live(request: DashboardRequest, public_id: str) -> JsonResponse:
    """Form fields socket_id, channel. Signs the campaign's own channel and no other."""
    if not Campaign.objects.of(request.tenant).filter(pk=Campaign.number_of(public_id)).exists():
        raise NotFound
    if request.POST.get("channel") != channel_of(public_id):
        raise NotFound
    proof = channel_proof(
        platform_application(request.tenant.home_region), socket_id=request.POST.get("socket_id", ""),
        channel=channel_of(public_id), user_id="", user_name="",
    )  # fmt: skip
    return JsonResponse(proof)
