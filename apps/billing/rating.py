"""Usage and terms in, lines out. Pure: no clock, no database, exact fractions until a line is stored.

| model | amount for q billable units |
|---|---|
| per unit | q × price |
| graduated | for each tier entered: its part of q × its price + its flat fee |
| volume | q × price of the tier that holds q, + that tier's flat fee |
| package | packages begun × price |

Order: included units off, model, charge minimum, charge maximum; flat fee; plan minimum, plan maximum; posted amounts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from apps.billing.money import add, allocate, posted, precise
from apps.billing.pricing import Charge, Model, Terms


class LineKind(StrEnum):
    USAGE = "usage"
    FLAT_FEE = "flat_fee"
    PLAN_MINIMUM = "plan_minimum"
    PLAN_MAXIMUM = "plan_maximum"


@dataclass(frozen=True, slots=True)
class Line:
    """quantity: what was used; billable: what of it the price was applied to; amounts as in money.py."""

    kind: LineKind
    meter: str
    quantity: int
    billable: int
    precise: Decimal
    posted: int


@dataclass(frozen=True, slots=True)
class Rating:
    """Lines in the order of the terms' charges. The lines' posted amounts add up to `total`, in minor units."""

    currency: str
    lines: tuple[Line, ...]
    precise: Decimal
    total: int


def rate(terms: Terms, quantities: Mapping[str, int]) -> Rating:
    """The cost of one period's quantities. A meter without a charge is free and has no line."""
    drafts: list[tuple[LineKind, str, int, int, Decimal]] = []
    for charge in terms.charges:
        used = quantities.get(charge.meter, 0)
        amount = precise(amount_of(charge, used))
        drafts.append((LineKind.USAGE, charge.meter, used, max(0, used - charge.included), amount))
    if terms.flat_fee:
        drafts.append((LineKind.FLAT_FEE, "", 1, 1, precise(Fraction(terms.flat_fee))))
    subtotal = add(amount for *_rest, amount in drafts)
    if terms.minimum is not None and subtotal < terms.minimum:
        drafts.append((LineKind.PLAN_MINIMUM, "", 1, 1, add([terms.minimum, -subtotal])))
    elif terms.maximum is not None and subtotal > terms.maximum:
        drafts.append((LineKind.PLAN_MAXIMUM, "", 1, 1, add([terms.maximum, -subtotal])))
    return _posted(terms.currency, drafts)


def _posted(currency: str, drafts: list[tuple[LineKind, str, int, int, Decimal]]) -> Rating:
    amounts = [amount for *_rest, amount in drafts]
    whole = add(amounts)
    total = posted(whole, currency)
    units = allocate(amounts, total, currency)
    lines = tuple(Line(*draft, unit) for draft, unit in zip(drafts, units, strict=True))
    return Rating(currency, lines, whole, total)


def amount_of(charge: Charge, used: int) -> Fraction:
    """The exact amount of one charge for the quantity used in the whole period, within its bounds."""
    amount = _AMOUNTS[charge.model](charge, max(0, used - charge.included))
    if charge.minimum is not None:
        amount = max(amount, Fraction(charge.minimum))
    if charge.maximum is not None:
        amount = min(amount, Fraction(charge.maximum))
    return amount


def _per_unit(charge: Charge, billable: int) -> Fraction:
    return billable * Fraction(charge.unit_price)


def _graduated(charge: Charge, billable: int) -> Fraction:
    amount, floor = Fraction(0), 0
    for tier in charge.tiers:
        if billable <= floor:
            break
        top = billable if tier.up_to is None else min(billable, tier.up_to)
        amount += (top - floor) * Fraction(tier.unit_price) + Fraction(tier.flat_fee)
        floor = top
    return amount


def _volume(charge: Charge, billable: int) -> Fraction:
    if billable == 0:
        return Fraction(0)
    tier = next(tier for tier in charge.tiers if tier.up_to is None or billable <= tier.up_to)
    return billable * Fraction(tier.unit_price) + Fraction(tier.flat_fee)


def _package(charge: Charge, billable: int) -> Fraction:
    return -(-billable // charge.package_size) * Fraction(charge.unit_price)


_AMOUNTS = {
    Model.PER_UNIT: _per_unit,
    Model.GRADUATED: _graduated,
    Model.VOLUME: _volume,
    Model.PACKAGE: _package,
}


def by_tax_code(lines: Sequence[Line], code_of: Callable[[str], str]) -> list[tuple[Line, str, Decimal]]:
    """Each line, the tax code of its meter, and its amount under that code.

    A plan's maximum takes from every code its share of what it caps: under one rate of its own, its tax could exceed
    that of the capped lines and leave less than nothing to pay.
    """
    coded: list[tuple[Line, str, Decimal]] = []
    for line in lines:
        if line.kind is LineKind.PLAN_MAXIMUM:
            coded += [(line, code, amount) for code, amount in _shares(line.precise, coded)]
        else:
            coded.append((line, code_of(line.meter), line.precise))
    return coded


def _shares(amount: Decimal, coded: Sequence[tuple[Line, str, Decimal]]) -> list[tuple[str, Decimal]]:
    """The amount over the codes in proportion, exactly: the last one takes what rounding leaves."""
    codes = list(dict.fromkeys(code for _, code, precise_amount in coded if precise_amount))
    whole = Fraction(add(each for _, _, each in coded))
    shares = [
        precise(Fraction(amount) * Fraction(add(each for _, its, each in coded if its == code)) / whole)
        for code in codes[:-1]
    ]
    return list(zip(codes, [*shares, add([amount, *(-share for share in shares)])], strict=True))
