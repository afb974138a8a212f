"""`/api/v1/subscribers/{id}/disclosure`: everything that is held about one person."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.api.base import ApiRequest, ApiView
from apps.audience.models import Subscriber
from apps.audience.services.disclosure import disclose_subscriber
from apps.campaigns.disclosure import ways_of
from apps.messaging.disclosure import held_about


class DisclosureSerializer(serializers.Serializer[Any]):
    disclosed_at = serializers.DateTimeField()
    subscriber = serializers.DictField(child=serializers.JSONField(allow_null=True))
    devices = serializers.ListField(child=serializers.DictField(child=serializers.JSONField(allow_null=True)))
    opt_outs = serializers.ListField(child=serializers.DictField(child=serializers.JSONField(allow_null=True)))
    events = serializers.ListField(child=serializers.DictField(child=serializers.JSONField(allow_null=True)))
    receipts = serializers.ListField(child=serializers.DictField(child=serializers.JSONField(allow_null=True)))
    inbox = serializers.ListField(child=serializers.DictField(child=serializers.JSONField(allow_null=True)))
    journeys = serializers.ListField(
        child=serializers.DictField(child=serializers.JSONField(allow_null=True)),
        help_text="Each time they came into one, with `path`: the steps they left behind.",
    )
    events_next = serializers.CharField(
        allow_null=True, help_text="When there are more than 10,000 events: the cursor for `…/events`."
    )


class SubscriberDisclosure(ApiView):
    permissions = {"POST": "audience.read"}

    @extend_schema(operation_id="disclose_subscriber", request=None, responses=DisclosureSerializer)
    def post(self, request: ApiRequest, external_id: str) -> Response:
        """Everything held about the subscriber: facts, devices, what they do not want, events, receipts, inbox,
        ways through journeys. It is audited."""
        person = Subscriber.objects.in_application(request.application).named(external_id)
        told = disclose_subscriber(tenant=request.tenant, person=person, actor=request.principal.actor)
        return Response(told.to_json() | held_about(person) | ways_of(person))
