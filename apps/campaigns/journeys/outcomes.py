"""What a step makes of an entry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Stay:
    """In the step, until then. place_at: the minute in which a throttled send has a place for them."""

    until: datetime
    place_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """On to the next step; None is the end. result, message_id: as in JourneyVisit. goal: what was reached."""

    next: str | None
    result: str = "done"
    message_id: int | None = None
    goal: str = ""


Outcome = Stay | Move
