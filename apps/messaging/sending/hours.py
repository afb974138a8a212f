"""Wall clocks of the world: local times as instants, and quiet hours. Pure.

Instants are aware and in UTC. A local time that does not exist (the clocks go forward) moves forward by the gap: 02:30
becomes 03:30. One that exists twice (they go back) is the first of the two. Quiet hours go by what the wall shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Self
from zoneinfo import ZoneInfo, available_timezones

_DAY = timedelta(days=1)


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


@lru_cache(maxsize=2_048)
def zone_of(name: str, fallback: str) -> ZoneInfo:
    """The zone of this IANA name; the fallback's for a name that is missing or unknown."""
    return ZoneInfo(name if name in zone_names() else fallback)


def instant_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """wall: naive, as a clock on the wall in the zone shows it."""
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def wall_of(instant: datetime, zone: ZoneInfo) -> datetime:
    """What a clock on the wall in the zone shows, naive."""
    return instant.astimezone(zone).replace(tzinfo=None)


class QuietAction(StrEnum):
    """What becomes of what falls into quiet hours: it waits for their end, or is not sent."""

    HOLD = "hold"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class QuietHours:
    """[start, end) of the wall clock, over midnight when start is after end; never equal."""

    start: time
    end: time
    action: QuietAction

    def cover(self, instant: datetime, zone: ZoneInfo) -> bool:
        shown = wall_of(instant, zone).time()
        if self.start < self.end:
            return self.start <= shown < self.end
        return shown >= self.start or shown < self.end

    def free_at(self, instant: datetime, zone: ZoneInfo) -> datetime:
        """The first instant from this one on that they do not cover."""
        while self.cover(instant, zone):
            instant = self._edge_after(instant, zone)
        return instant

    def _edge_after(self, instant: datetime, zone: ZoneInfo) -> datetime:
        """Where the clock reaches the end of the quiet hours, or is changed before it does."""
        shown = wall_of(instant, zone)
        reached = instant + (datetime.combine(shown.date(), self.end) - shown) % _DAY
        if _offset(reached, zone) == _offset(instant, zone):
            return reached
        return _change_between(instant, reached, zone)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        return cls(time.fromisoformat(stored["from"]), time.fromisoformat(stored["to"]), QuietAction(stored["action"]))

    def to_json(self) -> dict[str, str]:
        return {"from": f"{self.start:%H:%M}", "to": f"{self.end:%H:%M}", "action": self.action.value}


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _change_between(early: datetime, late: datetime, zone: ZoneInfo) -> datetime:
    """The second at which the zone's offset changes. There is one change between the two."""
    before = _offset(early, zone)
    low, high = int(early.timestamp()), int(late.timestamp())
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(datetime.fromtimestamp(middle, UTC), zone) == before:
            low = middle
        else:
            high = middle
    return datetime.fromtimestamp(high, UTC)
