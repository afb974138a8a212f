"""Results of a campaign's runs, for the doors. Everything but the buttons is read from sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal

from apps.campaigns.models import Campaign, CampaignRun
from apps.campaigns.standing import ExperimentStanding, standing_of
from apps.messaging.ledger.results import Dimension, Key, ReasonCount, counts_by, reasons_among
from apps.messaging.ledger.states import HELD_OUT, Counts
from apps.messaging.queries import counts_of_all
from apps.messaging.receipts.pressed import clicks_by_button

ALL = "all"
#: A recurring campaign may have run ten thousand times; nobody reads more at once.
MOST_RUNS = 100


@dataclass(frozen=True, slots=True)
class Results:
    """experiment: of a single run that had one. withdrawn: pushes that services dropped again when
    it was cancelled or recalled. buttons: people by the name of the button that they clicked."""

    counts: Counts
    rows: Mapping[Key, Counts]
    reasons: Sequence[ReasonCount]
    experiment: ExperimentStanding | None
    withdrawn: int = 0
    buttons: Mapping[str, int] = field(default_factory=dict)


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
    withdrawn = sum(message.withdrawn for message in messages)
    buttons = clicks_by_button(messages)
    return Results(counts, counts_by(messages, by), reasons_among(messages), standing, withdrawn, buttons)


def rows_by(runs: Sequence[CampaignRun], by: Dimension) -> Mapping[Key, Counts]:
    """One breakdown alone."""
    return counts_by([run.message for run in runs], by)


def without_held_out(counts: Counts, by_variant: Mapping[Key, Counts]) -> Counts:
    """What came of those who were sent to: who was held out may convert as well, and is no success of the campaign."""
    held_out = by_variant.get(HELD_OUT)
    if held_out is None:
        return counts
    revenue = {
        currency: left
        for currency, amount in counts.revenue.items()
        if (left := amount - held_out.revenue.get(currency, Decimal()))
    }
    return replace(counts, converted=counts.converted - held_out.converted, revenue=revenue)


def added_up(counts: Sequence[Counts]) -> Counts:
    names = [one.name for one in fields(Counts) if one.name != "revenue"]
    revenue: dict[str, Decimal] = {}
    for one in counts:
        for currency, amount in one.revenue.items():
            revenue[currency] = revenue.get(currency, Decimal()) + amount
    return Counts(**{name: sum(getattr(one, name) for one in counts) for name in names}, revenue=revenue)
