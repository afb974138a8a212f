"""A campaign's time, limits and experiment as lines of the page \u201cThe plan\u201d."""

from __future__ import annotations

from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.campaigns.models import Campaign
from apps.campaigns.planner import Kind, Schedule
from apps.campaigns.services.rules import quiet_hours_of
from apps.dashboard.campaigns.experiment_words import experiment_words
from apps.messaging.sending.hours import QuietAction


def words_of(campaign: Campaign) -> list[tuple[str, str]]:
    """(what, how), the schedule first."""
    lines = [(_("When"), _schedule(campaign))]
    if campaign.category:
        lines.append((_("Category"), campaign.category))
    quiet = quiet_hours_of(campaign)
    if quiet is not None:
        said = {"start": f"{quiet.start:%H:%M}", "end": f"{quiet.end:%H:%M}"}
        held = quiet.action is QuietAction.HOLD
        text = _("%(start)s to %(end)s: held until they end") if held else _("%(start)s to %(end)s: not sent")
        lines.append((_("Quiet hours"), text % said))
    if campaign.throttle_per_minute:
        lines.append((_("At most per minute"), str(campaign.throttle_per_minute)))
    if campaign.frequency_cap:
        lines.append((_("For one person"), _cap(campaign.frequency_cap)))
    if campaign.fallback_after is not None:
        count = campaign.fallback_after
        text = ngettext("after %(count)d second without a receipt", "after %(count)d seconds without a receipt", count)
        lines.append((_("Next route"), text % {"count": count}))
    if campaign.ttl:
        lines.append((_("Worth sending for"), _ttl(campaign.ttl)))
    return [*lines, *experiment_words(campaign)]


def _schedule(campaign: Campaign) -> str:
    schedule = Schedule.from_json(campaign.schedule)
    zone = schedule.timezone or campaign.tenant.timezone
    if schedule.local_time is not None:
        return _("%(time)s on each person\u2019s own clock") % {
            "time": date_format(schedule.local_time, "DATETIME_FORMAT")
        }
    if schedule.kind is Kind.BEST_HOUR:
        return _("In the hour in which each person is most active")
    if schedule.kind is Kind.RECURRING:
        said = {"rule": schedule.cron, "zone": zone}
        if schedule.own_clock:
            return _("By the rule %(rule)s, on each person\u2019s own clock") % said
        return _("By the rule %(rule)s in %(zone)s") % said
    return _("For everybody at the same moment")


def _cap(cap: dict[str, Any]) -> str:
    text = ngettext("at most %(count)d message", "at most %(count)d messages", cap["count"]) % cap
    return _("%(messages)s in %(days)d days") % {"messages": text, "days": cap["days"]}


def _ttl(seconds: int) -> str:
    if seconds % 86_400 == 0:
        return ngettext("%(count)d day", "%(count)d days", seconds // 86_400) % {"count": seconds // 86_400}
    if seconds % 3_600 == 0:
        return ngettext("%(count)d hour", "%(count)d hours", seconds // 3_600) % {"count": seconds // 3_600}
    return ngettext("%(count)d second", "%(count)d seconds", seconds) % {"count": seconds}
