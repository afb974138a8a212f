"""Shapes that templates, messages and campaigns share."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from apps.api.base import BodySerializer
from apps.messaging.content.buttons import LIMITS, MOST_BUTTONS
from apps.messaging.content.rendering import PURPOSES
from apps.messaging.ledger.states import Counts, DeliveryState, UnknownPolicy
from apps.messaging.models import Delivery, Message
from apps.messaging.queries import filtered_deliveries
from apps.messaging.sending.strategies import Strategy
from apps.messaging.services.messages import COLLAPSE_KEY_MOST, FALLBACK_LEAST, FALLBACK_MOST
from apps.tenants.models import TenantQuerySet

PRIORITIES = ["high", "normal"]
UNKNOWN_POLICIES = [policy.value for policy in UnknownPolicy]


class ButtonBody(BodySerializer):
    action = serializers.CharField(
        max_length=16, allow_blank=True, required=False,
        help_text="Its name: small letters, digits and _. Without it `button1`, by its place.",
    )  # fmt: skip
    title = serializers.CharField(max_length=LIMITS["title"], help_text="A Liquid template.")
    url = serializers.CharField(
        max_length=LIMITS["url"], allow_blank=True, required=False,
        help_text="A Liquid template. Without it the app decides what the action does.",
    )  # fmt: skip


class VariantBody(BodySerializer):
    """The words in one language. Each text is a Liquid template that sees `subscriber.<attribute>`."""

    title = serializers.CharField(max_length=1_000, allow_blank=True, trim_whitespace=False, required=False)
    body = serializers.CharField(max_length=8_000, allow_blank=True, trim_whitespace=False, required=False)
    image_url = serializers.CharField(max_length=2_000, allow_blank=True, required=False)
    url = serializers.CharField(max_length=2_000, allow_blank=True, required=False)
    data = serializers.DictField(  # type: ignore[assignment]  # a field, not the serializer's own property
        child=serializers.JSONField(), required=False, help_text="For the app; its texts are templates too."
    )
    buttons = serializers.ListField(
        child=ButtonBody(), max_length=MOST_BUTTONS, required=False,
        help_text="Below the text, as `data.actions` of the push. Which route shows how many: docs/campaigns.md.",
    )  # fmt: skip
    purpose = serializers.ChoiceField(
        choices=PURPOSES, required=False,
        help_text="For phone makers in China, who ask. Without it campaigns are marketing, the rest service.",
    )  # fmt: skip
    apns = serializers.DictField(
        child=serializers.JSONField(), required=False,
        help_text='For Apple alone: `{"push_type": "liveactivity", "priority": 5, "aps": {…}}`, each part optional.',
    )  # fmt: skip


def content_field(**options: Any) -> serializers.DictField:
    return serializers.DictField(
        child=VariantBody(), allow_empty=False, help_text='By language: `{"en": {"title": …, "body": …}}`.', **options
    )


def routes_field(**options: Any) -> serializers.ListField:
    return serializers.ListField(
        child=serializers.CharField(max_length=16), min_length=1, max_length=8,
        help_text='Providers, in the order to try: `["realtime"]`.', **options,
    )  # fmt: skip


def strategy_field() -> serializers.ChoiceField:
    return serializers.ChoiceField(
        choices=[strategy.value for strategy in Strategy], default=Strategy.IN_SEQUENCE.value,
        help_text="How the routes are used: in the order given, the own socket first or last, one of the two, or all.",
    )  # fmt: skip


def follow_up_field(**options: Any) -> serializers.DictField:
    return serializers.DictField(
        child=serializers.JSONField(allow_null=True), required=False,
        help_text=(
            'What follows: `{"inbox": {"expires_after": 604800}, "track_clicks": true, "conversion": {"event": '
            '"purchase", "window": 86400, "amount": "total", "currency": "EUR"}}`, each part optional.'
        ), **options,
    )  # fmt: skip


def fallback_field(**options: Any) -> serializers.IntegerField:
    return serializers.IntegerField(
        min_value=FALLBACK_LEAST, max_value=FALLBACK_MOST, required=False, allow_null=True,
        help_text=(
            "Seconds: who took it by one route but reported no receipt by then gets it by the next one too. "
            "Null: the next route is for those alone whom this one does not reach."
        ), **options,
    )  # fmt: skip


def priority_field(**options: Any) -> serializers.ChoiceField:
    return serializers.ChoiceField(
        choices=PRIORITIES, required=False,
        help_text="high (the default) wakes the device and goes before your other messages.", **options,
    )  # fmt: skip


def collapse_key_field(**options: Any) -> serializers.CharField:
    return serializers.CharField(
        max_length=COLLAPSE_KEY_MOST, required=False, allow_blank=True,
        help_text="On a device, a later message with the same key replaces this one.", **options,
    )  # fmt: skip


def handling_in(body: dict[str, Any]) -> dict[str, Any]:
    """Takes `priority` out of a body and answers it as the services name it."""
    return {"is_urgent": body.pop("priority") == "high"} if "priority" in body else {}


class CountsSerializer(serializers.Serializer[Counts]):
    """Of ledger rows: one per recipient and route tried."""

    planned = serializers.IntegerField()
    suppressed = serializers.IntegerField()
    attempted = serializers.IntegerField()
    accepted = serializers.IntegerField()
    failed = serializers.IntegerField()
    unknown = serializers.IntegerField()
    received = serializers.IntegerField()
    opened = serializers.IntegerField()
    clicked = serializers.IntegerField()
    dismissed = serializers.IntegerField()
    converted = serializers.IntegerField()
    revenue = serializers.DictField(
        child=serializers.DecimalField(max_digits=24, decimal_places=4, coerce_to_string=True),
        help_text='What conversions are worth, by currency: `{"EUR": "19.5000"}`.',
    )


class FaultSerializer(serializers.Serializer[Any]):
    language = serializers.CharField()
    field = serializers.CharField()
    line = serializers.IntegerField(help_text="From 1.")
    column = serializers.IntegerField(help_text="From 0.")
    message = serializers.CharField()


class PreviewSerializer(serializers.Serializer[Any]):
    """What one person would see, or why that cannot be made."""

    external_id = serializers.CharField()
    language = serializers.CharField()
    notification = serializers.SerializerMethodField()
    fault = FaultSerializer(allow_null=True)
    variant = serializers.CharField(help_text="Of an experiment, or empty.")

    def get_notification(self, preview: Any) -> dict[str, Any] | None:
        return asdict(preview.notification) if preview.notification else None


class DeliverySerializer(serializers.Serializer[Delivery]):
    id = serializers.CharField(source="public_id")
    external_id = serializers.SerializerMethodField(help_text="Empty when the subscriber has been erased.")
    route = serializers.CharField()
    state = serializers.ChoiceField(choices=[state.value for state in DeliveryState])
    reason = serializers.CharField(help_text="Why it was suppressed, or the network's own code.")
    due_at = serializers.DateTimeField(source="chunk.due_at", help_text="When it is, or was, to be sent.")
    attempts = serializers.IntegerField()
    attempted_at = serializers.DateTimeField(allow_null=True)
    recorded_at = serializers.DateTimeField(allow_null=True)

    def get_external_id(self, delivery: Delivery) -> str:
        external_id: str = delivery.external_id  # type: ignore[attr-defined]  # annotated by deliveries_of
        return external_id or ""


class DeliveryFilter(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=[state.value for state in DeliveryState], required=False)
    reason = serializers.CharField(max_length=64, required=False)
    external_id = serializers.CharField(max_length=200, required=False)


DELIVERY_PARAMETERS = [
    OpenApiParameter("state", str, enum=[state.value for state in DeliveryState]),
    OpenApiParameter("reason", str),
    OpenApiParameter("external_id", str),
]


def deliveries_of(message: Message | None, tenant_id: int, query: Any) -> TenantQuerySet[Delivery]:
    """The message's ledger rows that the request's filters keep; none without a message. Raises ValidationError."""
    shape = DeliveryFilter(data={name: query[name] for name in ("state", "reason", "external_id") if name in query})
    shape.is_valid(raise_exception=True)
    return filtered_deliveries(message, tenant_id, **shape.validated_data)
