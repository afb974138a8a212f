"""Rating against an oracle that shares nothing with it but the two rounding rules."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.billing.money import allocate, display, posted
from apps.billing.pricing import BadTerms, Charge, Model, Terms, Tier
from apps.billing.rating import rate

METER = "messages.published"
prices = st.decimals(0, 1000, places=12, allow_nan=False)
amounts = st.none() | st.decimals(0, 100_000, places=6)
quantities = st.integers(0, 3_000) | st.integers(0, 10**12)


@st.composite
def bounds(draw: st.DrawFn) -> tuple[Decimal | None, Decimal | None]:
    minimum, maximum = draw(amounts), draw(amounts)
    if minimum is not None and maximum is not None and maximum < minimum:
        minimum, maximum = maximum, minimum
    return minimum, maximum


@st.composite
def charges(draw: st.DrawFn, meter: str = METER) -> Charge:
    model = draw(st.sampled_from(list(Model)))
    tops = (
        sorted(draw(st.sets(st.integers(1, 5_000), max_size=4))) if model in {Model.GRADUATED, Model.VOLUME} else None
    )
    tiers = () if tops is None else tuple(Tier(top, draw(prices), draw(prices)) for top in [*tops, None])
    minimum, maximum = draw(bounds())
    return Charge(
        meter=meter,
        model=model,
        unit_price=draw(prices),
        included=draw(st.integers(0, 2_000)),
        tiers=tiers,
        package_size=draw(st.integers(1, 1_000)),
        minimum=minimum,
        maximum=maximum,
    )


@st.composite
def terms(draw: st.DrawFn) -> Terms:
    minimum, maximum = draw(bounds())
    meters = draw(st.sets(st.sampled_from([METER, "messages.delivered", "campaign.sends"]), min_size=1))
    return Terms(
        currency=draw(st.sampled_from(["EUR", "JPY", "KWD"])),
        charges=tuple(draw(charges(meter)) for meter in sorted(meters)),
        flat_fee=draw(prices),
        minimum=minimum,
        maximum=maximum,
    )


def oracle_amount(charge: Charge, used: int) -> Fraction:
    """Unit prices spread over the number line, for the models with tiers; arithmetic series for the rest."""
    billable = used - charge.included if used > charge.included else 0
    lower, total = 0, Fraction(0)
    if charge.model is Model.PER_UNIT:
        total = Fraction(charge.unit_price) * billable
    elif charge.model is Model.PACKAGE:
        whole, rest = divmod(billable, charge.package_size)
        total = Fraction(charge.unit_price) * (whole + (1 if rest else 0))
    else:
        for tier in charge.tiers:
            upper = tier.up_to if tier.up_to is not None else max(billable, lower)
            inside = max(0, min(billable, upper) - lower)
            holds_all = lower < billable <= upper
            if charge.model is Model.GRADUATED and inside:
                total += inside * Fraction(tier.unit_price) + Fraction(tier.flat_fee)
            if charge.model is Model.VOLUME and holds_all:
                total = billable * Fraction(tier.unit_price) + Fraction(tier.flat_fee)
            lower = upper
    if charge.minimum is not None and total < charge.minimum:
        total = Fraction(charge.minimum)
    if charge.maximum is not None and total > charge.maximum:
        total = Fraction(charge.maximum)
    return total


def stored(amount: Fraction) -> Fraction:
    context = Context(prec=80, rounding=ROUND_HALF_EVEN)
    decimal = context.divide(Decimal(amount.numerator), Decimal(amount.denominator))
    return Fraction(decimal.quantize(Decimal("1e-12"), context=context))


def minor_units(amount: Fraction, currency: str) -> int:
    digits = {"EUR": 2, "JPY": 0, "KWD": 3}[currency]
    context = Context(prec=80, rounding=ROUND_HALF_UP)
    scaled = context.divide(Decimal(amount.numerator * 10**digits), Decimal(amount.denominator))
    return int(scaled.quantize(Decimal(1), context=context))


@settings(max_examples=400, deadline=None)
@given(plan=terms(), used=st.dictionaries(st.sampled_from([METER, "messages.delivered", "campaign.sends"]), quantities))
def test_rating_agrees_with_the_oracle_to_the_last_decimal(plan: Terms, used: dict[str, int]) -> None:
    lines = [stored(oracle_amount(charge, used.get(charge.meter, 0))) for charge in plan.charges]
    whole = sum(lines) + Fraction(plan.flat_fee)
    if plan.minimum is not None:
        whole = max(whole, Fraction(plan.minimum))
    if plan.maximum is not None:
        whole = min(whole, Fraction(plan.maximum))
    rating = rate(plan, used)
    usage_lines = [Fraction(line.precise) for line in rating.lines if line.meter]
    assert usage_lines == lines
    assert Fraction(rating.precise) == whole
    assert rating.total == minor_units(whole, plan.currency)
    assert sum(line.posted for line in rating.lines) == rating.total


@settings(max_examples=200, deadline=None)
@given(charge=charges().filter(lambda charge: charge.model is not Model.VOLUME), used=quantities, more=quantities)
def test_more_usage_never_costs_less_except_by_volume(charge: Charge, used: int, more: int) -> None:
    plan = Terms("EUR", (charge,))
    assert rate(plan, {METER: used}).precise <= rate(plan, {METER: used + more}).precise


@settings(max_examples=200, deadline=None)
@given(
    parts=st.lists(st.decimals(-1000, 1000, places=12), min_size=1, max_size=20),
    code=st.sampled_from(["EUR", "JPY", "KWD"]),
)
def test_posted_parts_add_up_and_stay_within_a_unit(parts: list[Decimal], code: str) -> None:
    digits = {"EUR": 2, "JPY": 0, "KWD": 3}[code]
    exact = sum(Fraction(part) for part in parts)
    units = allocate(parts, posted(exact, code), code)
    assert sum(units) == posted(exact, code)
    assert all(abs(unit - Fraction(part) * 10**digits) < 1 for unit, part in zip(units, parts, strict=True))


@settings(max_examples=200, deadline=None)
@given(plan=terms())
def test_terms_survive_their_json(plan: Terms) -> None:
    assert Terms.from_json(plan.to_json()) == plan


def test_a_quantity_on_the_bound_belongs_to_the_lower_tier() -> None:
    tiers = (Tier(10, Decimal("1"), Decimal("5")), Tier(None, Decimal("0.5"), Decimal("7")))
    graduated = Terms("EUR", (Charge(METER, Model.GRADUATED, tiers=tiers),))
    volume = Terms("EUR", (Charge(METER, Model.VOLUME, tiers=tiers),))
    assert [rate(graduated, {METER: used}).total for used in (0, 10, 11)] == [0, 1500, 2250]
    assert [rate(volume, {METER: used}).total for used in (0, 10, 11)] == [0, 1500, 1250]


def test_half_a_cent_is_posted_away_from_zero() -> None:
    assert [posted(Decimal(text), "EUR") for text in ("0.005", "-0.005", "0.0049")] == [1, -1, 0]
    assert display(1_234_567, "EUR", "en") == "€12,345.67"
    assert display(1_234_567, "JPY", "zh-hans") == "JP¥1,234,567"


@pytest.mark.parametrize(
    "broken",
    [
        {"currency": "XYZ"},
        {"charges": [{"meter": "messages.dreamt"}]},
        {"charges": [{"meter": METER}, {"meter": METER}]},
        {"charges": [{"meter": METER, "unit_price": 0.1}]},
        {"charges": [{"meter": METER, "unit_price": "-1"}]},
        {"charges": [{"meter": METER, "unit_price": "NaN"}]},
        {"charges": [{"meter": METER, "unit_price": "0.0000000000001"}]},
        {"charges": [{"meter": METER, "unit_price": "1e9"}]},
        {"charges": [{"meter": METER, "included": -1}]},
        {"charges": [{"meter": METER, "limit": True}]},
        {"charges": [{"meter": METER, "model": "free_beer"}]},
        {"charges": [{"meter": METER, "model": "package", "package_size": 0}]},
        {"charges": [{"meter": METER, "minimum": "2", "maximum": "1"}]},
        {"charges": [{"meter": METER, "model": "volume"}]},
        {"charges": [{"meter": METER, "tiers": [{"up_to": None}]}]},
        {"charges": [{"meter": METER, "model": "volume", "tiers": [{"up_to": 5}]}]},
        {"charges": [{"meter": METER, "model": "volume", "tiers": [{"up_to": 5}, {"up_to": 5}, {"up_to": None}]}]},
        {"charges": [{"meter": METER, "model": "volume", "tiers": [{"up_to": None}, {"up_to": None}]}]},
        {"charges": "free"},
        {"charges": [None]},
        {"minimum": "2", "maximum": "1"},
    ],
)
def test_terms_that_break_a_rule_are_refused(broken: dict[str, object]) -> None:
    with pytest.raises(BadTerms):
        Terms.from_json({"currency": "EUR", "charges": [], **broken})
