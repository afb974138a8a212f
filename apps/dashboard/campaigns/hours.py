"""Hours put together into as many bars as a chart has room for, and what stands under them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from django.utils.formats import date_format

_HOUR = timedelta(hours=1)
#: A longer time has wider bars.
_MOST_BARS = 48


def bars_of(hours: Collection[datetime]) -> tuple[list[datetime], dict[datetime, datetime]]:
    """The beginning of each bar without gaps, and in which bar each hour is. At least one hour."""
    first, last = min(hours), max(hours)
    width = (int((last - first) / _HOUR) // _MOST_BARS + 1) * _HOUR
    starts = [first + number * width for number in range(int((last - first) / width) + 1)]
    return starts, {hour: first + (hour - first) // width * width for hour in hours}


def marks_of(starts: Sequence[datetime], zone: ZoneInfo) -> list[str]:
    """The day where one begins, else the hour."""
    local = [start.astimezone(zone) for start in starts]
    new_day = [True, *(before.date() != after.date() for before, after in pairwise(local))]
    return [
        date_format(start, "MONTH_DAY_FORMAT") if is_first else date_format(start, "H:i")
        for start, is_first in zip(local, new_day, strict=True)
    ]
