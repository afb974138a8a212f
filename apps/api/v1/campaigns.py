"""`/api/v1/campaigns`: plan, try, schedule, stop, follow."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.response import Response

from apps.api.base import PAGE_PARAMETERS, ApiRequest, ApiView, BodySerializer, page_of
from apps.api.v1.campaign_timing import HourSerializer, TimingBody, TimingSerializer
from apps.api.v1.sending import (
    DELIVERY_PARAMETERS,
    PRIORITIES,
    UNKNOWN_POLICIES,
    CountsSerializer,
    DeliverySerializer,
    FaultSerializer,
    PreviewSerializer,
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
from apps.api.v1.templates import templates_of
from apps.audience.models import Subscriber
from apps.billing.services.caps import Quote
from apps.campaigns.models import Campaign
from apps.campaigns.queries import counts_of_campaigns, messages_of
from apps.campaigns.services import (
    cancel_campaign,
    create_campaign,
    delete_campaign,
    pause_campaign,
    resume_campaign,
    schedule_campaign,
    update_campaign,
)
from apps.campaigns.services.editing import Plan
from apps.campaigns.simulation import preview_campaign, simulate_campaign
from apps.campaigns.states import Status
from apps.campaigns.ways import Way
from apps.messaging.ledger.states import Counts, UnknownPolicy
from apps.messaging.services.messages import MAX_TTL
from apps.tenants.models import TenantQuerySet


class _WithCounts(serializers.ListSerializer[Campaign]):
    """Reads the counts of a whole page in two queries."""

    def to_representation(self, data: Any) -> list[Any]:
        campaigns = list(data)
        self._context = {"counts": counts_of_campaigns(campaigns)}
        return super().to_representation(campaigns)


class CampaignSerializer(TimingSerializer):
    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=[status.value for status in Status])
    audience = serializers.JSONField()
    routes = serializers.ListField(child=serializers.CharField())
    strategy = serializers.CharField()
    content = serializers.JSONField(allow_null=True)
    template_id = serializers.CharField(source="template.public_id", allow_null=True, default=None)
    unknown_policy = serializers.CharField()
    ttl = serializers.IntegerField(allow_null=True)
    follow_up = serializers.JSONField()
    fallback_after = serializers.IntegerField(allow_null=True)
    priority = serializers.SerializerMethodField()
    collapse_key = serializers.CharField()
    version = serializers.IntegerField(help_text="Rises with every change of the plan.")
    paused_for = serializers.CharField(help_text="Why it was paused by itself: error_rate, tokens_gone; or empty.")
    experiment = serializers.JSONField(allow_null=True)
    send_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    failure = serializers.CharField(help_text="The code of what kept it from starting, or empty.")
    counts = serializers.SerializerMethodField()

    class Meta:
        list_serializer_class = _WithCounts

    @extend_schema_field(serializers.ChoiceField(choices=PRIORITIES))
    def get_priority(self, campaign: Campaign) -> str:
        return "high" if campaign.is_urgent else "normal"

    @extend_schema_field(CountsSerializer)
    def get_counts(self, campaign: Campaign) -> Any:
        known: dict[int, Counts] = self.context.get("counts") or counts_of_campaigns([campaign])
        return CountsSerializer(known[campaign.pk]).data


class CampaignBody(TimingBody):
    name = serializers.CharField(max_length=120)
    audience = serializers.DictField(
        child=serializers.JSONField(),
        help_text='`{"all": true}`, `{"segment_id": "seg_…"}` or `{"external_ids": […]}`.',
    )
    routes = routes_field(default=lambda: ["realtime"])
    strategy = strategy_field()
    content = content_field(required=False, allow_null=True)
    template_id = serializers.CharField(required=False, allow_null=True)
    unknown_policy = serializers.ChoiceField(choices=UNKNOWN_POLICIES, default=UnknownPolicy.AT_MOST_ONCE.value)
    ttl = serializers.IntegerField(
        min_value=1, max_value=int(MAX_TTL.total_seconds()), required=False, allow_null=True, help_text="Seconds."
    )
    follow_up = follow_up_field()
    fallback_after = fallback_field()
    priority = priority_field()
    collapse_key = collapse_key_field()
    experiment = serializers.DictField(
        required=False,
        allow_null=True,
        help_text='`{"variants": [{"key", "weight", "content", "routes"}], "metric", "holdout", "winner": '
        '{"share", "after", "early"}}`; see docs/results.md.',
    )


class ChangeBody(CampaignBody):
    version = serializers.IntegerField(
        required=False, help_text="Of the campaign that was read: 409 `campaign_changed` if it is another by now."
    )


class ResumeBody(BodySerializer):
    confirm = serializers.BooleanField(
        default=False, help_text="Needed when the campaign was paused by itself (`paused_for`)."
    )


class ScheduleBody(BodySerializer):
    send_at = serializers.DateTimeField(
        allow_null=True,
        help_text="RFC 3339; null for when the campaign’s own schedule says, which is at once when it says nothing.",
    )


class PreviewBody(BodySerializer):
    external_id = serializers.CharField(max_length=200)
    variant = serializers.CharField(
        max_length=12, default="", allow_blank=True, help_text="Of an experiment; without it the person's own."
    )


class PriceSerializer(serializers.Serializer[Quote]):
    currency = serializers.CharField()
    amount = serializers.CharField(help_text="Of the sends, before tax, as a decimal number.")
    spent = serializers.CharField(source="spent_amount", help_text="By usage in this period so far.")
    cap = serializers.CharField(source="cap_amount", allow_null=True, help_text="The spend cap; null for none.")
    fits = serializers.BooleanField(help_text="Whether limits and cap would let them through.")


class WaySerializer(serializers.Serializer[Way]):
    route = serializers.CharField()
    is_first = serializers.BooleanField(help_text="Everybody is sent to by it; else whom the one before did not reach.")
    after = serializers.IntegerField(
        allow_null=True, help_text="Seconds: also who reports no receipt of the one before within them."
    )
    extra = serializers.IntegerField(help_text="Further sends that it may cause, at most.")


class ProviderDaySerializer(serializers.Serializer[Any]):
    route = serializers.CharField()
    per_day = serializers.IntegerField(help_text="What the network, or the credential, says that a day takes.")
    left = serializers.IntegerField(help_text="Of the day on which the run would start.")


class SimulationSerializer(serializers.Serializer[Any]):
    audience = serializers.IntegerField(help_text="People.")
    sends = serializers.IntegerField(help_text="How many of them would be sent to.")
    planned = serializers.DictField(child=serializers.IntegerField(), help_text="By language.")
    suppressed = serializers.DictField(child=serializers.IntegerField(), help_text="By reason.")
    by_variant = serializers.DictField(
        child=serializers.IntegerField(), help_text="People by variant; ? are those who wait for the winner."
    )
    by_hour = serializers.SerializerMethodField(help_text="When they would leave.")
    decided = serializers.IntegerField(help_text="People the planner was asked about; at most 100,000 one by one.")
    rendered = serializers.IntegerField(help_text="For how many the words were really made.")
    is_exact = serializers.BooleanField(help_text="Whether that was everybody.")
    samples = PreviewSerializer(many=True)
    faults = PreviewSerializer(many=True)
    warnings = FaultSerializer(many=True)
    price = PriceSerializer(help_text="Of one send per person.")
    ways = WaySerializer(many=True, help_text="The campaign's own routes, in the order of use.")
    extra_sends = serializers.IntegerField(help_text="Further sends that the routes may cause, at most.")
    price_at_most = PriceSerializer(help_text="With these.")
    provider_day = ProviderDaySerializer(allow_null=True, help_text="Null where no quota of a day is declared.")

    @extend_schema_field(HourSerializer(many=True))
    def get_by_hour(self, found: Any) -> Any:
        return [{"hour": hour, "sends": sends} for hour, sends in sorted(found.by_hour.items())]


#: What a change leaves as it is when the body does not name it; words go together.
_KEPT = (
    "name", "audience", "routes", "strategy", "unknown_policy", "ttl", "follow_up", "schedule", "category",
    "quiet_hours", "throttle_per_minute", "frequency_cap", "fallback_after", "is_urgent", "collapse_key",
    "experiment",
)  # fmt: skip


def campaigns_of_request(request: ApiRequest) -> TenantQuerySet[Campaign]:
    campaigns = Campaign.objects.of(request.tenant).filter(application=request.application)
    return campaigns.select_related("template", "application", "tenant")


def _plan(request: ApiRequest, body: dict[str, Any], campaign: Campaign | None = None) -> Plan:
    """The body's plan; where it says nothing, the campaign's."""
    body = {**body, **handling_in(body)}
    if campaign is not None:
        kept = {name: getattr(campaign, name) for name in _KEPT}
        if not {"content", "template_id"} & set(body):
            kept |= {"content": campaign.content, "template": campaign.template}
        body = {**kept, **body}
    template_id = body.pop("template_id", None)
    if template_id is not None:
        body["template"] = templates_of(request).access(template_id)
    body["unknown_policy"] = UnknownPolicy(body["unknown_policy"])
    return Plan(**body)


class CampaignList(ApiView):
    permissions = {"GET": "campaigns.read", "POST": "campaigns.write"}
    idempotency_retention: ClassVar[timedelta] = timedelta(days=30)

    @extend_schema(operation_id="list_campaigns", parameters=PAGE_PARAMETERS, responses=page_of(CampaignSerializer))
    def get(self, request: ApiRequest) -> Response:
        """The application's campaigns, newest first."""
        return self.paginate(campaigns_of_request(request), CampaignSerializer)

    @extend_schema(operation_id="create_campaign", request=CampaignBody, responses={201: CampaignSerializer})
    def post(self, request: ApiRequest) -> Response:
        """A draft, with words of its own or a template's."""
        campaign = create_campaign(
            tenant=request.tenant, application=request.application, plan=_plan(request, self.body(CampaignBody))
        )
        return Response(CampaignSerializer(campaign).data, status=status.HTTP_201_CREATED)


class CampaignDetail(ApiView):
    permissions = {"GET": "campaigns.read", "PATCH": "campaigns.write", "DELETE": "campaigns.write"}

    @extend_schema(operation_id="get_campaign", responses=CampaignSerializer)
    def get(self, request: ApiRequest, campaign_id: str) -> Response:
        """One campaign, with live counts."""
        return Response(CampaignSerializer(campaigns_of_request(request).access(campaign_id)).data)

    @extend_schema(operation_id="change_campaign", request=ChangeBody(partial=True), responses=CampaignSerializer)
    def patch(self, request: ApiRequest, campaign_id: str) -> Response:
        """Changes a draft, or what waits for its next start: that keeps its time unless the body names another. What
        has started keeps what it began with."""
        campaign = campaigns_of_request(request).access(campaign_id)
        body = self.body(ChangeBody, partial=True)
        version = body.pop("version", None)
        plan = _plan(request, body, campaign)
        changed = update_campaign(tenant=request.tenant, campaign=campaign, plan=plan, version=version)
        return Response(CampaignSerializer(changed).data)

    @extend_schema(operation_id="delete_campaign", responses={204: None})
    def delete(self, request: ApiRequest, campaign_id: str) -> Response:
        """Removes a draft."""
        delete_campaign(tenant=request.tenant, campaign=campaigns_of_request(request).access(campaign_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class CampaignSchedule(ApiView):
    permissions = {"POST": "campaigns.send"}

    @extend_schema(operation_id="schedule_campaign", request=ScheduleBody, responses=CampaignSerializer)
    def post(self, request: ApiRequest, campaign_id: str) -> Response:
        """Due then. What would fail at sending is refused here."""
        campaign = campaigns_of_request(request).access(campaign_id)
        send_at = self.body(ScheduleBody)["send_at"]
        changed = schedule_campaign(tenant=request.tenant, campaign=campaign, send_at=send_at)
        return Response(CampaignSerializer(changed).data)


class _CampaignVerb(ApiView):
    """One verb without a body."""

    permissions = {"POST": "campaigns.send"}
    verb: ClassVar[Callable[..., Campaign]]

    def post(self, request: ApiRequest, campaign_id: str) -> Response:
        campaign = campaigns_of_request(request).access(campaign_id)
        return Response(CampaignSerializer(type(self).verb(tenant=request.tenant, campaign=campaign)).data)


@extend_schema(operation_id="pause_campaign", request=None, responses=CampaignSerializer)
class CampaignPause(_CampaignVerb):
    verb = staticmethod(pause_campaign)


class CampaignResume(ApiView):
    permissions = {"POST": "campaigns.send"}

    @extend_schema(operation_id="resume_campaign", request=ResumeBody, responses=CampaignSerializer)
    def post(self, request: ApiRequest, campaign_id: str) -> Response:
        """Goes on where it stopped."""
        campaign = campaigns_of_request(request).access(campaign_id)
        confirm = self.body(ResumeBody)["confirm"]
        resumed = resume_campaign(tenant=request.tenant, campaign=campaign, confirm=confirm)
        return Response(CampaignSerializer(resumed).data)


@extend_schema(operation_id="cancel_campaign", request=None, responses=CampaignSerializer)
class CampaignCancel(_CampaignVerb):
    verb = staticmethod(cancel_campaign)


class CampaignSimulate(ApiView):
    permissions = {"POST": "campaigns.read"}

    @extend_schema(operation_id="simulate_campaign", request=None, responses=SimulationSerializer)
    def post(self, request: ApiRequest, campaign_id: str) -> Response:
        """What sending it now would do, by the code that sends."""
        return Response(SimulationSerializer(simulate_campaign(campaigns_of_request(request).access(campaign_id))).data)


class CampaignPreview(ApiView):
    permissions = {"POST": "campaigns.read"}

    @extend_schema(operation_id="preview_campaign", request=PreviewBody, responses=PreviewSerializer)
    def post(self, request: ApiRequest, campaign_id: str) -> Response:
        """What one subscriber would see."""
        campaign = campaigns_of_request(request).access(campaign_id)
        body = self.body(PreviewBody)
        person = Subscriber.objects.in_application(request.application).named(body["external_id"])
        return Response(PreviewSerializer(preview_campaign(campaign, person, variant=body["variant"])).data)


class CampaignDeliveries(ApiView):
    permissions = {"GET": "campaigns.read"}

    @extend_schema(
        operation_id="list_campaign_deliveries",
        parameters=[*PAGE_PARAMETERS, *DELIVERY_PARAMETERS],
        responses=page_of(DeliverySerializer),
    )
    def get(self, request: ApiRequest, campaign_id: str) -> Response:
        """The ledger of its last run, row by row: who got it, who did not, and why."""
        campaign = campaigns_of_request(request).access(campaign_id)
        message = messages_of([campaign]).get(campaign.pk)
        return self.paginate(deliveries_of(message, request.tenant.pk, request.query_params), DeliverySerializer)
