"""The calendar of campaigns: a month or a week of days, on the organisation's clock."""

from __future__ import annotations

from calendar import Calendar as Months
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.campaigns.calendar import Entry, calendar_of
from apps.campaigns.journeys.queries import running_journeys
from apps.campaigns.states import Status
from apps.core import clock
from apps.dashboard.access import DashboardRequest, page

_MONDAY_FIRST = Months()
_STATES = (Status.SCHEDULED, Status.SENDING, Status.PAUSED, Status.SENT, Status.CANCELLED)
_YEARS = range(2000, 2200)
#: Of one campaign on one day; more is said in a number.
_SHOWN_OF_ONE = 2


@dataclass(slots=True)
class Shown:
    """at: on the organisation's clock. more: starts of the same campaign on that day that are not shown."""

    entry: Entry
    at: datetime
    more: int = 0


@dataclass(frozen=True, slots=True)
class Day:
    """is_within: of the month that is shown, and not of the one before or after it."""

    day: date
    shown: list[Shown]
    is_today: bool
    is_within: bool


@page("campaigns.read")
@require_safe
def campaign_calendar(request: DashboardRequest) -> HttpResponse:
    zone = ZoneInfo(request.tenant.timezone)
    today = clock.now().astimezone(zone).date()
    is_week, on = request.GET.get("view") == "week", _date(request.GET.get("on", ""), today)
    state = request.GET.get("status", "")
    dates = _week(on) if is_week else _month(on)
    context: dict[str, object] = {
        "is_week": is_week, "on": on, "today": today, "state": state, "states": _STATES,
        "before": _step(on, is_week=is_week, forward=False), "after": _step(on, is_week=is_week, forward=True),
        "first": dates[0], "last": dates[-1],
    }  # fmt: skip
    if request.application is not None:
        start, end = (_midnight(day, zone) for day in (dates[0], dates[-1] + timedelta(days=1)))
        found = calendar_of(request.application, start, end, state=state if state in _STATES else "")
        by_day = _by_day(found.entries, zone)
        context |= {
            "days": [Day(day, by_day[day], day == today, is_week or day.month == on.month) for day in dates],
            "is_empty": not found.entries,
            "is_complete": found.is_complete,
            "journeys": running_journeys(request.application),
        }
    return render(request, "dashboard/campaigns/calendar.html", context)


def _by_day(entries: list[Entry], zone: ZoneInfo) -> defaultdict[date, list[Shown]]:
    """What repeats within a day is shown twice, and then counted."""
    days: defaultdict[date, list[Shown]] = defaultdict(list)
    for entry in entries:
        at = entry.on_clock(zone)
        same = [
            one for one in days[at.date()] if (one.entry.campaign, one.entry.state) == (entry.campaign, entry.state)
        ]
        if len(same) < _SHOWN_OF_ONE:
            days[at.date()].append(Shown(entry, at))
        else:
            same[-1].more += 1
    return days


def _date(text: str, today: date) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return today
    return found if found.year in _YEARS else today


def _month(on: date) -> list[date]:
    return [day for week in _MONDAY_FIRST.monthdatescalendar(on.year, on.month) for day in week]


def _week(on: date) -> list[date]:
    monday = on - timedelta(days=on.weekday())
    return [monday + timedelta(days=number) for number in range(7)]


def _step(on: date, *, is_week: bool, forward: bool) -> date:
    if is_week:
        return on + timedelta(days=7 if forward else -7)
    first = on.replace(day=1)
    return (first + timedelta(days=31)).replace(day=1) if forward else (first - timedelta(days=1)).replace(day=1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)
