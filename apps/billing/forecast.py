"""What the running cycle will probably cost: the days that are over, carried on by the weekday. Pure.

Each day still to come is expected to be as its weekday was, shrunk towards the mean of all days while there are few of
that weekday. The range is what a normal distribution gives 90 % of outcomes by the scatter of the days around that
expectation, wider for the uncertainty of the mean itself; it is never below what was used already. Levels (the peak of
connections) do not add up by day: they are expected to stay, and to rise to the dearest day's at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import sqrt
from statistics import fmean

#: Whole days before anything is said.
LEAST_DAYS = 7
#: As many days of the mean as stand for the knowledge about a weekday before the first one was seen.
_PRIOR = 1.5
#: Per cent of cycles that end within the range, and the normal distribution's quantile for it.
CONFIDENCE, _QUANTILE = 90, 1.645
METHOD = "weekday_run_rate"


@dataclass(frozen=True, slots=True)
class Range:
    """Units at the end of the cycle: the expected ones, and within which nine of ten cycles end."""

    expected: int
    low: int
    high: int


def forecast(days: Sequence[tuple[date, int]], coming: Sequence[float], *, first: date, used: int) -> Range | None:
    """days: whole days that are over, with what was used on each, in order. coming: for each local day still to come,
    from `first` on, which share of it lies ahead (the running day's is below 1). used: in the cycle so far.

    None when there are fewer than LEAST_DAYS days.
    """
    if len(days) < LEAST_DAYS:
        return None
    expectation = _by_weekday(days)
    more = sum(share * expectation[(first.weekday() + at) % 7] for at, share in enumerate(coming))
    residuals = [units - expectation[day.weekday()] for day, units in days]
    freedom = max(1, len(days) - len({day.weekday() for day, _ in days}))
    variance = sum(each * each for each in residuals) / freedom
    ahead = sum(coming)
    spread = _QUANTILE * sqrt(variance * (ahead + ahead * ahead / len(days)))
    return Range(used + round(more), used + round(max(0.0, more - spread)), used + round(more + spread))


def _by_weekday(days: Sequence[tuple[date, int]]) -> list[float]:
    mean = fmean(units for _, units in days)
    seen: list[list[int]] = [[] for _ in range(7)]
    for day, units in days:
        seen[day.weekday()].append(units)
    return [(sum(units) + _PRIOR * mean) / (len(units) + _PRIOR) for units in seen]
