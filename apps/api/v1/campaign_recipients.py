"""`/api/v1/campaigns/{id}/recipients/{external_id}`: one person, moment by moment."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.api.base import ApiRequest, ApiView
from apps.api.v1.campaigns import campaigns_of_request
from apps.audience.models import Subscriber
from apps.campaigns.planner.moments import Hold, Start
from apps.campaigns.results import runs_chosen
from apps.campaigns.timeline import Moment, What, timeline_of


class _MomentSerializer(serializers.Serializer[Moment]):
    at = serializers.DateTimeField()
    what = serializers.ChoiceField(choices=[what.value for what in What])
    route = serializers.CharField()
    reason = serializers.CharField(help_text="Why it was suppressed, or the network's own answer.")
    due_at = serializers.DateTimeField(allow_null=True, help_text="Of planned: for when.")
    start = serializers.ChoiceField(
        choices=[start.value for start in Start], allow_null=True, help_text="Of planned: what that moment goes by."
    )
    held_by = serializers.ListField(
        child=serializers.ChoiceField(choices=[hold.value for hold in Hold]), source="holds",
        help_text="Of planned: what moved it later.",
    )  # fmt: skip
    attempt = serializers.IntegerField(help_text="Of attempted: how often it was tried by then; else 0.")
    amount = serializers.DecimalField(max_digits=16, decimal_places=4, allow_null=True)
    currency = serializers.CharField()


class RecipientSerializer(serializers.Serializer[Any]):
    external_id = serializers.CharField()
    run_id = serializers.CharField(allow_null=True, help_text="null: the campaign has not started.")
    variant = serializers.CharField()
    timezone = serializers.CharField(help_text="The person's, or what stood in for it.")
    moments = _MomentSerializer(many=True)


class CampaignRecipient(ApiView):
    permissions = {"GET": "campaigns.read"}

    @extend_schema(
        operation_id="get_campaign_recipient",
        parameters=[OpenApiParameter("run", description="Id of a run. Default: the last one.")],
        responses=RecipientSerializer,
    )
    def get(self, request: ApiRequest, campaign_id: str, external_id: str) -> Response:
        """What became of one person and why, in order: planned, tried, answered, and what they did."""
        campaign = campaigns_of_request(request).access(campaign_id)
        person = Subscriber.objects.in_application(request.application).named(external_id)
        runs = runs_chosen(campaign, request.query_params.get("run", ""))
        body: dict[str, Any] = {
            "external_id": person.external_id, "run_id": None, "variant": "", "timezone": person.timezone, "moments": []
        }  # fmt: skip
        if runs:
            found = timeline_of(runs[-1], person)
            body |= {"run_id": runs[-1].public_id, "variant": found.variant, "timezone": found.timezone}
            body["moments"] = found.moments
        return Response(RecipientSerializer(body).data)
