"""When a campaign is sent and what holds it back: the shapes, the application's defaults, and why for one person."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from apps.api.base import ApiRequest, ApiView, BodySerializer
from apps.audience.models import Subscriber
from apps.campaigns.explaining import Basis, explain_campaign
from apps.campaigns.models import Campaign
from apps.campaigns.planner import Kind
from apps.campaigns.planner.caps import CapAction
from apps.campaigns.planner.rules import Missed
from apps.campaigns.reading import IGNORE, MOST_OCCURRENCES, MOST_PER_MINUTE
from apps.campaigns.services import set_default_quiet_hours, set_fuse
from apps.campaigns.services.fuses import BOUNDS
from apps.campaigns.services.rules import default_fuse, default_quiet_hours
from apps.messaging.ledger.states import DeliveryState
from apps.messaging.sending.fusing import Fuse
from apps.messaging.sending.hours import QuietAction
from apps.tenants.models import Application


class ScheduleSpec(BodySerializer):
    """`at`: at an instant. `local_time`: at that time on everybody's own clock. `recurring`: by a cron rule.
    `best_hour`: within a day, in the hour in which each person does most."""

    kind = serializers.ChoiceField(choices=[kind.value for kind in Kind])
    send_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Of `at` and `best_hour`; null for at once."
    )
    local_time = serializers.CharField(
        required=False, allow_null=True, max_length=32, help_text="Of `local_time`, without a zone: `2026-05-20T09:00`."
    )
    missed = serializers.ChoiceField(
        choices=[missed.value for missed in Missed], required=False, allow_null=True,
        help_text="Whose local time has passed: `next_day` (default), `skip`, or `now`.",
    )  # fmt: skip
    timezone = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, max_length=64,
        help_text="IANA name: of the rule, and of people without one. Default: the organisation's.",
    )  # fmt: skip
    cron = serializers.CharField(
        required=False, allow_null=True, max_length=200,
        help_text="Minute, hour, day of the month, month, day of the week: `0 9 * * mon-fri`.",
    )  # fmt: skip
    own_clock = serializers.BooleanField(
        required=False, allow_null=True, help_text="The rule's times are on everybody's own clock."
    )
    until = serializers.DateTimeField(required=False, allow_null=True)
    count = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=MOST_OCCURRENCES, help_text="Occurrences at most."
    )
    fallback_hour = serializers.IntegerField(
        required=False, allow_null=True, min_value=0, max_value=23,
        help_text="Of people with fewer than 5 events in 90 days. Default: 10.",
    )  # fmt: skip


_CLOCK = r"^([01]\d|2[0-3]):[0-5]\d$"


class QuietHoursSpec(BodySerializer):
    """On each person's own clock, over midnight when `from` is later than `to`."""

    action = serializers.ChoiceField(
        choices=[*(action.value for action in QuietAction), IGNORE], default=QuietAction.HOLD.value,
        help_text="`hold` until they end, `drop`, or `ignore`: none for this campaign.",
    )  # fmt: skip
    to = serializers.RegexField(_CLOCK, required=False, help_text="`08:00`")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """`from` cannot be written as an attribute."""
        beginning = serializers.RegexField(_CLOCK, required=False, help_text="`22:00`")
        return {**super().get_fields(), "from": beginning}


class FrequencyCapSpec(BodySerializer):
    """How many messages of the category (without one: of all campaigns) may reach a person."""

    count = serializers.IntegerField(min_value=1, max_value=100)
    days = serializers.IntegerField(min_value=1, max_value=31, help_text="Of 24 hours.")
    action = serializers.ChoiceField(
        choices=[action.value for action in CapAction], default=CapAction.SKIP.value,
        help_text="Beyond it: `skip`, or `defer` until there is room.",
    )  # fmt: skip


class TimingBody(BodySerializer):
    """What a campaign's body says about time and limits."""

    schedule = ScheduleSpec(required=False)
    category = serializers.CharField(
        required=False, allow_blank=True, max_length=40, help_text="Key of a preference category."
    )
    quiet_hours = QuietHoursSpec(required=False, allow_null=True, help_text="null: the application's.")
    throttle_per_minute = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=MOST_PER_MINUTE
    )
    frequency_cap = FrequencyCapSpec(required=False, allow_null=True)


class TimingSerializer(serializers.Serializer[Any]):
    """The same of a campaign that exists."""

    schedule = serializers.JSONField()
    category = serializers.CharField()
    quiet_hours = serializers.JSONField(allow_null=True)
    throttle_per_minute = serializers.IntegerField(allow_null=True)
    frequency_cap = serializers.JSONField(allow_null=True)
    next_at = serializers.DateTimeField(allow_null=True, help_text="When the next run starts.")


class HourSerializer(serializers.Serializer[Any]):
    hour = serializers.DateTimeField(help_text="Its beginning.")
    sends = serializers.IntegerField()


class WhySerializer(serializers.Serializer[Any]):
    external_id = serializers.CharField()
    basis = serializers.ChoiceField(
        choices=[basis.value for basis in Basis], help_text="`ledger`: what is. `plan`: what would be now."
    )
    state = serializers.ChoiceField(choices=[state.value for state in DeliveryState])
    reason = serializers.CharField()
    due_at = serializers.DateTimeField(allow_null=True)
    local_time = serializers.CharField(
        allow_null=True, source="local_time_shown", help_text="On the person's own clock."
    )
    timezone = serializers.CharField()
    route = serializers.CharField()
    attempted_at = serializers.DateTimeField(allow_null=True)
    is_earliest = serializers.BooleanField(help_text="A throttle or quota may make it later.")


class WhyQuery(serializers.Serializer[Any]):
    external_id = serializers.CharField(max_length=200)


class CampaignWhy(ApiView):
    permissions = {"GET": "campaigns.read"}

    @extend_schema(
        operation_id="explain_campaign",
        parameters=[OpenApiParameter("external_id", str, required=True)],
        responses=WhySerializer(many=True),
    )
    def get(self, request: ApiRequest, campaign_id: str) -> Response:
        """Why one subscriber gets it, when, or why not: of the last run, or of the plan before it. One answer per route
        that was tried."""
        campaigns = Campaign.objects.of(request.tenant).filter(application=request.application)
        campaign = campaigns.select_related("template", "application", "tenant").access(campaign_id)
        query = WhyQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        people = Subscriber.objects.in_application(request.application)
        person = people.named(query.validated_data["external_id"])
        return Response(WhySerializer(explain_campaign(campaign, person), many=True).data)


class FuseSpec(BodySerializer):
    """Beyond it a campaign pauses by itself. What is left out is as usual."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """`errors` is taken by the serializer itself, and the bounds are the service's."""
        told = {
            "errors": "Per cent of the attempts that fail.",
            "gone": "Per cent of the addresses whose installation is gone.",
            "window": "Seconds that are looked at.",
            "least": "Attempts in them below which nothing is concluded.",
        }
        usual = Fuse().to_json()
        return {
            name: serializers.IntegerField(
                min_value=BOUNDS[name][0], max_value=BOUNDS[name][1], required=False,
                help_text=f"{sentence} Usually {usual[name]}.",
            )
            for name, sentence in told.items()
        }  # fmt: skip


class SendingDefaultsBody(BodySerializer):
    quiet_hours = QuietHoursSpec(allow_null=True)
    fuse = FuseSpec(required=False, allow_null=True, help_text="null: the usual one. Left out: as it is.")


class SendingDefaultsView(ApiView):
    permissions = {"GET": "campaigns.read", "PUT": "applications.write"}

    @extend_schema(operation_id="get_sending_defaults", responses=SendingDefaultsBody)
    def get(self, request: ApiRequest) -> Response:
        """What campaigns go by that say nothing themselves."""
        return Response(_defaults_of(request.application))

    @extend_schema(operation_id="set_sending_defaults", request=SendingDefaultsBody, responses=SendingDefaultsBody)
    def put(self, request: ApiRequest) -> Response:
        """For runs that start from now on."""
        body, tenant, application = self.body(SendingDefaultsBody), request.tenant, request.application
        set_default_quiet_hours(tenant=tenant, application=application, quiet_hours=body["quiet_hours"])
        if "fuse" in body:
            set_fuse(tenant=tenant, application=application, fuse=body["fuse"])
        return Response(_defaults_of(application))


def _defaults_of(application: Application) -> dict[str, Any]:
    return {"quiet_hours": default_quiet_hours(application), "fuse": default_fuse(application).to_json()}
