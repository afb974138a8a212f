"""Changing a plan: a draft at will; one that waits, or recurs, for its next start. What has started keeps what it began
with."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from django.utils.translation import gettext_lazy as _

from apps.campaigns.errors import CampaignChanged, CampaignWrongState, ScheduleInPast, ScheduleInvalid
from apps.campaigns.models import Campaign, CampaignRun
from apps.campaigns.planner import Kind, Schedule
from apps.campaigns.services.editing import Plan, locked, write_plan
from apps.campaigns.services.scheduling import require_future, require_sendable
from apps.campaigns.states import CHANGEABLE, Status, may_change
from apps.core import clock
from apps.tenants.models import Tenant


def update_campaign(*, tenant: Tenant, campaign: Campaign, plan: Plan, version: int | None = None) -> Campaign:
    """version: of the campaign that the author saw; None to overwrite whatever is there.

    Of one that is scheduled the time stays unless the plan names another, and everything that scheduling looks for is
    looked for again. Raises CampaignWrongState, CampaignChanged, what create_campaign and what schedule_campaign raise;
    then nothing has changed.
    """
    campaign = locked(campaign, allowed=CHANGEABLE)
    if not may_change(campaign.status, campaign.next_at):
        raise CampaignWrongState(campaign.status)
    if version is not None and version != campaign.version:
        raise CampaignChanged(campaign.version)
    before = Schedule.from_json(campaign.schedule)
    write_plan(campaign, plan)
    if campaign.status != Status.DRAFT:
        _keep_its_time(campaign, before)
        require_sendable(tenant, campaign)
    campaign.version += 1
    campaign.save()
    return campaign


def _keep_its_time(campaign: Campaign, before: Schedule) -> None:
    after = Schedule.from_json(campaign.schedule)
    if campaign.started_at is not None and after.kind is not before.kind:
        sentence = _("This campaign has begun: how often it is sent can change, but not the kind of schedule.")
        raise ScheduleInvalid(sentence, fields={"schedule.kind": [sentence]})
    if after.kind is before.kind and after.kind in {Kind.AT, Kind.BEST_HOUR} and after.send_at is None:
        after = replace(after, send_at=before.send_at)
    campaign.schedule = after.to_json()
    if after != before:
        campaign.next_at = _start_of(campaign, after)
        if campaign.started_at is None:
            campaign.send_at = campaign.next_at


def _start_of(campaign: Campaign, schedule: Schedule) -> datetime:
    now, zone = clock.now(), campaign.tenant.timezone
    if campaign.started_at is None:
        return require_future(schedule, now, zone)
    runs = CampaignRun.objects.of(campaign.tenant_id).filter(campaign=campaign).count()
    start = schedule.next_start(now, zone, runs=runs)
    if start is None:
        raise ScheduleInPast
    return start
