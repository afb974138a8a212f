"""`/api/v1/usage/events` and `/api/v1/usage/meters`: what the tenant's own applications count."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response

from apps.api.base import PAGE_PARAMETERS, ApiRequest, ApiView, BodySerializer, page_of
from apps.api.parsing import JsonBodyParser
from apps.billing.meters import Aggregation
from apps.billing.models import TenantMeter
from apps.billing.records import Result, UsageOutcome
from apps.billing.services import create_meter
from apps.billing.services.events import MOST_EVENTS, report_events
from apps.core.errors import InvalidInput

_RESULTS = [result.value for result in Result]


class CloudEventParser(JsonBodyParser):
    """One event of the CloudEvents JSON format."""

    media_type = "application/cloudevents+json"


class CloudEventsParser(JsonBodyParser):
    """A JSON array of CloudEvents."""

    media_type = "application/cloudevents-batch+json"


class UsageEventsBody(BodySerializer):
    events = serializers.ListField(
        child=serializers.JSONField(allow_null=True),
        help_text=(
            "At most 1,000 objects: `id` (1 to 80 characters), `meter`, and if wanted `quantity` (a whole number, 1), "
            "`occurred_at` (RFC 3339, now; at most 35 days ago), `subject`, `dimensions`, `source`. A CloudEvent in "
            "their place names the meter as `type` and holds `quantity` and `dimensions` in `data`."
        ),
    )


class OutcomeSerializer(serializers.Serializer[UsageOutcome]):
    result = serializers.ChoiceField(choices=_RESULTS)
    code = serializers.CharField(source="reason", allow_blank=True, help_text="Why it is invalid or unmatched.")


class UsageEventsAnswer(serializers.Serializer[Any]):
    results = OutcomeSerializer(many=True, help_text="One per event, in the order of the request.")
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="How many had each result.")


class MeterSerializer(serializers.Serializer[TenantMeter]):
    name = serializers.CharField()
    aggregation = serializers.ChoiceField(choices=[each.value for each in Aggregation])
    title = serializers.CharField()
    unit = serializers.CharField()
    created_at = serializers.DateTimeField()


class MeterBody(BodySerializer):
    name = serializers.CharField(max_length=64, help_text="Lower-case words with dots: `api.calls`. Never changes.")
    aggregation = serializers.ChoiceField(
        choices=[each.value for each in Aggregation],
        help_text="`sum` of quantities, `count` of events, `max`, different (`unique`) subjects, or the `latest`.",
    )
    title = serializers.CharField(max_length=80)
    unit = serializers.CharField(max_length=40)


class UsageEvents(ApiView):
    permissions = {"POST": "usage.write"}
    parser_classes = [JsonBodyParser, CloudEventParser, CloudEventsParser]

    @extend_schema(operation_id="report_usage_events", request=UsageEventsBody, responses=UsageEventsAnswer)
    def post(self, request: ApiRequest) -> Response:
        """Counts events of the tenant's own meters, each id once for ever.

        `new`, `late` (counted in a period that is over) and `dup` (counted before) are successes. `conflict` is another
        event under a known id; `unmatched` names no meter; `invalid` says why. An id is known for 400 days.
        """
        outcomes = report_events(self._events(), tenant=request.tenant, application=request.application)
        counts = Counter(outcome.result.value for outcome in outcomes)
        return Response(UsageEventsAnswer({"results": outcomes, "counts": counts}).data)

    def _events(self) -> list[Any]:
        body: Any = self.request.data
        if isinstance(body, list):
            events = body
        elif isinstance(body, dict) and "specversion" in body:
            events = [body]
        else:
            events = self.body(UsageEventsBody)["events"]
        if len(events) > MOST_EVENTS:
            raise InvalidInput(fields={"events": [_("Send at most %(count)d events.") % {"count": MOST_EVENTS}]})
        return events


class MeterList(ApiView):
    permissions = {"GET": "usage.read", "POST": "usage.write"}

    @extend_schema(operation_id="list_meters", parameters=PAGE_PARAMETERS, responses=page_of(MeterSerializer))
    def get(self, request: ApiRequest) -> Response:
        """The tenant's own meters."""
        return self.paginate(TenantMeter.objects.of(request.tenant), MeterSerializer)

    @extend_schema(operation_id="create_meter", request=MeterBody, responses={201: MeterSerializer})
    def post(self, request: ApiRequest) -> Response:
        """A new meter, for all applications of the tenant."""
        body = self.body(MeterBody)
        made = create_meter(
            tenant=request.tenant,
            name=body["name"],
            aggregation=Aggregation(body["aggregation"]),
            title=body["title"],
            unit=body["unit"],
        )
        return Response(MeterSerializer(made).data, status=status.HTTP_201_CREATED)
