"""When a difference between two groups may be believed, however often somebody looks. Pure.

Both groups are sent to at once, so that if nothing distinguishes them, each further success falls to the second with
the probability of its share of the people, whenever successes come and however late. The split of the successes is
therefore tested with a mixture of likelihood ratios over a Beta prior around that share. The ratio is a martingale when
the share is the true one; by Ville's inequality it ever exceeds 1/alpha with probability alpha at most, and the shares
for which it does not are a confidence sequence, valid at every moment at once (Robbins 1970; Johari, Pekelis and Walsh
2015). It is exact, also for few successes, and cautious where most people succeed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, lgamma, log

#: Weight of the prior, in successes: tuned for differences of a tenth or a fifth of the rate.
_PRIOR = 100.0
_STEPS = 60
#: Beyond so many times what there is, nobody waits.
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Group:
    """people: sent to. successes: at most one of each person is counted."""

    people: int
    successes: int

    @property
    def rate(self) -> float:
        return self.successes / self.people if self.people else 0.0

    def times(self, factor: float) -> Group:
        return Group(round(self.people * factor), round(self.successes * factor))


@dataclass(frozen=True, slots=True)
class Difference:
    """Of rates, second minus first: between low and high with the given certainty, at every look at once."""

    estimate: float
    low: float
    high: float

    @property
    def is_decided(self) -> bool:
        return self.low > 0 or self.high < 0


def difference(first: Group, second: Group, *, alpha: float = 0.05) -> Difference:
    """alpha: how often, over all looks together, a difference may be claimed where there is none."""
    if not first.people or not second.people or not first.successes + second.successes:
        return Difference(second.rate - first.rate, -1.0, 1.0)
    low, high = _shares(first, second, alpha)
    total = first.successes + second.successes

    def as_rates(share: float) -> float:
        return max(-1.0, min(1.0, total * (share / second.people - (1 - share) / first.people)))

    return Difference(second.rate - first.rate, as_rates(low), as_rates(high))


def evidence(first: Group, second: Group, share: float) -> float:
    """Logarithm of the mixture's likelihood ratio against `share` of the successes being the second's."""
    fair = second.people / (first.people + second.people)
    a, b = _PRIOR * fair, _PRIOR * (1 - fair)
    mixed = _log_beta(second.successes + a, first.successes + b) - _log_beta(a, b)
    return mixed - _times_log(second.successes, share) - _times_log(first.successes, 1 - share)


def people_needed(first: Group, second: Group, *, alpha: float = 0.05) -> int | None:
    """How many people, in both groups together, until this difference would be decided, were it the true one. None when
    there is none to see, or it would take too long."""
    if difference(first, second, alpha=alpha).is_decided:
        return first.people + second.people
    if not first.people or not second.people or first.rate == second.rate:
        return None
    enough = 1.0
    while not difference(first.times(enough), second.times(enough), alpha=alpha).is_decided:
        enough *= 1.1
        if enough > _MOST:
            return None
    return round((first.people + second.people) * enough)


def _shares(first: Group, second: Group, alpha: float) -> tuple[float, float]:
    """Ends of the confidence sequence for the second's share of the successes."""
    seen = second.successes / (first.successes + second.successes)
    limit = log(1 / alpha)

    def is_out(share: float) -> bool:
        return evidence(first, second, share) >= limit

    return _edge(is_out, 0.0, seen), _edge(is_out, 1.0, seen)


def _edge(is_out: Callable[[float], bool], outside: float, inside: float) -> float:
    """Between the two, where `is_out` turns; errs to the outside."""
    if not is_out(outside):
        return outside
    for _ in range(_STEPS):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if is_out(middle) else (outside, middle)
    return outside


def _times_log(count: int, value: float) -> float:
    if not count:
        return 0.0
    return count * log(value) if value > 0 else -inf


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
