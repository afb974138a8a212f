"""Local times and quiet hours in every zone there is, against an oracle that looks at the clock minute by minute."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest

from apps.messaging.sending.hours import QuietAction, QuietHours, instant_of, zone_of

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ZONES = sorted(available_timezones())
QUIET = [(22, 8), (1, 2), (2, 3), (0, 12), (23, 0)]


def edges(zone: ZoneInfo, year: int) -> Iterator[datetime]:
    """The minutes at which the zone's offset changes in a year."""

    def offset(at: datetime) -> timedelta | None:
        return at.astimezone(zone).utcoffset()

    day = datetime(year, 1, 1, tzinfo=UTC)
    while day.year == year:
        if offset(day) != offset(day + DAY):
            low, high = day, day + DAY
            while high - low > MINUTE:
                middle = low + (high - low) // 2
                low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
            yield high.replace(second=0, microsecond=0)
        day += DAY


class Oracle:
    """What the wall clock shows in each minute from a day before an instant to two days after it."""

    def __init__(self, zone: ZoneInfo, around: datetime) -> None:
        self.minutes = [around - 26 * HOUR + n * MINUTE for n in range(78 * 60)]
        self.shown = [minute.astimezone(zone).replace(tzinfo=None) for minute in self.minutes]

    def instant_of(self, wall: datetime) -> datetime:
        if wall in self.shown:
            return self.minutes[self.shown.index(wall)]
        after = next(n for n, shown in enumerate(self.shown) if n and shown > wall > self.shown[n - 1])
        gap = self.shown[after] - self.shown[after - 1] - MINUTE
        return self.minutes[self.shown.index(wall + gap)]

    def free_at(self, at: datetime, quiet: QuietHours) -> datetime:
        def is_quiet(shown: time) -> bool:
            inside = quiet.start <= shown, shown < quiet.end
            return all(inside) if quiet.start < quiet.end else any(inside)

        start = self.minutes.index(at)
        return next(
            minute
            for minute, shown in zip(self.minutes[start:], self.shown[start:], strict=True)
            if not is_quiet(shown.time())
        )


def agree(zone: ZoneInfo, around: datetime) -> None:
    oracle = Oracle(zone, around)
    middle = len(oracle.shown) // 3
    walls = {oracle.shown[middle + n * 15] for n in range(-16, 17)}
    walls |= {max(walls) - n * 15 * MINUTE for n in range(24)}  # those that no clock shows, too
    for wall in walls:
        assert instant_of(wall, zone) == oracle.instant_of(wall), (zone.key, wall)
    for start, end in QUIET:
        quiet = QuietHours(time(start), time(end), QuietAction.HOLD)
        for n in range(-20, 21):
            at = around + n * 20 * MINUTE
            assert quiet.free_at(at, zone) == oracle.free_at(at, quiet), (zone.key, at, start, end)


def test_every_zone_agrees_with_its_clock_at_both_edges_of_this_years_summer() -> None:
    """And where a zone has no edge, in the middle of the year."""
    seen: set[tuple[object, ...]] = set()
    changing = 0
    for name in ZONES:
        zone = ZoneInfo(name)
        found = list(edges(zone, 2026))
        changing += len(found) >= 2
        around = found or [datetime(2026, 7, 1, 12, tzinfo=UTC)]
        offsets = tuple(
            (at, (at - HOUR).astimezone(zone).utcoffset(), at.astimezone(zone).utcoffset()) for at in around
        )
        if offsets in seen:  # a twin of a zone that was looked at: the same clock all the year
            continue
        seen.add(offsets)
        for at in around:
            agree(zone, at)
    assert changing > 100


@pytest.mark.parametrize(
    ("name", "year"),
    [("Australia/Lord_Howe", 2026), ("Africa/Casablanca", 2026), ("America/Sao_Paulo", 2018), ("Asia/Kathmandu", 1985)],
)
def test_odd_clocks_of_the_world(name: str, year: int) -> None:
    zone = ZoneInfo(name)
    found = list(edges(zone, year))
    assert found
    for at in found:
        agree(zone, at)


@pytest.mark.parametrize(
    ("wall", "name", "instant"),
    [
        (datetime(2026, 3, 8, 2, 30), "America/New_York", datetime(2026, 3, 8, 7, 30, tzinfo=UTC)),  # the gap: 03:30
        (datetime(2026, 11, 1, 1, 30), "America/New_York", datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),  # the first
        (datetime(2026, 10, 4, 2, 15), "Australia/Lord_Howe", datetime(2026, 10, 3, 15, 45, tzinfo=UTC)),
        (datetime(2011, 12, 30, 9, 0), "Pacific/Apia", datetime(2011, 12, 30, 19, 0, tzinfo=UTC)),  # the day left out
        (datetime(2026, 5, 20, 9, 0), "Asia/Kathmandu", datetime(2026, 5, 20, 3, 15, tzinfo=UTC)),
    ],
)
def test_a_local_time_that_is_not_there_moves_forward_and_a_double_one_is_the_first(
    wall: datetime, name: str, instant: datetime
) -> None:
    assert instant_of(wall, ZoneInfo(name)) == instant


def test_an_unknown_zone_is_the_fallback() -> None:
    assert zone_of("Mars/Olympus", "Europe/Vienna").key == "Europe/Vienna"
    assert zone_of("", "UTC").key == "UTC"
    assert zone_of("Asia/Tokyo", "UTC").key == "Asia/Tokyo"
