"""What happened when, and what is to come: the runs of campaigns, and the occurrences that their schedules name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from django.db.models import Count

from apps.campaigns.models import Campaign, CampaignRun
from apps.campaigns.planner import Schedule
from apps.campaigns.planner.rules import LocalTime
from apps.campaigns.states import Status
from apps.messaging.ledger.states import MessageState
from apps.tenants.models import Application

#: Days that one look takes in, and what it shows at most. Of one campaign: so that no other is crowded out.
MOST_DAYS, MOST, MOST_OF_ONE = 100, 2_000, 500
#: A local time begins so much before, and ends so much after, the same time anywhere else.
_WORLD = timedelta(hours=26)
_TO_COME = (Status.SCHEDULED.value, Status.SENDING.value, Status.PAUSED.value)


@dataclass(frozen=True, slots=True)
class Entry:
    """One start of a campaign. at: when it starts or started. wall: naive, where everybody gets it at that time on
    their own clock; else None. state: as a campaign's. run: its public id; empty when it is to come."""

    campaign: Campaign
    at: datetime
    wall: datetime | None
    state: str
    run: str = ""

    def on_clock(self, zone: ZoneInfo) -> datetime:
        """Where it stands in a calendar of that zone: a time of everybody's own clock is the same in each."""
        return self.wall.replace(tzinfo=zone) if self.wall is not None else self.at.astimezone(zone)


@dataclass(frozen=True, slots=True)
class Calendar:
    """entries: by time. is_complete: False when there are more than are shown."""

    entries: list[Entry]
    is_complete: bool


def calendar_of(application: Application, start: datetime, end: datetime, *, state: str = "") -> Calendar:
    """Of `[start, end)`, in the zone that `start` is in. state: only those; empty for all."""
    zone = start.tzinfo if isinstance(start.tzinfo, ZoneInfo) else ZoneInfo("UTC")
    found = [*_runs(application, start - _WORLD, end + _WORLD), *_to_come(application, start - _WORLD, end + _WORLD)]
    entries = [
        entry for entry in found
        if start <= entry.on_clock(zone) < end and (not state or entry.state == state)
    ]  # fmt: skip
    entries.sort(key=lambda entry: (entry.on_clock(zone), entry.campaign.pk))
    return Calendar(entries[:MOST], len(entries) <= MOST)


def _runs(application: Application, start: datetime, end: datetime) -> Iterator[Entry]:
    runs = CampaignRun.objects.of(application.tenant_id).filter(campaign__application=application)
    told = runs.filter(due_at__gte=start, due_at__lt=end).select_related("campaign", "message")
    for run in told.order_by("-due_at")[: MOST + 1]:
        wall = _wall(Schedule.from_json(run.campaign.schedule), run.due_at)
        yield Entry(run.campaign, run.due_at, wall, _state_of(run), run.public_id)


def _state_of(run: CampaignRun) -> str:
    if run.message.state == MessageState.CANCELLED:
        return Status.CANCELLED.value
    if run.message.ended_at is not None:
        return Status.SENT.value
    return Status.PAUSED.value if run.message.state == MessageState.PAUSED else Status.SENDING.value


def _to_come(application: Application, start: datetime, end: datetime) -> Iterator[Entry]:
    campaigns = Campaign.objects.of(application.tenant_id).filter(application=application, status__in=_TO_COME)
    waiting = campaigns.filter(next_at__lt=end).select_related("tenant").annotate(run_count=Count("runs"))
    for campaign in waiting.order_by("next_at")[: MOST + 1]:
        schedule = Schedule.from_json(campaign.schedule)
        state = Status.PAUSED.value if campaign.status == Status.PAUSED else Status.SCHEDULED.value
        for at in islice(_starts(campaign, schedule, start, end), MOST_OF_ONE):
            yield Entry(campaign, at, _wall(schedule, at), state)


def _starts(campaign: Campaign, schedule: Schedule, start: datetime, end: datetime) -> Iterator[datetime]:
    """From the next one on, as the rule has them. Those before `start` are passed over one by one only where they are
    counted."""
    at, runs, zone = campaign.next_at, campaign.run_count, campaign.tenant.timezone  # type: ignore[attr-defined]
    if at is not None and at < start and schedule.count is None:
        at = schedule.next_start(start, zone, runs=runs)
    while at is not None and at < end:
        runs += 1
        if at >= start:
            yield at
        at = schedule.next_start(at, zone, runs=runs)


def _wall(schedule: Schedule, at: datetime) -> datetime | None:
    timing = schedule.timing(at)
    return timing.wall if isinstance(timing, LocalTime) else None
