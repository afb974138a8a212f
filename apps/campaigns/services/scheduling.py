"""From draft to due, and the brakes. Everything that could go wrong at sending is looked for before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction

from apps.billing.meters import CAMPAIGN_SENDS
from apps.billing.services import require_allowance
from apps.campaigns.audiences import audience_of_campaign, unknown_variables
from apps.campaigns.errors import EmptyAudience, ScheduleInPast, ScheduleTooFar
from apps.campaigns.models import Campaign, CampaignRun
from apps.campaigns.services.editing import locked
from apps.campaigns.states import STOPPABLE, Status
from apps.core import clock
from apps.messaging.bell import START, ring
from apps.messaging.errors import ContentMissing, UnknownVariable
from apps.messaging.models import Message
from apps.messaging.rendering import Content, compile_content
from apps.messaging.services import (
    accept_message,
    cancel_message,
    pause_message,
    require_routes,
    resume_message,
)
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
    """Due at that instant, or at once when it is None.

    Raises CampaignWrongState, ScheduleInPast, ScheduleTooFar, AudienceInvalid, EmptyAudience, TemplateInvalid,
    UnknownVariable, RouteMissing, UnknownProvider, QuotaExceeded, TenantRestricted, TenantSuspended; then nothing has
    changed.
    """
    require_not_restricted(tenant)
    campaign = locked(campaign, allowed=frozenset({Status.DRAFT}))
    now = clock.now()
    if send_at is not None and send_at < now - _GRACE:
        raise ScheduleInPast(fields={"send_at": [ScheduleInPast.default_message]})
    if send_at is not None and send_at > now + _HORIZON:
        raise ScheduleTooFar(fields={"send_at": [ScheduleTooFar.default_message]})
    _require_sendable(tenant, campaign)
    if send_at is None:
        transaction.on_commit(partial(ring, START))
    return campaign.changed(status=Status.SCHEDULED, send_at=send_at or now)


def _require_sendable(tenant: Tenant, campaign: Campaign) -> None:
    require_routes(campaign.routes)
    content = compile_content(content_of(campaign))
    audience = audience_of_campaign(campaign)
    size = audience.count()
    if not size:
        raise EmptyAudience(fields={"audience": [EmptyAudience.default_message]})
    faults = unknown_variables(content, audience)
    if faults:
        raise UnknownVariable(faults)
    require_allowance(tenant=tenant, meter=CAMPAIGN_SENDS, quantity=size)


def pause_campaign(*, tenant: Tenant, campaign: Campaign) -> Campaign:
    """Raises CampaignWrongState."""
    campaign = locked(campaign, allowed=frozenset({Status.SENDING}))
    pause_message(tenant=tenant, message=message_of(campaign))
    return campaign.changed(status=Status.PAUSED)


def resume_campaign(*, tenant: Tenant, campaign: Campaign) -> Campaign:
    """Raises CampaignWrongState, TenantSuspended."""
    require_not_suspended(tenant)
    campaign = locked(campaign, allowed=frozenset({Status.PAUSED}))
    resume_message(tenant=tenant, message=message_of(campaign))
    return campaign.changed(status=Status.SENDING)


def cancel_campaign(*, tenant: Tenant, campaign: Campaign) -> Campaign:
    """What has left has left; nothing else does. Raises CampaignWrongState."""
    campaign = locked(campaign, allowed=STOPPABLE)
    if campaign.status != Status.SCHEDULED:
        cancel_message(tenant=tenant, message=message_of(campaign))
    return campaign.changed(status=Status.CANCELLED, finished_at=clock.now())


def send_test(*, tenant: Tenant, campaign: Campaign, external_ids: Sequence[str]) -> Message:
    """The campaign's words to a few named people now, whatever its state. Raises what accept_message raises."""
    return accept_message(
        tenant=tenant,
        application=campaign.application,
        content=content_of(campaign),
        routes=campaign.routes,
        external_ids=external_ids,
        name=campaign.name,
    )


def message_of(campaign: Campaign) -> Message:
    """The message of the campaign's last run. Only for a campaign that has started."""
    runs = CampaignRun.objects.of(campaign.tenant_id).filter(campaign=campaign).select_related("message")
    return runs.latest("id").message
