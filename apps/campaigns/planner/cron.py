"""Rules of repetition: `minute hour day-of-month month day-of-week`, as cron reads them. Pure.

A field is `*`, a number, a range `1-5`, a list `1,3`, with a step `*/15`; months and days of the week also by name; 7
is Sunday too. When both days are restricted, either suffices. Each local time comes once: one that does not exist moves
forward by the gap, of one that exists twice the first counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from apps.messaging.sending.hours import instant_of, wall_of

#: A rule may fire so often within an hour.
MOST_PER_HOUR = 4
#: Days searched for the next occurrence: 29 February comes after eight years at the latest.
_HORIZON = 8 * 366
_DAY = timedelta(days=1)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PART = re.compile(r"(?:\*|(?P<low>\w+)(?:-(?P<high>\w+))?)(?:/(?P<step>\d{1,2}))?", re.ASCII)


class NotARule(ValueError):
    """This text is no rule, or one that never fires."""


@dataclass(frozen=True, slots=True)
class Cron:
    """weekdays: as dates count them, Monday is 0. any_day, any_weekday: the field is `*`."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    @classmethod
    def read(cls, text: str) -> Self:
        """Raises NotARule."""
        parts = text.lower().split()
        if len(parts) != 5:
            raise NotARule(text)
        minute, hour, day, month, weekday = parts
        weekdays = frozenset((number - 1) % 7 for number in _numbers(weekday, 0, 7, _WEEKDAYS))
        return cls(
            tuple(sorted(_numbers(minute, 0, 59))), tuple(sorted(_numbers(hour, 0, 23))), _numbers(day, 1, 31),
            _numbers(month, 1, 12, ("", *_MONTHS)), weekdays, day == "*", weekday == "*",
        )  # fmt: skip

    def after(self, instant: datetime, zone: ZoneInfo) -> datetime:
        """The first occurrence later than this instant. Raises NotARule when there is none."""
        today = wall_of(instant, zone).date()
        for number in range(-1, _HORIZON):
            try:
                found = [start for start in self._on(today + number * _DAY, zone) if start > instant]
            except OverflowError:
                break
            if found:
                # A gap may move a time behind one of the next day (Apia left out a whole date).
                later = self._on(today + (number + 1) * _DAY, zone)
                return min([*found, *(start for start in later if start > instant)])
        raise NotARule("never fires")

    def _on(self, day: date, zone: ZoneInfo) -> Iterator[datetime]:
        if self._falls_on(day):
            for hour in self.hours:
                for minute in self.minutes:
                    yield instant_of(datetime.combine(day, time(hour, minute)), zone)

    def _falls_on(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, day.weekday() in self.weekdays
        return in_month and in_week if self.any_day or self.any_weekday else in_month or in_week


def _numbers(field: str, least: int, most: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    return frozenset(number for part in field.split(",") for number in _range(part, least, most, names))


def _range(part: str, least: int, most: int, names: tuple[str, ...]) -> range:
    found = _PART.fullmatch(part)
    if found is None:
        raise NotARule(part)
    low = _number(found["low"], names) if found["low"] else least
    ends = found["high"] or (None if found["low"] and not found["step"] else str(most))
    high = _number(ends, names) if ends else low
    step = int(found["step"] or 1)
    if not (least <= low <= high <= most and step):
        raise NotARule(part)
    return range(low, high + 1, step)


def _number(text: str, names: tuple[str, ...]) -> int:
    if text in names and text:
        return names.index(text)
    if not text.isdigit():
        raise NotARule(text)
    return int(text)
