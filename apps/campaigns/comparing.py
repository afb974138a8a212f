"""Campaigns and runs beside each other: their rates, and how far those differ from the first one's.

Unlike the variants of an experiment, campaigns are not drawn by lot and not sent at the same time, so a difference says
that something differed, not what. The intervals are Newcombe's for two proportions (1998, method 10, from Wilson
scores), wide enough for all comparisons of the table together, and meant for counts that have come to rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from apps.campaigns.errors import ComparisonInvalid
from apps.campaigns.experiments.sequential import Difference, Group
from apps.campaigns.models import Campaign, CampaignRun
from apps.campaigns.rates import BASES
from apps.campaigns.results import without_held_out
from apps.messaging.ledger.results import Dimension, counts_by
from apps.messaging.ledger.states import Counts
from apps.messaging.queries import counts_of_all
from apps.tenants.models import Tenant, TenantQuerySet

#: What is compared, each against its base.
COMPARED = ("accepted", "received", "opened", "clicked", "converted")
LEAST, MOST = 2, 8
_ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Side:
    """One run. differences: by step, this one's rate minus the first one's; a step is missing where either has no base,
    and all of them of the first. is_moving: its counts still change."""

    run: CampaignRun
    counts: Counts
    rates: Mapping[str, Group]
    differences: Mapping[str, Difference]
    is_moving: bool


def runs_named(campaigns: TenantQuerySet[Campaign], tenant: Tenant, names: Sequence[str]) -> list[CampaignRun]:
    """names: public ids of runs, or of campaigns for their last run; repeats count once. campaigns: those that may be
    looked at. Raises NotFound, ComparisonInvalid (fewer than 2 or more than 8, or a campaign that has not started)."""
    wanted = list(dict.fromkeys(names))
    if not LEAST <= len(wanted) <= MOST:
        raise ComparisonInvalid
    runs = CampaignRun.objects.of(tenant).filter(campaign__in=campaigns).select_related("message", "campaign")
    found = {run.pk: run for run in (_run_named(runs, campaigns, name) for name in wanted)}
    if len(found) < LEAST:
        raise ComparisonInvalid
    return list(found.values())


def compared(runs: Sequence[CampaignRun]) -> list[Side]:
    """In the order given, all against the first. Reads sums only, in queries whose number grows with the runs alone."""
    counts = counts_of_all([run.message for run in runs])
    sent = [
        without_held_out(counts[run.message_id], counts_by([run.message], Dimension.VARIANT))
        if run.experiment
        else counts[run.message_id]
        for run in runs
    ]
    rates = [{step: _group(of_run, step) for step in COMPARED} for of_run in sent]
    alpha = _ALPHA / (len(COMPARED) * (len(runs) - 1))
    return [
        Side(
            run, of_run, own, {} if number == 0 else _differences(rates[0], own, alpha), run.message.ended_at is None
        )
        for number, (run, of_run, own) in enumerate(zip(runs, sent, rates, strict=True))
    ]  # fmt: skip


def newcombe(first: Group, second: Group, alpha: float) -> Difference:
    """Of rates, second minus first; both groups have people."""
    z = NormalDist().inv_cdf(1 - alpha / 2)
    (low_1, high_1), (low_2, high_2) = _wilson(first, z), _wilson(second, z)
    estimate = second.rate - first.rate
    below = sqrt((second.rate - low_2) ** 2 + (high_1 - first.rate) ** 2)
    above = sqrt((high_2 - second.rate) ** 2 + (first.rate - low_1) ** 2)
    return Difference(estimate, max(-1.0, estimate - below), min(1.0, estimate + above))


def _wilson(group: Group, z: float) -> tuple[float, float]:
    people, rate = group.people, group.rate
    middle = rate + z * z / (2 * people)
    reach = z * sqrt(rate * (1 - rate) / people + z * z / (4 * people * people))
    whole = 1 + z * z / people
    return max(0.0, (middle - reach) / whole), min(1.0, (middle + reach) / whole)


def _differences(first: Mapping[str, Group], own: Mapping[str, Group], alpha: float) -> dict[str, Difference]:
    return {
        step: newcombe(first[step], own[step], alpha)
        for step in COMPARED
        if first[step].people and own[step].people
    }  # fmt: skip


def _group(counts: Counts, step: str) -> Group:
    """More receipts than acceptances, after a crash for a moment, are no rate above one."""
    people: int = getattr(counts, BASES[step])
    return Group(people, min(people, getattr(counts, step)))


def _run_named(runs: TenantQuerySet[CampaignRun], campaigns: TenantQuerySet[Campaign], name: str) -> CampaignRun:
    if name.startswith(f"{CampaignRun.public_id_prefix}_"):
        return runs.access(name)
    run = runs.filter(campaign=campaigns.access(name)).order_by("-pk").first()
    if run is None:
        raise ComparisonInvalid
    return run
