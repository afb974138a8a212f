"""`/api/v1/usage/limits`: what the tenant allows itself in a period, and its application."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.api.base import ApiRequest, ApiView, BodySerializer
from apps.billing.errors import BadLimit
from apps.billing.money import major, minor
from apps.billing.records import MAX_QUANTITY
from apps.billing.services import subscription_of
from apps.billing.services.application_limits import limits_of_application, set_application_limits
from apps.billing.services.limits import OwnLimit, set_limits


class OwnLimitSerializer(BodySerializer):
    soft = serializers.IntegerField(
        min_value=0, max_value=MAX_QUANTITY, allow_null=True, default=None, help_text="Warned of, never refused."
    )
    hard = serializers.IntegerField(
        min_value=0, max_value=MAX_QUANTITY, allow_null=True, default=None, help_text="Refused beyond."
    )


class LimitsSerializer(BodySerializer):
    meters = serializers.DictField(child=OwnLimitSerializer(), help_text="By meter, in units per period.")
    spend_cap = serializers.DecimalField(
        max_digits=15, decimal_places=3, min_value=Decimal(0), allow_null=True,
        help_text="Most that usage may cost in a period, in the plan's currency, before fees and tax; null for none.",
    )  # fmt: skip


class LimitsAnswer(LimitsSerializer):
    currency = serializers.CharField(read_only=True)


class UsageLimits(ApiView):
    permissions = {"GET": "usage.read", "PUT": "limits.write"}

    @extend_schema(operation_id="get_usage_limits", responses=LimitsAnswer)
    def get(self, request: ApiRequest) -> Response:
        """The tenant's own limits. The plan's limits bind beside them; `GET /usage` shows what binds."""
        subscription = subscription_of(tenant=request.tenant)
        currency = subscription.plan_version.terms.currency
        cap = None if subscription.spend_cap is None else str(major(subscription.spend_cap, currency))
        return Response({"meters": subscription.own_limits_json, "spend_cap": cap, "currency": currency})

    @extend_schema(operation_id="set_usage_limits", request=LimitsSerializer, responses=LimitsAnswer)
    def put(self, request: ApiRequest) -> Response:
        """Replaces them all. They bind at once, also below what is used already."""
        body: dict[str, Any] = self.body(LimitsSerializer)
        currency = subscription_of(tenant=request.tenant).plan_version.terms.currency
        try:
            cap = None if body["spend_cap"] is None else minor(body["spend_cap"], currency)
        except ValueError:
            raise BadLimit(fields={"spend_cap": [BadLimit.too_precise]}) from None
        set_limits(
            tenant=request.tenant,
            actor=request.principal.actor,
            limits={meter: OwnLimit(**limit) for meter, limit in body["meters"].items()},
            spend_cap=cap,
        )
        return self.get(request)


class ApplicationLimitsSerializer(BodySerializer):
    meters = serializers.DictField(
        child=OwnLimitSerializer(),
        help_text="By meter, in units per period: every meter but `connections.peak`.",
    )


class ApplicationLimits(ApiView):
    permissions = {"GET": "usage.read", "PUT": "limits.write"}

    @extend_schema(operation_id="get_application_usage_limits", responses=ApplicationLimitsSerializer)
    def get(self, request: ApiRequest) -> Response:
        """Limits of the calling key's application. The tenant's limits bind beside them."""
        found = limits_of_application(tenant=request.tenant, application=request.application)
        return Response({"meters": {meter: {"soft": own.soft, "hard": own.hard} for meter, own in found.items()}})

    @extend_schema(
        operation_id="set_application_usage_limits",
        request=ApplicationLimitsSerializer,
        responses=ApplicationLimitsSerializer,
    )
    def put(self, request: ApiRequest) -> Response:
        """Replaces them all. They bind at once, also below what is used already."""
        body: dict[str, Any] = self.body(ApplicationLimitsSerializer)
        set_application_limits(
            tenant=request.tenant,
            application=request.application,
            actor=request.principal.actor,
            limits={meter: OwnLimit(**limit) for meter, limit in body["meters"].items()},
        )
        return self.get(request)
