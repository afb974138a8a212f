"""What is owed for a cycle: rated lines, then discounts, then tax, then posted amounts. Pure and exact.

Order: percent coupons on what is left of every line, fixed ones spread over the lines in proportion (none takes a
line below zero), tax by rate on the discounted amounts, one rounding of the total, posted parts that add up to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from apps.billing.money import add, allocate, posted, precise


class DiscountKind(StrEnum):
    """PERCENT of every line, a FIXED amount off each invoice, or a CREDIT that is used up over several."""

    PERCENT = "percent"
    FIXED = "fixed"
    CREDIT = "credit"


@dataclass(frozen=True, slots=True)
class Discount:
    """value: percent, or an amount of the invoice's currency (of a credit: what is left of it)."""

    name: str
    kind: DiscountKind
    value: Decimal
    reference: int = 0


@dataclass(frozen=True, slots=True)
class Tax:
    """percent of the net amount. inclusive: prices contain it. reason: why a rate is 0 (reverse charge, exempt)."""

    code: str
    name: str
    percent: Decimal = Decimal(0)
    inclusive: bool = False
    reason: str = ""

    @property
    def rate(self) -> Fraction:
        return Fraction(self.percent) / 100


NO_TAX = Tax("", "")


@dataclass(frozen=True, slots=True)
class Item:
    """A line before discounts and tax. amount: precise, as the plan's prices say it. tag: the caller's own."""

    amount: Decimal
    tax_code: str = ""
    meter: str = ""
    tag: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """precise: without tax. posted: minor units."""

    precise: Decimal
    posted: int


@dataclass(frozen=True, slots=True)
class DiscountPart:
    """What one coupon takes off under one tax rate. used: taken off before tax was taken out, in prices' terms."""

    discount: Discount
    tax: Tax
    part: Part
    used: Decimal


@dataclass(frozen=True, slots=True)
class TaxPart:
    """base: the discounted net amounts under this rate."""

    tax: Tax
    base: Decimal
    part: Part


@dataclass(frozen=True, slots=True)
class Statement:
    """items: one part per item, in order. dues: of the total, each item's share with tax and discounts (minor units).

    The posted amounts of items, discounts and taxes add up to `total`; so do the dues.
    """

    currency: str
    items: tuple[Part, ...]
    discounts: tuple[DiscountPart, ...]
    taxes: tuple[TaxPart, ...]
    dues: tuple[int, ...]
    precise: Decimal
    total: int

    @property
    def net(self) -> int:
        return sum(part.posted for part in self.items) + sum(each.part.posted for each in self.discounts)

    @property
    def tax(self) -> int:
        return sum(each.part.posted for each in self.taxes)


def state(
    currency: str, items: Sequence[Item], *, discounts: Sequence[Discount] = (), taxes: Mapping[str, Tax] | None = None
) -> Statement:
    """discounts: in order of creation. taxes: by tax code; a code without a rate has that of "", else none."""
    found = taxes or {}
    usual = found.get("", NO_TAX)
    rates = [found.get(item.tax_code, usual) for item in items]
    left, taken = _discounted([Fraction(item.amount) for item in items], discounts)
    nets = [precise(_net(Fraction(item.amount), tax)) for item, tax in zip(items, rates, strict=True)]
    offs = _discount_parts(discounts, taken, rates)
    bases = [add([*_of(tax, nets, rates), *(net for _, its, net, _ in offs if its == tax)]) for tax in _each(rates)]
    amounts = [_tax_amount(tax, base, left, rates) for tax, base in zip(_each(rates), bases, strict=True)]
    parts = [*nets, *(net for _, _, net, _ in offs), *amounts]
    whole = add(parts)
    total = posted(whole, currency)
    units = allocate(parts, total, currency)
    taxed = units[len(nets) + len(offs) :]
    return Statement(
        currency=currency,
        items=tuple(map(Part, nets, units)),
        discounts=tuple(
            DiscountPart(discount, tax, Part(net, unit), used)
            for (discount, tax, net, used), unit in zip(offs, units[len(nets) :], strict=False)
        ),
        taxes=tuple(
            TaxPart(tax, base, Part(amount, unit))
            for tax, base, amount, unit in zip(_each(rates), bases, amounts, taxed, strict=True)
        ),
        dues=tuple(_dues(left, rates, total, currency)),
        precise=whole,
        total=total,
    )


def _each(rates: Sequence[Tax]) -> list[Tax]:
    return list(dict.fromkeys(rates))


def _of(tax: Tax, values: Sequence[Decimal], rates: Sequence[Tax]) -> list[Decimal]:
    return [value for value, rate in zip(values, rates, strict=True) if rate == tax]


def _discounted(
    amounts: list[Fraction], discounts: Sequence[Discount]
) -> tuple[list[Fraction], dict[int, list[Fraction]]]:
    """What is left of every item, and what each discount (by position) takes off it."""
    left, taken = list(amounts), {}
    for position, discount in sorted(enumerate(discounts), key=lambda each: each[1].kind is not DiscountKind.PERCENT):
        share = _share(discount, sum(left, Fraction(0)))
        taken[position] = [amount * share for amount in left]
        left = [amount - off for amount, off in zip(left, taken[position], strict=True)]
    return left, taken


def _share(discount: Discount, subtotal: Fraction) -> Fraction:
    """The part of every line that the discount takes; nothing of a statement that is not above zero."""
    if subtotal <= 0:
        return Fraction(0)
    if discount.kind is DiscountKind.PERCENT:
        return min(Fraction(discount.value) / 100, Fraction(1))
    return min(Fraction(discount.value), subtotal) / subtotal


def _net(amount: Fraction, tax: Tax) -> Fraction:
    return amount / (1 + tax.rate) if tax.inclusive else amount


def _discount_parts(
    discounts: Sequence[Discount], taken: Mapping[int, list[Fraction]], rates: Sequence[Tax]
) -> list[tuple[Discount, Tax, Decimal, Decimal]]:
    """(discount, tax, net part below zero, what it used) for each coupon and rate that it takes something from."""
    parts = []
    for position, discount in enumerate(discounts):
        for tax in _each(rates):
            off = sum((o for o, rate in zip(taken[position], rates, strict=True) if rate == tax), Fraction(0))
            if off:
                parts.append((discount, tax, -precise(_net(off, tax)), precise(off)))
    return parts


def _tax_amount(tax: Tax, base: Decimal, left: Sequence[Fraction], rates: Sequence[Tax]) -> Decimal:
    """On the exact discounted base. Of prices that contain the tax: what makes base and tax the price again."""
    exact = sum((amount for amount, rate in zip(left, rates, strict=True) if rate == tax), Fraction(0))
    return add([precise(exact), -base]) if tax.inclusive else precise(exact * tax.rate)


def _dues(left: Sequence[Fraction], rates: Sequence[Tax], total: int, currency: str) -> list[int]:
    gross = [
        precise(amount if tax.inclusive else amount * (1 + tax.rate)) for amount, tax in zip(left, rates, strict=True)
    ]
    return allocate(gross, total, currency)
