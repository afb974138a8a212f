"""`/api/v1/messages`: one send to named subscribers, on the same ledger as campaigns."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.response import Response

from apps.api.base import PAGE_PARAMETERS, ApiRequest, ApiView, BodySerializer, page_of
from apps.api.v1.sending import (
    DELIVERY_PARAMETERS,
    UNKNOWN_POLICIES,
    CountsSerializer,
    DeliverySerializer,
    collapse_key_field,
    content_field,
    deliveries_of,
    fallback_field,
    follow_up_field,
    handling_in,
    priority_field,
    routes_field,
    strategy_field,
)
from apps.messaging.ledger.states import UnknownPolicy
from apps.messaging.models import Message
from apps.messaging.queries import counts_of
from apps.messaging.sending.strategies import Strategy
from apps.messaging.services import accept_message
from apps.messaging.services.messages import MAX_RECIPIENTS, MAX_TTL
from apps.tenants.models import TenantQuerySet


class MessageSerializer(serializers.Serializer[Message]):
    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    state = serializers.CharField(help_text="open, paused or cancelled; see also ended_at.")
    routes = serializers.ListField(child=serializers.CharField())
    unknown_policy = serializers.CharField()
    counts = serializers.SerializerMethodField()
    withdrawn_count = serializers.IntegerField(
        source="withdrawn", help_text="Pushes that web push services still held when it was cancelled or recalled."
    )
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True, help_text="When every delivery had its outcome.")

    @extend_schema_field(CountsSerializer)
    def get_counts(self, message: Message) -> Any:
        return CountsSerializer(counts_of(message)).data


class MessageBody(BodySerializer):
    external_ids = serializers.ListField(
        child=serializers.CharField(max_length=200), min_length=1, max_length=MAX_RECIPIENTS
    )
    content = content_field()
    routes = routes_field(default=lambda: ["realtime"])
    name = serializers.CharField(max_length=120, required=False, allow_blank=True)
    variables = serializers.DictField(
        child=serializers.JSONField(), required=False, help_text="What the words see as `variables`."
    )
    unknown_policy = serializers.ChoiceField(choices=UNKNOWN_POLICIES, default=UnknownPolicy.AT_LEAST_ONCE.value)
    strategy = strategy_field()
    ttl = serializers.IntegerField(
        min_value=1, max_value=int(MAX_TTL.total_seconds()), required=False, help_text="Seconds."
    )
    follow_up = follow_up_field()
    fallback_after = fallback_field()
    priority = priority_field()
    collapse_key = collapse_key_field()


def _messages_of(request: ApiRequest) -> TenantQuerySet[Message]:
    return Message.objects.of(request.tenant).filter(application=request.application)


class MessageList(ApiView):
    permissions = {"POST": "campaigns.send"}
    idempotency_retention: ClassVar[timedelta] = timedelta(days=30)

    @extend_schema(operation_id="send_message", request=MessageBody, responses={202: MessageSerializer})
    def post(self, request: ApiRequest) -> Response:
        """Accepts a message. 202 means committed: it is sent whatever happens to a process."""
        body = self.body(MessageBody)
        ttl = body.pop("ttl", None)
        policy = UnknownPolicy(body.pop("unknown_policy"))
        strategy = Strategy(body.pop("strategy"))
        body |= handling_in(body)
        message = accept_message(
            tenant=request.tenant,
            application=request.application,
            unknown_policy=policy,
            strategy=strategy,
            ttl=timedelta(seconds=ttl) if ttl is not None else None,
            **body,
        )
        return Response(MessageSerializer(message).data, status=status.HTTP_202_ACCEPTED)


class MessageDetail(ApiView):
    permissions = {"GET": "campaigns.read"}

    @extend_schema(operation_id="get_message", responses=MessageSerializer)
    def get(self, request: ApiRequest, message_id: str) -> Response:
        """One message and what became of it so far."""
        return Response(MessageSerializer(_messages_of(request).access(message_id)).data)


class MessageDeliveries(ApiView):
    permissions = {"GET": "campaigns.read"}

    @extend_schema(
        operation_id="list_message_deliveries",
        parameters=[*PAGE_PARAMETERS, *DELIVERY_PARAMETERS],
        responses=page_of(DeliverySerializer),
    )
    def get(self, request: ApiRequest, message_id: str) -> Response:
        """The ledger of a message, row by row."""
        message = _messages_of(request).access(message_id)
        return self.paginate(deliveries_of(message, request.tenant.pk, request.query_params), DeliverySerializer)
