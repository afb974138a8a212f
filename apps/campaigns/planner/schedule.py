"""When a campaign's runs start: at an instant, for a local time everywhere, again and again, for everybody's best hour.
Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self
from zoneinfo import ZoneInfo

from apps.campaigns.planner.cron import Cron, NotARule
from apps.campaigns.planner.rules import BestHour, LocalTime, Missed
from apps.messaging.sending.hours import instant_of, wall_of

#: Where on earth a local time comes first: a run for everybody's own clock starts when it comes there.
_FIRST = ZoneInfo("Etc/GMT-14")
_LAST = ZoneInfo("Etc/GMT+12")
_LATELY = timedelta(days=2)


class Kind(StrEnum):
    AT = "at"
    LOCAL_TIME = "local_time"
    RECURRING = "recurring"
    BEST_HOUR = "best_hour"


@dataclass(frozen=True, slots=True)
class Schedule:
    """send_at: of AT and BEST_HOUR; None for at once. local_time: naive, of LOCAL_TIME. timezone: of a recurrence, and
    of people without one (empty: the organisation's). own_clock: a recurrence comes at that time on everybody's own
    clock. until, count: when a recurrence ends; both may be None."""

    kind: Kind = Kind.AT
    send_at: datetime | None = None
    local_time: datetime | None = None
    missed: Missed = Missed.NEXT_DAY
    timezone: str = ""
    cron: str = ""
    own_clock: bool = False
    until: datetime | None = None
    count: int | None = None
    fallback_hour: int = 10

    def first_start(self, now: datetime, default_timezone: str) -> datetime | None:
        """When the first run starts, not before now; None for a recurrence that has ended."""
        if self.kind is Kind.RECURRING:
            return self.next_start(now, default_timezone, runs=0)
        if self.kind is Kind.LOCAL_TIME:
            assert self.local_time is not None
            return max(instant_of(self.local_time, _FIRST), now)
        return self.send_at or now

    def last_wanted(self) -> datetime | None:
        """The instant named, of a local time the last on earth; None when the schedule names none."""
        return instant_of(self.local_time, _LAST) if self.local_time is not None else self.send_at

    def next_start(self, after: datetime, default_timezone: str, *, runs: int) -> datetime | None:
        """The next occurrence. runs: how many there were. None when the recurrence has ended, or for another kind."""
        if self.kind is not Kind.RECURRING or (self.count is not None and runs >= self.count):
            return None
        try:
            found = Cron.read(self.cron).after(after, self._clock(default_timezone))
        except NotARule:
            return None
        return None if self.until is not None and found > self.until else found

    def newest_start(self, due: datetime, now: datetime, default_timezone: str, *, runs: int) -> datetime:
        """Of the occurrences from `due` on that have passed, the last: after an outage one run makes up for all."""
        newest = self._resumed(due, now, default_timezone, runs=runs)
        while (later := self.next_start(newest, default_timezone, runs=runs)) is not None and later <= now:
            newest = later
        return newest

    def _resumed(self, due: datetime, now: datetime, default_timezone: str, *, runs: int) -> datetime:
        """A short way past a long outage."""
        lately = self.next_start(max(due, now - _LATELY), default_timezone, runs=runs)
        return lately if lately is not None and due < lately <= now else due

    def timing(self, start: datetime) -> LocalTime | BestHour | None:
        """What a run that starts then goes by."""
        if self.kind is Kind.LOCAL_TIME:
            assert self.local_time is not None
            return LocalTime(self.local_time, self.missed)
        if self.kind is Kind.RECURRING and self.own_clock:
            return LocalTime(wall_of(start, _FIRST), self.missed)
        return BestHour(self.fallback_hour) if self.kind is Kind.BEST_HOUR else None

    def _clock(self, default_timezone: str) -> ZoneInfo:
        return _FIRST if self.own_clock else ZoneInfo(self.timezone or default_timezone)

    def to_json(self) -> dict[str, Any]:
        """Only what the kind has, as the API says it."""
        names = _FIELDS[self.kind]
        shown = {name: getattr(self, name) for name in names}
        return {"kind": self.kind.value, **{name: _plain(value) for name, value in shown.items()}}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Of what `to_json` made."""
        given = dict(stored)
        for name in ("send_at", "local_time", "until"):
            if given.get(name):
                given[name] = datetime.fromisoformat(given[name])
        if "missed" in given:
            given["missed"] = Missed(given["missed"])
        return cls(**{**given, "kind": Kind(given["kind"])})


_FIELDS: Mapping[Kind, tuple[str, ...]] = {
    Kind.AT: ("send_at",),
    Kind.LOCAL_TIME: ("local_time", "missed", "timezone"),
    Kind.RECURRING: ("cron", "timezone", "own_clock", "missed", "until", "count"),
    Kind.BEST_HOUR: ("send_at", "fallback_hour", "timezone"),
}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, StrEnum) else value
