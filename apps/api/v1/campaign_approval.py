"""`/api/v1/campaigns/{id}/approval` and `/api/v1/journeys/{id}/approval`: asking for one, and what became of it.
Deciding is for people, on the page: whoever made the key that asks cannot decide."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.api.base import ApiRequest, ApiView
from apps.campaigns.asking import ask_for_approval
from apps.campaigns.models import Campaign, Journey
from apps.campaigns.services import approving
from apps.campaigns.services.approving import Subject
from apps.tenants.queries import maker_of


class ChangeSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class ApprovalSerializer(serializers.Serializer[Any]):
    needed = serializers.BooleanField(help_text="Whether the application demands it.")
    approved = serializers.BooleanField(help_text="Whether the plan is approved as it is now.")
    asked = serializers.BooleanField(help_text="Whether the plan as it is now waits for a decision.")
    hash = serializers.CharField(help_text="Of the plan as it is now.")
    asked_with = serializers.CharField(
        help_text="The API key or OAuth client that asked; empty for a person, or nobody."
    )
    figures = serializers.JSONField(allow_null=True, help_text="Of the dry run when it was asked for.")
    changes = ChangeSerializer(many=True, help_text="Since the last approval.")


def _shown(subject: Subject) -> dict[str, Any]:
    asked = approving.latest_approval(subject, decision="")
    now = approving.hash_of(approving.signed_plan(subject))
    return {
        "needed": approving.is_approval_needed(subject),
        "approved": approving.is_approved(subject),
        "asked": asked is not None and asked.hash == now,
        "hash": now,
        "asked_with": asked.asked_with if asked else "",
        "figures": asked.figures if asked else None,
        "changes": approving.changes_since_approval(subject),
    }


def _ask(request: ApiRequest, subject: Subject) -> None:
    actor = request.principal.actor
    maker = maker_of(tenant=request.tenant, actor=actor)
    ask_for_approval(tenant=request.tenant, subject=subject, actor=actor, asked_by=maker, asked_with=actor)


def _campaign(request: ApiRequest, campaign_id: str) -> Campaign:
    campaigns = Campaign.objects.of(request.tenant).filter(application=request.application)
    return campaigns.select_related("template", "application", "tenant").access(campaign_id)


class CampaignApproval(ApiView):
    permissions = {"GET": "campaigns.read", "POST": "campaigns.write"}

    @extend_schema(operation_id="get_campaign_approval", responses=ApprovalSerializer)
    def get(self, request: ApiRequest, campaign_id: str) -> Response:
        """Whether the plan is approved, and what changed since it was."""
        return Response(ApprovalSerializer(_shown(_campaign(request, campaign_id))).data)

    @extend_schema(operation_id="ask_campaign_approval", request=None, responses=ApprovalSerializer)
    def post(self, request: ApiRequest, campaign_id: str) -> Response:
        """Asks those who may approve, by mail."""
        campaign = _campaign(request, campaign_id)
        _ask(request, campaign)
        return Response(ApprovalSerializer(_shown(campaign)).data)


class JourneyApproval(ApiView):
    permissions = {"GET": "campaigns.read", "POST": "campaigns.write"}

    @extend_schema(operation_id="get_journey_approval", responses=ApprovalSerializer)
    def get(self, request: ApiRequest, journey_id: str) -> Response:
        """Whether the draft is approved, and what changed since it was."""
        return Response(ApprovalSerializer(_shown(_journey(request, journey_id))).data)

    @extend_schema(operation_id="ask_journey_approval", request=None, responses=ApprovalSerializer)
    def post(self, request: ApiRequest, journey_id: str) -> Response:
        """Asks those who may approve, by mail. A draft that cannot be published is refused."""
        journey = _journey(request, journey_id)
        _ask(request, journey)
        return Response(ApprovalSerializer(_shown(journey)).data)


def _journey(request: ApiRequest, journey_id: str) -> Journey:
    journeys = Journey.objects.of(request.tenant).filter(application=request.application)
    return journeys.select_related("application", "tenant").access(journey_id)
