"""`/api/v1/campaigns/{id}/approval`: asking for one, and what became of it. Deciding is for people, on the page."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.api.base import ApiRequest, ApiView
from apps.campaigns.asking import ask_for_approval
from apps.campaigns.models import Campaign
from apps.campaigns.services import approving
from apps.tenants.services import SYSTEM


class ChangeSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class ApprovalSerializer(serializers.Serializer[Any]):
    needed = serializers.BooleanField(help_text="Whether the application demands it.")
    approved = serializers.BooleanField(help_text="Whether the plan is approved as it is now.")
    asked = serializers.BooleanField(help_text="Whether the plan as it is now waits for a decision.")
    hash = serializers.CharField(help_text="Of the plan as it is now.")
    figures = serializers.JSONField(allow_null=True, help_text="Of the dry run when it was asked for.")
    changes = ChangeSerializer(many=True, help_text="Since the last approval.")


def _shown(campaign: Campaign) -> dict[str, Any]:
    asked = approving.latest_approval(campaign, decision="")
    now = approving.hash_of(approving.signed_plan(campaign))
    return {
        "needed": approving.is_approval_needed(campaign),
        "approved": approving.is_approved(campaign),
        "asked": asked is not None and asked.hash == now,
        "hash": now,
        "figures": asked.figures if asked else None,
        "changes": approving.changes_since_approval(campaign),
    }


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
        ask_for_approval(tenant=request.tenant, campaign=campaign, actor=SYSTEM)
        return Response(ApprovalSerializer(_shown(campaign)).data)
