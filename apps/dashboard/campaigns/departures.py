"""When the messages of a campaign will leave, as a chart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core.charts import Bar, bar_chart
from apps.dashboard.campaigns.hours import bars_of, marks_of


@dataclass(frozen=True, slots=True)
class Departures:
    """When messages will leave. rows: (beginning, how many) of the chart's bars that are not empty."""

    svg: SafeString
    rows: list[tuple[datetime, int]]


def departures_of(by_hour: Mapping[datetime, int], timezone: str) -> Departures | None:
    """A bar per hour, or per as many hours as make at most 48 bars. None when nothing will leave."""
    if not by_hour:
        return None
    starts, bar_of = bars_of(by_hour)
    counts = dict.fromkeys(starts, 0)
    for hour, count in by_hour.items():
        counts[bar_of[hour]] += count
    zone = ZoneInfo(timezone)
    return Departures(_chart(counts, zone), [(start, count) for start, count in counts.items() if count])


def _chart(counts: Mapping[datetime, int], zone: ZoneInfo) -> SafeString:
    starts = list(counts)
    bars = [
        Bar(mark, count, f"{date_format(start.astimezone(zone), 'SHORT_DATETIME_FORMAT')}: {intcomma(count)}")
        for start, count, mark in zip(starts, counts.values(), marks_of(starts, zone), strict=True)
    ]
    description = ngettext("%(count)s message.", "%(count)s messages.", sum(counts.values())) % {
        "count": intcomma(sum(counts.values()))
    }
    return bar_chart(bars, title=_("When they leave"), description=description)
