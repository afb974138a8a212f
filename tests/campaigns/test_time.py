"""When campaigns start and when people are reached, with the clock in the test's hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from apps.audience.models import Subscriber
from apps.audience.services.events import record_events
from apps.audience.services.subscribers import upsert_subscriber
from apps.campaigns import planning
from apps.campaigns.errors import CampaignWrongState, ScheduleInPast, ScheduleInvalid, SendingRuleInvalid
from apps.campaigns.models import Campaign, CampaignRun
from apps.campaigns.services import (
    cancel_campaign,
    create_campaign,
    pause_campaign,
    resume_campaign,
    schedule_campaign,
    set_default_quiet_hours,
)
from apps.campaigns.services.editing import Plan
from apps.campaigns.services.running import finish_ended_campaigns, start_due_campaigns
from apps.core.errors import HouseError
from apps.messaging import upkeep
from apps.messaging.models import Chunk, Delivery, Message
from apps.messaging.queries import differences
from apps.tenants.models import Application
from apps.tenants.scope import tenant_scope
from tests.sending import Recorder

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("as_worker")]

CONTENT = {"en": {"title": "Hi", "body": "News"}}
#: A Wednesday, noon in London's winter.
NOON = datetime(2026, 1, 14, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DAILY = {"kind": "recurring", "cron": "0 9 * * *", "timezone": "Europe/London"}
ZONES = {"ann": "Europe/Vienna", "bob": "America/New_York", "cho": "Asia/Tokyo", "dan": ""}


@pytest.fixture
def world(application: Application) -> list[str]:
    """People around the world; dan's clock is not known."""
    with tenant_scope(application.tenant):
        for name, zone in ZONES.items():
            person = {"external_id": name, "timezone": zone}
            upsert_subscriber(tenant=application.tenant, application=application, person=person)
    return sorted(ZONES)


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def made(application: Application, world: list[str], clock: Any) -> Callable[..., Campaign]:
    def made(*, application: Application = application, **given: Any) -> Campaign:
        plan = {"name": "C", "audience": {"all": True}, "routes": ["realtime"], "content": CONTENT, **given}
        with tenant_scope(application.tenant):
            return create_campaign(tenant=application.tenant, application=application, plan=Plan(**plan))

    return made


@pytest.fixture
def scheduled(made: Callable[..., Campaign]) -> Callable[..., Campaign]:
    def scheduled(send_at: datetime | None = None, **given: Any) -> Campaign:
        campaign = made(**given)
        with tenant_scope(campaign.tenant_id):
            return schedule_campaign(tenant=campaign.tenant, campaign=campaign, send_at=send_at)

    return scheduled


def started(campaign: Campaign) -> list[datetime]:
    with tenant_scope(campaign.tenant_id):
        runs = CampaignRun.objects.of(campaign.tenant_id).filter(campaign=campaign).order_by("pk")
        return list(runs.values_list("due_at", flat=True))


def ledger(campaign: Campaign) -> dict[str, tuple[str, str, datetime]]:
    """External id -> state, reason, when it is due, of the last run."""
    with tenant_scope(campaign.tenant_id):
        run = CampaignRun.objects.of(campaign.tenant_id).filter(campaign=campaign).latest("pk")
        rows = Delivery.objects.of(campaign.tenant_id).filter(message=run.message_id).select_related("chunk")
        names = dict(Subscriber.objects.of(campaign.tenant_id).values_list("pk", "external_id"))
        assert differences(run.message) == {}
        return {names[row.subscriber_id]: (row.state, row.reason, row.chunk.due_at) for row in rows}


def run_planner() -> None:
    start_due_campaigns()
    planning.plan_started_runs(seconds=30)


def end() -> None:
    upkeep.end_messages()
    finish_ended_campaigns()


def status(campaign: Campaign) -> str:
    with tenant_scope(campaign.tenant_id):
        return campaign.refreshed().status


def due(campaign: Campaign) -> dict[str, datetime]:
    return {name: at for name, (state, _, at) in ledger(campaign).items() if state == "planned"}


def test_a_local_time_is_planned_for_each_zone_before_the_first_one_reaches_it(
    scheduled: Callable[..., Campaign], clock: Any
) -> None:
    campaign = scheduled(schedule={"kind": "local_time", "local_time": "2026-01-16T09:00", "timezone": "Europe/London"})
    assert start_due_campaigns() == 0
    clock.move_to(datetime(2026, 1, 15, 19, tzinfo=UTC))  # 09:00 of the 16th on Kiritimati
    run_planner()
    nine = datetime(2026, 1, 16, 9, tzinfo=UTC)
    assert due(campaign) == {"ann": nine - HOUR, "bob": nine + 5 * HOUR, "cho": nine - 9 * HOUR, "dan": nine}


@pytest.mark.parametrize("missed", ["skip", "next_day", "now"])
def test_whose_local_time_has_passed_is_treated_as_the_campaign_says(
    scheduled: Callable[..., Campaign], missed: str
) -> None:
    today = {"kind": "local_time", "local_time": "2026-01-14T12:30", "missed": missed, "timezone": "UTC"}
    campaign = scheduled(schedule=today)
    run_planner()
    row = ledger(campaign)["ann"]  # 13:00 in Vienna
    assert row[:2] == (("suppressed", "local_time_passed") if missed == "skip" else ("planned", ""))
    if missed != "skip":
        assert row[2] == (NOON if missed == "now" else NOON + timedelta(hours=23.5))
    assert ledger(campaign)["bob"][2] == NOON + 5.5 * HOUR


def opened(name: str, at: datetime) -> dict[str, Any]:
    return {"id": f"{name}-{at:%d}", "external_id": name, "name": "opened", "occurred_at": at.isoformat()}


def test_a_best_hour_comes_from_what_people_did(
    scheduled: Callable[..., Campaign], application: Application, clock: Any
) -> None:
    with tenant_scope(application.tenant):
        events = [opened("bob", NOON - n * DAY + 9 * HOUR) for n in range(1, 7)]  # 16:00 in New York
        events += [opened("ann", NOON - n * DAY) for n in range(1, 4)]  # too few
        results = record_events(tenant=application.tenant, application=application, events=events)
        assert {result.status for result in results} == {"recorded"}, results
    campaign = scheduled(schedule={"kind": "best_hour", "fallback_hour": 18, "timezone": "Europe/London"})
    run_planner()
    assert due(campaign) == {
        "ann": NOON + 5 * HOUR, "bob": NOON + 9 * HOUR, "cho": NOON + 21 * HOUR, "dan": NOON + 6 * HOUR,
    }  # fmt: skip


def test_quiet_hours_are_the_applications_unless_the_campaign_has_its_own(
    scheduled: Callable[..., Campaign], application: Application
) -> None:
    with tenant_scope(application.tenant):
        set_default_quiet_hours(
            tenant=application.tenant, application=application,
            quiet_hours={"from": "20:00", "to": "08:00", "action": "hold"},
        )  # fmt: skip
    by_default, own, none = (
        scheduled(quiet_hours=quiet)
        for quiet in (None, {"from": "06:00", "to": "08:00", "action": "drop"}, {"action": "ignore"})
    )
    run_planner()
    assert due(by_default) == {  # 07:00 in New York, 21:00 in Tokyo
        "ann": NOON, "bob": NOON + HOUR, "cho": NOON + 11 * HOUR, "dan": NOON,
    }  # fmt: skip
    assert ledger(own)["bob"][:2] == ("suppressed", "quiet_hours")
    assert set(due(own)) == {"ann", "cho", "dan"}
    assert set(due(none).values()) == {NOON}


def test_a_recurring_campaign_runs_once_for_each_occurrence_until_it_ends(
    scheduled: Callable[..., Campaign], network: Recorder, clock: Any
) -> None:
    campaign = scheduled(schedule={**DAILY, "count": 3})
    nine = datetime(2026, 1, 15, 9, tzinfo=UTC)
    for day in range(3):
        clock.move_to(nine + day * DAY + timedelta(seconds=1))
        assert start_due_campaigns() == 1
        assert start_due_campaigns() == 0  # the second tick
        planning.plan_started_runs(seconds=30)
        assert status(campaign) == "sending"
        with tenant_scope(campaign.tenant_id):
            Chunk.objects.of(campaign.tenant_id).update(is_done=True)
        end()
        assert status(campaign) == ("scheduled" if day < 2 else "sent")
    clock.move_to(nine + 9 * DAY)
    assert start_due_campaigns() == 0
    assert started(campaign) == [nine, nine + DAY, nine + 2 * DAY]


def test_a_clock_that_jumps_brings_no_occurrence_twice(scheduled: Callable[..., Campaign], clock: Any) -> None:
    campaign = scheduled(schedule=DAILY)
    nine = datetime(2026, 1, 15, 9, tzinfo=UTC)
    moments = [
        nine,
        nine - HOUR,
        nine,
        nine + 3 * DAY,
        nine,
        nine - 5 * DAY,
        nine + 3 * DAY,
        nine + 4 * DAY,
        nine + DAY,
    ]
    for moment in moments:
        clock.move_to(moment)
        start_due_campaigns()
    # Of the three days that the jump made pass at once, the last is made up for.
    assert started(campaign) == [nine, nine + 3 * DAY, nine + 4 * DAY]


def test_a_new_occurrence_starts_while_the_one_before_is_still_under_way(
    scheduled: Callable[..., Campaign], clock: Any
) -> None:
    campaign = scheduled(schedule=DAILY)
    for day in (0, 1):
        clock.move_to(datetime(2026, 1, 15 + day, 9, tzinfo=UTC))
        run_planner()
    assert (status(campaign), len(started(campaign))) == ("sending", 2)
    with tenant_scope(campaign.tenant_id):
        pause_campaign(tenant=campaign.tenant, campaign=campaign)
        states = set(Message.objects.of(campaign.tenant_id).values_list("state", flat=True))
        assert states == {"paused"}
    clock.shift(DAY)
    assert start_due_campaigns() == 0  # a paused campaign starts nothing
    with tenant_scope(campaign.tenant_id):
        assert resume_campaign(tenant=campaign.tenant, campaign=campaign).status == "sending"
    assert start_due_campaigns() == 1
    with tenant_scope(campaign.tenant_id):
        cancel_campaign(tenant=campaign.tenant, campaign=campaign)
        assert not Message.objects.of(campaign.tenant_id).exclude(state="cancelled").exists()
    clock.shift(DAY)
    assert (start_due_campaigns(), status(campaign)) == (0, "cancelled")


def test_a_recurring_campaign_is_paused_between_occurrences_too(scheduled: Callable[..., Campaign], clock: Any) -> None:
    campaign = scheduled(schedule=DAILY)
    with tenant_scope(campaign.tenant_id):
        pause_campaign(tenant=campaign.tenant, campaign=campaign)
    clock.shift(3 * DAY)
    assert start_due_campaigns() == 0
    with tenant_scope(campaign.tenant_id):
        assert resume_campaign(tenant=campaign.tenant, campaign=campaign).status == "scheduled"
    assert start_due_campaigns() == 1
    assert started(campaign) == [datetime(2026, 1, 17, 9, tzinfo=UTC)]  # one for the three that were missed


def test_a_campaign_for_one_moment_is_not_paused_before_it(scheduled: Callable[..., Campaign]) -> None:
    campaign = scheduled(NOON + DAY)
    with tenant_scope(campaign.tenant_id), pytest.raises(CampaignWrongState):
        pause_campaign(tenant=campaign.tenant, campaign=campaign)


def test_a_recurrence_on_everybodys_own_clock_reaches_each_at_that_time(
    scheduled: Callable[..., Campaign], clock: Any
) -> None:
    campaign = scheduled(schedule={**DAILY, "own_clock": True})
    clock.move_to(datetime(2026, 1, 14, 19, tzinfo=UTC))
    run_planner()
    nine = datetime(2026, 1, 15, 9, tzinfo=UTC)
    assert due(campaign) == {"ann": nine - HOUR, "bob": nine + 5 * HOUR, "cho": nine - 9 * HOUR, "dan": nine}


@pytest.mark.parametrize(
    "schedule",
    [
        {"kind": "sometime"}, {"kind": "at", "cron": "0 9 * * *"}, {"kind": "at", "send_at": "noon"},
        {"kind": "at", "send_at": "2026-01-15T09:00"}, {"kind": "local_time"},
        {"kind": "local_time", "local_time": "2026-01-15T09:00Z"},
        {"kind": "local_time", "local_time": "9999-12-31T23:00"},
        {"kind": "local_time", "local_time": "2026-01-15T09:00", "missed": "maybe"},
        {"kind": "recurring"}, {"kind": "recurring", "cron": "0 9 31 2 *"}, {"kind": "recurring", "cron": "* * * * *"},
        {"kind": "recurring", "cron": "0 9 * * *", "timezone": "Mars/Olympus"}, {**DAILY, "timezone": ["UTC"]},
        {**DAILY, "count": 0}, {**DAILY, "count": True}, {**DAILY, "own_clock": "yes"},
        {**DAILY, "until": "0001-01-01T00:00:00+14:00"},
        {"kind": "best_hour", "fallback_hour": 24},
    ],
)  # fmt: skip
def test_a_schedule_that_cannot_work_is_refused(made: Callable[..., Campaign], schedule: dict[str, Any]) -> None:
    with pytest.raises(ScheduleInvalid) as caught:
        made(schedule=schedule)
    assert all(name.startswith("schedule.") for name in caught.value.fields)


@pytest.mark.parametrize(
    "given",
    [
        {"quiet_hours": {"from": "22:00"}}, {"quiet_hours": {"from": "22:00", "to": "22:00"}},
        {"quiet_hours": {"from": "25:00", "to": "08:00"}},
        {"quiet_hours": {"from": "22:00", "to": "08:00", "action": "wait"}},
        {"frequency_cap": {"count": 0, "days": 1}}, {"frequency_cap": {"count": 1, "days": 32}},
        {"frequency_cap": {"count": 1, "days": 1, "action": "cry"}}, {"throttle_per_minute": 0},
        {"category": "nothing"},
    ],
)  # fmt: skip
def test_a_rule_that_cannot_work_is_refused(made: Callable[..., Campaign], given: dict[str, Any]) -> None:
    with pytest.raises(SendingRuleInvalid) as caught:
        made(**given)
    assert list(caught.value.fields) == list(given)


@pytest.mark.parametrize(
    ("schedule", "send_at", "error"),
    [
        ({"kind": "local_time", "local_time": "2026-01-13T09:00"}, None, ScheduleInPast),
        ({**DAILY, "until": "2026-01-14T13:00:00Z"}, None, ScheduleInPast),
        (DAILY, NOON + DAY, ScheduleInvalid),
        ({"kind": "at", "send_at": "2026-01-13T09:00:00Z"}, None, ScheduleInPast),
    ],
)
def test_a_schedule_that_brings_nothing_is_refused_when_it_is_asked_for(
    scheduled: Callable[..., Campaign], schedule: dict[str, Any], send_at: datetime | None, error: type[HouseError]
) -> None:
    with pytest.raises(error):
        scheduled(send_at, schedule=schedule)
