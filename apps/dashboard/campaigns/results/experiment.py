"""How an experiment stands, in a table and in intervals that are drawn as wide as they are."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.campaigns.experiments.sequential import Difference, Group
from apps.campaigns.standing import ExperimentStanding, HoldoutStanding
from apps.core.charts import Interval, interval_chart
from apps.dashboard.campaigns.results.words import interval_in_words, percent, step_name


@dataclass(frozen=True, slots=True)
class Arm:
    """A line of the table. key: of a variant that could be chosen, else empty. needed: people until it is decided."""

    key: str
    name: str
    group: Group
    rate: str
    difference: Difference | None = None
    needed: int | None = None

    @property
    def interval(self) -> str:
        return interval_in_words(self.difference) if self.difference else ""


@dataclass(frozen=True, slots=True)
class ShownExperiment:
    standing: ExperimentStanding
    metric: str
    arms: list[Arm]
    svg: SafeString | None

    @property
    def can_choose(self) -> bool:
        return bool(self.standing.waiting) and not self.standing.winner


def shown_experiment(standing: ExperimentStanding | None) -> ShownExperiment | None:
    if standing is None:
        return None
    arms = [
        Arm(row.key, row.key.upper(), row.group, percent(row.group.rate), row.against, row.needed)
        for row in standing.verdict.standings
    ]
    arms += _of_holdout(standing.holdout) if standing.holdout else []
    metric = step_name(standing.metric.value)
    return ShownExperiment(standing, metric, arms, _drawn(arms, standing))


def _of_holdout(holdout: HoldoutStanding) -> list[Arm]:
    return [
        Arm("", _("Everybody who got it, converted"), holdout.others, percent(holdout.others.rate), holdout.lift),
        Arm("", _("Held out, converted"), holdout.held_out, percent(holdout.held_out.rate)),
    ]


def _drawn(arms: list[Arm], standing: ExperimentStanding) -> SafeString | None:
    first = standing.verdict.standings[0].key.upper()
    rows = [
        Interval(
            f"{arm.name} − {first if arm.key else _('Held out')}", difference.estimate * 100, difference.low * 100,
            difference.high * 100, arm.interval,
        )
        for arm in arms
        if (difference := arm.difference) is not None
    ]  # fmt: skip
    if not rows:
        return None
    said = ", ".join(f"{row.label}: {row.text}" for row in rows)
    return interval_chart(rows, title=_("Differences in percent points"), description=said, unit="")
