"""What the overview shows: live counts, today's usage, the latest campaigns, and the first steps with their ticks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_lazy as _
from redis import RedisError

from apps.audience.models import Subscriber
from apps.billing.meters import CAMPAIGN_SENDS, CONNECTIONS_PEAK, MESSAGES_DELIVERED, MESSAGES_PUBLISHED
from apps.billing.queries import MeterStanding, standing_of
from apps.billing.reports import Grain, span_of_days, usage_report
from apps.campaigns.models import Campaign
from apps.campaigns.queries import counts_of_campaigns
from apps.campaigns.states import STARTED
from apps.core import clock
from apps.messaging.ledger.states import Counts
from apps.realtime import queries
from apps.tenants.models import Application, Tenant

_RECENT_CAMPAIGNS = 5


@dataclass(frozen=True, slots=True)
class Live:
    """Of the chosen application, or None when Valkey did not answer."""

    connections: int
    channels: int


@dataclass(frozen=True, slots=True)
class Step:
    """route, permission: where the step is made and what that needs."""

    title: Any
    text: Any
    route: str
    permission: str
    is_done: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """today: meter name -> quantity since midnight in the tenant's zone. campaigns: with their counts, newest first."""

    today: dict[str, int]
    meters: Sequence[MeterStanding]
    campaigns: Sequence[tuple[Campaign, Counts]]
    steps: Sequence[Step]

    @property
    def published(self) -> int:
        return self.today.get(MESSAGES_PUBLISHED, 0)

    @property
    def delivered(self) -> int:
        return self.today.get(MESSAGES_DELIVERED, 0)

    @property
    def sends(self) -> int:
        return self.today.get(CAMPAIGN_SENDS, 0)

    @property
    def is_complete(self) -> bool:
        return all(step.is_done for step in self.steps)


def figures_of(*, tenant: Tenant, application: Application | None) -> Figures:
    """Needs the tenant's scope."""
    meters = standing_of(tenant=tenant).meters
    campaigns: list[Campaign] = []
    if application is not None:
        campaigns = list(
            Campaign.objects.of(tenant).filter(application=application).order_by("-pk")[:_RECENT_CAMPAIGNS]
        )
    counts = counts_of_campaigns(campaigns)
    return Figures(
        today=_used_today(tenant),
        meters=[standing for standing in meters if standing.limit is not None],
        campaigns=[(campaign, counts[campaign.pk]) for campaign in campaigns],
        steps=_steps(tenant, application, {standing.meter.name: standing.used for standing in meters}),
    )


def live_of(*, tenant: Tenant, application: Application | None) -> Live | None:
    """Reads Valkey: outside a scope."""
    if application is None:
        return Live(0, 0)
    region, application_id = tenant.home_region, application.application_id
    try:
        channels = queries.occupied_channels(region=region, application_id=application_id)
        connections = queries.connection_count(region=region, tenant_id=tenant.pk, application_id=application_id)
    except RedisError:
        return None
    return Live(connections, len(channels))


def _used_today(tenant: Tenant) -> dict[str, int]:
    zone = ZoneInfo(tenant.timezone)
    today = clock.now().astimezone(zone).date()
    start, end = span_of_days(today, today, zone)
    return {figure.meter: figure.quantity for figure in usage_report(
        tenant=tenant, start=start, end=end, grain=Grain.WHOLE
    )}  # fmt: skip


def _steps(tenant: Tenant, application: Application | None, used: dict[str, int]) -> list[Step]:
    has_campaign = Campaign.objects.of(tenant).filter(status__in=STARTED).exists()
    return [
        Step(_("Create an application"), _("It has its own key, channels and subscribers."),
             "dashboard:application-create", "applications.write", application is not None),
        Step(_("Connect a client"), _("Open the live page, or paste the code from the application’s page."),
             "dashboard:live", "console.publish", bool(used.get(CONNECTIONS_PEAK))),
        Step(_("Publish an event"), _("From the console, with curl, or with a Pusher library."),
             "dashboard:console", "console.publish", bool(used.get(MESSAGES_PUBLISHED))),
        Step(_("Bring your subscribers"), _("By CSV here, or in bulk over the REST API."),
             "dashboard:subscriber-list", "audience.write", Subscriber.objects.of(tenant).exists()),
        Step(_("Send a campaign"), _("Personal words for a segment, now or at a time."),
             "dashboard:campaign-list", "campaigns.send", has_campaign),
    ]  # fmt: skip
