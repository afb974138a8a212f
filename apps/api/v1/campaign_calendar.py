"""`/api/v1/campaigns/calendar`: what ran, runs and is to run."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.api.base import ApiRequest, ApiView
from apps.campaigns.calendar import MOST, MOST_DAYS, Entry, calendar_of
from apps.campaigns.states import Status

_STATES = [status.value for status in Status if status not in {Status.DRAFT, Status.FAILED}]


class CalendarQuery(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=_STATES, required=False, default="")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """`from` cannot be written as an attribute."""
        span = {name: serializers.DateTimeField() for name in ("from", "to")}
        return {**super().get_fields(), **span}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not timedelta() < attrs["to"] - attrs["from"] <= timedelta(days=MOST_DAYS):
            raise serializers.ValidationError({"to": [_("The end comes after the beginning, by 100 days at most.")]})
        return attrs


class CalendarEntrySerializer(serializers.Serializer[Entry]):
    campaign_id = serializers.CharField(source="campaign.public_id")
    name = serializers.CharField(source="campaign.name")
    status = serializers.ChoiceField(choices=_STATES, source="state")
    at = serializers.DateTimeField(help_text="When it starts, or started.")
    local_time = serializers.SerializerMethodField(help_text="On everybody's own clock, without a zone; or null.")
    run_id = serializers.CharField(source="run", help_text="Empty when it is to come.")

    def get_local_time(self, entry: Entry) -> str | None:
        return entry.wall.isoformat() if entry.wall is not None else None


class CalendarSerializer(serializers.Serializer[Any]):
    data = CalendarEntrySerializer(many=True, source="entries")  # type: ignore[assignment]  # a field
    is_complete = serializers.BooleanField(help_text=f"Whether that is all: at most {MOST:,} are told.")


class CampaignCalendar(ApiView):
    permissions = {"GET": "campaigns.read"}

    @extend_schema(
        operation_id="get_campaign_calendar",
        parameters=[
            OpenApiParameter("from", datetime, required=True, description="RFC 3339, inclusive."),
            OpenApiParameter("to", datetime, required=True, description=f"Exclusive, {MOST_DAYS} days later at most."),
            OpenApiParameter("status", str, enum=_STATES),
        ],
        responses=CalendarSerializer,
    )
    def get(self, request: ApiRequest) -> Response:
        """Runs that have started, and starts to come, with those of recurring campaigns by their rule."""
        query = CalendarQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        said, zone = query.validated_data, ZoneInfo(request.tenant.timezone)
        start, end = (said[name].astimezone(zone) for name in ("from", "to"))
        return Response(CalendarSerializer(calendar_of(request.application, start, end, state=said["status"])).data)
