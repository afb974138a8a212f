"""Drafts: made, changed, copied, thrown away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.audience.queries import audience_of
from apps.campaigns.errors import CampaignWrongState
from apps.campaigns.models import Campaign
from apps.campaigns.states import EDITABLE, Status
from apps.core.text import require_name
from apps.messaging.errors import ContentMissing
from apps.messaging.models import Template
from apps.messaging.rendering import Content, compile_content
from apps.messaging.services import require_routes
from apps.messaging.states import UnknownPolicy
from apps.tenants.models import Application, Tenant


@dataclass(frozen=True, slots=True)
class Plan:
    """What a draft says. Exactly one of content and template. ttl: seconds."""

    name: str
    audience: dict[str, Any]
    routes: list[str]
    content: Content | None = None
    template: Template | None = None
    unknown_policy: UnknownPolicy = UnknownPolicy.AT_MOST_ONCE
    ttl: int | None = None


def create_campaign(
    *, tenant: Tenant, application: Application, plan: Plan, created_by: User | None = None
) -> Campaign:
    """Raises AudienceInvalid, TemplateInvalid, ContentMissing, ContentTooLarge, RouteMissing, UnknownProvider."""
    campaign = Campaign(tenant=tenant, application=application, created_by=created_by)
    _write(campaign, plan)
    campaign.save()
    return campaign


def update_campaign(*, tenant: Tenant, campaign: Campaign, plan: Plan) -> Campaign:
    """Only a draft changes. Raises CampaignWrongState and what create_campaign raises."""
    campaign = locked(campaign, allowed=EDITABLE)
    _write(campaign, plan)
    campaign.save()
    return campaign


def duplicate_campaign(*, tenant: Tenant, campaign: Campaign, created_by: User | None = None) -> Campaign:
    """A draft that says the same."""
    name = (_("Copy of %(name)s") % {"name": campaign.name})[:120]
    return Campaign.objects.create(
        tenant=tenant,
        application=campaign.application,
        name=name,
        audience=campaign.audience,
        routes=campaign.routes,
        content=campaign.content,
        template=campaign.template,
        unknown_policy=campaign.unknown_policy,
        ttl=campaign.ttl,
        created_by=created_by,
    )


def delete_campaign(*, tenant: Tenant, campaign: Campaign) -> None:
    """Only a draft goes; what was sent stays for the ledger's sake. Raises CampaignWrongState."""
    locked(campaign, allowed=EDITABLE).delete()


def locked(campaign: Campaign, *, allowed: frozenset[Status]) -> Campaign:
    """The row as it is now, held until the commit. Raises CampaignWrongState unless its status is one of these."""
    now = (
        Campaign.objects.of(campaign.tenant_id)
        .select_for_update(no_key=True, of=("self",))
        .select_related("application", "tenant")
        .get(pk=campaign.pk)
    )
    if now.status not in allowed:
        raise CampaignWrongState(now.status)
    return now


def _write(campaign: Campaign, plan: Plan) -> None:
    if (plan.content is None) == (plan.template is None):
        raise ContentMissing(fields={"content": [ContentMissing.default_message]})
    if plan.content is not None:
        compile_content(plan.content)
    audience_of(tenant=campaign.tenant, application=campaign.application, audience=plan.audience)
    campaign.name = require_name(plan.name)
    campaign.audience = plan.audience
    campaign.routes = require_routes(plan.routes)
    campaign.content = {tag: dict(fields) for tag, fields in plan.content.items()} if plan.content else None
    campaign.template = plan.template
    campaign.unknown_policy = plan.unknown_policy
    campaign.ttl = plan.ttl
