"""The forecast of a cycle: how near it comes on made-up tenants, how honest its range is, and when it says nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from random import Random
from statistics import fmean, median

import pytest
import time_machine
from rest_framework.test import APIClient

from apps.billing.forecast import Range, forecast
from apps.billing.outlook import outlook_of
from apps.billing.queries import standing_of
from apps.billing.records import UsageRecordIn
from apps.billing.services import record_usage, set_plan
from apps.tenants.models import Tenant
from apps.tenants.scope import tenant_scope

MONDAY = date(2026, 3, 2)
WEEK = (1.0, 1.1, 1.2, 1.1, 1.0, 0.3, 0.2)
Series = Callable[[Random], list[int]]


def steady(random: Random) -> list[int]:
    return [round(max(0.0, random.gauss(1_000, 60))) for _day in range(58)]


def weekly(random: Random) -> list[int]:
    return [round(max(0.0, random.gauss(1_000, 80) * WEEK[day % 7])) for day in range(58)]


def bursty(random: Random) -> list[int]:
    """Quiet days, and now and then a campaign."""
    return [round(random.expovariate(1 / 300)) + (4_000 if random.random() < 0.15 else 0) for _day in range(58)]


def predictions(made: Series, seen: int, seed: int = 11) -> list[tuple[Range, int, int]]:
    """Forecast, truth and flat run rate of 150 cycles of 30 days of which some are over, after 28 days of history."""
    random, found = Random(seed), []  # the same numbers every time
    for _cycle in range(150):
        days = made(random)
        known = [(MONDAY + timedelta(days=at), units) for at, units in enumerate(days[: 28 + seen])]
        used = sum(days[28 : 28 + seen])
        said = forecast(known[-28:], [1.0] * (30 - seen), first=MONDAY + timedelta(days=28 + seen), used=used)
        assert said is not None
        found.append((said, sum(days[28:]), round(used / seen * 30)))
    return found


@pytest.mark.parametrize(("made", "error"), [(steady, 0.02), (weekly, 0.03), (bursty, 0.25)])
def test_the_expected_end_is_near_the_true_one(made: Series, error: float) -> None:
    cycles = predictions(made, seen=10)
    assert median(abs(said.expected - truth) / truth for said, truth, _flat in cycles) < error


@pytest.mark.parametrize("made", [steady, weekly, bursty])
def test_about_nine_of_ten_cycles_end_within_the_range(made: Series) -> None:
    hits = fmean(said.low <= truth <= said.high for said, truth, _flat in predictions(made, seen=10))
    assert 0.82 <= hits <= 1.0


def test_a_week_with_a_weekend_is_told_better_than_by_a_flat_run_rate() -> None:
    cycles = predictions(weekly, seen=4)  # Monday to Thursday: a flat rate knows no weekend
    ours = median(abs(said.expected - truth) for said, truth, _flat in cycles)
    flat = median(abs(flat - truth) for _said, truth, flat in cycles)
    assert ours * 4 < flat


def test_nothing_is_said_of_less_than_a_week_and_a_cycle_that_is_over_is_what_was_used() -> None:
    week = [(MONDAY + timedelta(days=at), 10) for at in range(7)]
    assert forecast(week[:6], [1.0], first=MONDAY, used=60) is None
    assert forecast(week, [], first=MONDAY, used=70) == Range(70, 70, 70)
    assert forecast(week, [0.5, 1.0], first=MONDAY, used=70) == Range(85, 85, 85)


@pytest.mark.django_db
def test_the_outlook_prices_the_forecast_and_is_silent_before_a_week(tenant: Tenant, api: APIClient) -> None:
    first = datetime(2026, 5, 1, 12, tzinfo=UTC)
    with time_machine.travel(first - timedelta(hours=12), tick=False), tenant_scope(tenant):
        set_plan(tenant=tenant, code="pay-as-you-go")
    for day in range(10):
        at = first + timedelta(days=day)
        with time_machine.travel(at, tick=False), tenant_scope(tenant):
            record_usage([UsageRecordIn("campaign.sends", f"day:{day}", 20_000, at)], tenant=tenant)
            known = outlook_of(tenant=tenant, standing=standing_of(tenant=tenant))
            assert (known is None) == (day < 7)
    with time_machine.travel(first + timedelta(days=9, hours=12), tick=False):  # ten whole days are over
        with tenant_scope(tenant):
            said = outlook_of(tenant=tenant, standing=standing_of(tenant=tenant))
        assert said is not None
        assert said.meters["campaign.sends"].expected == 31 * 20_000
        shown = api.get("/api/v1/usage").json()["period"]["forecast"]
    assert (said.low, said.expected, said.high) == (2_600, 2_600, 2_600)  # 520,000 beyond what is included
    assert (shown["expected"], shown["low"], shown["high"], shown["confidence"]) == ("26.00", "26.00", "26.00", 90)
