"""Periods tile time in every zone: no gap, no overlap, whatever the clocks do."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib import resources
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.billing import periods
from apps.billing.periods import Span, months_after, span_after, span_at, start_of_day

ZONES = sorted(
    name for name in available_timezones() if not name.startswith(("posix", "right")) and name != "localtime"
)
zones = st.sampled_from(ZONES).map(ZoneInfo)
anchors = st.dates(date(1996, 1, 1), date(2030, 12, 31))
instants = st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))


@settings(max_examples=300, deadline=None)
@given(zone=zones, anchor=anchors, instant=instants, step=st.sampled_from([1, 3, 12]))
def test_an_instant_lies_in_its_period_and_the_next_period_begins_where_it_ends(
    zone: ZoneInfo, anchor: date, instant: datetime, step: int
) -> None:
    span = span_at(instant, anchor=anchor, zone=zone, step=step)
    assert span.starts_at <= instant < span.ends_at
    assert span_at(span.ends_at, anchor=anchor, zone=zone, step=step).starts_at == span.ends_at
    assert span_at(span.ends_at - timedelta(microseconds=1), anchor=anchor, zone=zone, step=step) == span


def untiled(zone: ZoneInfo, day: int) -> list[Span]:
    """The monthly periods of 50 years from an anchor on this day that leave a gap, overlap or last no time."""
    anchor, wrong = date(1990, 1, day), []
    span = span_at(start_of_day(anchor, zone), anchor=anchor, zone=zone)
    for _month in range(50 * 12):
        following = span_at(span.ends_at, anchor=anchor, zone=zone)
        last = span_at(span.ends_at - timedelta(microseconds=1), anchor=anchor, zone=zone)
        if last != span or following.starts_at != span.ends_at or following.ends_at <= following.starts_at:
            wrong.append(span)
        span = following
    return wrong


def rules_of(name: str) -> bytes:
    """The compiled rules of a zone: all that the calendar of it is made from."""
    found = next((path for root in TZPATH if (path := Path(root, name)).is_file()), None)
    return found.read_bytes() if found else resources.files("tzdata").joinpath("zoneinfo", name).read_bytes()


def test_months_tile_fifty_years(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every zone and every anchor day with TILING=full (some minutes), else a slice over both.

    Names with the same compiled rules, byte for byte, are one zone under several names: one of them speaks for all. A
    day's start is computed once per zone and asked for by the 31 anchors that meet it.
    """
    names = list({rules_of(name): name for name in reversed(ZONES)}.values())
    pairs = [(name, day) for name in names for day in range(1, 32)]
    if os.environ.get("TILING") != "full":
        pairs = pairs[::331]
    monkeypatch.setattr(periods, "start_of_day", lru_cache(maxsize=40_000)(start_of_day))
    assert {pair: wrong for pair in pairs if (wrong := untiled(ZoneInfo(pair[0]), pair[1]))} == {}


@settings(max_examples=300, deadline=None)
@given(zone=zones, day=st.dates(date(1970, 1, 2), date(2037, 1, 1)))
def test_a_day_starts_at_the_first_instant_that_shows_it(zone: ZoneInfo, day: date) -> None:
    start = start_of_day(day, zone)
    assert start.astimezone(zone).date() >= day
    assert (start - timedelta(seconds=1)).astimezone(zone).date() < day


@pytest.mark.parametrize(
    ("zone", "day", "start"),
    [
        ("UTC", date(2026, 3, 1), datetime(2026, 3, 1, tzinfo=UTC)),
        ("Asia/Shanghai", date(2026, 3, 1), datetime(2026, 2, 28, 16, tzinfo=UTC)),
        # Midnight was skipped: the day began at 01:00.
        ("America/Sao_Paulo", date(2018, 11, 4), datetime(2018, 11, 4, 3, tzinfo=UTC)),
        # Midnight came twice: the first one counts.
        ("America/Havana", date(2026, 11, 1), datetime(2026, 11, 1, 4, tzinfo=UTC)),
        # 30 December 2011 did not exist: it starts with the 31st.
        ("Pacific/Apia", date(2011, 12, 30), datetime(2011, 12, 30, 10, tzinfo=UTC)),
        ("Pacific/Apia", date(2011, 12, 31), datetime(2011, 12, 30, 10, tzinfo=UTC)),
    ],
)
def test_odd_midnights(zone: str, day: date, start: datetime) -> None:
    assert start_of_day(day, ZoneInfo(zone)) == start


def test_an_anchor_on_the_31st_returns_to_the_31st() -> None:
    days = [months_after(date(2027, 12, 31), months).day for months in range(6)]
    assert days == [31, 31, 29, 31, 30, 31]


def test_a_period_that_follows_a_change_of_zone_has_no_gap_and_is_not_a_few_hours_long() -> None:
    end = datetime(2026, 3, 1, tzinfo=UTC)
    span = span_after(end, anchor=date(2026, 1, 1), zone=ZoneInfo("America/Los_Angeles"))
    assert (span.starts_at, span.ends_at) == (end, datetime(2026, 4, 1, 7, tzinfo=UTC))
