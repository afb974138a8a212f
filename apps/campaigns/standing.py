"""How an experiment stands: the verdict on its variants, and what the campaign did beyond doing nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from apps.campaigns.experiments import Experiment, Metric
from apps.campaigns.experiments.sequential import Difference, Group, difference
from apps.campaigns.experiments.verdict import Verdict, verdict_from_json, verdict_of
from apps.campaigns.models import CampaignRun
from apps.messaging.ledger.results import counts_of_variants
from apps.messaging.ledger.states import HELD_OUT, UNDECIDED, Counts


@dataclass(frozen=True, slots=True)
class HoldoutStanding:
    """Conversions of those who get nothing, and of everybody else. lift: of the rate, by the campaign."""

    held_out: Group
    others: Group
    lift: Difference


@dataclass(frozen=True, slots=True)
class ExperimentStanding:
    """winner: the key that was chosen, at chosen_at; then the verdict is what was known at that moment. waiting: people
    who wait for it. decide_at: when it is chosen; None when nobody waits for one."""

    metric: Metric
    verdict: Verdict
    holdout: HoldoutStanding | None
    waiting: int
    decide_at: datetime | None
    chosen_at: datetime | None
    winner: str


def standing_of(run: CampaignRun) -> ExperimentStanding:
    """Of a run with an experiment. Reads sums only."""
    experiment = Experiment.from_json(run.experiment or {})
    counts = counts_of_variants(run.message)
    groups = {one.key: _group(counts.get(one.key, Counts()), experiment.metric) for one in experiment.variants}
    verdict = verdict_from_json(run.verdict) if run.verdict else verdict_of(groups)
    return ExperimentStanding(
        experiment.metric,
        verdict,
        _holdout(experiment, counts),
        counts[UNDECIDED].planned if UNDECIDED in counts else 0,
        run.decide_at,
        run.decided_at,
        run.winner,
    )


def _holdout(experiment: Experiment, counts: dict[str, Counts]) -> HoldoutStanding | None:
    if not experiment.holdout:
        return None
    nothing = counts.get(HELD_OUT, Counts())
    held_out = Group(nothing.suppressed, nothing.converted)
    sent = [_group(counts.get(one.key, Counts()), Metric.CONVERTED) for one in experiment.variants]
    others = Group(sum(group.people for group in sent), sum(group.successes for group in sent))
    return HoldoutStanding(held_out, others, difference(held_out, others))


def _group(counts: Counts, metric: Metric) -> Group:
    successes: int = getattr(counts, metric.value)
    return Group(counts.planned, min(successes, counts.planned))
