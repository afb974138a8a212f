"""What usage costs beyond what it cost before, and how much more a cap in money allows. Pure.

Spending is the price of the usage alone: before flat fees, plan bounds, credits and tax.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from apps.billing.pricing import Charge, Model, Terms
from apps.billing.rating import amount_of


def spent(terms: Terms, quantities: Mapping[str, int]) -> Fraction:
    """The exact price of these quantities."""
    return sum((amount_of(charge, quantities.get(charge.meter, 0)) for charge in terms.charges), Fraction(0))


def affordable(terms: Terms, quantities: Mapping[str, int], meter: str, *, limit: Fraction, most: int) -> int:
    """How many more units of a meter this price allows, at most `most`; 0 when it is reached.

    A volume price may fall when its next tier begins. What lies behind a quantity that is too dear is not offered.
    """
    used = quantities.get(meter, 0)

    def is_within(more: int) -> bool:
        return spent(terms, {**quantities, meter: used + more}) <= limit

    if not is_within(0):
        return 0
    low, high = 0, _until_the_price_falls(terms.charge_for(meter), used, most)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if is_within(middle) else (low, middle - 1)
    return low


def _until_the_price_falls(charge: Charge | None, used: int, most: int) -> int:
    if charge is None or charge.model is not Model.VOLUME:
        return most
    billable = max(0, used - charge.included)
    ends = [tier.up_to + charge.included for tier in charge.tiers if tier.up_to is not None and tier.up_to > billable]
    return min([most, *(end - used for end in ends)])
