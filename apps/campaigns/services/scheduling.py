"""From draft to due, and the brakes. Everything that could go wrong at sending is looked for before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from apps.billing.meters import CAMPAIGN_SENDS
from apps.billing.services import require_allowance
from apps.campaigns.audiences import audience_of_campaign, unknown_variables
from apps.campaigns.errors import EmptyAudience, ResumeUnconfirmed, ScheduleInPast, ScheduleInvalid, ScheduleTooFar
from apps.campaigns.models import Campaign, CampaignRun
from apps.campaigns.planner import Kind, Schedule
from apps.campaigns.services.editing import locked
from apps.campaigns.services.experiments import words_by_variant
from apps.campaigns.states import STOPPABLE, Status
from apps.core import clock
from apps.messaging.bell import START, ring
from apps.messaging.content.rendering import Content, compile_content
from apps.messaging.errors import ContentMissing, MessageEnded, UnknownVariable
from apps.messaging.models import Message
from apps.messaging.sending.strategies import Strategy, first_routes
from apps.messaging.services import (
    accept_message,
    cancel_message,
    pause_message,
    require_routes,
    resume_message,
)
from apps.messaging.services.inbox import recall_copies
from apps.tenants.models import Tenant
from apps.tenants.services import require_not_restricted, require_not_suspended

#: A form filled in for "in a minute" and a client whose clock runs behind are not refused.
_GRACE = timedelta(minutes=1)
_HORIZON = timedelta(days=366)


def content_of(campaign: Campaign) -> Content:
    """The campaign's own words, or its template's as they are now. Raises ContentMissing."""
    content: Content | None = campaign.template.content if campaign.template else campaign.content
    if not content:
        raise ContentMissing
    return content


def schedule_campaign(*, tenant: Tenant, campaign: Campaign, send_at: datetime | None) -> Campaign:
    """As its schedule says; send_at: the instant of one that has none yet, None for the schedule's, or at once.

    Raises CampaignWrongState, ScheduleInvalid, ScheduleInPast, ScheduleTooFar, AudienceInvalid, EmptyAudience,
    TemplateInvalid, UnknownVariable, RouteMissing, UnknownProvider, QuotaExceeded, TenantRestricted, TenantSuspended;
    then nothing has changed.
    """
    require_not_restricted(tenant)
    campaign = locked(campaign, allowed=frozenset({Status.DRAFT}))
    now = clock.now()
    schedule = _at(Schedule.from_json(campaign.schedule), send_at)
    start = require_future(schedule, now, tenant.timezone)
    require_sendable(tenant, campaign)
    if start <= now:
        transaction.on_commit(partial(ring, START))
    return campaign.changed(status=Status.SCHEDULED, schedule=schedule.to_json(), send_at=start, next_at=start)


def _at(schedule: Schedule, send_at: datetime | None) -> Schedule:
    if send_at is None:
        return schedule
    if schedule.kind not in {Kind.AT, Kind.BEST_HOUR}:
        sentence = _("This campaign’s schedule says when it is sent; send_at does not go with it.")
        raise ScheduleInvalid(sentence, fields={"send_at": [sentence]})
    return replace(schedule, send_at=send_at)


def require_future(schedule: Schedule, now: datetime, timezone: str) -> datetime:
    """When the first run starts. Raises ScheduleInPast, ScheduleTooFar."""
    start = schedule.first_start(now, timezone)
    named = schedule.last_wanted()
    if start is None or (named is not None and named < now - _GRACE):
        raise ScheduleInPast(fields={"send_at": [ScheduleInPast.default_message]})
    if start > now + _HORIZON:
        raise ScheduleTooFar(fields={"send_at": [ScheduleTooFar.default_message]})
    return start


def require_sendable(tenant: Tenant, campaign: Campaign) -> None:
    """Everything that could go wrong at sending. Raises what schedule_campaign raises."""
    require_routes(campaign.routes)
    words = [content_of(campaign), *words_by_variant(campaign).values()]
    contents = [compile_content(said) for said in words]
    audience = audience_of_campaign(campaign)
    size = audience.count()
    if not size:
        raise EmptyAudience(fields={"audience": [EmptyAudience.default_message]})
    faults = [fault for content in contents for fault in unknown_variables(content, audience)]
    if faults:
        raise UnknownVariable(faults)
    sends = size * len(first_routes(campaign.strategy, campaign.routes))
    require_allowance(tenant=tenant, meter=CAMPAIGN_SENDS, quantity=sends, application_id=campaign.application_id)


def pause_campaign(*, tenant: Tenant, campaign: Campaign) -> Campaign:
    """What is under way stops, and a recurring campaign starts no more. Raises CampaignWrongState."""
    allowed = {Status.SENDING, Status.SCHEDULED} if is_recurring(campaign) else {Status.SENDING}
    campaign = locked(campaign, allowed=frozenset(allowed))
    for message in _stoppable(campaign):
        pause_message(tenant=tenant, message=message)
    return campaign.changed(status=Status.PAUSED)


def resume_campaign(*, tenant: Tenant, campaign: Campaign, confirm: bool = False) -> Campaign:
    """confirm: somebody has seen why it was paused by itself. Raises CampaignWrongState, ResumeUnconfirmed,
    TenantSuspended."""
    require_not_suspended(tenant)
    campaign = locked(campaign, allowed=frozenset({Status.PAUSED}))
    if campaign.paused_for and not confirm:
        raise ResumeUnconfirmed(campaign.paused_for)
    messages = _stoppable(campaign)
    for message in messages:
        resume_message(tenant=tenant, message=message)
    return campaign.changed(status=Status.SENDING if messages else Status.SCHEDULED, paused_for="")


def cancel_campaign(*, tenant: Tenant, campaign: Campaign) -> Campaign:
    """What has left has left; nothing else does. Raises CampaignWrongState."""
    campaign = locked(campaign, allowed=STOPPABLE)
    if campaign.status != Status.SCHEDULED:
        for message in _stoppable(campaign):
            cancel_message(tenant=tenant, message=message)
    return campaign.changed(status=Status.CANCELLED, finished_at=clock.now(), next_at=None)


def is_recurring(campaign: Campaign) -> bool:
    return Kind(campaign.schedule["kind"]) is Kind.RECURRING


def _stoppable(campaign: Campaign) -> list[Message]:
    """The messages of runs under way. Raises MessageEnded when there are none and none will come."""
    runs = CampaignRun.objects.of(campaign.tenant_id).filter(campaign=campaign, message__ended_at=None)
    messages = [run.message for run in runs.select_related("message").order_by("id")]
    if not messages and campaign.next_at is None:
        raise MessageEnded
    return messages


def recall_campaign(*, tenant: Tenant, campaign: Campaign) -> int:
    """Takes the messages of all its runs out of every inbox, at once. Answers how many messages it has sent."""
    runs = CampaignRun.objects.of(tenant).filter(campaign=campaign).select_related("message")
    return len([recall_copies(tenant=tenant, message=run.message) for run in runs])


def send_test(*, tenant: Tenant, campaign: Campaign, external_ids: Sequence[str]) -> Message:
    """The campaign's words to a few named people now, whatever its state. Raises what accept_message raises."""
    return accept_message(
        tenant=tenant,
        application=campaign.application,
        content=content_of(campaign),
        routes=campaign.routes,
        strategy=Strategy(campaign.strategy),
        external_ids=external_ids,
        name=campaign.name,
        follow_up=campaign.follow_up,
        fallback_after=campaign.fallback_after,
        is_urgent=campaign.is_urgent,
        collapse_key=campaign.collapse_key,
    )
