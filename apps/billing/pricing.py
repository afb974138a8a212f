"""What a plan charges: charges, tiers and their rules. Pure; the JSON form is what a plan version stores.

Prices are decimal strings in JSON and `Decimal` here, in the plan's currency per unit of the meter, with at most 12
decimals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from fractions import Fraction
from math import floor
from typing import Any, Self

from apps.billing import dunning
from apps.billing.meters import METERS
from apps.billing.money import is_currency, precise

_DECIMALS = 12
#: With quantities below 2**53 every amount then fits numeric(38, 12).
_HIGHEST = Decimal(10) ** 9
_CYCLES = (1, 3, 6, 12)
_LONGEST_GRACE = 72


class Model(StrEnum):
    """How a quantity becomes an amount. See rating.py for the formulas."""

    PER_UNIT = "per_unit"
    GRADUATED = "graduated"
    VOLUME = "volume"
    PACKAGE = "package"


class Proration(StrEnum):
    """How the part of a cycle that a plan was in force is measured. NONE: every part is charged like a whole."""

    SECOND = "second"
    DAY = "day"
    NONE = "none"


class BadTerms(ValueError):
    """The terms cannot be charged by; the message says which rule they break."""


@dataclass(frozen=True, slots=True)
class Tier:
    """Covers quantities above the tier before it up to and including `up_to`; None is the open end."""

    up_to: int | None
    unit_price: Decimal
    flat_fee: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Charge:
    """One meter's price and limit in a period.

    included: units that cost nothing. limit: the hard limit at the door, None for no limit. unit_price: per unit, or
    per package of `package_size`. minimum, maximum: bounds of the amount, in this order.
    """

    meter: str
    model: Model = Model.PER_UNIT
    unit_price: Decimal = Decimal(0)
    included: int = 0
    limit: int | None = None
    tiers: tuple[Tier, ...] = ()
    package_size: int = 1
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    tax_code: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything a plan version says. flat_fee: per cycle. minimum, maximum: bounds of the plan's subtotal.

    months: length of a cycle. grace_hours: from the end of a cycle until its invoice is finalised. bills_zero: an
    invoice of nothing is issued all the same. dunning: its schedule (dunning.py), empty for the installation's.
    """

    currency: str
    charges: tuple[Charge, ...]
    flat_fee: Decimal = Decimal(0)
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    months: int = 1
    proration: Proration = Proration.SECOND
    grace_hours: int = 1
    bills_zero: bool = False
    dunning: str = ""

    def prorated(self, share: Fraction) -> Terms:
        """The terms for a part of a cycle: flat fee, plan bounds, what is included (half up); not tiers or usage."""
        if share == 1 or self.proration is Proration.NONE:
            return self
        charges = tuple(
            replace(charge, included=floor(charge.included * share + Fraction(1, 2))) for charge in self.charges
        )
        return replace(
            self,
            charges=charges,
            flat_fee=_part(self.flat_fee, share),
            minimum=None if self.minimum is None else _part(self.minimum, share),
            maximum=None if self.maximum is None else _part(self.maximum, share),
        )

    def charge_for(self, meter: str) -> Charge | None:
        return next((charge for charge in self.charges if charge.meter == meter), None)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Raises BadTerms for anything that is not the JSON of sound terms."""
        try:
            terms = cls(
                currency=stored["currency"],
                charges=tuple(_charge(charge) for charge in stored["charges"]),
                flat_fee=_amount(stored.get("flat_fee", "0")),
                minimum=_optional(stored.get("minimum")),
                maximum=_optional(stored.get("maximum")),
                months=_whole(stored.get("months", 1)),
                proration=Proration(stored.get("proration", Proration.SECOND)),
                grace_hours=_whole(stored.get("grace_hours", 1)),
                bills_zero=bool(stored.get("bills_zero", False)),
                dunning=str(stored.get("dunning", "")),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadTerms(str(error) or type(error).__name__) from error
        for problem in terms.problems():
            raise BadTerms(problem)
        return terms

    def to_json(self) -> dict[str, Any]:
        return {
            "currency": self.currency,
            "charges": [_charge_json(charge) for charge in self.charges],
            "flat_fee": str(self.flat_fee),
            "minimum": _text(self.minimum),
            "maximum": _text(self.maximum),
            "months": self.months,
            "proration": str(self.proration),
            "grace_hours": self.grace_hours,
            "bills_zero": self.bills_zero,
            **({"dunning": self.dunning} if self.dunning else {}),
        }

    def problems(self) -> Iterator[str]:
        if not is_currency(self.currency):
            yield f"unknown currency {self.currency!r}"
        if len({charge.meter for charge in self.charges}) != len(self.charges):
            yield "two charges for one meter"
        if self.months not in _CYCLES:
            yield "a cycle lasts 1, 3, 6 or 12 months"
        if self.grace_hours > _LONGEST_GRACE:
            yield f"the grace is at most {_LONGEST_GRACE} hours"
        yield from _bounds_problems("plan", self.minimum, self.maximum)
        try:
            dunning.parse(self.dunning)
        except dunning.BadSchedule as error:
            yield str(error)
        for charge in self.charges:
            yield from _charge_problems(charge)


def _part(amount: Decimal, share: Fraction) -> Decimal:
    return precise(Fraction(amount) * share)


def _amount(text: Any) -> Decimal:
    if not isinstance(text, str):
        raise BadTerms(f"an amount is a string of digits, not {text!r}")
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise BadTerms(f"{text!r} is not an amount") from None
    if not amount.is_finite() or not 0 <= amount < _HIGHEST or amount != round(amount, _DECIMALS):
        raise BadTerms(f"{text!r} is out of range or has more than {_DECIMALS} decimals")
    return amount


def _optional(text: Any) -> Decimal | None:
    return None if text is None else _amount(text)


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def _whole(number: Any) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise BadTerms(f"{number!r} is not a whole number")
    return number


def _charge(stored: Mapping[str, Any]) -> Charge:
    limit = stored.get("limit")
    return Charge(
        meter=stored["meter"],
        model=Model(stored.get("model", Model.PER_UNIT)),
        unit_price=_amount(stored.get("unit_price", "0")),
        included=_whole(stored.get("included", 0)),
        limit=None if limit is None else _whole(limit),
        tiers=tuple(
            Tier(
                None if tier["up_to"] is None else _whole(tier["up_to"]),
                _amount(tier.get("unit_price", "0")),
                _amount(tier.get("flat_fee", "0")),
            )
            for tier in stored.get("tiers", ())
        ),
        package_size=_whole(stored.get("package_size", 1)),
        minimum=_optional(stored.get("minimum")),
        maximum=_optional(stored.get("maximum")),
        tax_code=str(stored.get("tax_code", "")),
    )


def _charge_json(charge: Charge) -> dict[str, Any]:
    return {
        "meter": charge.meter,
        "model": str(charge.model),
        "unit_price": str(charge.unit_price),
        "included": charge.included,
        "limit": charge.limit,
        "tiers": [
            {"up_to": tier.up_to, "unit_price": str(tier.unit_price), "flat_fee": str(tier.flat_fee)}
            for tier in charge.tiers
        ],
        "package_size": charge.package_size,
        "minimum": _text(charge.minimum),
        "maximum": _text(charge.maximum),
        "tax_code": charge.tax_code,
    }


def _charge_problems(charge: Charge) -> Iterator[str]:
    if charge.meter not in METERS:
        yield f"unknown meter {charge.meter!r}"
    if charge.package_size < 1:
        yield f"{charge.meter}: a package holds at least one unit"
    yield from _bounds_problems(charge.meter, charge.minimum, charge.maximum)
    if (charge.model in {Model.GRADUATED, Model.VOLUME}) != bool(charge.tiers):
        yield f"{charge.meter}: the models graduated and volume have tiers, the others none"
    if charge.tiers:
        bounds = [tier.up_to for tier in charge.tiers]
        closed = [bound for bound in bounds[:-1] if bound is not None]
        if bounds[-1] is not None or len(closed) != len(bounds) - 1:
            yield f"{charge.meter}: the last tier is open, the others are not"
        elif any(upper <= lower for lower, upper in zip([0, *closed], closed, strict=False)):
            yield f"{charge.meter}: each tier ends above the one before it"


def _bounds_problems(name: str, minimum: Decimal | None, maximum: Decimal | None) -> Iterator[str]:
    if minimum is not None and maximum is not None and maximum < minimum:
        yield f"{name}: the maximum is below the minimum"
