"""`/api/v1/campaigns/comparison`: runs beside each other."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from apps.api.base import ApiRequest, ApiView
from apps.api.v1.campaigns import campaigns_of_request
from apps.api.v1.sending import CountsSerializer
from apps.campaigns.comparing import COMPARED, Side, compared, runs_named
from apps.campaigns.rates import BASES


class _RateSerializer(serializers.Serializer[Any]):
    step = serializers.ChoiceField(choices=list(COMPARED))
    base = serializers.ChoiceField(choices=sorted(set(BASES.values())), help_text="What the rate is a part of.")
    people = serializers.IntegerField(help_text="In the base.")
    rate = serializers.FloatField(allow_null=True, help_text="null: there is nothing in the base.")
    difference = serializers.FloatField(allow_null=True, help_text="To the first run's rate; null of the first.")
    low = serializers.FloatField(allow_null=True, help_text="95 % for all comparisons of the answer together.")
    high = serializers.FloatField(allow_null=True)


class _SideSerializer(serializers.Serializer[Side]):
    campaign_id = serializers.CharField(source="run.campaign.public_id")
    run_id = serializers.CharField(source="run.public_id")
    name = serializers.CharField(source="run.campaign.name")
    due_at = serializers.DateTimeField(source="run.due_at")
    is_moving = serializers.BooleanField(help_text="Its counts still change, and the intervals with them.")
    counts = CountsSerializer()
    rates = serializers.SerializerMethodField()

    @extend_schema_field(_RateSerializer(many=True))
    def get_rates(self, side: Side) -> list[dict[str, Any]]:
        return [_rate(side, step) for step in COMPARED]


class ComparisonSerializer(serializers.Serializer[Any]):
    runs = _SideSerializer(many=True)


def _rate(side: Side, step: str) -> dict[str, Any]:
    group, difference = side.rates[step], side.differences.get(step)
    return {
        "step": step, "base": BASES[step], "people": group.people, "rate": group.rate if group.people else None,
        "difference": difference.estimate if difference else None, "low": difference.low if difference else None,
        "high": difference.high if difference else None,
    }  # fmt: skip


class CampaignComparison(ApiView):
    permissions = {"GET": "campaigns.read"}

    @extend_schema(
        operation_id="compare_campaigns",
        parameters=[
            OpenApiParameter("of", required=True, description="2 to 8 ids of runs or campaigns, with commas between.")
        ],
        responses=ComparisonSerializer,
    )
    def get(self, request: ApiRequest) -> Response:
        """Rates of runs beside each other, each against the first. They were not drawn by lot, as variants are."""
        names = [name.strip() for name in request.query_params.get("of", "").split(",") if name.strip()]
        runs = runs_named(campaigns_of_request(request), request.tenant, names)
        return Response(ComparisonSerializer({"runs": compared(runs)}).data)
