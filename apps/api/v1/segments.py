"""`/api/v1/segments`: saved rule trees over the subscribers of the caller's application."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response

from apps.api.base import PAGE_PARAMETERS, ApiRequest, ApiView, BodySerializer, page_of
from apps.audience.estimating import Estimate, estimate
from apps.audience.models import Segment
from apps.audience.services.segments import change_segment, create_segment, delete_segment
from apps.tenants.models import TenantQuerySet

_RULES_HELP = (
    'A tree: `{"all": [rule, …]}`, `{"any": [rule, …]}`, `{"not": rule}`, or a leaf '
    '`{"field": "attribute", "key": "plan", "relation": "=", "value": "pro"}`. Fields: attribute, tag, language, '
    "timezone, external_id. Relations: = != in > >= < <= contains starts_with exists not_exists, as the field allows. "
    'What was done: `{"field": "event", "key": "purchase", "relation": ">=", "value": 3, "days": 30, "where": [{"key": '
    '"price", "relation": ">", "value": 9.5}]}` counts; exists, not_exists, last_within and last_before (value: days). '
    'Who is connected: `{"field": "presence", "relation": "=", "value": "online"}`.'
)


class SegmentSerializer(serializers.Serializer[Segment]):
    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    rules = serializers.JSONField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class SegmentBody(BodySerializer):
    name = serializers.CharField(max_length=120)
    rules = serializers.JSONField(help_text=_RULES_HELP)


class RulesBody(BodySerializer):
    rules = serializers.JSONField(help_text=_RULES_HELP)


class EstimateSerializer(serializers.Serializer[Estimate]):
    count = serializers.IntegerField(help_text="Subscribers the rules hold for now.")
    is_exact = serializers.BooleanField(help_text="False when a sample of a large application was asked.")
    margin = serializers.IntegerField(help_text="The truth is within this of `count` 19 times of 20; 0 when exact.")


class SegmentList(ApiView):
    permissions = {"GET": "audience.read", "POST": "audience.write"}

    @extend_schema(operation_id="list_segments", parameters=PAGE_PARAMETERS, responses=page_of(SegmentSerializer))
    def get(self, request: ApiRequest) -> Response:
        """The application's segments, newest first."""
        return self.paginate(_segments_of(request), SegmentSerializer)

    @extend_schema(operation_id="create_segment", request=SegmentBody, responses={201: SegmentSerializer})
    def post(self, request: ApiRequest) -> Response:
        """Saves rules under a name."""
        body = self.body(SegmentBody)
        segment = create_segment(
            tenant=request.tenant, application=request.application, name=body["name"], rules=body["rules"]
        )
        return Response(SegmentSerializer(segment).data, status=status.HTTP_201_CREATED)


class SegmentDetail(ApiView):
    permissions = {"GET": "audience.read", "PATCH": "audience.write", "DELETE": "audience.write"}

    @extend_schema(operation_id="get_segment", responses=SegmentSerializer)
    def get(self, request: ApiRequest, segment_id: str) -> Response:
        """One segment."""
        return Response(SegmentSerializer(_segments_of(request).access(segment_id)).data)

    @extend_schema(operation_id="change_segment", request=SegmentBody(partial=True), responses=SegmentSerializer)
    def patch(self, request: ApiRequest, segment_id: str) -> Response:
        """Changes what is given."""
        segment = _segments_of(request).access(segment_id)
        changed = change_segment(tenant=request.tenant, segment=segment, **self.body(SegmentBody, partial=True))
        return Response(SegmentSerializer(changed).data)

    @extend_schema(operation_id="delete_segment", responses={204: None})
    def delete(self, request: ApiRequest, segment_id: str) -> Response:
        """Removes the segment; its people stay."""
        delete_segment(tenant=request.tenant, segment=_segments_of(request).access(segment_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class SegmentEstimate(ApiView):
    permissions = {"GET": "audience.read"}

    @extend_schema(operation_id="estimate_segment", responses=EstimateSerializer)
    def get(self, request: ApiRequest, segment_id: str) -> Response:
        """How many subscribers are in the segment now."""
        rules = _segments_of(request).access(segment_id).rules
        return _estimate(request, rules)


class RulesEstimate(ApiView):
    permissions = {"POST": "audience.read"}

    @extend_schema(operation_id="estimate_rules", request=RulesBody, responses=EstimateSerializer)
    def post(self, request: ApiRequest) -> Response:
        """How many subscribers these rules hold for, before they are saved."""
        return _estimate(request, self.body(RulesBody)["rules"])


def _estimate(request: ApiRequest, rules: object) -> Response:
    found = estimate(tenant=request.tenant, application=request.application, rules=rules)
    return Response(EstimateSerializer(found).data)


def _segments_of(request: ApiRequest) -> TenantQuerySet[Segment]:
    return Segment.objects.of(request.tenant).filter(application=request.application)
