"""What a run that starts at a given instant is bound to: the campaign's word, else the application's."""

from __future__ import annotations

from datetime import datetime, timedelta

from apps.campaigns.models import Campaign, SendingDefaults
from apps.campaigns.planner import Rules, Schedule
from apps.campaigns.planner.caps import FrequencyCap
from apps.campaigns.reading import IGNORE
from apps.campaigns.services.scheduling import content_of
from apps.messaging.sending.fusing import Fuse
from apps.messaging.sending.hours import QuietHours
from apps.tenants.models import Application


def rules_for(campaign: Campaign, start: datetime) -> Rules:
    """Raises ContentMissing."""
    schedule = Schedule.from_json(campaign.schedule)
    return Rules(
        base=start,
        languages=tuple(content_of(campaign)),
        default_language=campaign.tenant.language,
        fallback_timezone=schedule.timezone or campaign.tenant.timezone,
        timing=schedule.timing(start),
        ttl=timedelta(seconds=campaign.ttl) if campaign.ttl else None,
        quiet=quiet_hours_of(campaign),
        cap=FrequencyCap.from_json(campaign.frequency_cap) if campaign.frequency_cap else None,
        category=campaign.category,
        throttle=campaign.throttle_per_minute,
        decide_at=decide_at_of(campaign, start),
    )


def decide_at_of(campaign: Campaign, start: datetime) -> datetime | None:
    """When the winner of the experiment is chosen; None when nobody waits for one."""
    winner = (campaign.experiment or {}).get("winner")
    return start + timedelta(seconds=winner["after"]) if winner else None


def quiet_hours_of(campaign: Campaign) -> QuietHours | None:
    own = campaign.quiet_hours
    said = default_quiet_hours(campaign.application) if own is None else own
    return QuietHours.from_json(said) if said and said["action"] != IGNORE else None


def fuse_of(campaign: Campaign) -> Fuse:
    return default_fuse(campaign.application)


def default_fuse(application: Application) -> Fuse:
    """The usual where the application says nothing."""
    rows = SendingDefaults.objects.of(application.tenant_id).filter(application=application)
    stored = rows.values_list("fuse", flat=True).first()
    return Fuse.from_json(stored) if stored else Fuse()


def default_quiet_hours(application: Application) -> dict[str, str] | None:
    """As QuietHours writes them; None when the application has none."""
    rows = SendingDefaults.objects.of(application.tenant_id).filter(application=application)
    return rows.values_list("quiet_hours", flat=True).first()
