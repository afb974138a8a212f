"""Statements (coupons x tax x proration) against an oracle of fractions that shares only the two rounding rules."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.billing.burning import Credit, Due, burn
from apps.billing.periods import Span, share_of, span_at
from apps.billing.pricing import Proration, Terms
from apps.billing.rating import Line, LineKind, by_tax_code, rate
from apps.billing.statement import Discount, DiscountKind, Item, Statement, Tax, state
from tests.billing.test_rating import METER, minor_units, oracle_amount, quantities, stored, terms

VAT, REDUCED = Tax("vat", "VAT", Decimal("19")), Tax("low", "VAT", Decimal("7.7"))
REVERSE = Tax("rc", "VAT", reason="reverse charge")
INCLUSIVE = Tax("inc", "VAT", Decimal("20"), inclusive=True)
shares = st.fractions(0, 1, max_denominator=2_678_400)
coupons = st.lists(
    st.one_of(
        st.builds(Discount, st.just("p"), st.just(DiscountKind.PERCENT), st.decimals(0, 100, places=4)),
        st.builds(Discount, st.just("f"), st.sampled_from([DiscountKind.FIXED, DiscountKind.CREDIT]),
                  st.decimals(0, 10_000, places=3)),
    ),
    max_size=4,
)  # fmt: skip
tax_tables = st.sampled_from(
    [{}, {"": VAT}, {"": REVERSE}, {"": INCLUSIVE}, {"": VAT, "low": REDUCED}, {"": INCLUSIVE, "low": REDUCED}]
)


def oracle_items(plan: Terms, used: dict[str, int], share: Fraction) -> list[Fraction]:
    """The amounts of a part of a cycle, the proration written out on its own."""
    part = Fraction(1) if plan.proration is Proration.NONE else share
    amounts = []
    for charge in plan.charges:
        included = int(charge.included * part + Fraction(1, 2)) if part != 1 else charge.included
        amounts.append(stored(oracle_amount(replace(charge, included=included), used.get(charge.meter, 0))))
    if stored(Fraction(plan.flat_fee) * part):
        amounts.append(stored(Fraction(plan.flat_fee) * part))
    subtotal = sum(amounts, Fraction(0))
    if plan.minimum is not None and subtotal < stored(Fraction(plan.minimum) * part):
        amounts.append(stored(Fraction(plan.minimum) * part) - subtotal)
    elif plan.maximum is not None and subtotal > stored(Fraction(plan.maximum) * part):
        amounts.append(stored(Fraction(plan.maximum) * part) - subtotal)
    return amounts


def oracle_total(items: list[Item], discounts: list[Discount], taxes: dict[str, Tax], currency: str) -> int:
    """Every stored figure rounded to 12 decimals on its own, their sum to minor units once."""
    left = [Fraction(item.amount) for item in items]
    rates = [taxes.get(item.tax_code) or taxes.get("") for item in items]
    tables = list(dict.fromkeys(rates))

    def net(amount: Fraction, table: Tax | None) -> Fraction:
        return amount * 100 / (100 + Fraction(table.percent)) if table and table.inclusive else amount

    figures = [stored(net(amount, its)) for amount, its in zip(left, rates, strict=True)]
    bases = {
        table: sum((f for f, r in zip(figures, rates, strict=True) if r == table), Fraction(0)) for table in tables
    }
    percents = [each for each in discounts if each.kind is DiscountKind.PERCENT]
    for discount in percents + [each for each in discounts if each not in percents]:
        whole = sum(left, Fraction(0))
        off = whole * Fraction(discount.value) / 100 if discount in percents else min(Fraction(discount.value), whole)
        offs = [amount * off / whole if whole > 0 else Fraction(0) for amount in left]
        for table in tables:
            one = -stored(net(sum((o for o, r in zip(offs, rates, strict=True) if r == table), Fraction(0)), table))
            figures.append(one)
            bases[table] += one
        left = [amount - o for amount, o in zip(left, offs, strict=True)]
    for table in tables:
        exact = sum((amount for amount, r in zip(left, rates, strict=True) if r == table), Fraction(0))
        if table and table.inclusive:
            figures.append(stored(exact) - bases[table])
        elif table:
            figures.append(stored(exact * Fraction(table.percent) / 100))
    return minor_units(sum(figures, Fraction(0)), currency)


def adds_up(statement: Statement) -> bool:
    return statement.net + statement.tax == statement.total == sum(statement.dues)


@settings(max_examples=300, deadline=None)
@given(
    plan=terms(),
    proration=st.sampled_from([Proration.SECOND, Proration.NONE]),
    used=st.dictionaries(st.sampled_from([METER, "messages.delivered", "campaign.sends"]), quantities),
    share=shares,
    discounts=coupons,
    taxes=tax_tables,
)
def test_a_statement_agrees_with_the_oracle_to_the_last_unit(
    plan: Terms, proration: Proration, used: dict[str, int], share: Fraction, discounts: list[Discount],
    taxes: dict[str, Tax],
) -> None:  # fmt: skip
    plan = replace(plan, proration=proration)
    rating = rate(plan.prorated(share), used)
    assert [Fraction(line.precise) for line in rating.lines] == oracle_items(plan, used, share)
    coded = by_tax_code(rating.lines, lambda meter: "low" if meter == METER else "")
    assert sum(Fraction(amount) for _, _, amount in coded) == sum(Fraction(line.precise) for line in rating.lines)
    items = [Item(amount, code, line.meter) for line, code, amount in coded]
    statement = state(plan.currency, items, discounts=discounts, taxes=taxes)
    assert statement.total == oracle_total(items, discounts, taxes, plan.currency)
    assert adds_up(statement)
    assert statement.total >= 0


@pytest.mark.parametrize(
    ("discounts", "tax", "net", "taxed", "total"),
    [
        ([], VAT, 10_000, 1_900, 11_900),
        ([Discount("c", DiscountKind.PERCENT, Decimal(10))], VAT, 9_000, 1_710, 10_710),
        ([Discount("c", DiscountKind.FIXED, Decimal(30))], VAT, 7_000, 1_330, 8_330),
        ([Discount("c", DiscountKind.FIXED, Decimal(500))], VAT, 0, 0, 0),
        # The percent coupon goes first, whichever was made first.
        ([Discount("f", DiscountKind.FIXED, Decimal(10)), Discount("p", DiscountKind.PERCENT, Decimal(50))],
         VAT, 4_000, 760, 4_760),
        ([], REVERSE, 10_000, 0, 10_000),
        ([], INCLUSIVE, 8_333, 1_667, 10_000),
    ],
)  # fmt: skip
def test_discounts_come_before_tax(discounts: list[Discount], tax: Tax, net: int, taxed: int, total: int) -> None:
    statement = state("EUR", [Item(Decimal(60)), Item(Decimal(40))], discounts=discounts, taxes={"": tax})
    assert (statement.net, statement.tax, statement.total) == (net, taxed, total)


def test_a_price_that_contains_tax_stays_the_price() -> None:
    """0.005 is posted as one cent, although neither its net nor its tax has 12 decimals."""
    statement = state("EUR", [Item(Decimal("0.005"))], taxes={"": INCLUSIVE})
    assert statement.total == 1
    assert statement.precise == Decimal("0.005")


@settings(max_examples=100, deadline=None)
@given(moments=st.lists(st.datetimes(datetime(2026, 3, 1), datetime(2026, 3, 31)), max_size=5, unique=True))
@pytest.mark.parametrize("by_days", [True, False])
def test_the_parts_of_a_cycle_add_up_to_it(by_days: bool, moments: list[datetime]) -> None:
    zone = ZoneInfo("Europe/Berlin")  # March has an hour less there
    whole = span_at(datetime(2026, 3, 15, tzinfo=UTC), anchor=date(2026, 1, 1), zone=zone)
    cuts = [whole.starts_at, *sorted(moment.replace(tzinfo=UTC) for moment in moments), whole.ends_at]
    parts = [Span(a, b) for a, b in itertools.pairwise(cuts)]
    assert sum(share_of(part, whole, zone=zone, by_days=by_days) for part in parts) == 1


def test_a_day_of_23_hours_is_a_whole_day_and_23_hours() -> None:
    zone = ZoneInfo("Europe/Berlin")
    whole = span_at(datetime(2026, 3, 15, tzinfo=UTC), anchor=date(2026, 1, 1), zone=zone)
    day = Span(datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC))
    assert share_of(day, whole, zone=zone, by_days=True) == Fraction(1, 31)
    assert share_of(day, whole, zone=zone) == Fraction(23, 31 * 24 - 1)


def credit(reference: int, left: int, *, priority: int = 1, days: int | None = None, meters: tuple[str, ...] = ()):
    made = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=reference)
    return Credit(reference, left, priority, None if days is None else made + timedelta(days=days), made, meters)


def test_credits_burn_by_priority_then_expiry_then_age_within_their_meters() -> None:
    credits = [
        credit(1, 50),
        credit(2, 50, days=9),
        credit(3, 20, priority=0),
        credit(4, 500, priority=0, meters=("campaign.sends",)),
        credit(5, 50, days=3),
    ]
    burns = burn([Due(METER, 100), Due("campaign.sends", 30)], credits)
    assert [(each.credit, each.position, each.units) for each in burns] == [
        (3, 0, 20),
        (4, 1, 30),
        (5, 0, 50),
        (2, 0, 30),
    ]


@settings(max_examples=200, deadline=None)
@given(
    dues=st.lists(st.builds(Due, st.sampled_from([METER, "campaign.sends", ""]), st.integers(-500, 5_000)), max_size=6),
    amounts=st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 2), st.booleans()), max_size=6),
)
def test_burning_never_passes_a_credit_a_line_or_the_invoice(
    dues: list[Due], amounts: list[tuple[int, int, bool]]
) -> None:
    credits = [
        credit(number, left, priority=priority, meters=(METER,) if scoped else ())
        for number, (left, priority, scoped) in enumerate(amounts)
    ]
    burns = burn(dues, credits)
    assert sum(each.units for each in burns) <= max(0, sum(due.units for due in dues))
    for one in credits:
        assert sum(each.units for each in burns if each.credit == one.reference) <= one.left
    for position, due in enumerate(dues):
        assert sum(each.units for each in burns if each.position == position) <= max(0, due.units)


def test_a_plans_maximum_takes_from_each_tax_rate_its_share() -> None:
    lines = [
        Line(LineKind.USAGE, METER, 1, 1, Decimal("0.05"), 5),
        Line(LineKind.FLAT_FEE, "", 1, 1, Decimal("0.01"), 1),
        Line(LineKind.PLAN_MAXIMUM, "", 1, 1, Decimal("-0.06"), -6),
    ]
    coded = by_tax_code(lines, lambda meter: "low" if meter == METER else "")
    assert [(code, amount) for _, code, amount in coded] == [
        ("low", Decimal("0.05")), ("", Decimal("0.01")), ("low", Decimal("-0.05")), ("", Decimal("-0.01")),
    ]  # fmt: skip
    taxes = {"": Tax("vat", "VAT", Decimal(19)), "low": Tax("low", "VAT", Decimal("7.7"))}
    assert state("EUR", [Item(amount, code, line.meter) for line, code, amount in coded], taxes=taxes).total == 0
