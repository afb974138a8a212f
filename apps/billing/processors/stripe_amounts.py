"""Amounts as Stripe writes them: mostly our minor units, and where not, exactly the same money. Pure.

Source: docs.stripe.com/currencies, "Zero-decimal currencies", "Three-decimal currencies" and "Special cases".
"""

from __future__ import annotations

from fractions import Fraction

from apps.billing.money import scale_of

_WHOLE = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
)
_THOUSANDTHS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
#: Written with two digits that must be zeros.
_WHOLE_WITH_ZEROS = frozenset({"ISK", "UGX"})


class NotPayable(ValueError):
    """Stripe cannot move exactly this amount of this currency."""


def _scale(currency: str) -> int:
    return 1 if currency in _WHOLE else 1_000 if currency in _THOUSANDTHS else 100


def to_stripe(units: int, currency: str) -> int:
    """Our minor units as Stripe's. Raises NotPayable."""
    amount = Fraction(units * _scale(currency), scale_of(currency))
    step = 10 if currency in _THOUSANDTHS else 100 if currency in _WHOLE_WITH_ZEROS else 1
    if amount.denominator != 1 or amount % step:
        raise NotPayable(f"{units} minor units of {currency}")
    return int(amount)


def from_stripe(amount: int, currency: str) -> int:
    """Stripe's amount as our minor units. Raises NotPayable."""
    units = Fraction(amount * scale_of(currency), _scale(currency))
    if units.denominator != 1:
        raise NotPayable(f"{amount} of {currency} at Stripe")
    return int(units)
