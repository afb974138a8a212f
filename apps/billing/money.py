"""Money: precise amounts, and the whole minor units that are posted from them. Pure; no float anywhere.

A precise amount has at most 12 decimals. A posted amount is an integer of the currency's minor unit, whose number of
digits comes from CLDR (0 for JPY, 2 for EUR, 3 for KWD).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from math import floor

from babel.numbers import format_currency, get_currency_precision, list_currencies

#: Wide enough for every sum we store: numeric(38, 12) has 38 digits.
_WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN)
_TWELVE = Decimal("1e-12")


def is_currency(code: str) -> bool:
    return code in list_currencies()


def digits_of(currency: str) -> int:
    return int(get_currency_precision(currency))


def scale_of(currency: str) -> int:
    """Minor units in one major unit."""
    return int(10 ** digits_of(currency))


def precise(amount: Fraction) -> Decimal:
    """The amount with 12 decimals, half to even: the one time an exact amount is rounded for storage."""
    exact = _WIDE.divide(Decimal(amount.numerator), Decimal(amount.denominator))
    return exact.quantize(_TWELVE, context=_WIDE)


def add(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum (Python's default context would round at 28 digits)."""
    total = Decimal(0)
    for amount in amounts:
        total = _WIDE.add(total, amount)
    return total


def posted(amount: Decimal | Fraction, currency: str) -> int:
    """Whole minor units of the currency, half away from zero."""
    scaled = Fraction(amount) * scale_of(currency)
    rounded = floor(abs(scaled) + Fraction(1, 2))
    return rounded if scaled >= 0 else -rounded


def major(units: int, currency: str) -> Decimal:
    """Posted minor units as a decimal amount: `major(1234, "EUR")` is `Decimal("12.34")`."""
    return Decimal(units).scaleb(-digits_of(currency), context=_WIDE)


def minor(amount: Decimal, currency: str) -> int:
    """A decimal amount as minor units: `minor(Decimal("12.34"), "EUR")` is 1234. Raises ValueError for half a cent."""
    units = amount.scaleb(digits_of(currency), context=_WIDE)
    if units != units.to_integral_value():
        raise ValueError("more decimals than the currency has")
    return int(units)


def allocate(parts: Sequence[Decimal], total: int, currency: str) -> list[int]:
    """Posted amounts of the parts that add up to `total` exactly (largest remainder).

    Every part is floored; the missing units go one by one to the largest fractions, ties to the larger amount and then
    to the earlier part. Each differs from its precise value by less than one unit when `total` is their rounded sum.
    """
    scaled = [Fraction(part) * scale_of(currency) for part in parts]
    amounts = [floor(part) for part in scaled]
    order = sorted(range(len(parts)), key=lambda n: (amounts[n] - scaled[n], -abs(scaled[n]), n))
    for n in order[: total - sum(amounts)]:
        amounts[n] += 1
    return amounts


def display(units: int, currency: str, language: str) -> str:
    """Posted minor units for people: `€12.34`."""
    return str(format_currency(major(units, currency), currency, locale=language.replace("-", "_")))
