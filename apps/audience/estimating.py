"""How many people a rule tree holds for, within about a second however many there are.

Up to EXACT_UP_TO subscribers everybody is asked. Above it, one of a power of two is, chosen by the hash of the row
number, with their events alone. When few of the sample fit, everybody is asked: a share of a handful says little.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt

from apps.audience.models import Subscriber
from apps.audience.queries import matching
from apps.tenants.models import Application, Tenant

EXACT_UP_TO = 150_000
#: Fewer hits than this in the sample would leave the answer more than ten per cent unsure.
_ENOUGH_HITS = 400
#: Standard errors in a confidence of 95 %.
_SURE = 1.96


@dataclass(frozen=True, slots=True)
class Estimate:
    """count: exact, or the middle of count - margin to count + margin, which holds the truth 19 times of 20."""

    count: int
    margin: int = 0

    @property
    def is_exact(self) -> bool:
        return self.margin == 0


def estimate(*, tenant: Tenant, application: Application, rules: object) -> Estimate:
    """How many subscribers the rules hold for now. Raises as `queries.matching`."""
    assert application.tenant_id == tenant.pk
    share = _share(Subscriber.objects.in_application(application).count())
    if share > 1:
        hits = matching(application=application, rules=rules, share=share).count()
        if hits >= _ENOUGH_HITS:
            return _extrapolated(hits, share)
    return Estimate(matching(application=application, rules=rules).count())


def _share(population: int) -> int:
    """The smallest power of two that leaves at most EXACT_UP_TO people in the sample."""
    return 1 << max(0, ceil(population / EXACT_UP_TO) - 1).bit_length()


def _extrapolated(hits: int, share: int) -> Estimate:
    """Each hit was drawn with the chance 1 / share: a binomial draw out of the true number."""
    return Estimate(hits * share, ceil(_SURE * sqrt(hits * (1 - 1 / share)) * share))
