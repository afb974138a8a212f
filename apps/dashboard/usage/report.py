"""The usage report as the page and its CSV show it: figures laid out by day and meter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.billing.meters import Aggregation, Meter
from apps.billing.reports import Grain, UsageFigure, span_of_days, usage_report
from apps.core.charts import Bar, bar_chart
from apps.tenants.models import Application, Tenant

#: Meters whose days do not add up to a total: who was there on two days is one, a level is the largest or the newest.
_NOT_SUMS = frozenset({Aggregation.MAX, Aggregation.UNIQUE, Aggregation.LATEST})


@dataclass(frozen=True, slots=True)
class Asked:
    """What to report. first and last day are both included, in the tenant's zone."""

    tenant: Tenant
    first: date
    last: date
    application: Application | None
    meters: Sequence[Meter]

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.tenant.timezone)

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]

    def figures(self, grain: Grain, *, by_application: bool = False, by_campaign: bool = False) -> list[UsageFigure]:
        start, end = span_of_days(self.first, self.last, self.zone)
        return usage_report(
            tenant=self.tenant,
            start=start,
            end=end,
            grain=grain,
            meters={meter.name: meter for meter in self.meters},
            application_id=self.application.pk if self.application else None,
            by_application=by_application,
            by_campaign=by_campaign,
        )


@dataclass(frozen=True, slots=True)
class MeterChart:
    """One meter over the days. total: of the whole range, which is the sum of its days for meters that are sums."""

    meter: Meter
    total: int
    svg: SafeString


@dataclass(frozen=True, slots=True)
class DayRow:
    """quantities: one per meter of the report, in its order."""

    day: date
    quantities: list[int]


@dataclass(frozen=True, slots=True)
class Report:
    charts: list[MeterChart]
    rows: list[DayRow]

    @property
    def is_empty(self) -> bool:
        return not any(chart.total for chart in self.charts)


def report_of(asked: Asked) -> Report:
    """Everything the page shows of a range of days. Days without usage are zeros; the newest day comes first."""
    found = {
        (figure.meter, figure.at.astimezone(asked.zone).date()): figure.quantity for figure in asked.figures(Grain.DAY)
    }
    by_meter = {meter.name: [found.get((meter.name, day), 0) for day in asked.days] for meter in asked.meters}
    rows = [DayRow(day, list(values)) for day, *values in zip(asked.days, *by_meter.values(), strict=True)]
    totals = {name: sum(values) for name, values in by_meter.items()} | _totals_that_are_no_sums(asked)
    charts = [
        _chart(number, meter, asked.days, by_meter[meter.name], totals[meter.name])
        for number, meter in enumerate(asked.meters)
    ]
    return Report(charts, rows[::-1])


def _totals_that_are_no_sums(asked: Asked) -> dict[str, int]:
    meters = [meter for meter in asked.meters if meter.aggregation in _NOT_SUMS]
    whole = replace(asked, meters=meters).figures(Grain.WHOLE) if meters else []
    return {meter.name: 0 for meter in meters} | {figure.meter: figure.quantity for figure in whole}


def _chart(number: int, meter: Meter, days: list[date], values: list[int], total: int) -> MeterChart:
    bars = [
        Bar(date_format(day, "MONTH_DAY_FORMAT"), value, f"{date_format(day)}: {intcomma(value)}")
        for day, value in zip(days, values, strict=True)
    ]
    description = ngettext(
        "%(count)d day, at most %(most)s on one day.", "%(count)d days, at most %(most)s on one day.", len(days)
    ) % {"count": len(days), "most": intcomma(max(values))}
    series = 1 + number % 4
    return MeterChart(meter, total, bar_chart(bars, title=str(meter.title), description=description, series=series))


def csv_rows(asked: Asked, applications: Sequence[Application]) -> Iterator[list[str]]:
    """A header, then one row per day, meter, application and campaign with usage, oldest first."""
    names = {application.pk: application for application in applications}
    meters = {meter.name: meter for meter in asked.meters}
    yield [_("day"), _("meter"), _("unit"), _("application id"), _("application"), _("campaign id"), _("quantity")]
    for figure in asked.figures(Grain.DAY, by_application=True, by_campaign=True):
        application = names.get(figure.application_id or 0)
        meter = meters[figure.meter]
        yield [
            figure.at.astimezone(asked.zone).date().isoformat(),
            meter.name,
            str(meter.unit),
            application.application_id if application else "",
            application.name if application else "",
            figure.campaign or "",
            str(figure.quantity),
        ]
