"""`/api/v1/webhooks`: where the channel events of the caller's application are sent, and what became of each call."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.response import Response

from apps.api.base import PAGE_PARAMETERS, ApiRequest, ApiView, BodySerializer, page_of
from apps.tenants.models import TenantQuerySet
from apps.webhooks.events import EVENT_NAMES, ChannelEvent
from apps.webhooks.models import BATCH_BYTES, BATCH_EVENTS, Attempt, Delivery, DeliveryState, WebhookEndpoint
from apps.webhooks.queries import attempts_of, deliveries_of, endpoints_of
from apps.webhooks.services.endpoints import (
    change_endpoint,
    create_endpoint,
    delete_endpoint,
    rotate_secret,
    send_test,
)
from apps.webhooks.services.replaying import replay_delivery, replay_range
from apps.webhooks.signing import Signing

_SIGNING_HELP = (
    "`pusher`: Pusher's body and headers. `standard`: Standard Webhooks 1.0.0. `both`: Pusher's body, both signatures."
)


class WebhookSerializer(serializers.Serializer[WebhookEndpoint]):
    id = serializers.CharField(source="public_id")
    url = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())
    signing = serializers.CharField(help_text=_SIGNING_HELP)
    batching = serializers.BooleanField()
    batch_events = serializers.IntegerField()
    batch_bytes = serializers.IntegerField()
    enabled = serializers.BooleanField(source="is_enabled")
    disabled_reason = serializers.CharField(help_text="`by_hand`, `gone` (410), `failing`; empty while enabled.")
    failing_since = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class WebhookSecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="`whsec_…`, for Standard Webhooks. Shown this once.")


class NewWebhookSerializer(WebhookSerializer):
    secret = serializers.CharField(help_text="`whsec_…`, for Standard Webhooks. Shown this once.")


class _AttemptSerializer(serializers.Serializer[Attempt]):
    number = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    outcome = serializers.CharField()
    status = serializers.IntegerField(allow_null=True)
    duration_ms = serializers.IntegerField(source="duration", allow_null=True)
    response = serializers.CharField(source="excerpt", help_text="How the answer's body begins.")


class WebhookDeliverySerializer(serializers.Serializer[Delivery]):
    id = serializers.CharField(source="public_id", help_text="Also the `webhook-id` of the call.")
    state = serializers.CharField()
    events = serializers.SerializerMethodField()
    attempts = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    next_attempt_at = serializers.DateTimeField(source="next_at", allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_events(self, delivery: Delivery) -> list[dict[str, Any]]:
        return [ChannelEvent.from_json(stored).as_told for stored in delivery.events]


class WebhookDeliveryDetailSerializer(WebhookDeliverySerializer):
    attempt_log = serializers.SerializerMethodField()

    @extend_schema_field(_AttemptSerializer(many=True))
    def get_attempt_log(self, delivery: Delivery) -> Any:
        return [_AttemptSerializer(attempt).data for attempt in attempts_of(delivery)]


class WebhookBody(BodySerializer):
    url = serializers.CharField(max_length=1_000, help_text="A public https address, port 443 or 8443.")
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=list(EVENT_NAMES)), min_length=1, max_length=len(EVENT_NAMES)
    )
    signing = serializers.ChoiceField(choices=list(Signing), default=Signing.PUSHER, help_text=_SIGNING_HELP)
    batching = serializers.BooleanField(default=False, help_text="Several events in one call.")
    batch_events = serializers.IntegerField(
        default=50, min_value=BATCH_EVENTS[0], max_value=BATCH_EVENTS[1], help_text="Most events of one call."
    )
    batch_bytes = serializers.IntegerField(
        default=16_000, min_value=BATCH_BYTES[0], max_value=BATCH_BYTES[1],
        help_text="Most bytes of their JSON; a single larger event goes alone.",
    )  # fmt: skip


class WebhookChanges(WebhookBody):
    enabled = serializers.BooleanField(source="is_enabled", help_text="Disabling gives up what waits to be sent.")


class ReplayBody(BodySerializer):
    state = serializers.ChoiceField(choices=[DeliveryState.DEAD, DeliveryState.DELIVERED], default=DeliveryState.DEAD)
    since = serializers.DateTimeField(required=False, allow_null=True, default=None)
    until = serializers.DateTimeField(required=False, allow_null=True, default=None)


class ReplaySerializer(serializers.Serializer[Any]):
    replayed = serializers.IntegerField(help_text="At most 10,000 a call; repeat it for the rest.")


def _endpoints(request: ApiRequest) -> TenantQuerySet[WebhookEndpoint]:
    return endpoints_of(request.tenant, request.application)


def _delivery(request: ApiRequest, webhook_id: str, delivery_id: str) -> Delivery:
    return deliveries_of(_endpoints(request).access(webhook_id)).access(delivery_id)


class WebhookList(ApiView):
    permissions = {"GET": "applications.read", "POST": "webhooks.write"}

    @extend_schema(operation_id="list_webhooks", parameters=PAGE_PARAMETERS, responses=page_of(WebhookSerializer))
    def get(self, request: ApiRequest) -> Response:
        """The application's webhooks, newest first."""
        return self.paginate(_endpoints(request), WebhookSerializer)

    @extend_schema(operation_id="create_webhook", request=WebhookBody, responses={201: NewWebhookSerializer})
    def post(self, request: ApiRequest) -> Response:
        """Registers an address. Calls under `pusher` are signed with the application's oldest live key and secret."""
        made = create_endpoint(
            tenant=request.tenant,
            application=request.application,
            actor=request.principal.actor,
            **self.body(WebhookBody),
        )
        answer = {**WebhookSerializer(made.endpoint).data, "secret": made.secret}
        return Response(answer, status=status.HTTP_201_CREATED)


class WebhookDetail(ApiView):
    permissions = {"GET": "applications.read", "PATCH": "webhooks.write", "DELETE": "webhooks.write"}

    @extend_schema(operation_id="get_webhook", responses=WebhookSerializer)
    def get(self, request: ApiRequest, webhook_id: str) -> Response:
        """One webhook."""
        return Response(WebhookSerializer(_endpoints(request).access(webhook_id)).data)

    @extend_schema(operation_id="change_webhook", request=WebhookChanges(partial=True), responses=WebhookSerializer)
    def patch(self, request: ApiRequest, webhook_id: str) -> Response:
        """Changes what is given."""
        endpoint = _endpoints(request).access(webhook_id)
        changes = self.body(WebhookChanges, partial=True)
        change_endpoint(tenant=request.tenant, endpoint=endpoint, actor=request.principal.actor, **changes)
        return Response(WebhookSerializer(endpoint).data)

    @extend_schema(operation_id="delete_webhook", responses={204: None})
    def delete(self, request: ApiRequest, webhook_id: str) -> Response:
        """Removes the webhook and its log."""
        endpoint = _endpoints(request).access(webhook_id)
        delete_endpoint(tenant=request.tenant, endpoint=endpoint, actor=request.principal.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


class WebhookSecret(ApiView):
    permissions = {"POST": "webhooks.write"}

    @extend_schema(operation_id="rotate_webhook_secret", request=None, responses=WebhookSecretSerializer)
    def post(self, request: ApiRequest, webhook_id: str) -> Response:
        """A new secret. The one before it signs beside it for 24 hours."""
        endpoint = _endpoints(request).access(webhook_id)
        secret = rotate_secret(tenant=request.tenant, endpoint=endpoint, actor=request.principal.actor)
        return Response({"secret": secret})


class WebhookTest(ApiView):
    permissions = {"POST": "webhooks.write"}

    @extend_schema(operation_id="test_webhook", request=None, responses={202: WebhookDeliverySerializer})
    def post(self, request: ApiRequest, webhook_id: str) -> Response:
        """Sends a test event. The delivery shows what became of it."""
        delivery = send_test(tenant=request.tenant, endpoint=_endpoints(request).access(webhook_id))
        return Response(WebhookDeliverySerializer(delivery).data, status=status.HTTP_202_ACCEPTED)


class WebhookReplay(ApiView):
    permissions = {"POST": "webhooks.write"}

    @extend_schema(operation_id="replay_webhook", request=ReplayBody, responses=ReplaySerializer)
    def post(self, request: ApiRequest, webhook_id: str) -> Response:
        """Sends finished calls again that were made in [since, until): by default all that were given up."""
        endpoint = _endpoints(request).access(webhook_id)
        return Response({"replayed": replay_range(tenant=request.tenant, endpoint=endpoint, **self.body(ReplayBody))})


class WebhookDeliveries(ApiView):
    permissions = {"GET": "applications.read"}

    @extend_schema(
        operation_id="list_webhook_deliveries",
        parameters=[*PAGE_PARAMETERS, OpenApiParameter("state", str, enum=list(DeliveryState))],
        responses=page_of(WebhookDeliverySerializer),
    )
    def get(self, request: ApiRequest, webhook_id: str) -> Response:
        """The webhook's calls, newest first, for 30 days after they ended."""
        endpoint = _endpoints(request).access(webhook_id)
        state = request.query_params.get("state", "")
        return self.paginate(deliveries_of(endpoint, state=state), WebhookDeliverySerializer)


class WebhookDelivery(ApiView):
    permissions = {"GET": "applications.read"}

    @extend_schema(operation_id="get_webhook_delivery", responses=WebhookDeliveryDetailSerializer)
    def get(self, request: ApiRequest, webhook_id: str, delivery_id: str) -> Response:
        """One call with every attempt."""
        return Response(WebhookDeliveryDetailSerializer(_delivery(request, webhook_id, delivery_id)).data)


class WebhookDeliveryReplay(ApiView):
    permissions = {"POST": "webhooks.write"}

    @extend_schema(operation_id="replay_webhook_delivery", request=None, responses={202: WebhookDeliverySerializer})
    def post(self, request: ApiRequest, webhook_id: str, delivery_id: str) -> Response:
        """Sends a finished call again, under the same id."""
        delivery = _delivery(request, webhook_id, delivery_id)
        replay_delivery(tenant=request.tenant, delivery=delivery)
        delivery.refresh_from_db()
        return Response(WebhookDeliverySerializer(delivery).data, status=status.HTTP_202_ACCEPTED)
