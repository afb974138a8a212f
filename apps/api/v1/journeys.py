"""`/api/v1/journeys`: write, publish, stop, and see who is where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.response import Response

from apps.api.base import PAGE_PARAMETERS, ApiRequest, ApiView, BodySerializer, page_of
from apps.audience.models import Subscriber
from apps.campaigns.journeys.explaining import Passed, explain_journey
from apps.campaigns.journeys.history import versions_of
from apps.campaigns.journeys.models import EntryState, Journey, JourneyEntry, JourneyStatus, JourneyVersion
from apps.campaigns.journeys.queries import (
    JourneyCounts,
    StepCounts,
    counts_of_journeys,
    counts_of_steps,
    entries_of,
)
from apps.campaigns.journeys.services import (
    add_person,
    archive_journey,
    create_journey,
    delete_journey,
    pause_journey,
    publish_journey,
    resume_journey,
    update_journey,
)
from apps.core.errors import InvalidInput
from apps.tenants.models import TenantQuerySet


class JourneyCountsSerializer(serializers.Serializer[JourneyCounts]):
    entered = serializers.IntegerField()
    active = serializers.IntegerField()
    done = serializers.IntegerField()
    exited = serializers.IntegerField()
    failed = serializers.IntegerField()
    goals = serializers.IntegerField(help_text="Of those who are done, how many reached a goal.")


class StepCountsSerializer(serializers.Serializer[StepCounts]):
    entered = serializers.IntegerField()
    waiting = serializers.IntegerField()
    done = serializers.IntegerField()
    exited = serializers.IntegerField()
    sent = serializers.IntegerField(help_text="Deliveries.")
    failed = serializers.IntegerField(help_text="Deliveries.")
    suppressed = serializers.IntegerField(help_text="Deliveries.")


class _WithCounts(serializers.ListSerializer[Journey]):
    """Reads the counts of a whole page in one query."""

    def to_representation(self, data: Any) -> list[Any]:
        journeys = list(data)
        self._context = {"counts": counts_of_journeys(journeys)}
        return super().to_representation(journeys)


class JourneySerializer(serializers.Serializer[Journey]):
    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=[status.value for status in JourneyStatus])
    paused_for = serializers.CharField(help_text="Why it was paused by itself: error_rate, tokens_gone; or empty.")
    version = serializers.IntegerField(help_text="Of the newest published version; 0 for none.")
    definition = serializers.JSONField(help_text="The draft.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    counts = serializers.SerializerMethodField()

    class Meta:
        list_serializer_class = _WithCounts

    @extend_schema_field(JourneyCountsSerializer)
    def get_counts(self, journey: Journey) -> Any:
        known = self.context.get("counts") or counts_of_journeys([journey])
        return JourneyCountsSerializer(known[journey.pk]).data


class JourneyBody(BodySerializer):
    name = serializers.CharField(max_length=120)
    definition = serializers.DictField(
        child=serializers.JSONField(allow_null=True), help_text="Trigger, re-entry, exits and steps: docs/journeys.md."
    )


class JourneyPersonBody(BodySerializer):
    external_id = serializers.CharField(max_length=200)


class VersionSerializer(serializers.Serializer[JourneyVersion]):
    number = serializers.IntegerField()
    published_at = serializers.DateTimeField()
    definition = serializers.JSONField(help_text="With its templates’ words and its segments’ rules written out.")


class EntrySerializer(serializers.Serializer[JourneyEntry]):
    id = serializers.CharField(source="public_id")
    external_id = serializers.CharField(source="subscriber.external_id")
    version = serializers.IntegerField()
    state = serializers.ChoiceField(choices=[state.value for state in EntryState])
    reason = serializers.CharField(help_text="Why they left: `exits[n]`, `archived`, `too_many_steps`; else empty.")
    goal = serializers.CharField()
    step = serializers.CharField(help_text="Where they are, or where it ended.")
    entered_at = serializers.DateTimeField()
    arrived_at = serializers.DateTimeField(help_text="In the step.")
    due_at = serializers.DateTimeField(allow_null=True, help_text="When they are looked at next.")
    ended_at = serializers.DateTimeField(allow_null=True)


class PassedSerializer(serializers.Serializer[Passed]):
    step = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.CharField()
    at = serializers.DateTimeField(help_text="When they leave the step.")
    local_time = serializers.CharField(source="local_time_shown", help_text="That, on the person’s own clock.")
    result = serializers.CharField(help_text="`done`, the step they go to, `sent`, or the reason why not.")


def _journeys_of(request: ApiRequest) -> TenantQuerySet[Journey]:
    journeys = Journey.objects.of(request.tenant).filter(application=request.application)
    return journeys.select_related("application", "tenant")


def _person(request: ApiRequest, body: dict[str, Any]) -> Subscriber:
    return Subscriber.objects.in_application(request.application).named(body["external_id"])


def _version(request: ApiRequest, journey: Journey) -> int:
    given = request.query_params.get("version", str(journey.version))
    if not (given.isascii() and given.isdigit() and len(given) < 10):
        sentence = _("A version is a whole number.")
        raise InvalidInput(sentence, fields={"version": [sentence]})
    return int(given)


class JourneyList(ApiView):
    permissions = {"GET": "campaigns.read", "POST": "campaigns.write"}

    @extend_schema(operation_id="list_journeys", parameters=PAGE_PARAMETERS, responses=page_of(JourneySerializer))
    def get(self, request: ApiRequest) -> Response:
        """The application's journeys, newest first."""
        return self.paginate(_journeys_of(request), JourneySerializer)

    @extend_schema(operation_id="create_journey", request=JourneyBody, responses={201: JourneySerializer})
    def post(self, request: ApiRequest) -> Response:
        """A draft. What is wrong with its definition is told by its path."""
        journey = create_journey(tenant=request.tenant, application=request.application, **self.body(JourneyBody))
        return Response(JourneySerializer(journey).data, status=status.HTTP_201_CREATED)


class JourneyDetail(ApiView):
    permissions = {"GET": "campaigns.read", "PATCH": "campaigns.write", "DELETE": "campaigns.write"}

    @extend_schema(operation_id="get_journey", responses=JourneySerializer)
    def get(self, request: ApiRequest, journey_id: str) -> Response:
        """One journey, with live counts."""
        return Response(JourneySerializer(_journeys_of(request).access(journey_id)).data)

    @extend_schema(operation_id="change_journey", request=JourneyBody(partial=True), responses=JourneySerializer)
    def patch(self, request: ApiRequest, journey_id: str) -> Response:
        """Changes the draft; who is on the way notices nothing until it is published, and then neither."""
        journey = _journeys_of(request).access(journey_id)
        changed = update_journey(tenant=request.tenant, journey=journey, **self.body(JourneyBody, partial=True))
        return Response(JourneySerializer(changed).data)

    @extend_schema(operation_id="delete_journey", responses={204: None})
    def delete(self, request: ApiRequest, journey_id: str) -> Response:
        """Removes one that was never published."""
        delete_journey(tenant=request.tenant, journey=_journeys_of(request).access(journey_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class _JourneyVerb(ApiView):
    """One verb without a body."""

    permissions = {"POST": "campaigns.send"}
    verb: ClassVar[Callable[..., Journey]]

    def post(self, request: ApiRequest, journey_id: str) -> Response:
        journey = _journeys_of(request).access(journey_id)
        return Response(JourneySerializer(type(self).verb(tenant=request.tenant, journey=journey)).data)


@extend_schema(operation_id="publish_journey", request=None, responses=JourneySerializer)
class JourneyPublish(_JourneyVerb):
    verb = staticmethod(publish_journey)


@extend_schema(operation_id="pause_journey", request=None, responses=JourneySerializer)
class JourneyPause(_JourneyVerb):
    verb = staticmethod(pause_journey)


class JourneyResumeBody(BodySerializer):
    confirm = serializers.BooleanField(
        default=False, help_text="Needed when the journey was paused by itself (`paused_for`)."
    )


class JourneyResume(ApiView):
    permissions = {"POST": "campaigns.send"}

    @extend_schema(operation_id="resume_journey", request=JourneyResumeBody, responses=JourneySerializer)
    def post(self, request: ApiRequest, journey_id: str) -> Response:
        journey = _journeys_of(request).access(journey_id)
        body = self.body(JourneyResumeBody)
        resumed = resume_journey(tenant=request.tenant, journey=journey, confirm=body["confirm"])
        return Response(JourneySerializer(resumed).data)


@extend_schema(operation_id="archive_journey", request=None, responses=JourneySerializer)
class JourneyArchive(_JourneyVerb):
    verb = staticmethod(archive_journey)


class JourneyVersions(ApiView):
    permissions = {"GET": "campaigns.read"}

    @extend_schema(
        operation_id="list_journey_versions", parameters=PAGE_PARAMETERS, responses=page_of(VersionSerializer)
    )
    def get(self, request: ApiRequest, journey_id: str) -> Response:
        """What was published, newest first."""
        return self.paginate(versions_of(_journeys_of(request).access(journey_id)), VersionSerializer)


class JourneySteps(ApiView):
    permissions = {"GET": "campaigns.read"}

    @extend_schema(
        operation_id="count_journey_steps",
        parameters=[OpenApiParameter("version", OpenApiTypes.INT, description="The newest when left out.")],
        responses={200: serializers.DictField(child=StepCountsSerializer())},
    )
    def get(self, request: ApiRequest, journey_id: str) -> Response:
        """How many came to each step, are in it, went on; by the step's id. Steps nobody came to are missing."""
        journey = _journeys_of(request).access(journey_id)
        counts = counts_of_steps(journey, _version(request, journey))
        return Response({step: StepCountsSerializer(count).data for step, count in counts.items()})


class JourneyEntries(ApiView):
    permissions = {"GET": "campaigns.read", "POST": "campaigns.send"}

    @extend_schema(
        operation_id="list_journey_entries",
        parameters=[
            *PAGE_PARAMETERS,
            OpenApiParameter("state", OpenApiTypes.STR, enum=[state.value for state in EntryState]),
            OpenApiParameter("step", OpenApiTypes.STR),
            OpenApiParameter("external_id", OpenApiTypes.STR),
        ],
        responses=page_of(EntrySerializer),
    )
    def get(self, request: ApiRequest, journey_id: str) -> Response:
        """Who came in and where they are, newest first."""
        asked = {name: request.query_params.get(name, "") for name in ("state", "step", "external_id")}
        return self.paginate(entries_of(_journeys_of(request).access(journey_id), **asked), EntrySerializer)

    @extend_schema(operation_id="add_to_journey", request=JourneyPersonBody, responses={201: EntrySerializer})
    def post(self, request: ApiRequest, journey_id: str) -> Response:
        """Adds a person by hand; the re-entry rule holds."""
        journey = _journeys_of(request).access(journey_id)
        person = _person(request, self.body(JourneyPersonBody))
        entry = add_person(tenant=request.tenant, journey=journey, person=person)
        return Response(EntrySerializer(entry).data, status=status.HTTP_201_CREATED)


class JourneyExplain(ApiView):
    permissions = {"POST": "campaigns.read"}

    @extend_schema(operation_id="explain_journey", request=JourneyPersonBody, responses=PassedSerializer(many=True))
    def post(self, request: ApiRequest, journey_id: str) -> Response:
        """The way one person would go by the draft, with everything as it is now. Nothing is sent or written."""
        journey = _journeys_of(request).access(journey_id)
        way: Any = explain_journey(journey, _person(request, self.body(JourneyPersonBody)))
        return Response(PassedSerializer(way, many=True).data)
