"""What somebody wrote about time and limits, as the planner's values. Raises ScheduleInvalid and SendingRuleInvalid."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.campaigns.errors import ScheduleInvalid, SendingRuleInvalid
from apps.campaigns.planner import Kind, Schedule
from apps.campaigns.planner.caps import CapAction, FrequencyCap
from apps.campaigns.planner.cron import MOST_PER_HOUR, Cron, NotARule
from apps.campaigns.planner.rules import Missed
from apps.core import clock
from apps.messaging.sending.hours import QuietAction, QuietHours, zone_names, zone_of

#: What a campaign says that wants no quiet hours, whatever the application's.
IGNORE = "ignore"
MOST_PER_MINUTE = 10_000_000
MOST_OCCURRENCES = 10_000
#: Local times outside of these cannot be compared in every zone.
_YEARS = 1970, 2200
_MOST_DAYS, _MOST_MESSAGES = 31, 100
_ALLOWED: Mapping[Kind, frozenset[str]] = {
    Kind.AT: frozenset({"send_at"}),
    Kind.LOCAL_TIME: frozenset({"local_time", "missed", "timezone"}),
    Kind.RECURRING: frozenset({"cron", "timezone", "own_clock", "missed", "until", "count"}),
    Kind.BEST_HOUR: frozenset({"send_at", "fallback_hour", "timezone"}),
}


def read_schedule(given: Mapping[str, Any]) -> Schedule:
    """given: as Schedule.to_json writes it; members that are None or missing mean the default."""
    try:
        kind = Kind(given.get("kind", Kind.AT))
    except ValueError:
        raise _no(_("A schedule is one of at, local_time, recurring, best_hour."), "kind") from None
    said = {name: value for name, value in given.items() if name != "kind" and value is not None}
    for name in sorted(set(said) - _ALLOWED[kind]):
        raise _no(_("This kind of schedule has no such field."), name)
    for name in ("send_at", "until"):
        if name in said:
            said[name] = _instant(said[name], name)
    if "missed" in said:
        said["missed"] = _missed(said["missed"])
    if not isinstance(zone := said.get("timezone", ""), str) or (zone and zone not in zone_names()):
        raise _no(_("This is not a time zone name such as Europe/Berlin."), "timezone")
    if kind is Kind.LOCAL_TIME:
        said["local_time"] = _wall(said.get("local_time"))
    if kind is Kind.RECURRING:
        _require_recurrence(said)
    if kind is Kind.BEST_HOUR and not _is_number(said.get("fallback_hour", 0), 0, 23):
        raise _no(_("An hour is a whole number from 0 to 23."), "fallback_hour")
    return Schedule(kind=kind, **said)


def _require_recurrence(said: dict[str, Any]) -> None:
    if not isinstance(said.get("own_clock", False), bool):
        raise _no(_("Use true or false."), "own_clock")
    if not _is_number(said.get("count", 1), 1, MOST_OCCURRENCES):
        raise _no(_("Use a whole number from 1 to 10,000."), "count")
    said["cron"] = " ".join(str(said.get("cron", "")).lower().split())
    try:
        rule = Cron.read(said["cron"])
        rule.after(clock.now(), zone_of("UTC", "UTC"))
    except NotARule:
        raise _no(
            _("Use five fields: minute, hour, day of the month, month, day of the week. 0 9 * * 1-5 is weekdays at 9."),
            "cron",
        ) from None
    if len(rule.minutes) > MOST_PER_HOUR:
        raise _no(_("A campaign may come at most four times an hour."), "cron")


def read_quiet_hours(given: Mapping[str, Any] | None, *, may_ignore: bool = True) -> dict[str, Any] | None:
    """`{"from": "22:00", "to": "08:00", "action": "hold" | "drop"}`, or of a campaign `{"action": "ignore"}`."""
    if given is None:
        return None
    action = given.get("action", QuietAction.HOLD.value)
    if action == IGNORE and may_ignore:
        return {"action": IGNORE}
    try:
        start, end = (time.fromisoformat(str(given[name])) for name in ("from", "to"))
        quiet = QuietHours(
            start.replace(second=0, microsecond=0), end.replace(second=0, microsecond=0), QuietAction(action)
        )
    except (KeyError, ValueError):
        raise _bad(_("Quiet hours have a beginning and an end such as 22:00 and 08:00."), "quiet_hours") from None
    if quiet.start == quiet.end or start.tzinfo or end.tzinfo:
        raise _bad(_("Quiet hours begin and end at different times."), "quiet_hours")
    return quiet.to_json()


def read_frequency_cap(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """`{"count": 3, "days": 7, "action": "skip" | "defer"}`."""
    if given is None:
        return None
    if not _is_number(given.get("count"), 1, _MOST_MESSAGES) or not _is_number(given.get("days"), 1, _MOST_DAYS):
        raise _bad(_("A cap is 1 to 100 messages within 1 to 31 days."), "frequency_cap")
    try:
        action = CapAction(given.get("action", CapAction.SKIP))
    except ValueError:
        raise _bad(_("Beyond the cap a message is skipped (skip) or waits (defer)."), "frequency_cap") from None
    return FrequencyCap(given["count"], given["days"], action).to_json()


def read_throttle(given: int | None) -> int | None:
    if given is not None and not _is_number(given, 1, MOST_PER_MINUTE):
        raise _bad(_("Use a whole number from 1 on."), "throttle_per_minute")
    return given


def _instant(given: Any, name: str) -> datetime:
    try:
        moment = given if isinstance(given, datetime) else datetime.fromisoformat(given)
        if moment.tzinfo is None:
            raise ValueError("has no zone")
        return moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise _no(_("This is not a point in time such as 2026-05-20T09:00:00Z."), name) from None


def _wall(given: Any) -> datetime:
    try:
        wall = given if isinstance(given, datetime) else datetime.fromisoformat(given)
        if wall.tzinfo is not None or not _YEARS[0] <= wall.year <= _YEARS[1]:
            raise ValueError("has a zone, or lies far away")
    except (TypeError, ValueError):
        raise _no(
            _("Give the time as everybody’s own clock shows it, such as 2026-05-20T09:00."), "local_time"
        ) from None
    return wall.replace(second=0, microsecond=0)


def _missed(given: Any) -> Missed:
    try:
        return Missed(given)
    except ValueError:
        raise _no(_("Use skip, next_day or now."), "missed") from None


def _is_number(given: Any, least: int, most: int) -> bool:
    return type(given) is int and least <= given <= most


def _no(sentence: Any, name: str) -> ScheduleInvalid:
    return ScheduleInvalid(sentence, fields={f"schedule.{name}": [sentence]})


def _bad(sentence: Any, name: str) -> SendingRuleInvalid:
    return SendingRuleInvalid(sentence, fields={name: [sentence]})
