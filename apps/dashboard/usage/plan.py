"""The card of the running period: each meter's use, its price and what it cost so far."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from babel.numbers import format_currency

from apps.billing.meters import Meter
from apps.billing.money import display
from apps.billing.outlook import Outlook
from apps.billing.pricing import Charge
from apps.billing.queries import MeterStanding, Standing
from apps.billing.rating import Line


@dataclass(frozen=True, slots=True)
class MeterRow:
    """scale: what the bar is measured against, the limit or else what is included; 0 for no bar.
    alert: the highest threshold that was warned of."""

    meter: Meter
    used: int
    reserved: int
    included: int
    limit: int | None
    scale: int
    level: str
    price: str
    cost: str
    alert: int | None


@dataclass(frozen=True, slots=True)
class CapCard:
    """The cap in money. alert: the highest threshold that was warned of."""

    amount: str
    alert: int | None


@dataclass(frozen=True, slots=True)
class PlanCard:
    """earlier_cost: of the part of the cycle before a change of plan; empty when there was none."""

    name: str
    starts_at: datetime
    ends_at: datetime
    rows: list[MeterRow]
    cost: str
    currency: str
    is_blocked: bool
    earlier_cost: str
    cap: CapCard | None


def plan_card(standing: Standing, language: str) -> PlanCard:
    rating = standing.rating
    lines = {line.meter: line for line in rating.lines}
    rows = [_row(meter, lines.get(meter.meter.name), rating.currency, language) for meter in standing.meters]
    return PlanCard(
        name=str(standing.period.plan_version.plan),
        starts_at=standing.period.starts_at,
        ends_at=standing.period.ends_at,
        rows=rows,
        cost=display(standing.cost, rating.currency, language),
        earlier_cost=display(standing.earlier_cost, rating.currency, language) if standing.earlier else "",
        cap=_cap_card(standing, language),
        currency=rating.currency,
        is_blocked=any(row.level == "bad" for row in rows),
    )


@dataclass(frozen=True, slots=True)
class ForecastCard:
    expected: str
    low: str
    high: str


def forecast_card(outlook: Outlook | None, language: str) -> ForecastCard | None:
    if outlook is None:
        return None
    return ForecastCard(
        *(display(units, outlook.currency, language) for units in (outlook.expected, outlook.low, outlook.high))
    )


def _cap_card(standing: Standing, language: str) -> CapCard | None:
    if standing.cap is None:
        return None
    return CapCard(display(standing.cap, standing.rating.currency, language), standing.cap_alert)


def _row(standing: MeterStanding, line: Line | None, currency: str, language: str) -> MeterRow:
    return MeterRow(
        meter=standing.meter,
        used=standing.used,
        reserved=standing.reserved,
        included=standing.included,
        limit=standing.limit,
        scale=standing.limit if standing.limit is not None else standing.included,
        level=_level(standing.percent),
        price=_price(standing.charge, currency, language),
        cost=display(line.posted if line else 0, currency, language),
        alert=max(standing.alerts, default=None),
    )


def _level(percent: int | None) -> str:
    """The bar's class: good until 80 % of the limit, a warning until it is reached."""
    if percent is None or percent < 80:
        return ""
    return "warn" if percent < 100 else "bad"


def _price(charge: Charge | None, currency: str, language: str) -> str:
    """Of a unit beyond what is included; empty when it depends on the quantity."""
    if charge is not None and (charge.tiers or charge.package_size > 1):
        return ""
    amount = charge.unit_price if charge else Decimal(0)
    locale = language.replace("-", "_")
    shown: str = format_currency(amount, currency, locale=locale, decimal_quantization=False)
    return shown
