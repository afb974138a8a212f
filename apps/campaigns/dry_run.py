"""A run that is not written down: the rules, the start and the slots that a send would have."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from apps.campaigns.deciding import Decider, arms_of
from apps.campaigns.models import Campaign
from apps.campaigns.places import slots_now
from apps.campaigns.planner import Rules, Schedule
from apps.campaigns.planner.rules import BestHour
from apps.campaigns.planner.slots import DAY, Slots, Window
from apps.campaigns.services.rules import rules_for
from apps.campaigns.services.scheduling import content_of
from apps.core import clock
from apps.messaging.sending.strategies import first_routes


@dataclass(frozen=True, slots=True)
class ProviderDay:
    """What a day of the network allows. left: on the day on which the run would start, by what other runs have taken
    and what was sent. days: of the network's own clock."""

    route: str
    per_day: int
    left: int
    days: Window

    def count_days(self, starts: Iterable[datetime]) -> int:
        """On how many of its days something leaves at these hours."""
        return len({self.days.slot_of(start) for start in starts})


@dataclass(frozen=True, slots=True)
class DryRun:
    """now: when the run would start."""

    campaign: Campaign
    rules: Rules
    now: datetime

    @property
    def route(self) -> str:
        """By which everybody is planned."""
        return first_routes(self.campaign.strategy, self.campaign.routes)[0]

    def slots(self) -> Slots | None:
        """Fresh ones, as a run that starts would find them."""
        return slots_now(self.campaign.application, self.route, self.rules, content_of(self.campaign))

    def provider_day(self) -> ProviderDay | None:
        """None where nobody has said how many a day takes."""
        slots = self.slots()
        days = [window for window in slots.windows if window.seconds == DAY] if slots else []
        if not days:
            return None
        today = days[0].slot_of(self.now)
        return ProviderDay(self.route, days[0].limit, days[0].room(today), days[0])

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
