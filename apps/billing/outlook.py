"""What the running cycle will cost by its end, read from the days that are over and priced by the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from apps.billing.forecast import Range, forecast
from apps.billing.meters import METERS, Aggregation, Meter
from apps.billing.money import add, posted
from apps.billing.periods import start_of_day
from apps.billing.queries import Standing
from apps.billing.rating import rate
from apps.billing.reports import Grain, usage_report
from apps.core import clock
from apps.tenants.models import Tenant

_HISTORY = timedelta(days=28)


@dataclass(frozen=True, slots=True)
class Outlook:
    """Of the whole cycle, in minor units before tax: `expected`, and from `low` to `high` in nine of ten cycles.

    meters: units at the end of the running period, of the meters that the plan charges for.
    """

    currency: str
    expected: int
    low: int
    high: int
    meters: Mapping[str, Range]


def outlook_of(*, tenant: Tenant, standing: Standing) -> Outlook | None:
    """None while there are not seven whole days of usage to go by, or the plan charges for what no day adds to."""
    used = {each.meter.name: each.used for each in standing.meters}
    charged = {charge.meter: METERS[charge.meter] for charge in standing.period.terms.charges if charge.meter in METERS}
    if any(meter.aggregation not in {Aggregation.SUM, Aggregation.MAX} for meter in charged.values()):
        return None
    zone, now = ZoneInfo(tenant.timezone), clock.now()
    history = _days_before(tenant, charged, now.astimezone(zone).date(), zone)
    coming = _coming(now, standing.period.ends_at, zone)
    today = now.astimezone(zone).date()
    ranges = {name: _range(meter, history[name], coming, today, used.get(name, 0)) for name, meter in charged.items()}
    known = {name: found for name, found in ranges.items() if found is not None}
    told = any(charged[name].aggregation is Aggregation.SUM for name in known)
    if not told or any(used.get(name, 0) and name not in known for name in charged):
        return None
    expected = _cost(standing, used | {name: found.expected for name, found in known.items()})
    low = _cost(standing, used | {name: found.low for name, found in known.items()})
    high = _cost(standing, used | {name: found.high for name, found in known.items()})
    return Outlook(standing.rating.currency, expected, min(low, expected), max(high, expected), known)


def _days_before(
    tenant: Tenant, meters: Mapping[str, Meter], today: date, zone: ZoneInfo
) -> dict[str, list[tuple[date, int]]]:
    """The last four weeks' whole days, from the first on which anything of the meter was used."""
    start, end = start_of_day(today - _HISTORY, zone), start_of_day(today, zone)
    found: dict[str, dict[date, int]] = {name: {} for name in meters}
    for figure in usage_report(tenant=tenant, start=start, end=end, grain=Grain.DAY, meters=meters):
        found[figure.meter][figure.at.astimezone(zone).date()] = figure.quantity
    return {
        name: [
            (day, days.get(day, 0))
            for day in (min(days) + timedelta(days=n) for n in range((today - min(days)).days))
        ] if days else []
        for name, days in found.items()
    }  # fmt: skip


def _coming(now: datetime, end: datetime, zone: ZoneInfo) -> list[float]:
    """Which share of each local day from now on belongs to the period."""
    shares, day = [], now.astimezone(zone).date()
    while (begins := start_of_day(day, zone)) < end:
        ends = start_of_day(day + timedelta(days=1), zone)
        if ends > begins:  # a zone may skip a whole day
            shares.append((min(ends, end) - max(begins, now)) / (ends - begins))
        day += timedelta(days=1)
    return shares


def _range(meter: Meter, days: list[tuple[date, int]], coming: list[float], today: date, used: int) -> Range | None:
    if meter.aggregation is Aggregation.MAX:
        return Range(used, used, max([used, *(units for _, units in days)]))
    return forecast(days, coming, first=today, used=used)


def _cost(standing: Standing, quantities: Mapping[str, int]) -> int:
    """Of the whole cycle, were this used by its end."""
    running = rate(standing.period.terms, quantities)
    return posted(add(rating.precise for rating in (*standing.earlier, running)), running.currency)
