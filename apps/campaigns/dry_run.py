"""A run that is not written down: the rules, the start and the slots that a send would have."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from apps.campaigns.deciding import Decider, arms_of
from apps.campaigns.models import Campaign
from apps.campaigns.places import slots_now
from apps.campaigns.planner import Rules, Schedule
from apps.campaigns.planner.rules import BestHour
from apps.campaigns.planner.slots import Slots
from apps.campaigns.services.rules import rules_for
from apps.core import clock
from apps.messaging.sending.strategies import first_routes


@dataclass(frozen=True, slots=True)
class DryRun:
    """now: when the run would start."""

    campaign: Campaign
    rules: Rules
    now: datetime

    def slots(self) -> Slots | None:
        """Fresh ones, as a run that starts would find them."""
        route = first_routes(self.campaign.strategy, self.campaign.routes)[0]
        return slots_now(self.campaign.application, route, self.rules)

    def decider(self) -> Decider:
        arms = arms_of(self.campaign.experiment, self.campaign.pk)
        return Decider(self.campaign.application, self.rules, now=self.now, slots=self.slots(), arm_of=arms)

    @property
    def is_alike(self) -> bool:
        """Whether people of the same language, zone and consent are decided alike, in whatever order they come."""
        rules = self.rules
        if rules.cap is not None or isinstance(rules.timing, BestHour) or self.campaign.experiment:
            return False
        return self.slots() is None or (rules.timing is None and rules.quiet is None)


def dry_run_of(campaign: Campaign) -> DryRun:
    """Of the next run; of one that would start now when no further run is to come. Raises ContentMissing."""
    now = clock.now()
    first = Schedule.from_json(campaign.schedule).first_start(now, campaign.tenant.timezone)
    start = campaign.next_at or first or now
    return DryRun(campaign, rules_for(campaign, start), max(start, now))
