"""The audience of a campaign and the frozen audience of a run."""

from __future__ import annotations

from typing import Any

from apps.audience.models import Segment, SubscriberQuerySet
from apps.audience.queries import audience_of, matching
from apps.campaigns.gathering import gathered
from apps.campaigns.models import Campaign, CampaignRun
from apps.messaging.content.rendering import CompiledContent

#: What every subscriber has, whatever its attributes.
_ALWAYS_THERE = frozenset({"external_id", "language", "timezone", "tags"})


def audience_of_campaign(campaign: Campaign) -> SubscriberQuerySet:
    """Raises AudienceInvalid, also for a segment that is gone."""
    return audience_of(tenant=campaign.tenant, application=campaign.application, audience=campaign.audience)


def frozen_audience(campaign: Campaign) -> dict[str, Any]:
    """A segment's rules are written out: editing or deleting the segment no longer reaches a started run."""
    if "segment_id" not in campaign.audience:
        return dict(campaign.audience)
    segments = Segment.objects.of(campaign.tenant_id).filter(application=campaign.application)
    return {"rules": segments.access(campaign.audience["segment_id"]).rules}


def audience_of_run(run: CampaignRun) -> SubscriberQuerySet:
    application = run.message.application
    if run.gathered_at is not None:
        return gathered(run)
    if "rules" in run.audience:
        return matching(application=application, rules=run.audience["rules"])
    return audience_of(tenant=run.message.tenant, application=application, audience=run.audience)


def unknown_variables(content: CompiledContent, audience: SubscriberQuerySet) -> list[Any]:
    """The faults of a content that prints, without a default, an attribute that nobody in the audience has."""

    def somebody_has(name: str) -> bool:
        return name in _ALWAYS_THERE or audience.filter(attributes__has_key=name).exists()

    return content.unknown(somebody_has)
