"""What a started run is bound to, and how that is kept. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from apps.campaigns.planner.caps import FrequencyCap
from apps.messaging.sending.hours import QuietHours


class Missed(StrEnum):
    """What becomes of people whose local time has passed when the run starts."""

    SKIP = "skip"
    NEXT_DAY = "next_day"
    NOW = "now"


@dataclass(frozen=True, slots=True)
class LocalTime:
    """wall: naive, as each person's own clock will show it."""

    wall: datetime
    missed: Missed


@dataclass(frozen=True, slots=True)
class BestHour:
    """The hour of the person's day in which they do most, within a day of the start. fallback_hour: of those about whom
    too little is known."""

    fallback_hour: int


@dataclass(frozen=True, slots=True)
class Rules:
    """base: the instant a run starts. timing: None for everybody at once. languages: those it has words in, in the
    author's order. fallback_timezone: of people without one. ttl: how long after the wanted instant it may be sent.
    decide_at: when those who wait for the winner of an experiment are sent to.
    """

    base: datetime
    languages: tuple[str, ...]
    default_language: str
    fallback_timezone: str = "UTC"
    timing: LocalTime | BestHour | None = None
    ttl: timedelta | None = None
    quiet: QuietHours | None = None
    cap: FrequencyCap | None = None
    category: str = ""
    throttle: int | None = None
    decide_at: datetime | None = None

    @property
    def needs_clock(self) -> bool:
        """Whether the person's time zone makes a difference."""
        return self.timing is not None or self.quiet is not None

    def to_json(self) -> dict[str, Any]:
        return {
            "base": self.base.isoformat(),
            "languages": list(self.languages),
            "default_language": self.default_language,
            "fallback_timezone": self.fallback_timezone,
            "timing": _timing_to_json(self.timing),
            "ttl": self.ttl.total_seconds() if self.ttl is not None else None,
            "quiet": self.quiet.to_json() if self.quiet else None,
            "cap": self.cap.to_json() if self.cap else None,
            "category": self.category,
            "throttle": self.throttle,
            "decide_at": self.decide_at.isoformat() if self.decide_at else None,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        return cls(
            base=datetime.fromisoformat(stored["base"]),
            languages=tuple(stored["languages"]),
            default_language=stored["default_language"],
            fallback_timezone=stored["fallback_timezone"],
            timing=_timing_from_json(stored["timing"]),
            ttl=timedelta(seconds=stored["ttl"]) if stored["ttl"] is not None else None,
            quiet=QuietHours.from_json(stored["quiet"]) if stored["quiet"] else None,
            cap=FrequencyCap.from_json(stored["cap"]) if stored["cap"] else None,
            category=stored["category"],
            throttle=stored["throttle"],
            decide_at=datetime.fromisoformat(stored["decide_at"]) if stored.get("decide_at") else None,
        )


def _timing_to_json(timing: LocalTime | BestHour | None) -> dict[str, Any] | None:
    if isinstance(timing, LocalTime):
        return {"wall": timing.wall.isoformat(), "missed": timing.missed.value}
    return {"fallback_hour": timing.fallback_hour} if timing else None


def _timing_from_json(stored: Mapping[str, Any] | None) -> LocalTime | BestHour | None:
    if stored is None:
        return None
    if "wall" in stored:
        return LocalTime(datetime.fromisoformat(stored["wall"]), Missed(stored["missed"]))
    return BestHour(stored["fallback_hour"])
