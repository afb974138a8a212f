"""How many may leave in a minute, in a day: the k-th due person gets the first slot that is still free. Pure.

What is kept does not grow with the audience: full slots as ranges, and the few that are partly taken.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping
from datetime import UTC, datetime
from math import inf
from typing import Any

MINUTE, DAY = 60, 86_400


class Window:
    """Slots of `seconds`, each with room for `limit`. Slots are numbered from 1970, begun `early` seconds before."""

    def __init__(self, seconds: int, limit: int, taken: Mapping[str, Any] | None = None, *, early: int = 0) -> None:
        self.seconds, self.limit, self.early = seconds, limit, early
        taken = taken or {}
        self._full: list[list[int]] = [list(pair) for pair in taken.get("full", ())]
        self.partial: dict[int, int] = {}
        for slot, count in taken.get("partial", {}).items():
            self.take(int(slot), count)  # which is more than there is room for where the limit was lowered

    def to_json(self) -> dict[str, Any]:
        return {"full": self._full, "partial": self.partial}

    def slot_of(self, instant: datetime) -> int:
        return (int(instant.timestamp()) + self.early) // self.seconds

    def start_of(self, slot: int) -> datetime:
        return datetime.fromtimestamp(slot * self.seconds - self.early, UTC)

    def is_full(self, slot: int) -> bool:
        return self.free_from(slot) != slot

    def free_from(self, slot: int) -> int:
        """The first slot from this one on that has room."""
        at = bisect_right(self._full, [slot, inf]) - 1
        return self._full[at][1] if at >= 0 and self._full[at][1] > slot else slot

    def room(self, slot: int) -> int:
        return 0 if self.is_full(slot) else self.limit - self.partial.get(slot, 0)

    def take(self, slot: int, count: int) -> None:
        taken = self.partial.pop(slot, 0) + count
        if taken < self.limit:
            self.partial[slot] = taken
        else:
            self._fill(slot)

    def take_at_least(self, slot: int, count: int) -> None:
        """Others have used so many places of it, planned or not."""
        if count and not self.is_full(slot):
            self.take(slot, max(0, count - self.partial.get(slot, 0)))

    def _fill(self, slot: int) -> None:
        insort(self._full, [slot, slot + 1])
        merged: list[list[int]] = []
        for low, high in self._full:
            if merged and merged[-1][1] == low:
                merged[-1][1] = high
            else:
                merged.append([low, high])
        self._full = merged


class Slots:
    """Windows that hold at once: a place is free when it is free in each of them."""

    def __init__(self, *windows: Window) -> None:
        self.windows = windows

    def first_free(self, instant: datetime) -> datetime:
        """The first instant from this one on at which somebody may leave."""
        moved = True
        while moved:
            moved = False
            for window in self.windows:
                slot = window.slot_of(instant)
                free = window.free_from(slot)
                if free != slot:
                    instant, moved = window.start_of(free), True
        return instant

    def take(self, instant: datetime, count: int) -> int:
        """Takes up to `count` places at a free instant. Answers how many."""
        taken = min(count, *(window.room(window.slot_of(instant)) for window in self.windows))
        for window in self.windows:
            window.take(window.slot_of(instant), taken)
        return taken
