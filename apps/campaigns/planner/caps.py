"""How often somebody hears from us. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self


class CapAction(StrEnum):
    """What becomes of one message too many: it is not sent, or waits until there is room."""

    SKIP = "skip"
    DEFER = "defer"


@dataclass(frozen=True, slots=True)
class FrequencyCap:
    """At most `count` messages within any `days` times 24 hours."""

    count: int
    days: int
    action: CapAction = CapAction.SKIP

    @property
    def window(self) -> timedelta:
        return timedelta(days=self.days)

    def free_at(self, instant: datetime, sends: Sequence[datetime]) -> datetime:
        """The first instant from this one on at which one more fits. sends: sorted; past ones, and planned ones."""
        for first, last in zip(sends, sends[self.count - 1 :], strict=False):
            if max(last, instant) - min(first, instant) < self.window:
                instant = first + self.window
        return instant

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        return cls(stored["count"], stored["days"], CapAction(stored["action"]))

    def to_json(self) -> dict[str, Any]:
        return {"count": self.count, "days": self.days, "action": self.action.value}
