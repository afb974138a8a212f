"""rating.cases: random plans, quantities, shares, coupons and taxes, rated and stated, against an oracle of fractions.

The oracle is that of the tests and shares nothing with the product but the two rounding rules. A worker process per
core, seeds that are printed. BENCH_CASES: how many.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from multiprocessing import get_context

from apps.billing.meters import METERS
from apps.billing.pricing import Charge, Model, Proration, Terms, Tier
from apps.billing.rating import by_tax_code, rate
from apps.billing.statement import Discount, DiscountKind, Item, Tax, state
from benchmarks.registry import Reading, figure
from tests.billing.test_statement import adds_up, oracle_items, oracle_total

CASES = int(os.environ.get("BENCH_CASES", "20000"))
_SEED = int(os.environ.get("SEED", "1"))
_PART = 2_500
_TAXES: list[dict[str, Tax]] = [
    {},
    {"": Tax("vat", "VAT", Decimal("19"))},
    {"": Tax("rc", "VAT", reason="reverse charge")},
    {"": Tax("inc", "VAT", Decimal("20"), inclusive=True)},
    {"": Tax("vat", "VAT", Decimal("19")), "low": Tax("low", "VAT", Decimal("7.7"))},
    {"": Tax("inc", "VAT", Decimal("20"), inclusive=True), "low": Tax("low", "VAT", Decimal("7.7"))},
]


@figure("rating.cases")
def cases() -> Iterator[Reading]:
    started = time.monotonic()
    parts = [(_SEED + first, min(_PART, CASES - first)) for first in range(0, CASES, _PART)]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as workers:
        differing = sum(workers.map(_differing, *zip(*parts, strict=True)))
    rate_per_second = CASES / (time.monotonic() - started)
    print(f"  {CASES:,} cases from seed {_SEED}, {rate_per_second:,.0f}/s", file=sys.stderr)
    yield Reading("rating.cases", differing, "cases with another cent", {})


def _differing(seed: int, count: int) -> int:
    """How many of so many cases the oracle states otherwise, in any line or in the total."""
    chance = random.Random(seed)
    return sum(not _agrees(chance, seed) for _ in range(count))


def _agrees(chance: random.Random, seed: int) -> bool:
    plan, share, taxes = _plan(chance), Fraction(chance.randint(1, 2_678_400), 2_678_400), chance.choice(_TAXES)
    used = {charge.meter: _quantity(chance) for charge in plan.charges}
    discounts = [_discount(chance) for _ in range(chance.randrange(4))]
    rating = rate(plan.prorated(share), used)
    coded = by_tax_code(rating.lines, lambda meter: "low" if meter < "m" else "")
    items = [Item(amount, code, line.meter) for line, code, amount in coded]
    stated = state(plan.currency, items, discounts=discounts, taxes=taxes)
    agrees = (
        [Fraction(line.precise) for line in rating.lines] == oracle_items(plan, used, share)
        and stated.total == oracle_total(items, discounts, taxes, plan.currency)
        and adds_up(stated)
    )
    if not agrees:
        print(f"  seed {seed}: {plan} {used} {share} {discounts} {taxes}", file=sys.stderr)
    return agrees


def _plan(chance: random.Random) -> Terms:
    meters = chance.sample(sorted(METERS), chance.randint(1, 4))
    minimum, maximum = _bounds(chance)
    return Terms(
        currency=chance.choice(["EUR", "JPY", "KWD"]),
        charges=tuple(_charge(chance, meter) for meter in meters),
        flat_fee=chance.choice([Decimal(0), _price(chance)]),
        minimum=minimum,
        maximum=maximum,
        proration=chance.choice([Proration.SECOND, Proration.NONE]),
    )


def _charge(chance: random.Random, meter: str) -> Charge:
    model = chance.choice(list(Model))
    tiers: tuple[Tier, ...] = ()
    if model in {Model.GRADUATED, Model.VOLUME}:
        tops = sorted(chance.sample(range(1, 5_000), chance.randrange(4)))
        tiers = tuple(Tier(top, _price(chance), _price(chance)) for top in [*tops, None])
    minimum, maximum = _bounds(chance)
    return replace(
        Charge(meter, model, _price(chance), chance.randrange(2_000), tiers=tiers),
        package_size=chance.randint(1, 1_000), minimum=minimum, maximum=maximum,
    )  # fmt: skip


def _bounds(chance: random.Random) -> tuple[Decimal | None, Decimal | None]:
    low, high = sorted(Decimal(chance.randrange(10**11)) / 10**6 for _ in range(2))
    return chance.choice([None, low]), chance.choice([None, high])


def _price(chance: random.Random) -> Decimal:
    return Decimal(chance.randrange(10**15)) / 10**12


def _quantity(chance: random.Random) -> int:
    return chance.choice([0, chance.randrange(3_000), chance.randrange(10**6), chance.randrange(10**12)])


def _discount(chance: random.Random) -> Discount:
    kind = chance.choice(list(DiscountKind))
    limit = 100 if kind is DiscountKind.PERCENT else 10_000
    return Discount("c", kind, Decimal(chance.randrange(limit * 1_000)) / 1_000)
