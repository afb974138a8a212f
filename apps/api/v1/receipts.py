"""`/api/v1/receipts`: what people did with what reached them, as the tenant's own server tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.api.base import ApiRequest, ApiView, BodySerializer
from apps.messaging.receipts.meaning import Kind
from apps.messaging.services import record_reports
from apps.messaging.services.receipts import ReceiptResult

_STATUSES = ("recorded", "duplicate", "rejected")


class ReceiptBody(BodySerializer):
    """Describes the body; the rules are those of `apps.messaging.receipts.meaning`, which the service holds."""

    token = serializers.CharField(required=False, help_text="`receipt` of the push. Or give the delivery's id.")
    delivery_id = serializers.CharField(required=False, help_text="`dlv_…` of the ledger.")
    kind = serializers.ChoiceField(
        choices=[kind.value for kind in Kind], help_text="`clicked` implies `opened`, and everything `received`."
    )
    at = serializers.JSONField(
        required=False, allow_null=True,
        help_text="RFC 3339 or Unix milliseconds. Left out, in the future or older than 30 days: now.",
    )  # fmt: skip
    amount = serializers.JSONField(
        required=False, allow_null=True, help_text="Of a conversion: a positive number, or a text that is one."
    )
    currency = serializers.CharField(required=False, allow_null=True, help_text="ISO 4217, with the amount.")
    button = serializers.CharField(required=False, allow_null=True, help_text="Of a click: the action of the button.")


class ReceiptBatch(BodySerializer):
    receipts = serializers.ListField(
        child=serializers.JSONField(allow_null=True), help_text="At most 1,000 receipts, each as one alone."
    )


_BODY = PolymorphicProxySerializer("ReceiptOrReceipts", [ReceiptBody, ReceiptBatch], resource_type_field_name=None)


class ReceiptResultSerializer(serializers.Serializer[ReceiptResult]):
    status = serializers.ChoiceField(choices=_STATUSES)
    code = serializers.CharField(allow_null=True, help_text="Why not.")
    field = serializers.CharField(allow_null=True, help_text="Where in the receipt.")
    message = serializers.CharField(allow_null=True)


class ReceiptAnswer(serializers.Serializer[Any]):
    results = ReceiptResultSerializer(many=True, help_text="One per receipt, in the order of the request.")
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="recorded, duplicate, rejected")


def as_told(results: Sequence[ReceiptResult]) -> dict[str, Any]:
    """A ReceiptAnswer."""
    statuses = [result.status for result in results]
    return {
        "results": [_told(result) for result in results],
        "counts": {status: statuses.count(status) for status in _STATUSES},
    }


def _told(result: ReceiptResult) -> dict[str, str | None]:
    problem = result.problem
    if problem is None:
        return {"status": result.status, "code": None, "field": None, "message": None}
    return {"status": result.status, "code": problem.code, "field": problem.field, "message": str(problem.message)}


class ReceiptList(ApiView):
    permissions = {"POST": "audience.write"}

    @extend_schema(operation_id="record_receipts", request=_BODY, responses=ReceiptAnswer)
    def post(self, request: ApiRequest) -> Response:
        """Records one receipt, or up to 1,000 as `{"receipts": […]}`. A repeat is answered `duplicate`, a bad one of
        many is reported and stops no other."""
        is_batch = isinstance(request.data, Mapping) and "receipts" in request.data
        reports = self.body(ReceiptBatch)["receipts"] if is_batch else [request.data]
        return Response(as_told(record_reports(application=request.application, reports=reports)))
