"""`/api/v1/campaigns/{id}/results` and `/winner`: what came of it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.api.base import ApiRequest, ApiView, BodySerializer
from apps.api.v1.campaigns import campaigns_of_request
from apps.api.v1.sending import CountsSerializer
from apps.campaigns.experiments import Metric
from apps.campaigns.models import CampaignRun
from apps.campaigns.results import results_of, runs_chosen
from apps.campaigns.services import choose_winner
from apps.core.errors import InvalidInput
from apps.messaging.ledger.results import Dimension


class _RowSerializer(serializers.Serializer[Any]):
    key = serializers.CharField(help_text="A variant, route or language, or the hour (RFC 3339).")
    counts = CountsSerializer()


class _ReasonSerializer(serializers.Serializer[Any]):
    state = serializers.CharField()
    reason = serializers.CharField()
    quantity = serializers.IntegerField()


class _DifferenceSerializer(serializers.Serializer[Any]):
    estimate = serializers.FloatField(help_text="Difference of rates: 0.02 is two percent points.")
    low = serializers.FloatField()
    high = serializers.FloatField()
    is_decided = serializers.BooleanField(help_text="Whether zero lies outside, at every look at once.")


class _GroupSerializer(serializers.Serializer[Any]):
    people = serializers.IntegerField()
    successes = serializers.IntegerField()
    rate = serializers.FloatField()


class _VariantSerializer(_GroupSerializer):
    key = serializers.CharField()
    people = serializers.IntegerField(source="group.people")
    successes = serializers.IntegerField(source="group.successes")
    rate = serializers.FloatField(source="group.rate")
    against_first = _DifferenceSerializer(source="against", allow_null=True)
    people_needed = serializers.IntegerField(source="needed", allow_null=True)


class _HoldoutSerializer(serializers.Serializer[Any]):
    held_out = _GroupSerializer()
    others = _GroupSerializer()
    lift = _DifferenceSerializer()


class ExperimentStandingSerializer(serializers.Serializer[Any]):
    metric = serializers.ChoiceField(choices=[metric.value for metric in Metric])
    variants = _VariantSerializer(source="verdict.standings", many=True)
    leader = serializers.CharField(source="verdict.leader")
    is_decided = serializers.BooleanField(source="verdict.is_decided")
    holdout = _HoldoutSerializer(allow_null=True)
    waiting = serializers.IntegerField(help_text="People who wait for the winner.")
    decide_at = serializers.DateTimeField(allow_null=True)
    chosen_at = serializers.DateTimeField(allow_null=True)
    winner = serializers.CharField(help_text="Empty: none was chosen.")


class ResultsSerializer(serializers.Serializer[Any]):
    campaign_id = serializers.CharField()
    run_ids = serializers.ListField(child=serializers.CharField())
    by = serializers.ChoiceField(choices=[dimension.value for dimension in Dimension])
    counts = CountsSerializer()
    rows = _RowSerializer(many=True)
    reasons = _ReasonSerializer(many=True)
    withdrawn_count = serializers.IntegerField(
        help_text="Pushes that push services still held when it was cancelled or recalled, and dropped."
    )
    experiment = ExperimentStandingSerializer(allow_null=True)
    buttons = serializers.DictField(
        child=serializers.IntegerField(), help_text="People by the name of the button that they clicked first."
    )


class WinnerBody(BodySerializer):
    variant = serializers.CharField(max_length=16)


_PARAMETERS = [
    OpenApiParameter("by", enum=[dimension.value for dimension in Dimension], description="Default: variant."),
    OpenApiParameter("run", description="Id of a run, or `all`. Default: the last one."),
]


class CampaignResults(ApiView):
    permissions = {"GET": "campaigns.read"}

    @extend_schema(operation_id="get_campaign_results", parameters=_PARAMETERS, responses=ResultsSerializer)
    def get(self, request: ApiRequest, campaign_id: str) -> Response:
        """What became of everybody, live while it runs. Costs the same for ten people and for a million."""
        campaign = campaigns_of_request(request).access(campaign_id)
        by = request.query_params.get("by", Dimension.VARIANT.value)
        if by not in list(Dimension):
            raise InvalidInput(fields={"by": [InvalidInput.default_message]})
        runs = runs_chosen(campaign, request.query_params.get("run", ""))
        found = results_of(runs, Dimension(by))
        rows = [{"key": _written(key), "counts": counts} for key, counts in found.rows.items()]
        body = {
            "campaign_id": campaign.public_id, "run_ids": [run.public_id for run in runs], "by": by,
            "counts": found.counts, "rows": rows, "reasons": found.reasons,
            "withdrawn_count": found.withdrawn, "experiment": found.experiment, "buttons": found.buttons,
        }  # fmt: skip
        return Response(ResultsSerializer(body).data)


class CampaignWinner(ApiView):
    permissions = {"POST": "campaigns.send"}

    @extend_schema(operation_id="choose_campaign_winner", request=WinnerBody, responses=ExperimentStandingSerializer)
    def post(self, request: ApiRequest, campaign_id: str) -> Response:
        """Sends this variant to everybody who waits for the winner of the last run."""
        campaign = campaigns_of_request(request).access(campaign_id)
        variant = self.body(WinnerBody)["variant"]
        run: CampaignRun = choose_winner(tenant=request.tenant, campaign=campaign, variant=variant)
        return Response(ExperimentStandingSerializer(results_of([run], Dimension.VARIANT).experiment).data)


def _written(key: Any) -> str:
    return key.isoformat() if hasattr(key, "isoformat") else key or ""
