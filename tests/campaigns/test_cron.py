"""Rules of repetition, against an oracle that looks at every minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.campaigns.planner.cron import Cron, NotARule
from apps.campaigns.planner.schedule import Kind, Schedule

MINUTE = timedelta(minutes=1)
VIENNA = ZoneInfo("Europe/Vienna")


def occurrences(text: str, start: datetime, count: int, zone: ZoneInfo = VIENNA) -> list[datetime]:
    rule, found = Cron.read(text), [start]
    for _ in range(count):
        found.append(rule.after(found[-1], zone))
    return found[1:]


def walls(text: str, start: str, count: int, zone: ZoneInfo = VIENNA) -> list[str]:
    begin = datetime.fromisoformat(start).replace(tzinfo=zone).astimezone(UTC)
    return [f"{one.astimezone(zone):%m-%d %H:%M}" for one in occurrences(text, begin, count, zone)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 9 * * *", ["05-20 09:00", "05-21 09:00", "05-22 09:00"]),
        ("30 18 * * mon-fri", ["05-20 18:30", "05-21 18:30", "05-22 18:30"]),
        ("0 9 * * 1", ["05-25 09:00", "06-01 09:00", "06-08 09:00"]),
        ("0 9 * * 0", ["05-24 09:00", "05-31 09:00", "06-07 09:00"]),
        ("0 9 * * 7", ["05-24 09:00", "05-31 09:00", "06-07 09:00"]),
        ("*/30 9-10 * * *", ["05-20 09:00", "05-20 09:30", "05-20 10:00"]),
        ("0 9 1,15 * *", ["06-01 09:00", "06-15 09:00", "07-01 09:00"]),
        ("0 9 1 * 5", ["05-22 09:00", "05-29 09:00", "06-01 09:00"]),  # either day suffices
        ("0 9 31 * *", ["05-31 09:00", "07-31 09:00", "08-31 09:00"]),
        ("0 9 * feb *", ["02-01 09:00", "02-02 09:00", "02-03 09:00"]),
    ],
)
def test_a_rule_reads_as_cron_does(text: str, expected: list[str]) -> None:
    assert walls(text, "2026-05-20T08:00", 3) == expected  # a Wednesday


def test_a_leap_day_comes_after_years() -> None:
    assert occurrences("0 9 29 2 *", datetime(2026, 5, 20, tzinfo=UTC), 1)[0].year == 2028
    assert occurrences("0 9 29 2 *", datetime(2097, 1, 1, tzinfo=UTC), 1)[0].year == 2104


@pytest.mark.parametrize(
    "text",
    ["", "9", "0 9 * *", "0 9 * * * *", "60 9 * * *", "0 24 * * *", "0 9 0 * *", "0 9 * 13 *", "0 9 * * 8", "a 9 * * *",
     "0 9 5-2 * *", "*/0 9 * * *", "0 9 * * mon-", "1;2 9 * * *", "٣ 9 * * *", "0 9 ? * *", "-1 9 * * *", "0 9 , * *"],
)  # fmt: skip
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(NotARule):
        Cron.read(text)


def test_a_rule_that_never_fires_is_told() -> None:
    with pytest.raises(NotARule):
        Cron.read("0 9 31 2 *").after(datetime(2026, 1, 1, tzinfo=UTC), VIENNA)


def test_a_time_that_the_clock_leaves_out_comes_once_later_and_a_double_one_comes_once() -> None:
    assert walls("30 2 * * *", "2026-03-28T12:00", 2) == ["03-29 03:30", "03-30 02:30"]
    autumn = occurrences("30 2 * * *", datetime(2026, 10, 24, 12, tzinfo=UTC), 2)
    assert autumn == [datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 26, 1, 30, tzinfo=UTC)]


@settings(deadline=None, max_examples=20)
@given(
    st.sampled_from(["America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu", "UTC"]),
    st.sampled_from(["*/15 * * * *", "0,30 1-3 * * *", "15 2 * * sun", "45 */5 * * *"]),
    st.integers(0, 365 * 24),
)
def test_a_rule_fires_at_the_minutes_whose_wall_clock_matches(name: str, text: str, hours: int) -> None:
    """Minute by minute over three days: the first time each matching wall clock is shown. Skipped walls: tested
    above."""
    zone, rule = ZoneInfo(name), Cron.read(text)
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    shown = {
        minute: minute.astimezone(zone).replace(tzinfo=None) for minute in (start + n * MINUTE for n in range(3 * 1440))
    }
    first: dict[datetime, datetime] = {}
    for n in range(-180, 0):  # what was shown just before the start does not count again
        first.setdefault((start + n * MINUTE).astimezone(zone).replace(tzinfo=None), start + n * MINUTE)
    for minute, wall in shown.items():
        first.setdefault(wall, minute)
    expected = sorted(
        minute for wall, minute in first.items()
        if minute >= start and wall.minute in rule.minutes and wall.hour in rule.hours
        and wall.weekday() in rule.weekdays
    )  # fmt: skip
    found, at = [], start - MINUTE
    while (at := rule.after(at, zone)) < start + timedelta(days=3):
        found.append(at)
    moved = [at for at in found if at not in expected]
    assert [at for at in found if at in expected] == [at for at in expected if at in found] == expected
    offsets = {(start + timedelta(days=n)).astimezone(zone).utcoffset() for n in range(4)}
    assert not moved or len(offsets) > 1  # only where the clock was changed


def test_a_recurrence_ends_by_count_or_by_date_and_makes_up_for_one_missed_occurrence() -> None:
    daily = Schedule(kind=Kind.RECURRING, cron="0 9 * * *", timezone="UTC", count=3)
    nine = datetime(2026, 5, 20, 9, tzinfo=UTC)
    assert daily.first_start(nine - MINUTE, "UTC") == nine
    assert daily.next_start(nine, "UTC", runs=2) == nine + timedelta(days=1)
    assert daily.next_start(nine, "UTC", runs=3) is None
    until = Schedule(kind=Kind.RECURRING, cron="0 9 * * *", until=nine + timedelta(days=1))
    assert until.next_start(nine, "UTC", runs=1) == nine + timedelta(days=1)
    assert until.next_start(nine + timedelta(days=1), "UTC", runs=2) is None
    assert daily.newest_start(nine, nine + timedelta(days=400, hours=1), "UTC", runs=0) == nine + timedelta(days=400)
    assert daily.newest_start(nine, nine, "UTC", runs=0) == nine


def test_on_everybodys_own_clock_a_run_starts_where_the_day_begins() -> None:
    everywhere = Schedule(kind=Kind.RECURRING, cron="0 9 * * *", own_clock=True)
    start = everywhere.first_start(datetime(2026, 5, 20, tzinfo=UTC), "Europe/Vienna")
    assert start == datetime(2026, 5, 20, 19, tzinfo=UTC)  # 09:00 of the 21st at UTC+14
    timing = everywhere.timing(start)
    assert timing is not None
    assert timing.wall == datetime(2026, 5, 21, 9)  # type: ignore[union-attr]
