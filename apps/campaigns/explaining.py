"""Why somebody gets a campaign, when, or why not: from the ledger once it is written, before that from the planner."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from apps.audience.models import Subscriber
from apps.campaigns.audiences import audience_of_campaign
from apps.campaigns.deciding import people_in
from apps.campaigns.dry_run import dry_run_of
from apps.campaigns.models import Campaign, CampaignRun
from apps.campaigns.planner import Due, Suppressed
from apps.messaging.ledger.states import DeliveryState, Reason
from apps.messaging.models import Delivery
from apps.messaging.sending.hours import wall_of, zone_of


class Basis(StrEnum):
    """PLAN: what would be, were it decided now. LEDGER: what is."""

    PLAN = "plan"
    LEDGER = "ledger"


@dataclass(frozen=True, slots=True)
class Answer:
    """state: as in the ledger; of a plan "planned" or "suppressed". due_at: when it is sent, or would have been; None
    where no time was reached. local_time: that, on the person's own clock (naive). timezone: the zone that was used.
    is_earliest: others are before this person in a queue that only the send itself makes, so it may be later. variant:
    of an experiment; UNDECIDED of who waits for the winner, empty of who gets none."""

    external_id: str
    basis: Basis
    state: str
    reason: str
    due_at: datetime | None
    local_time: datetime | None
    timezone: str
    route: str = ""
    attempted_at: datetime | None = None
    is_earliest: bool = False
    variant: str = ""

    @property
    def local_time_shown(self) -> str | None:
        """`2026-05-20T09:00:00`, as a clock on the person's wall shows it."""
        return self.local_time.isoformat(timespec="seconds") if self.local_time else None


def explain_campaign(campaign: Campaign, person: Subscriber) -> list[Answer]:
    """One answer, or one for each route that was tried in the last run."""
    run = CampaignRun.objects.of(campaign.tenant_id).filter(campaign=campaign).select_related("message").last()
    if run is not None:
        rows = Delivery.objects.of(campaign.tenant_id).filter(message=run.message_id, subscriber=person)
        found = [_of_delivery(row, person, run.rules) for row in rows.select_related("chunk").order_by("pk")]
        if found or campaign.next_at is None:
            return found or [_outside(person, campaign)]
    return [_of_plan(campaign, person)]


def _of_delivery(row: Delivery, person: Subscriber, rules: dict[str, str]) -> Answer:
    zone = zone_of(person.timezone, rules["fallback_timezone"])
    due_at = row.chunk.due_at if row.state != DeliveryState.SUPPRESSED or row.attempted_at else None
    shown = row.attempted_at or due_at
    return Answer(
        person.external_id, Basis.LEDGER, row.state, row.reason, due_at, wall_of(shown, zone) if shown else None,
        zone.key, row.route, row.attempted_at, variant=row.chunk.variant,
    )  # fmt: skip


def _of_plan(campaign: Campaign, person: Subscriber) -> Answer:
    dry_run = dry_run_of(campaign)
    people = people_in(audience_of_campaign(campaign), dry_run.rules).filter(pk=person.pk)
    for decision in dry_run.decider().decide(list(people)):
        zone = zone_of(person.timezone, dry_run.rules.fallback_timezone)
        is_due = isinstance(decision, Due)
        state = DeliveryState.PLANNED if is_due else DeliveryState.SUPPRESSED
        reason = decision.reason.value if isinstance(decision, Suppressed) else ""
        at = decision.at if isinstance(decision, Suppressed) else decision.due_at
        return Answer(
            person.external_id, Basis.PLAN, state, reason, at, wall_of(at, zone) if at else None, zone.key,
            is_earliest=is_due and dry_run.slots() is not None,
            variant=decision.variant if isinstance(decision, Due) else "",
        )  # fmt: skip
    return _outside(person, campaign)


def _outside(person: Subscriber, campaign: Campaign) -> Answer:
    zone = zone_of(person.timezone, campaign.tenant.timezone)
    return Answer(
        person.external_id, Basis.PLAN, DeliveryState.SUPPRESSED, Reason.NOT_IN_AUDIENCE, None, None, zone.key
    )
