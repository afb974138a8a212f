"""The same counts by variant, route, language and hour: a chart, and the table under it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.campaigns.rates import BASES, rate_of
from apps.core.charts import Line, Row, line_chart, row_chart
from apps.dashboard.campaigns.hours import bars_of, marks_of
from apps.dashboard.campaigns.results.words import base_name, key_name, money, percent, step_name
from apps.messaging.ledger.results import Dimension, Key
from apps.messaging.ledger.states import Counts

#: In the order of the colours.
_LINES = ("accepted", "opened", "clicked", "converted")
#: What parts are compared by: the first of these that has happened.
_TELLING = ("opened", "received", "accepted", "attempted")
#: Of the rows of hours, the newest; the file has all.
_HOURS_SHOWN = 72


@dataclass(frozen=True, slots=True)
class PartRow:
    """One line of a breakdown's table."""

    name: str
    counts: Counts
    accepted_rate: str
    opened_rate: str
    clicked_rate: str
    revenue: list[str]


@dataclass(frozen=True, slots=True)
class Breakdown:
    """by: as the API says it. note: what the chart compares. legend: (colour, name) of its lines."""

    by: str
    title: str
    rows: list[PartRow]
    svg: SafeString | None
    note: str = ""
    legend: tuple[tuple[int, str], ...] = ()
    is_cut: bool = False


def breakdown_of(by: Dimension, rows: Mapping[Key, Counts], timezone: str) -> Breakdown:
    """Of a variant, a route or a language; see `course_of` for hours."""
    titles = {
        Dimension.VARIANT: _("By variant"), Dimension.ROUTE: _("By route"), Dimension.LANGUAGE: _("By language")
    }  # fmt: skip
    step = next((step for step in _TELLING if any(getattr(counts, step) for counts in rows.values())), "planned")
    note = f"{step_name(step)} {base_name(BASES[step])}" if step in BASES else step_name(step)
    shown = [_row(key_name(by, key, timezone), counts) for key, counts in rows.items()]
    return Breakdown(by.value, titles[by], shown, _compared(shown, step, titles[by], note), note)


def course_of(rows: Mapping[Key, Counts], timezone: str) -> Breakdown:
    """Hour by hour, in the organisation's time."""
    hours = {hour: counts for hour, counts in rows.items() if isinstance(hour, datetime)}
    newest = list(hours.items())[::-1]
    shown = [_row(key_name(Dimension.HOUR, hour, timezone), counts) for hour, counts in newest[:_HOURS_SHOWN]]
    legend = tuple((number, step_name(step)) for number, step in enumerate(_LINES, 1))
    return Breakdown(
        Dimension.HOUR.value, _("Over time"), shown, _course(hours, ZoneInfo(timezone)), legend=legend,
        is_cut=len(newest) > _HOURS_SHOWN,
    )  # fmt: skip


def _row(name: str, counts: Counts) -> PartRow:
    accepted, opened, clicked = (percent(rate_of(counts, step)) for step in ("accepted", "opened", "clicked"))
    return PartRow(name, counts, accepted, opened, clicked, money(counts.revenue))


def _compared(rows: list[PartRow], step: str, title: str, note: str) -> SafeString | None:
    drawn = [
        Row(row.name, rate, f"{percent(rate)} · {intcomma(getattr(row.counts, step))}")
        for row in rows
        if (rate := rate_of(row.counts, step)) is not None
    ]
    if not drawn:
        return None
    return row_chart(
        drawn, title=f"{title}, {note}", description=", ".join(f"{one.label}: {one.text}" for one in drawn)
    )


def _course(hours: Mapping[datetime, Counts], zone: ZoneInfo) -> SafeString | None:
    moved = {hour: counts for hour, counts in hours.items() if any(getattr(counts, step) for step in _LINES)}
    if not moved:
        return None
    starts, bar_of = bars_of(moved)
    sums = {step: dict.fromkeys(starts, 0) for step in _LINES}
    for hour, counts in moved.items():
        for step in _LINES:
            sums[step][bar_of[hour]] += getattr(counts, step)
    lines = [Line(list(sums[step].values()), number) for number, step in enumerate(_LINES, 1)]
    said = ", ".join(f"{step_name(step)}: {intcomma(sum(sums[step].values()))}" for step in _LINES)
    return line_chart(lines, marks_of(starts, zone), title=_("Over time"), description=said)
