"""Places in the minutes of a journey: how many may begin, or be sent something, in each. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.campaigns.planner.slots import MINUTE, Slots, Window


def take_places(
    count: int, *, limit: int, taken: Mapping[str, Any], now: datetime
) -> tuple[list[datetime], dict[str, Any]]:
    """The instants from now on at which so many have a place, and what is taken then, as Window writes it."""
    window = Window(MINUTE, limit, _still_ahead(taken, now))
    slots, places = Slots(window), list[datetime]()
    while len(places) < count:
        free = slots.first_free(now)
        places += [free] * slots.take(free, count - len(places))
    return places, window.to_json()


def is_this_minute(place: datetime | None, now: datetime) -> bool:
    """A place that was missed is lost: who comes late asks for another one, so that no minute has too many."""
    return place is not None and int(place.timestamp()) // MINUTE == int(now.timestamp()) // MINUTE


def _still_ahead(taken: Mapping[str, Any], now: datetime) -> dict[str, object]:
    """The taken minutes without those that are over."""
    this = int(now.timestamp()) // MINUTE
    full = [pair for pair in taken.get("full", []) if pair[1] > this]
    partial = {slot: count for slot, count in taken.get("partial", {}).items() if int(slot) >= this}
    return {"full": full, "partial": partial}
