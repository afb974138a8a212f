"""Runs beside each other: which ones, their rates as bars, their differences in a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from apps.campaigns.comparing import COMPARED, MOST, Side, compared, runs_named
from apps.campaigns.models import CampaignRun
from apps.campaigns.rates import BASES
from apps.core.charts import Row, row_chart
from apps.core.errors import HouseError
from apps.dashboard.access import DashboardRequest, page
from apps.dashboard.campaigns.results.words import base_name, interval_in_words, money, percent, step_name
from apps.dashboard.campaigns.views import campaigns_of
from apps.dashboard.errors import NoApplication

_OFFERED = 50


@dataclass(frozen=True, slots=True)
class Cell:
    """step: its name. interval: against the first, in percent points; empty of the first. is_decided: zero lies
    outside of it."""

    step: str
    rate: str
    interval: str
    is_decided: bool


@dataclass(frozen=True, slots=True)
class Column:
    """A step, its picture, and a cell for each run."""

    name: str
    base: str
    svg: SafeString
    cells: list[Cell]


@page("campaigns.read")
@require_safe
def campaign_compare(request: DashboardRequest) -> HttpResponse:
    """`?of=` once for each run or campaign."""
    if request.application is None:
        raise NoApplication
    names = request.GET.getlist("of")
    zone = ZoneInfo(request.tenant.timezone)
    context: dict[str, Any] = {"offered": _offered(request, names, zone), "most": MOST}
    if len(names) > 1:
        try:
            runs = runs_named(campaigns_of(request), request.tenant, names)
            context |= _shown(compared(runs), zone) | {
                "offered": _offered(request, [run.public_id for run in runs], zone)
            }
        except HouseError as error:
            context["problem"] = error.message
    return render(request, "dashboard/campaigns/compare.html", context)


def _offered(request: DashboardRequest, names: Sequence[str], zone: ZoneInfo) -> list[tuple[str, str, bool]]:
    """(public id, name, whether it is chosen) of the last runs."""
    runs = CampaignRun.objects.of(request.tenant).filter(campaign__application=request.application)
    last = runs.select_related("campaign").order_by("-pk")[:_OFFERED]
    return [(run.public_id, _name(run, zone), run.public_id in names) for run in last]


def _name(run: CampaignRun, zone: ZoneInfo) -> str:
    return f"{run.campaign.name}, {date_format(run.due_at.astimezone(zone), 'SHORT_DATETIME_FORMAT')}"


def _shown(sides: Sequence[Side], zone: ZoneInfo) -> dict[str, Any]:
    names = [_name(side.run, zone) for side in sides]
    columns = [_column(step, sides, names) for step in COMPARED]
    rows = [
        (name, side, [column.cells[number] for column in columns], money(side.counts.revenue))
        for number, (name, side) in enumerate(zip(names, sides, strict=True))
    ]
    return {"columns": columns, "rows": rows, "is_moving": any(side.is_moving for side in sides)}


def _column(step: str, sides: Sequence[Side], names: Sequence[str]) -> Column:
    name, base = step_name(step), base_name(BASES[step])
    cells = [_cell(side, step) for side in sides]
    bars = [Row(label, side.rates[step].rate, cell.rate) for label, side, cell in zip(names, sides, cells, strict=True)]
    said = ", ".join(f"{bar.label}: {bar.text}" for bar in bars)
    svg = row_chart(bars, title=_("%(step)s, %(base)s") % {"step": name, "base": base}, description=said)
    return Column(name, base, svg, cells)


def _cell(side: Side, step: str) -> Cell:
    group, difference = side.rates[step], side.differences.get(step)
    return Cell(
        step_name(step),
        percent(group.rate if group.people else None),
        interval_in_words(difference) if difference else "",
        difference is not None and difference.is_decided,
    )
