"""`/api/v1/events`: what people did, recorded once; and `/api/v1/subscribers/{id}/events`, one person's timeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.api.base import PAGE_PARAMETERS, ApiRequest, ApiView, BodySerializer, page_of
from apps.api.pagination import asked_limit, not_a_cursor
from apps.audience.events import EventPosition
from apps.audience.models import BehaviourEvent, Subscriber
from apps.audience.queries import timeline_of
from apps.audience.services.events import EventResult, record_event, record_events


class EventBody(BodySerializer):
    """Describes the body; the rules are those of `apps.audience.events`, which the service holds."""

    id = serializers.CharField(
        required=False, allow_null=True,
        help_text="Your own id, 1 to 128 printable ASCII characters. A repeat is answered `duplicate` and not counted.",
    )  # fmt: skip
    external_id = serializers.CharField(help_text="Who did it. An unknown person becomes a subscriber.")
    name = serializers.CharField(help_text="1 to 64 characters.")
    occurred_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="From 30 days ago to 10 minutes ahead. Left out: now."
    )
    properties = serializers.DictField(
        child=serializers.JSONField(allow_null=True), required=False, allow_null=True,
        help_text="At most 50, and 4 KB.",
    )  # fmt: skip


class EventBatch(BodySerializer):
    events = serializers.ListField(
        child=serializers.JSONField(allow_null=True), help_text="At most 1,000 events, each as one alone."
    )


_BODY = PolymorphicProxySerializer("EventOrEvents", [EventBody, EventBatch], resource_type_field_name=None)


class EventResultSerializer(serializers.Serializer[EventResult]):
    id = serializers.CharField(source="event_id", allow_blank=True)
    status = serializers.ChoiceField(choices=["recorded", "duplicate", "rejected"])
    code = serializers.CharField(source="problem.code", default=None, allow_null=True, help_text="Why not.")
    field = serializers.CharField(source="problem.field", default=None, allow_null=True, help_text="Where, as a path.")
    message = serializers.CharField(source="problem.message", default=None, allow_null=True)


class EventAnswer(serializers.Serializer[Any]):
    results = EventResultSerializer(many=True, help_text="One per event, in the order of the request.")
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="recorded, duplicate, rejected")


class EventSerializer(serializers.Serializer[BehaviourEvent]):
    id = serializers.CharField(source="event_id")
    name = serializers.CharField()
    occurred_at = serializers.DateTimeField()
    properties = serializers.DictField(child=serializers.JSONField())
    received_at = serializers.DateTimeField()


_TimelinePage = page_of(EventSerializer)


class EventList(ApiView):
    permissions = {"POST": "audience.write"}

    @extend_schema(operation_id="record_events", request=_BODY, responses=EventAnswer)
    def post(self, request: ApiRequest) -> Response:
        """Records one event, or up to 1,000 as `{"events": […]}`; a bad one of many is reported and stops no other."""
        owner: dict[str, Any] = {"tenant": request.tenant, "application": request.application}
        if isinstance(request.data, Mapping) and "events" in request.data:
            results = record_events(**owner, events=self.body(EventBatch)["events"])
        else:
            results = [record_event(**owner, event=request.data)]
        outcomes = [result.status for result in results]
        counts = {name: outcomes.count(name) for name in ("recorded", "duplicate", "rejected")}
        return Response(EventAnswer({"results": results, "counts": counts}).data)


class SubscriberEvents(ApiView):
    permissions = {"GET": "audience.read"}

    @extend_schema(operation_id="list_subscriber_events", parameters=PAGE_PARAMETERS, responses=_TimelinePage)
    def get(self, request: ApiRequest, external_id: str) -> Response:
        """What the subscriber did, newest first."""
        person = Subscriber.objects.in_application(request.application).named(external_id)
        cursor = request.query_params.get("cursor")
        below = EventPosition.decode(cursor) if cursor else None
        if cursor and below is None:
            raise not_a_cursor()
        events, following = timeline_of(person=person, below=below, limit=asked_limit(request))
        page: Any = {"data": events, "next": following and following.encode()}
        return Response(_TimelinePage(page).data)
