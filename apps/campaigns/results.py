"""Results of a campaign's runs, for the doors. Everything is read from sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal

from apps.campaigns.models import Campaign, CampaignRun
from apps.campaigns.standing import ExperimentStanding, standing_of
from apps.messaging.ledger.results import Dimension, Key, ReasonCount, counts_by, reasons_among
from apps.messaging.ledger.states import Counts
from apps.messaging.queries import counts_of_all

ALL = "all"
#: A recurring campaign may have run ten thousand times; nobody reads more at once.
MOST_RUNS = 100


@dataclass(frozen=True, slots=True)
class Results:
    """experiment: of a single run that had one."""

    counts: Counts
    rows: Mapping[Key, Counts]
    reasons: Sequence[ReasonCount]
    experiment: ExperimentStanding | None


def runs_chosen(campaign: Campaign, said: str) -> list[CampaignRun]:
    """said: a run's public id, ALL for the last 100, empty for the last one. Oldest first; none before the first start.
    Raises NotFound."""
    runs = CampaignRun.objects.of(campaign.tenant_id).filter(campaign=campaign).select_related("message", "campaign")
    if said and said != ALL:
        return [runs.access(said)]
    return list(runs.order_by("-pk")[: MOST_RUNS if said else 1])[::-1]


def results_of(runs: Sequence[CampaignRun], by: Dimension) -> Results:
    messages = [run.message for run in runs]
    standing = standing_of(runs[0]) if len(runs) == 1 and runs[0].experiment else None
    counts = added_up(list(counts_of_all(messages).values()))
    return Results(counts, counts_by(messages, by), reasons_among(messages), standing)


def added_up(counts: Sequence[Counts]) -> Counts:
    names = [field.name for field in fields(Counts) if field.name != "revenue"]
    revenue: dict[str, Decimal] = {}
    for one in counts:
        for currency, amount in one.revenue.items():
            revenue[currency] = revenue.get(currency, Decimal()) + amount
    return Counts(**{name: sum(getattr(one, name) for one in counts) for name in names}, revenue=revenue)
