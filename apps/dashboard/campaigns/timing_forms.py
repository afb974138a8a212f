"""When a campaign is sent and what holds it back, as a marketer says it. Shape is checked; rules live in services."""

from __future__ import annotations

import re
from datetime import datetime, time
from typing import Any, Self
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.audience.preferences import name_in
from apps.audience.services.preferences import categories_of
from apps.campaigns.models import Campaign
from apps.campaigns.planner import Kind
from apps.campaigns.planner.caps import CapAction
from apps.campaigns.planner.rules import Missed
from apps.campaigns.reading import IGNORE, MOST_OCCURRENCES, MOST_PER_MINUTE
from apps.campaigns.services.rules import default_quiet_hours
from apps.dashboard.access import DashboardRequest
from apps.messaging.sending.hours import QuietAction, zone_names
from apps.tenants.models import Application

_KINDS = [
    (Kind.AT, _("Once, for everybody at the same moment")),
    (Kind.LOCAL_TIME, _("Once, at a time on each person’s own clock")),
    (Kind.RECURRING, _("Again and again")),
    (Kind.BEST_HOUR, _("Once, in the hour in which each person is most active")),
]
_MISSED = [
    (Missed.NEXT_DAY, _("Send it the next day at that time")),
    (Missed.SKIP, _("Leave them out")),
    (Missed.NOW, _("Send it at once")),
]
_EVERY = [
    ("day", _("Every day")),
    ("weekdays", _("Monday to Friday")),
    ("week", _("Every week")),
    ("month", _("Every month")),
    ("rule", _("By a cron rule")),
]
WEEKDAYS = [
    ("1", _("Monday")), ("2", _("Tuesday")), ("3", _("Wednesday")), ("4", _("Thursday")), ("5", _("Friday")),
    ("6", _("Saturday")), ("0", _("Sunday")),
]  # fmt: skip
_QUIET = [("application", _("The application’s")), ("own", _("Its own")), (IGNORE, _("None"))]
_QUIET_ACTIONS = [(QuietAction.HOLD, _("Hold it until they end")), (QuietAction.DROP, _("Do not send it"))]
_CAP_ACTIONS = [(CapAction.SKIP, _("Leave them out")), (CapAction.DEFER, _("Wait until there is room"))]
_UNITS = [("60", _("minutes")), ("3600", _("hours")), ("86400", _("days"))]
#: What a form that says nothing about time means.
_DEFAULTS = (
    ("kind", Kind.AT), ("missed", Missed.NEXT_DAY), ("every", "day"), ("weekday", "1"), ("fallback_hour", 10),
    ("quiet", "application"), ("quiet_action", QuietAction.HOLD), ("cap_action", CapAction.SKIP), ("ttl_unit", "3600"),
)  # fmt: skip
_CLOCK = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
_MOMENT = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
_SIMPLE = re.compile(r"(\d+) (\d+) (\*|\d+) \* (\*|1-5|mon-fri|\d)")


def _moment() -> forms.DateTimeInput:
    return forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_MOMENT[0])


class QuietHoursForm(forms.Form):
    """Default quiet hours of an application."""

    is_on = forms.BooleanField(label=_("Keep quiet hours"), required=False)
    quiet_from = forms.TimeField(label=_("From"), required=False, widget=_CLOCK)
    quiet_to = forms.TimeField(label=_("To"), required=False, widget=_CLOCK)
    quiet_action = forms.ChoiceField(label=_("What falls into them"), choices=_QUIET_ACTIONS, initial=QuietAction.HOLD)

    @classmethod
    def of(cls, application: Application) -> Self:
        """Unbound, as they are now."""
        now = default_quiet_hours(application)
        return cls(
            initial={"quiet_from": time(22), "quiet_to": time(8), **quiet_initial(now), "is_on": now is not None}
        )

    @property
    def quiet_hours(self) -> dict[str, Any] | None:
        return quiet_of(self.cleaned_data) if self.cleaned_data["is_on"] else None


class TimingForm(forms.Form):
    """The part of the editor about time and limits. Instants are typed in the organisation's time zone."""

    kind = forms.ChoiceField(label=_("When"), choices=_KINDS, widget=forms.RadioSelect, initial=Kind.AT)
    local_time = forms.DateTimeField(
        label=_("Time on each person’s clock"), required=False, widget=_moment(), input_formats=_MOMENT
    )
    missed = forms.ChoiceField(label=_("Whose clock is already past it"), choices=_MISSED, initial=Missed.NEXT_DAY)
    every = forms.ChoiceField(label=_("How often"), choices=_EVERY, initial="day")
    at = forms.TimeField(label=_("At"), required=False, widget=_CLOCK, initial=time(9))
    weekday = forms.ChoiceField(label=_("On"), choices=WEEKDAYS, initial="1")
    month_day = forms.IntegerField(
        label=_("Day of the month"), required=False, min_value=1, max_value=31, initial=1,
        help_text=_("Months without that day are left out."),
    )  # fmt: skip
    cron = forms.CharField(
        label=_("Rule"), required=False, max_length=200,
        help_text=_("Minute, hour, day of the month, month, day of the week. 0 9 * * 1-5 is weekdays at 9."),
    )  # fmt: skip
    own_clock = forms.BooleanField(
        label=_("On each person’s own clock"), required=False,
        help_text=_("Otherwise everybody gets it at the same moment, by the time zone below."),
    )  # fmt: skip
    until = forms.DateTimeField(label=_("Ends at"), required=False, widget=_moment(), input_formats=_MOMENT)
    count = forms.IntegerField(
        label=_("Ends after so many times"), required=False, min_value=1, max_value=MOST_OCCURRENCES
    )
    fallback_hour = forms.TypedChoiceField(
        label=_("For people about whom little is known"), coerce=int, initial=10,
        choices=[(hour, f"{hour:02}:00") for hour in range(24)],
        help_text=_("People with fewer than 5 events in 90 days get it at this hour of their day."),
    )  # fmt: skip
    timezone = forms.ChoiceField(label=_("Time zone"), help_text=_("Also of people whose own time zone is not known."))
    category = forms.ChoiceField(
        label=_("Category"), required=False, help_text=_("Who has switched the category off is left out.")
    )
    quiet = forms.ChoiceField(label=_("Quiet hours"), choices=_QUIET, widget=forms.RadioSelect, initial="application")
    quiet_from = forms.TimeField(label=_("From"), required=False, widget=_CLOCK, initial=time(22))
    quiet_to = forms.TimeField(label=_("To"), required=False, widget=_CLOCK, initial=time(8))
    quiet_action = forms.ChoiceField(label=_("What falls into them"), choices=_QUIET_ACTIONS, initial=QuietAction.HOLD)
    throttle_per_minute = forms.IntegerField(
        label=_("At most per minute"), required=False, min_value=1, max_value=MOST_PER_MINUTE,
        help_text=_("Spreads the messages, so that not everybody opens your app in the same minute."),
    )  # fmt: skip
    cap_count = forms.IntegerField(label=_("At most so many messages"), required=False, min_value=1, max_value=100)
    cap_days = forms.IntegerField(label=_("within so many days"), required=False, min_value=1, max_value=31)
    cap_action = forms.ChoiceField(label=_("Who had enough"), choices=_CAP_ACTIONS, initial=CapAction.SKIP)
    ttl_count = forms.IntegerField(
        label=_("Worth sending for"), required=False, min_value=1, max_value=40_320,
        help_text=_("What is held back longer is not sent. Empty: it stays worth sending."),
    )  # fmt: skip
    ttl_unit = forms.ChoiceField(label=_("Unit"), choices=_UNITS, initial="3600")

    def __init__(self, data: Any, request: DashboardRequest, campaign: Campaign | None = None) -> None:
        self.zone = request.tenant.timezone
        if data is not None:
            data = data.copy()
            for name, value in (("timezone", self.zone), *_DEFAULTS):
                data.setdefault(name, value)
        super().__init__(data, initial=_initial(campaign) if campaign else {"timezone": self.zone})
        self._choose("timezone", [(name, name) for name in sorted(zone_names())])
        found = categories_of(request.application).order_by("pk") if request.application else []
        named = [(one.key, name_in(one.names, request.LANGUAGE_CODE or "en", otherwise=one.key)) for one in found]
        self._choose("category", [("", _("No category")), *named])
        self.default_quiet = default_quiet_hours(request.application) if request.application else None

    def _choose(self, name: str, choices: list[tuple[str, Any]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def full_clean(self) -> None:
        with timezone.override(ZoneInfo(self.zone)):
            super().full_clean()

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = self.cleaned_data
        if said.get("kind") == Kind.LOCAL_TIME and not said.get("local_time") and "local_time" not in self.errors:
            self.add_error("local_time", _("Choose a time."))
        if (said.get("cap_count") is None) != (said.get("cap_days") is None):
            self.add_error("cap_days", _("Say how many messages within how many days."))
        return said

    @property
    def schedule(self) -> dict[str, Any]:
        said = self.cleaned_data
        kind, zone = Kind(said["kind"]), said["timezone"]
        if kind is Kind.LOCAL_TIME:
            wall = said["local_time"].astimezone(ZoneInfo(self.zone)).replace(tzinfo=None)
            return {"kind": kind.value, "local_time": wall, "missed": said["missed"], "timezone": zone}
        if kind is Kind.RECURRING:
            return {
                "kind": kind.value, "cron": self._rule(), "timezone": zone, "own_clock": said["own_clock"],
                "missed": said["missed"], "until": said["until"], "count": said["count"],
            }  # fmt: skip
        if kind is Kind.BEST_HOUR:
            return {"kind": kind.value, "fallback_hour": said["fallback_hour"], "timezone": zone}
        return {"kind": kind.value}

    def _rule(self) -> str:
        said = self.cleaned_data
        if said["every"] == "rule":
            return str(said["cron"])
        at = said["at"] or time(9)
        day = said["month_day"] or 1 if said["every"] == "month" else "*"
        weekday = {"weekdays": "1-5", "week": said["weekday"]}.get(said["every"], "*")
        return f"{at.minute} {at.hour} {day} * {weekday}"

    def limits(self) -> dict[str, Any]:
        """What a Plan takes besides the schedule."""
        said = self.cleaned_data
        quiet = {"application": None, IGNORE: {"action": IGNORE}}
        cap = {"count": said["cap_count"], "days": said["cap_days"], "action": said["cap_action"]}
        return {
            "category": said["category"],
            "quiet_hours": quiet_of(said) if said["quiet"] == "own" else quiet[said["quiet"]],
            "throttle_per_minute": said["throttle_per_minute"],
            "frequency_cap": cap if said["cap_count"] else None,
            "ttl": said["ttl_count"] * int(said["ttl_unit"]) if said["ttl_count"] else None,
        }


def quiet_of(said: dict[str, Any]) -> dict[str, Any]:
    """Quiet hours as the services take them, of a form's own fields."""
    hours = {"from": said["quiet_from"], "to": said["quiet_to"]}
    return {"action": said["quiet_action"], **{name: f"{at:%H:%M}" for name, at in hours.items() if at is not None}}


def quiet_initial(quiet: dict[str, str] | None) -> dict[str, Any]:
    if not quiet or "from" not in quiet:
        return {}
    return {"quiet_from": quiet["from"], "quiet_to": quiet["to"], "quiet_action": quiet["action"]}


def _initial(campaign: Campaign) -> dict[str, Any]:
    schedule, quiet, cap = campaign.schedule, campaign.quiet_hours, campaign.frequency_cap or {}
    unit = next((int(unit) for unit, _name in reversed(_UNITS) if campaign.ttl and campaign.ttl % int(unit) == 0), 60)
    given = {
        **{name: value for name, value in schedule.items() if value is not None},
        **_every(schedule.get("cron", "")),
        **quiet_initial(quiet),
        "timezone": schedule.get("timezone") or campaign.tenant.timezone,
        "category": campaign.category,
        "quiet": "application" if quiet is None else IGNORE if quiet["action"] == IGNORE else "own",
        "throttle_per_minute": campaign.throttle_per_minute,
        "cap_count": cap.get("count"), "cap_days": cap.get("days"), "cap_action": cap.get("action"),
        "ttl_count": -(-campaign.ttl // unit) if campaign.ttl else None, "ttl_unit": str(unit),
    }  # fmt: skip
    zone = ZoneInfo(campaign.tenant.timezone)
    for name in ("local_time", "until"):
        if given.get(name):
            moment = datetime.fromisoformat(given[name])
            given[name] = (moment.astimezone(zone) if moment.tzinfo else moment).strftime(_MOMENT[0])
    return given


def _every(cron: str) -> dict[str, Any]:
    """The editor's words for a rule; the rule itself when they cannot say it."""
    found = _SIMPLE.fullmatch(cron)
    if found is None:
        return {"every": "rule"} if cron else {}
    minute, hour, day, weekday = found.groups()
    at = time(int(hour), int(minute))
    if day != "*" and weekday != "*":
        return {"every": "rule"}
    if day != "*":
        return {"every": "month", "at": at, "month_day": int(day)}
    every = "day" if weekday == "*" else "weekdays" if "-" in weekday else "week"
    return {"every": every, "at": at, "weekday": str(int(weekday) % 7) if every == "week" else "1"}
