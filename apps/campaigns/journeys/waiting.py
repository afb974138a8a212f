"""When a wait is over, and which way a split sends somebody. Pure."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from apps.campaigns.journeys.definition import Split, Wait, WaitUntil
from apps.messaging.sending.hours import instant_of, wall_of

_DAY = timedelta(days=1)


def end_of_wait(step: Wait | WaitUntil, arrived_at: datetime, zone: ZoneInfo) -> datetime:
    """Always after the arrival, so that a loop through a wait takes time. DST: as `messaging.sending.hours` says."""
    if isinstance(step, Wait):
        return arrived_at + timedelta(seconds=step.seconds)
    wall = datetime.combine(wall_of(arrived_at, zone).date() - _DAY, step.time)
    while True:
        wall += _DAY
        if step.weekdays and wall.isoweekday() not in step.weekdays:
            continue
        if (instant := instant_of(wall, zone)) > arrived_at:
            return instant


def way_of(step: Split, entry: int, visit: int) -> str | None:
    """The same whoever asks and when. entry: its row number. visit: how many steps were before, so that a loop draws
    anew."""
    digest = hashlib.blake2b(f"{entry}:{visit}:{step.id}".encode(), digest_size=8).digest()
    drawn, upto = int.from_bytes(digest, "big") % 100, 0
    for way in step.ways:
        upto += way.percent
        if drawn < upto:
            return way.next
    raise AssertionError("the percentages add up to 100")
