"""`/api/v1/subscribers`: the people of the caller's application, named by their external id."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.response import Response

from apps.api.base import PAGE_PARAMETERS, ApiRequest, ApiView, BodySerializer, page_of
from apps.audience.exporting import exported_subscribers
from apps.audience.models import Subscriber
from apps.audience.queries import find_subscribers
from apps.audience.services.subscribers import (
    ItemResult,
    erase_subscriber,
    upsert_subscriber,
    upsert_subscribers_in_bulk,
)
from apps.core.downloads import CSV, NDJSON, download

_FILTERS = [
    OpenApiParameter("search", str, description="The beginning of the external id."),
    OpenApiParameter("tag", str, description="Only people with this tag."),
    OpenApiParameter("segment_id", str, description="Only people in this segment."),
    OpenApiParameter("alias", str, description="The one person with this alias, as `label:value`."),
]


class SubscriberSerializer(serializers.Serializer[Subscriber]):
    id = serializers.CharField(source="public_id")
    external_id = serializers.CharField()
    attributes = serializers.DictField(child=serializers.JSONField())
    tags = serializers.ListField(child=serializers.CharField())
    language = serializers.CharField(allow_blank=True)
    timezone = serializers.CharField(allow_blank=True)
    aliases = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def get_aliases(self, person: Subscriber) -> dict[str, str]:
        return {alias.label: alias.value for alias in person.aliases.all()}


class SubscriberChanges(BodySerializer):
    """Describes the body; the rules are those of `apps.audience.values`, which the service holds."""

    attributes = serializers.DictField(
        child=serializers.JSONField(allow_null=True), required=False, allow_null=True,
        help_text="Laid over the known ones; null removes one. At most 100, and 16 KB.",
    )  # fmt: skip
    tags = serializers.ListField(
        child=serializers.CharField(), required=False, allow_null=True, help_text="Replace the known ones."
    )
    language = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, help_text="A BCP 47 tag such as `en` or `zh-Hans`."
    )
    timezone = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, help_text="An IANA name such as `Europe/Berlin`."
    )
    aliases = serializers.DictField(
        child=serializers.CharField(allow_null=True), required=False, allow_null=True,
        help_text="Other names by label, such as `crm`. Laid over the known ones; null removes one. At most 20.",
    )  # fmt: skip


class SubscriberBody(SubscriberChanges):
    external_id = serializers.CharField(help_text="1 to 128 letters, digits or `-_=@,.;`.")


class BulkBody(BodySerializer):
    subscribers = serializers.ListField(
        child=serializers.JSONField(allow_null=True),
        help_text="At most 1,000 subscribers, each as in `POST /subscribers`.",
    )


class BulkItemSerializer(serializers.Serializer[ItemResult]):
    external_id = serializers.CharField(allow_blank=True)
    status = serializers.ChoiceField(choices=["created", "updated", "rejected"])
    code = serializers.CharField(source="problem.code", default=None, allow_null=True, help_text="Why not.")
    field = serializers.CharField(source="problem.field", default=None, allow_null=True, help_text="Where, as a path.")
    message = serializers.CharField(source="problem.message", default=None, allow_null=True)


class BulkAnswer(serializers.Serializer[Any]):
    results = BulkItemSerializer(many=True, help_text="One per item, in the order of the request.")
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="created, updated, rejected")


class SubscriberList(ApiView):
    permissions = {"GET": "audience.read", "POST": "audience.write"}

    @extend_schema(
        operation_id="list_subscribers",
        parameters=[*_FILTERS, *PAGE_PARAMETERS],
        responses=page_of(SubscriberSerializer),
    )
    def get(self, request: ApiRequest) -> Response:
        """The application's subscribers, newest first."""
        found = find_subscribers(tenant=request.tenant, application=request.application, **_filters(request))
        return self.paginate(found.prefetch_related("aliases"), SubscriberSerializer)

    @extend_schema(
        operation_id="upsert_subscriber",
        request=SubscriberBody,
        responses={200: SubscriberSerializer, 201: SubscriberSerializer},
    )
    def post(self, request: ApiRequest) -> Response:
        """Creates the subscriber (201), or lays what is given over what is known (200)."""
        subscriber, created = upsert_subscriber(
            tenant=request.tenant, application=request.application, person=request.data
        )
        answer = SubscriberSerializer(subscriber).data
        return Response(answer, status=status.HTTP_201_CREATED if created else status.HTTP_200_OK)


class SubscriberExport(ApiView):
    """file_name, content_type: of the kind of file that a route below gives."""

    permissions = {"GET": "audience.read"}
    in_scope = False
    file_name: ClassVar[str]
    content_type: ClassVar[str]

    def perform_content_negotiation(self, request: Any, force: bool = True) -> Any:
        """Whoever asks for CSV by its name may also say so in `Accept`."""
        return super().perform_content_negotiation(request, force=True)

    def get(self, request: ApiRequest) -> StreamingHttpResponse:
        """Everybody the filters hold for, oldest first. The file can be imported again."""
        texts = exported_subscribers(
            tenant=request.tenant,
            application=request.application,
            filters=_filters(request),
            as_csv=self.content_type == CSV,
        )
        return download(request._request, self.file_name, self.content_type, texts)


@extend_schema_view(
    get=extend_schema(
        operation_id="export_subscribers_as_csv",
        parameters=_FILTERS,
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
)
class SubscriberCsv(SubscriberExport):
    permissions = {"GET": "audience.read"}
    file_name, content_type = "subscribers.csv", CSV


@extend_schema_view(
    get=extend_schema(
        operation_id="export_subscribers_as_ndjson", parameters=_FILTERS, responses={(200, NDJSON): OpenApiTypes.STR}
    )
)
class SubscriberNdjson(SubscriberExport):
    permissions = {"GET": "audience.read"}
    file_name, content_type = "subscribers.ndjson", NDJSON


def _filters(request: ApiRequest) -> dict[str, str]:
    return {name: request.query_params.get(name, "") for name in ("search", "tag", "segment_id", "alias")}


class SubscriberBulk(ApiView):
    permissions = {"POST": "audience.write"}

    @extend_schema(operation_id="upsert_subscribers", request=BulkBody, responses=BulkAnswer)
    def post(self, request: ApiRequest) -> Response:
        """Creates or changes up to 1,000 subscribers. Bad items are reported and do not stop the others."""
        people = self.body(BulkBody)["subscribers"]
        results = upsert_subscribers_in_bulk(tenant=request.tenant, application=request.application, people=people)
        outcomes = [result.status for result in results]
        counts = {name: outcomes.count(name) for name in ("created", "updated", "rejected")}
        return Response(BulkAnswer({"results": results, "counts": counts}).data)


class SubscriberDetail(ApiView):
    permissions = {"GET": "audience.read", "PATCH": "audience.write", "DELETE": "audience.write"}

    @extend_schema(operation_id="get_subscriber", responses=SubscriberSerializer)
    def get(self, request: ApiRequest, external_id: str) -> Response:
        """One subscriber."""
        return Response(SubscriberSerializer(_named(request, external_id)).data)

    @extend_schema(operation_id="change_subscriber", request=SubscriberChanges, responses=SubscriberSerializer)
    def patch(self, request: ApiRequest, external_id: str) -> Response:
        """Changes what is given; an attribute that is null is removed."""
        known = _named(request, external_id)
        person = {**self.body(SubscriberChanges), "external_id": known.external_id}
        subscriber, _created = upsert_subscriber(tenant=request.tenant, application=request.application, person=person)
        return Response(SubscriberSerializer(subscriber).data)

    @extend_schema(operation_id="delete_subscriber", responses={204: None})
    def delete(self, request: ApiRequest, external_id: str) -> Response:
        """Forgets the subscriber for good."""
        subscriber = _named(request, external_id)
        erase_subscriber(tenant=request.tenant, subscriber=subscriber, actor=request.principal.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _named(request: ApiRequest, external_id: str) -> Subscriber:
    return Subscriber.objects.in_application(request.application).named(external_id)
