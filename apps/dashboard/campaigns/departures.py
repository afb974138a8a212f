"""When the messages of a campaign will leave, as a chart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core.charts import Bar, bar_chart

_HOUR = timedelta(hours=1)
#: Bars of the chart; a longer time has wider ones.
_MOST_BARS = 48


@dataclass(frozen=True, slots=True)
class Departures:
    """When messages will leave. rows: (beginning, how many) of the chart's bars that are not empty."""

    svg: SafeString
    rows: list[tuple[datetime, int]]


def departures_of(by_hour: Mapping[datetime, int], timezone: str) -> Departures | None:
    """A bar per hour, or per as many hours as make at most 48 bars. None when nothing will leave."""
    if not by_hour:
        return None
    first, last = min(by_hour), max(by_hour)
    width = (int((last - first) / _HOUR) // _MOST_BARS + 1) * _HOUR
    starts = [first + number * width for number in range(int((last - first) / width) + 1)]
    counts = dict.fromkeys(starts, 0)
    for hour, count in by_hour.items():
        counts[first + (hour - first) // width * width] += count
    zone = ZoneInfo(timezone)
    return Departures(_chart(counts, zone), [(start, count) for start, count in counts.items() if count])


def _chart(counts: Mapping[datetime, int], zone: ZoneInfo) -> SafeString:
    local = [start.astimezone(zone) for start in counts]
    new_day = [True, *(before.date() != after.date() for before, after in pairwise(local))]
    bars = [
        Bar(
            date_format(start, "MONTH_DAY_FORMAT") if is_first else date_format(start, "H:i"),
            count,
            f"{date_format(start, 'SHORT_DATETIME_FORMAT')}: {intcomma(count)}",
        )
        for start, count, is_first in zip(local, counts.values(), new_day, strict=True)
    ]
    description = ngettext("%(count)s message.", "%(count)s messages.", sum(counts.values())) % {
        "count": intcomma(sum(counts.values()))
    }
    return bar_chart(bars, title=_("When they leave"), description=description)
