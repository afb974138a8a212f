"""Drafts: made, changed, copied, thrown away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.audience.queries import audience_of
from apps.audience.services.preferences import categories_of
from apps.campaigns.errors import CampaignWrongState, SendingRuleInvalid
from apps.campaigns.models import Campaign, SendingDefaults
from apps.campaigns.reading import read_frequency_cap, read_quiet_hours, read_schedule, read_throttle
from apps.campaigns.services.experiments import require_experiment
from apps.campaigns.states import EDITABLE, Status
from apps.core.text import require_name
from apps.messaging.content.rendering import Content, compile_content
from apps.messaging.errors import ContentMissing
from apps.messaging.ledger.states import UnknownPolicy
from apps.messaging.models import Template
from apps.messaging.sending.strategies import Strategy
from apps.messaging.services import require_first_routes, require_follow_up, require_handling, require_routes
from apps.tenants.models import Application, Tenant


@dataclass(frozen=True, slots=True)
class Plan:
    """What a draft says. Exactly one of content and template. ttl: seconds.

    schedule, quiet_hours, throttle_per_minute, frequency_cap: as apps.campaigns.reading takes them. category: the key
    of one of the application's preference categories, or empty.
    """

    name: str
    audience: dict[str, Any]
    routes: list[str]
    content: Content | None = None
    template: Template | None = None
    strategy: Strategy = Strategy.IN_SEQUENCE
    unknown_policy: UnknownPolicy = UnknownPolicy.AT_MOST_ONCE
    ttl: int | None = None
    schedule: Mapping[str, Any] = field(default_factory=dict)
    category: str = ""
    quiet_hours: Mapping[str, Any] | None = None
    throttle_per_minute: int | None = None
    frequency_cap: Mapping[str, Any] | None = None
    follow_up: Mapping[str, Any] = field(default_factory=dict)
    fallback_after: int | None = None
    is_urgent: bool = True
    collapse_key: str = ""
    experiment: Mapping[str, Any] | None = None


def create_campaign(
    *, tenant: Tenant, application: Application, plan: Plan, created_by: User | None = None
) -> Campaign:
    """Raises AudienceInvalid, TemplateInvalid, ContentMissing, ContentTooLarge, RouteMissing, UnknownProvider,
    ScheduleInvalid, SendingRuleInvalid, FollowUpInvalid, HandlingInvalid, ExperimentInvalid."""
    campaign = Campaign(tenant=tenant, application=application, created_by=created_by)
    write_plan(campaign, plan)
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
        strategy=campaign.strategy,
        content=campaign.content,
        template=campaign.template,
        unknown_policy=campaign.unknown_policy,
        ttl=campaign.ttl,
        schedule=campaign.schedule,
        category=campaign.category,
        quiet_hours=campaign.quiet_hours,
        throttle_per_minute=campaign.throttle_per_minute,
        frequency_cap=campaign.frequency_cap,
        follow_up=campaign.follow_up,
        fallback_after=campaign.fallback_after,
        is_urgent=campaign.is_urgent,
        collapse_key=campaign.collapse_key,
        experiment=campaign.experiment,
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


def write_plan(campaign: Campaign, plan: Plan) -> None:
    """Into the row, unsaved. Raises what create_campaign raises."""
    if (plan.content is None) == (plan.template is None):
        raise ContentMissing(fields={"content": [ContentMissing.default_message]})
    if plan.content is not None:
        compile_content(plan.content)
    audience_of(tenant=campaign.tenant, application=campaign.application, audience=plan.audience)
    campaign.name = require_name(plan.name)
    campaign.audience = plan.audience
    campaign.routes = require_routes(plan.routes)
    require_first_routes(plan.strategy, campaign.routes)
    campaign.strategy = Strategy(plan.strategy).value
    campaign.content = {tag: dict(fields) for tag, fields in plan.content.items()} if plan.content else None
    campaign.template = plan.template
    campaign.unknown_policy = plan.unknown_policy
    campaign.ttl = plan.ttl
    campaign.schedule = read_schedule(plan.schedule).to_json()
    campaign.category = _category(campaign.application, plan.category)
    campaign.quiet_hours = read_quiet_hours(plan.quiet_hours)
    campaign.throttle_per_minute = read_throttle(plan.throttle_per_minute)
    campaign.frequency_cap = read_frequency_cap(plan.frequency_cap)
    campaign.follow_up = require_follow_up(plan.follow_up)
    handling = require_handling(
        fallback_after=plan.fallback_after, is_urgent=plan.is_urgent, collapse_key=plan.collapse_key
    )
    for name, value in handling.items():
        setattr(campaign, name, value)
    campaign.experiment = require_experiment(campaign, plan.experiment)


def set_default_quiet_hours(
    *, tenant: Tenant, application: Application, quiet_hours: Mapping[str, Any] | None
) -> SendingDefaults:
    """For campaigns that say nothing themselves; runs under way keep theirs. Raises SendingRuleInvalid."""
    assert application.tenant_id == tenant.pk
    read = read_quiet_hours(quiet_hours, may_ignore=False)
    defaults, _created = SendingDefaults.objects.get_or_create(tenant=tenant, application=application)
    defaults.quiet_hours = read
    defaults.save(update_fields=["quiet_hours"])
    return defaults


def _category(application: Application, key: str) -> str:
    if key and not categories_of(application).filter(key=key).exists():
        sentence = _("There is no such category.")
        raise SendingRuleInvalid(sentence, fields={"category": [sentence]})
    return key
